import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import type { Expectation } from "../../../fixtures/recipes/malformed.ts";
import { MAX_FINDINGS } from "../../../src/cli/analysis/verify.ts";
import { RelocationType, SectionFlag, SectionType, SmfBuilder, SymbolType } from "../../../src/smf/mod.ts";
import { integrityOf } from "../../../src/smf/integrity.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { HAS_ZSTD } from "../../support/deno_version.ts";
import { addModule, patched, sampler, TemporaryDirectory, unhashed } from "../../support/testing.ts";
import { smf } from "../../support/smf_command.ts";

const FOLDER = fromFileUrl(new URL("../../../fixtures/malformed/", import.meta.url));
const MANIFEST: Readonly<Record<string, Expectation>> = JSON.parse(
  Deno.readTextFileSync(`${FOLDER}manifest.json`),
);

Deno.test("every malformed file is reported as bad, with its reason and a next step", async () => {
  for (const [name, { stage, kind, message }] of Object.entries(MANIFEST)) {
    // Only decompressing shows what is wrong.
    if (stage === "load" && name.startsWith("row15") && !HAS_ZSTD) continue;
    const { code, out, err } = await smf(
      "verify",
      FOLDER + name,
      "--no-undefined",
      "--for",
      "linux-x86_64",
    );
    assertEquals([code, err], [1, []], name);
    const found = out.findIndex((line) => line.startsWith("error: Cannot ") && line.includes(message));
    assert(found >= 0, `${name} (${kind}): ${out.join("\n")}`);
    assertMatch(out[found + 1], /^ {2}next: \w.{20,}/);
    assertMatch(out.at(-1)!, /: bad, \d+ error/);
  }
});

Deno.test("a sound module is reported as sound", async () => {
  using folder = new TemporaryDirectory();
  for (const compress of [false, HAS_ZSTD]) {
    const path = folder.file("a.smf", sampler({ compress }).bytes);
    const { code, out } = await smf("verify", path, "--for", "host");
    assertEquals([code, out.at(-1)], [0, `${path}: sound, 1 note`]);
  }
});

Deno.test("all relocations are applied, past the first that fails", async () => {
  using folder = new TemporaryDirectory();
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(64) });
  const symbol = builder.symbol({ name: "f", type: SymbolType.Function, size: 1 });
  builder.relocation({ offset: 0, symbol, type: 2, addend: 2n ** 40n });
  builder.relocation({ offset: 8, symbol, type: 2 });
  builder.relocation({ offset: 16, symbol, type: 99 });
  builder.relocation({ offset: 61, symbol, type: 2 });
  builder.relocation({ offset: 10, symbol, type: 2 });
  const { out } = await smf("verify", folder.file("a.smf", builder.build()), "--json");
  const { findings } = JSON.parse(out[0]);
  assertEquals(findings.map(({ offset }: { offset: number }) => offset), [16, 10, 0, 61]);
});

Deno.test("things that are allowed but probably unintended are warnings and notes, not errors", async () => {
  using folder = new TemporaryDirectory();
  const builder = new SmfBuilder();
  const { Read, Write, Exec } = SectionFlag;
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(3) });
  builder.section({ name: "more", type: SectionType.Code, bytes: new Uint8Array(3), alignment: 64 });
  builder.section({ name: "ro", type: SectionType.RoData, bytes: new Uint8Array(3), flags: Read | Write });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(3), flags: Read | Exec });
  builder.section({ name: "odd", type: 200, bytes: new Uint8Array(3) });
  builder.symbol({ name: "f", type: SymbolType.Function, size: 1 });
  const bytes = builder.build();
  const path = folder.file("a.smf", patched(unhashed(bytes), [44, 4, 9]));
  const { code, out } = await smf("verify", path);
  assertEquals(code, 0);
  assertEquals(out, [
    "warning: section 'more' is not aligned in memory: image offset 3, alignment 64",
    "warning: section 'ro' has the flag Write, but RoData sections are read-only",
    "warning: section 'data' has the flag Exec, but only Code sections are executable",
    "note: section 'odd' is ignored: its type 200 is unknown",
    "note: the file has no module hash: changes to it are not detected",
    "warning: the header counts 9 exports, but the symbol table has 1",
    `${path}: sound, 4 warnings, 2 notes`,
  ]);
});

Deno.test("--for checks for loading on another system", async () => {
  const verify = (system: string) => smf("verify", "fixtures/mylib.smf", "--for", system);
  assertEquals((await verify("linux-x86_64")).code, 0);
  const { code, out } = await verify("windows-aarch64");
  assertEquals(code, 1);
  assertStringIncludes(out.join("\n"), "it is made for Linux, this is Windows");
  assertStringIncludes(out.join("\n"), "it is made for X86_64, this is Aarch64");
  for (const wrong of ["plan9-x86_64", "linux", "linux-z80", "constructor-x86_64"]) {
    const { code, err } = await verify(wrong);
    assertEquals(code, 2, wrong);
    assertStringIncludes(err[0], "--for takes host, or one of linux");
  }
});

Deno.test("--integrity checks the bytes", async () => {
  const bytes = Deno.readFileSync("fixtures/mylib.smf");
  const verify = (text: string) => smf("verify", "fixtures/mylib.smf", "--integrity", text);
  assertEquals((await verify(integrityOf(bytes))).code, 0);
  const changed = await verify(integrityOf(addModule()));
  assertEquals(changed.code, 1);
  assertStringIncludes(changed.out[0], integrityOf(bytes));
  const malformed = await verify("md5-abc");
  assertEquals(malformed.code, 1);
  assertStringIncludes(malformed.out[1], "sha256-");
});

Deno.test("undefined imports are notes, or errors with --no-undefined, unless another module defines them", async () => {
  const verify = (...args: string[]) => smf("verify", "fixtures/importer.smf", ...args);
  const open = await verify();
  assertEquals([open.code, open.out.filter((line) => line.includes("'scale' is imported")).length], [0, 1]);
  const strict = await verify("--no-undefined");
  assertEquals([strict.code, strict.out.slice(0, 2)], [1, [
    "error: Cannot resolve imports: undefined symbol 'scale'",
    "  next: name the module that defines it (--with FILE), or link its object into this module",
  ]]);
  const answered = await verify("--no-undefined", "--with", "fixtures/provider.smf");
  assertEquals([answered.code, answered.out], [0, ["fixtures/importer.smf: sound"]]);
  const broken = await verify("--with", `${FOLDER}row01_empty.smf`);
  assertEquals([broken.code, broken.err.length], [1, 2]);
  assertEquals((await verify("--with", "no_such.smf")).code, 2);
});

Deno.test("a check ends at the limit of findings, and reports that", async () => {
  using folder = new TemporaryDirectory();
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  for (let index = 0; index < MAX_FINDINGS + 5; index++) {
    builder.symbol({ name: `f${index}`, type: SymbolType.Function, size: 1 });
  }
  const bytes = unhashed(builder.build());
  const { symbolTableOffset, symbolCount } = parseSmf(bytes).header;
  const changes = Array.from(
    { length: symbolCount },
    (_, index) => [symbolTableOffset + 56 * index + 4, 4, 0] as const,
  );
  const { out } = await smf("verify", folder.file("a.smf", patched(bytes, ...changes)), "--json");
  const { findings, notExamined, counts, sound, version } = JSON.parse(out[0]);
  assertEquals([findings.length, counts.error, sound, version], [MAX_FINDINGS, MAX_FINDINGS, false, 1]);
  assertEquals(notExamined, [`everything after ${MAX_FINDINGS} findings`]);
});

/** The path of the C library, if it is where the command looks for libraries. */
const C_LIBRARY = [
  "/usr/lib/x86_64-linux-gnu/libc.so.6",
  "/usr/lib/aarch64-linux-gnu/libc.so.6",
  "/usr/lib64/libc.so.6",
]
  .find((path) => {
    try {
      return Deno.build.os === "linux" && Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });

Deno.test({
  name: C_LIBRARY === undefined
    ? "--library satisfies imports (SKIPPED: needs libc.so.6 of Linux)"
    : "--library satisfies imports, also by the path, and with the version of a name",
  ignore: C_LIBRARY === undefined,
  async fn() {
    using folder = new TemporaryDirectory();
    const builder = new SmfBuilder();
    builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(32) });
    for (const [index, name] of ["strlen", "memcpy@GLIBC_2.14", "nobody_has_it"].entries()) {
      const symbol = builder.symbol({ name, type: SymbolType.Function, defined: false });
      builder.relocation({ offset: index * 8, symbol, type: RelocationType.Abs64 });
    }
    const path = folder.file("a.smf", builder.build());
    for (const library of ["libc.so.6", C_LIBRARY!]) {
      const { code, out } = await smf("verify", path, "--no-undefined", "--library", library);
      const errors = out.filter((line) => line.startsWith("error: "));
      assertEquals([code, errors.length], [1, 1], out.join("\n"));
      assertStringIncludes(errors[0], "'nobody_has_it'");
    }
  },
});

Deno.test("--library names a library that is there and that has names", async () => {
  const missing = await smf("verify", "fixtures/mylib.smf", "--library", "libnone.so.9");
  assertEquals(missing.code, 2);
  assertStringIncludes(missing.err[0], "there is no library 'libnone.so.9' on this system");
  const other = await smf("verify", "fixtures/mylib.smf", "--library", FOLDER + "manifest.json");
  assertEquals(other.code, 2);
  assertStringIncludes(other.err[0], "is not a shared library");
});
