// Verdicts are checked everywhere; on Windows also what the system reads in the same bytes.
import { assertEquals } from "@std/assert";
import { privateDescriptor, sid, sidAt, whyNotPrivate } from "../../src/os/security_descriptor.ts";
import { type AccessEntry, descriptor, EVERYONE, FULL, OTHER, sddlOf, USER } from "../support/security.ts";

const NOT_WINDOWS = Deno.build.os !== "windows";
const SYSTEM = sid(5, 18);
const ADMINISTRATORS = sid(5, 32, 544);
const OWN: AccessEntry = { mask: FULL, sid: USER };
const USER_TEXT = "S-1-5-21-1-2-3-1001";
const OWN_TEXT = `(A;OICI;FA;;;${USER_TEXT})`;

const CASES: readonly [
  name: string,
  owner: Uint8Array,
  entries: readonly AccessEntry[] | null,
  sddl: string,
  verdict: string | undefined,
][] = [
  ["the user alone", USER, [OWN], `O:${USER_TEXT}D:${OWN_TEXT}`, undefined],
  ["nobody at all", USER, [], `O:${USER_TEXT}D:`, undefined],
  [
    "the user, the system and administrators",
    ADMINISTRATORS,
    [OWN, { mask: FULL, sid: SYSTEM }, { mask: FULL, sid: ADMINISTRATORS }],
    `O:BAD:${OWN_TEXT}(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)`,
    undefined,
  ],
  ["the system's own", SYSTEM, [OWN], `O:SYD:${OWN_TEXT}`, undefined],
  [
    "who owns what is in it",
    USER,
    [OWN, { flags: 0x0b, mask: 0x1000_0000, sid: sid(3, 0) }, { mask: FULL, sid: sid(3, 4) }],
    `O:${USER_TEXT}D:${OWN_TEXT}(A;OICIIO;GA;;;CO)(A;OICI;FA;;;OW)`,
    undefined,
  ],
  [
    "others who may read",
    USER,
    [OWN, { mask: 0x0012_00a9, sid: EVERYONE }],
    `O:${USER_TEXT}D:${OWN_TEXT}(A;OICI;0x1200a9;;;WD)`,
    undefined,
  ],
  [
    "others who may do nothing",
    USER,
    [{ type: 1, mask: FULL, sid: OTHER }, OWN],
    `O:${USER_TEXT}D:(D;OICI;FA;;;S-1-5-21-1-2-3-1002)${OWN_TEXT}`,
    undefined,
  ],
  ["another owner", OTHER, [OWN], `O:S-1-5-21-1-2-3-1002D:${OWN_TEXT}`, "belongs to another user"],
  ["everyone as the owner", EVERYONE, [OWN], `O:WDD:${OWN_TEXT}`, "belongs to another user"],
  ["no list", USER, null, `O:${USER_TEXT}`, "can be changed by every user"],
  ...([
    ["full access", FULL, "FA"],
    ["new files", 0x2, "DC"],
    ["new folders", 0x4, "LC"],
    ["deleting what is in it", 0x40, "DT"],
    ["new attributes, and so links", 0x100, "CR"],
    ["deleting it", 0x1_0000, "SD"],
    ["a new list", 0x4_0000, "WD"],
    ["a new owner", 0x8_0000, "WO"],
    ["all", 0x1000_0000, "GA"],
    ["writing", 0x4000_0000, "GW"],
  ] as const).map(([name, mask, right]): typeof CASES[number] => [
    `another user, ${name}`,
    USER,
    [OWN, { mask, sid: OTHER }],
    `O:${USER_TEXT}D:${OWN_TEXT}(A;OICI;${right};;;S-1-5-21-1-2-3-1002)`,
    "can be changed by other users",
  ]),
  [
    "everyone, for what is in it",
    USER,
    [OWN, { flags: 0x0b, mask: FULL, sid: EVERYONE }],
    `O:${USER_TEXT}D:${OWN_TEXT}(A;OICIIO;FA;;;WD)`,
    "can be changed by other users",
  ],
];

for (const [name, owner, entries, sddl, verdict] of CASES) {
  Deno.test(`a folder is ${verdict === undefined ? "private" : "not private"}: ${name}`, () => {
    const bytes = descriptor(owner, entries);
    assertEquals(whyNotPrivate(bytes, USER), verdict);
    if (!NOT_WINDOWS) assertEquals(sddlOf(bytes), sddl);
  });
}

Deno.test("an entry of a kind that is not known is taken for one that allows others to write", () => {
  for (const type of [2, 4, 5, 9, 11, 255]) {
    const bytes = descriptor(USER, [OWN, { type, mask: 0, sid: USER }]);
    assertEquals(whyNotPrivate(bytes, USER), "can be changed by other users", `${type}`);
  }
});

Deno.test("a descriptor that ends too early is not private, wherever it ends", () => {
  const bytes = privateDescriptor(USER);
  for (let length = 0; length < bytes.length; length++) {
    const verdict = whyNotPrivate(bytes.subarray(0, length), USER);
    assertEquals(verdict, "has access rights that cannot be read", `${length} bytes`);
  }
});

Deno.test("a descriptor without an owner is not private", () => {
  const bytes = privateDescriptor(USER);
  bytes.fill(0, 4, 8);
  assertEquals(whyNotPrivate(bytes, USER), "belongs to another user");
});

Deno.test("the descriptor of a new folder is private to its user, and to nobody else", () => {
  assertEquals(whyNotPrivate(privateDescriptor(USER), USER), undefined);
  assertEquals(whyNotPrivate(privateDescriptor(USER), OTHER), "belongs to another user");
});

Deno.test({
  name:
    "the system reads the descriptor of a new folder as one for the user and the system, inherited by all",
  ignore: NOT_WINDOWS,
  fn() {
    assertEquals(sddlOf(privateDescriptor(USER)), `O:${USER_TEXT}D:P${OWN_TEXT}(A;OICI;FA;;;SY)`);
  },
});

Deno.test("a SID is cut out of what surrounds it", () => {
  assertEquals(sidAt(Uint8Array.of(9, 9, ...USER, 9), 2), USER);
});
