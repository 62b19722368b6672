import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { differing, fixtures, withoutRecipe } from "../fixtures/build.ts";
import { dump } from "../fixtures/dump.ts";
import { bytesOfListing } from "../fixtures/assemble.ts";
import type { Expectation } from "../fixtures/recipes/malformed.ts";
import { MODULES } from "../fixtures/recipes/modules.ts";
import { REAL_FILES } from "../fixtures/recipes/real.ts";
import { SmfBuilder } from "../src/smf/builder.ts";
import { parseSmf } from "../src/smf/file.ts";
import { assertLoadError, TemporaryDirectory } from "./support/testing.ts";
import { zstdTest } from "./support/deno_version.ts";

const FOLDER = new URL("../fixtures/", import.meta.url);
const read = (name: string): Uint8Array => Deno.readFileSync(new URL(name, FOLDER));
const manifest: Record<string, Expectation> = JSON.parse(
  Deno.readTextFileSync(new URL("malformed/manifest.json", FOLDER)),
);

for (const name of Object.keys({ ...MODULES, ...REAL_FILES })) {
  // A dump has the contents of compressed sections, too.
  (name === "zstd.smf" ? zstdTest : Deno.test)(`${name} has the contents of its dump`, () => {
    assertEquals(dump(parseSmf(read(name), { path: name })), new TextDecoder().decode(read(`${name}.txt`)));
  });
}

for (const name of Object.keys(MODULES)) {
  Deno.test(`${name} is rebuilt by a builder byte for byte`, () => {
    assertEquals(SmfBuilder.from(parseSmf(read(name))).build(), read(name));
  });
}

for (const [name, { stage, kind, message }] of Object.entries(manifest)) {
  if (stage !== "parse") {
    Deno.test(`${name} parses, and fails only when it is loaded`, () => {
      assertEquals(parseSmf(read(`malformed/${name}`)).size, read(`malformed/${name}`).length);
    });
    continue;
  }
  Deno.test(`${name} is refused`, () => {
    const error = assertLoadError(() => parseSmf(read(`malformed/${name}`), { path: name }), kind, {
      path: name,
    });
    assertStringIncludes(error.message, message);
  });
}

Deno.test("every kind of malformed file has a fixture", () => {
  const rows = new Set(Object.keys(manifest).map((name) => name.slice(0, 5)));
  // 14 (unknown types) and 24 (odd names) are not errors: oddities.smf has them.
  const expected = Array.from({ length: 30 }, (_, i) => i + 1).filter((row) => row !== 14 && row !== 24);
  for (const row of expected) assert(rows.has(`row${String(row).padStart(2, "0")}`), `row ${row}`);
});

Deno.test("files of real compilers have garbage in all padding and unaligned tables", () => {
  for (const name of ["real_h72.smf", "real_h96.smf"]) {
    const bytes = read(name);
    const { header, sections: [code] } = parseSmf(bytes);
    assertEquals(header.symbolTableOffset % 8, 6);
    assertEquals([header.versionMajor, header.versionMinor, header.exportedCount], [0, 1, 1]);
    const padding = [
      ...bytes.subarray(header.sectionTableOffset + 1, header.sectionTableOffset + 4),
      ...bytes.subarray(header.symbolTableOffset + 12, header.symbolTableOffset + 16),
      ...(name === "real_h96.smf"
        ? [bytes[20], bytes[21], bytes[22], bytes[23], bytes[81], ...bytes.slice(93, 96)]
        : []),
    ];
    assert(padding.every((byte) => byte !== 0));
    assertEquals(code.alignment, 16);
    if (name === "real_h96.smf") assertEquals(code.offset, 152);
  }
});

zstdTest("the fixtures match their recipes", () => {
  const files = fixtures();
  assertEquals(differing(FOLDER, files), []);
  assertEquals(withoutRecipe(FOLDER, files), []);
});

Deno.test("--check finds a changed, a missing and an extra file", () => {
  using folder = new TemporaryDirectory();
  const files = new Map([["a.smf", new Uint8Array([1])], ["b.smf", new Uint8Array([2])]]);
  folder.file("a.smf", new Uint8Array([9]));
  const url = new URL(`file://${folder.path}/`);
  assertEquals(differing(url, files), ["a.smf", "b.smf"]);
  assertEquals(withoutRecipe(url, files), []);
  Deno.mkdirSync(`${folder.path}/malformed`);
  folder.file("malformed/x.smf");
  assertEquals(withoutRecipe(url, files), ["malformed/x.smf"]);
});

zstdTest("the recipes make the same bytes each time", () => {
  const [first, second] = [fixtures(), fixtures()];
  for (const [name, bytes] of first) assertEquals(bytes, second.get(name), name);
});

zstdTest("the task checks without write permission", () => {
  const script = fromFileUrl(new URL("build.ts", FOLDER));
  const { code, stdout } = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", script, "--check"],
    cwd: fromFileUrl(new URL("..", FOLDER)),
  }).outputSync();
  assertEquals(code, 0);
  assertStringIncludes(new TextDecoder().decode(stdout), "fixtures match their recipes");
});

Deno.test("a listing is assembled to its bytes, and invalid ones are refused", () => {
  assertEquals(
    bytesOfListing('f:\n 48 8b 05 <Pc32 x-4> ; mov\n .ascii "a\\u0000"\n .align 16'),
    new Uint8Array([
      ...[0x48, 0x8b, 0x05, 0, 0, 0, 0, 0x61, 0],
      ...[0, 0, 0, 0, 0, 0, 0],
    ]),
  );
  for (const wrong of ["4", "xyz", "<Pc99 a>", ".word 1"]) {
    try {
      bytesOfListing(wrong);
      throw new Error(`accepted ${wrong}`);
    } catch (error) {
      assert(error instanceof SyntaxError, `${error}`);
    }
  }
});
