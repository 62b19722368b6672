// Tests records of checks as bytes: what was written comes back, and nothing that was damaged does.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  type CheckRecord,
  decodeRecord,
  encodeRecord,
  keyOf,
  needsOf,
  recordOf,
} from "../../../src/load/checks/record.ts";
import type { FileStamp } from "../../../src/load/file/stamp.ts";
import { scanRelocations } from "../../../src/image/relocation/scan.ts";
import { xxh32 } from "../../../src/smf/hash.ts";
import { parseSmf } from "../../../src/smf/mod.ts";
import { addModule, importerModule, sampler, unhashed } from "../../support/testing.ts";

const PAGE = 4096;

function stamp(changes: Partial<FileStamp["info"]> = {}): FileStamp {
  const info = {
    dev: 2049,
    ino: 123_456_789_012,
    size: 4096,
    mtime: new Date(1e12),
    ctime: new Date(1e12 + 1),
  };
  return { info: { ...info, ...changes }, time: 2e12 };
}

const RECORD: CheckRecord = {
  tables: {
    moduleHash: 0x1234_5678_9abc_def0n,
    tableHashes: [0xffff_ffff, 7],
    counts: { globals: 5, defined: 4, weak: 0, ordered: 4 },
  },
  symbols: 10,
  relocations: 20,
  isLow: true,
  imports: [9, 8],
  firstUse: [3, 19, 4],
  stubs: [9],
  threadLocal: [],
  ifuncs: [7],
};

const KEY = keyOf(stamp(), PAGE)!;
const BYTES = encodeRecord(KEY, RECORD);

Deno.test("a record comes back as it was written", () => {
  assertEquals(decodeRecord(BYTES.slice(), KEY), RECORD);
  const empty: CheckRecord = { ...RECORD, isLow: false, imports: [], firstUse: [], stubs: [], ifuncs: [] };
  assertEquals(decodeRecord(encodeRecord(KEY, empty), KEY), empty);
});

Deno.test("a record with any bit changed is not used", () => {
  for (let offset = 0; offset < BYTES.length; offset++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = BYTES.slice();
      damaged[offset] ^= 1 << bit;
      assertEquals(decodeRecord(damaged, KEY), undefined, `byte ${offset}, bit ${bit}`);
    }
  }
});

Deno.test("a record that ends early, or does not end, is not used", () => {
  for (let length = 0; length < BYTES.length; length++) {
    assertEquals(decodeRecord(BYTES.slice(0, length), KEY), undefined, `${length}`);
  }
  for (const extra of [1, 4, 8]) {
    const longer = new Uint8Array(BYTES.length + extra);
    longer.set(BYTES);
    assertEquals(decodeRecord(longer, KEY), undefined);
  }
});

Deno.test("a record whose parts come from two records is not used", () => {
  const other = encodeRecord(KEY, { ...RECORD, imports: [1, 2], relocations: 21 });
  assertEquals(other.length, BYTES.length);
  for (let at = 4; at < BYTES.length; at += 4) {
    const mixed = BYTES.slice();
    mixed.set(other.subarray(at), at);
    const found = decodeRecord(mixed, KEY);
    // From a place on behind which the two are equal, the mixture is the first; before the first difference, the second.
    if (found !== undefined) {
      assert([BYTES, other].some((whole) => mixed.every((byte, index) => byte === whole[index])));
    }
  }
});

Deno.test("lists that reach beyond a record are refused, whatever its hashes say", () => {
  const words = new Uint32Array(BYTES.slice().buffer);
  const end = words.length - 2;
  const resealed = (index: number, value: number): Uint8Array<ArrayBuffer> => {
    const changed = words.slice();
    changed[index] = value;
    const bytes = new Uint8Array(changed.buffer);
    changed[end] = xxh32(bytes.subarray(0, 4 * end));
    changed[end + 1] = xxh32(bytes.subarray(0, 4 * end), 1);
    return bytes;
  };
  const imports = 2 + 14 + 4 + 7;
  assertEquals(words[imports], 2);
  assertEquals(decodeRecord(resealed(imports, 2), KEY), RECORD);
  for (const length of [0, 1, 3, 4, 100, 0x7fff_ffff, 0xffff_ffff]) {
    assertEquals(decodeRecord(resealed(imports, length), KEY), undefined, `${length}`);
  }
});

Deno.test("the key tells files, states of a file and page sizes apart", () => {
  const keys = [
    keyOf(stamp(), PAGE),
    keyOf(stamp(), 16_384),
    keyOf(stamp({ dev: 2050 }), PAGE),
    keyOf(stamp({ ino: 123_456_789_013 }), PAGE),
    keyOf(stamp({ size: 4097 }), PAGE),
    keyOf(stamp({ mtime: new Date(1e12 + 1) }), PAGE),
    keyOf(stamp({ ctime: new Date(1e12 + 2) }), PAGE),
  ];
  assertEquals(new Set(keys.map(String)).size, keys.length);
  assertEquals(keyOf({ ...stamp(), time: 0 }, PAGE), keys[0]);
  for (const key of keys.slice(1)) assertEquals(decodeRecord(BYTES.slice(), key!), undefined);
});

Deno.test("a system that does not tell enough gives no key", () => {
  for (const lacking of [{ ino: null }, { mtime: null }, { ctime: null }, { ctime: undefined }]) {
    assertEquals(keyOf(stamp(lacking), PAGE), undefined);
  }
});

for (
  const [name, bytes] of [["a module", addModule()], ["an importer", importerModule(["a", "b"])], [
    "many sections",
    sampler().bytes,
  ]] as const
) {
  Deno.test(`the needs of ${name} are what a scan finds`, () => {
    const file = parseSmf(bytes);
    const needs = scanRelocations(file);
    const record = recordOf(file, needs)!;
    assertEquals(decodeRecord(encodeRecord(KEY, record), KEY), record);
    assertEquals(needsOf(record, file), needs);
  });
}

Deno.test("the needs of every fixture for this processor are what a scan finds", () => {
  const root = new URL("../../../fixtures/", import.meta.url);
  let count = 0;
  for (const { name } of Deno.readDirSync(root)) {
    if (!/\.sm[ef]$/.test(name)) continue;
    const file = attempted(() => parseSmf(Deno.readFileSync(new URL(name, root))));
    const needs = file && attempted(() => scanRelocations(file));
    const record = file && needs && recordOf(file, needs);
    if (record === undefined) continue;
    assertEquals(needsOf(decodeRecord(encodeRecord(KEY, record), KEY)!, file!), needs, name);
    count++;
  }
  assert(count > 0);
});

/** The result of some work; undefined if it throws. */
function attempted<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

Deno.test("indices beyond the file's tables are refused", () => {
  const file = parseSmf(importerModule(["a", "b"]));
  const record = recordOf(file, scanRelocations(file))!;
  assertNotEquals(needsOf(record, file), undefined);
  const { symbols, relocations } = record;
  for (
    const forged of [
      { symbols: symbols + 1 },
      { relocations: relocations + 1 },
      { imports: [symbols] },
      { stubs: [symbols] },
      { firstUse: [relocations] },
      { threadLocal: [relocations] },
      { ifuncs: [0xffff_ffff] },
    ]
  ) assertEquals(needsOf({ ...record, ...forged }, file), undefined);
});

Deno.test("a file without a hash has no record", () => {
  const file = parseSmf(unhashed(addModule({ layout: "H96" })));
  assertEquals(recordOf(file, scanRelocations(file)), undefined);
});
