// smf keygen and smf sign, and what smf verify, run and convert say of signed modules.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { integrityOf } from "../../../src/smf/integrity.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { parsePublicKey, publicKeyText } from "../../../src/smf/keys.ts";
import { TrustedKeys } from "../../../src/smf/trust.ts";
import { addModule, TemporaryDirectory } from "../../support/testing.ts";
import { smf } from "../../support/smf_command.ts";

/** A folder with two pairs of keys, `one` and `two`, and a module. */
class Place implements Disposable {
  readonly folder = new TemporaryDirectory();
  readonly module = this.folder.file("a.smf", addModule());
  readonly keys: string[] = [];

  static async make(): Promise<Place> {
    const place = new Place();
    for (const name of ["one", "two"]) {
      const { code, out } = await smf("keygen", place.path(name));
      assertEquals(code, 0);
      place.keys.push(...out);
    }
    return place;
  }

  path(name: string): string {
    return this.folder.join(name);
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

const textOf = (path: string) => publicKeyText(parsePublicKey(Deno.readTextFileSync(path)));

Deno.test("keygen writes a pair of keys that only its user may read, and replaces none", async () => {
  using place = await Place.make();
  assertMatch(place.keys[0], /^ed25519-[A-Za-z0-9+/]{43}=$/);
  assertEquals(textOf(place.path("one.pub")), place.keys[0]);
  if (Deno.build.os !== "windows") assertEquals(Deno.statSync(place.path("one.pem")).mode! & 0o777, 0o600);
  const before = Deno.readTextFileSync(place.path("one.pem"));
  const { code, err } = await smf("keygen", place.path("one"));
  assertEquals([code, Deno.readTextFileSync(place.path("one.pem"))], [2, before]);
  assertStringIncludes(err[0], "one.pem: Cannot write the file");
  const json = JSON.parse((await smf("keygen", place.path("three"), "--json")).out[0]);
  assertEquals([json.command, json.key], ["keygen", textOf(json.publicKey)]);
});

Deno.test("sign adds signatures, which verify checks", async () => {
  using place = await Place.make();
  const { module, keys } = place;
  assertEquals(await smf("sign", module, "--key", place.path("one.pem")), {
    code: 0,
    out: [`${module}: signed by ${keys[0]}`],
    err: [],
  });
  const signed = integrityOf(Deno.readFileSync(module));
  const { out } = await smf(
    "sign",
    module,
    "--key",
    place.path("two.pem"),
    "-o",
    place.path("b.smf"),
    "--json",
  );
  assertEquals(JSON.parse(out[0]), {
    version: 1,
    command: "sign",
    file: module,
    output: place.path("b.smf"),
    signers: keys,
  });
  assertEquals(integrityOf(Deno.readFileSync(module)), signed, "-o leaves the input alone");
  for (const key of [keys[1], place.path("two.pub")]) {
    assertEquals((await smf("verify", place.path("b.smf"), "--key", key)).code, 0);
    assertEquals((await smf("verify", module, "--key", key, "--key", keys[0])).code, 0);
    const refused = await smf("verify", module, "--key", key);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.out.join(), "no trusted key has signed it");
    assertStringIncludes(refused.out.join(), `note: signed by ${keys[0]}`);
  }
});

Deno.test("sign signs several modules, with room for so many signatures", async () => {
  using place = await Place.make();
  const other = place.folder.file("other.smf", addModule());
  const first = await smf("sign", place.module, other, "--key", place.path("one.pem"), "--room", "1");
  assertEquals(
    first.out.filter((line) => line !== ""),
    [place.module, other].map((path) => `${path}: signed by ${place.keys[0]}`),
  );
  for (const path of [place.module, other]) new TrustedKeys([place.keys[0]]).check(Deno.readFileSync(path));
  const more = await smf("sign", place.module, "--key", place.path("two.pem"));
  assertEquals(more.code, 1);
  assertStringIncludes(more.err.join(), "room for 1 signatures");
});

Deno.test("a change after the signature is a warning of verify, and lost signatures one of convert", async () => {
  using place = await Place.make();
  const { module, keys: [key] } = place;
  await smf("sign", module, "--key", place.path("one.pem"));
  const converted = await smf("convert", module, "-o", place.path("b.smf"));
  assertEquals([converted.code, converted.err], [
    0,
    [`${module}: left out: the signatures, which are of the file as it was`],
  ]);
  assertEquals(Deno.readFileSync(place.path("b.smf")), addModule());
  const bytes = Deno.readFileSync(module), { sections } = parseSmf(bytes);
  const signatures = sections.find(({ name }) => name === ".signatures")!;
  bytes[signatures.offset + 8 + 32] ^= 1;
  bytes.fill(0, 0x38, 0x40);
  const found = await smf("verify", place.folder.file("c.smf", bytes));
  assert(
    found.out.some((line) => line.includes(`the signature of ${key} is not of this file`)),
    found.out.join(),
  );
});

Deno.test("verify reports damage once, with and without keys", async () => {
  using place = await Place.make();
  await smf("sign", place.module, "--key", place.path("one.pem"));
  const bytes = Deno.readFileSync(place.module), { sections } = parseSmf(bytes);
  const { offset } = sections.find(({ name }) => name === ".signatures")!;
  // A list of signatures with a field that is not known, in a file without a hash.
  const unknown = bytes.slice();
  unknown[offset + 4] = 1;
  unknown.fill(0, 0x38, 0x40);
  for (const damaged of [bytes.slice(0, -16), unknown, bytes.with(bytes.length - 1, 1)]) {
    const file = place.folder.file("damaged.smf", damaged);
    const errors = async (...options: string[]): Promise<string[]> =>
      (await smf("verify", file, ...options)).out.filter((line) => line.startsWith("error: "));
    const found = await errors();
    assert(found.length > 0);
    assertEquals(await errors("--key", place.keys[0]), found);
  }
});

Deno.test("wrong keys and options are wrong usage", async () => {
  using place = await Place.make();
  const { module } = place;
  const cases: readonly (readonly [problem: string, ...args: string[]])[] = [
    ["name a file", "sign", "--key", place.path("one.pem")],
    ["name the private key", "sign", module],
    ["it is a PUBLIC KEY, not a PRIVATE KEY", "sign", module, "--key", place.path("one.pub")],
    ["Cannot read the file", "sign", module, "--key", place.path("none.pem")],
    ["-o takes one input", "sign", module, module, "--key", place.path("one.pem"), "-o", "x"],
    ["name the file to write", "sign", "-", "--key", place.path("one.pem")],
    ["standard input is a key or a module", "sign", "-", "--key=-", "-o", "x"],
    ["--room takes a number from 1 to 1000", "sign", module, "--key", place.path("one.pem"), "--room", "0"],
    ["name the files", "keygen"],
    ["'b' is one too many", "keygen", "a", "b"],
    ["it is a PRIVATE KEY, not a PUBLIC KEY", "verify", module, "--key", place.path("one.pem")],
    ["is not 'ed25519-'", "verify", module, "--key", "ed25519-x"],
    ["is not 'ed25519-'", "run", module, "--trust", "ed25519-x"],
  ];
  for (const [problem, ...args] of cases) {
    const { code, err } = await smf(...args);
    assertEquals(code, 2, args.join(" "));
    assertStringIncludes(err[0], problem, args.join(" "));
  }
  assertEquals(Deno.readFileSync(module), addModule());
});

Deno.test("run loads what a trusted key has signed, and nothing else", async () => {
  using place = await Place.make();
  const call = ["run", place.module, "add", "2", "3", "--signature", "i64(i64, i64)", "--trust"];
  const refused = await smf(...call, place.path("one.pub"));
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.err[0], "nobody has signed it");
  await smf("sign", place.module, "--key", place.path("one.pem"));
  assertEquals((await smf(...call, place.path("one.pub"))).out, ["5"]);
  assertEquals((await smf(...call, place.keys[1])).code, 1);
  assertEquals((await smf(...call, place.keys[1], "--trust", place.keys[0])).out, ["5"]);
});
