import { assertEquals } from "@std/assert";
import { LoadError, NEXT_STEPS } from "../../src/errors/load_error.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { decompressZstd } from "../../src/smf/compress.ts";
import { SectionType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { Integrity, integrityOf } from "../../src/smf/integrity.ts";
import { readFrom } from "../../src/smf/reader.ts";
import { surveySmf } from "../../src/smf/survey.ts";
import { patched, unhashed } from "../support/testing.ts";
import { HAS_ZSTD, zstdTest } from "../support/deno_version.ts";

const FOLDER = new URL("../../fixtures/malformed/", import.meta.url);
const fixture = (name: string): Uint8Array => Deno.readFileSync(new URL(`${name}.smf`, FOLDER));
const text = (value: string): Uint8Array => new TextEncoder().encode(value.padEnd(300, "\0"));

/** Returns the hint of the LoadError that `action` throws. */
function hintOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof LoadError) return error.hint;
    throw error;
  }
  throw new Error("no error");
}

const COPY_AGAIN = "copy the file again or build it again: it was cut short, or changed after it was written";
const LINK_FIRST = "link it first: smf link FILE -o MODULE.smf";
const MACHINE_CODE =
  "compile it to machine code: bytecode runs only in the interpreter that it was compiled for";
const ZSTD = "compress it with zstd, or not at all: smf convert --compress";
const UNPACK = "unpack it and load the modules in it one by one";
const WRITE_AGAIN = "write it with a newer compiler, or link it again: smf link";
const SPLIT_CODE =
  "put code and variables into separate sections; code that modifies itself cannot be loaded";
const NO_MODULE = "check the path: it does not name a module; link objects and libraries with smf link";

/** The hint of each malformed fixture for which the parser knows a better one than its kind's. */
const FIXTURES: Readonly<Record<string, string>> = {
  row01_empty: "build it again: its writer was interrupted, or wrote to another file",
  row01_short: COPY_AGAIN,
  row02_bad_magic: NO_MODULE,
  row03_no_layout: COPY_AGAIN,
  row04_version: "this package reads versions 0.1, 1.0 and 1.1: write one of them",
  row06_symbol_table: COPY_AGAIN,
  row06_wrap: COPY_AGAIN,
  row08_section_count: COPY_AGAIN,
  row08_symbol_count: COPY_AGAIN,
  row09_data_past_end: COPY_AGAIN,
  row13_writable_code: SPLIT_CODE,
  row15_unknown_method: ZSTD,
  row15_lz4: ZSTD,
  row15_no_method: ZSTD,
  row19_name_hash: "fix the writer: the stored hash must be the 32-bit FNV-1a of the name's UTF-8 bytes",
  row22_two_exports: "rename one of them or make it local (static in C), and build again",
  row43_wrong_hash: COPY_AGAIN,
  row43_grown: COPY_AGAIN,
  refused_old_header: WRITE_AGAIN,
  refused_lsm: UNPACK,
  refused_settlement: UNPACK,
  refused_spk: UNPACK,
  refused_bytecode: MACHINE_CODE,
  refused_bytecode_section: MACHINE_CODE,
  refused_elf_section: LINK_FIRST,
  refused_plan_numbers: WRITE_AGAIN,
};

for (const [name, hint] of Object.entries(FIXTURES)) {
  Deno.test(`${name} has a hint of its own`, () => {
    assertEquals(hintOf(() => parseSmf(fixture(name))), hint);
  });
}

Deno.test("all other malformed fixtures have the hint of their kind", () => {
  for (const file of Object.keys(JSON.parse(Deno.readTextFileSync(new URL("manifest.json", FOLDER))))) {
    const name = file.replace(".smf", "");
    if (name in FIXTURES || name === "row15_not_zstd") continue;
    // Without zstd, the hint is to use a newer runtime.
    if (name.startsWith("row15") && !HAS_ZSTD) continue;
    surveySmf(fixture(name), ({ kind, hint }) => assertEquals(hint, NEXT_STEPS[kind], name));
  }
});

Deno.test("objects and static libraries are to be linked", () => {
  assertEquals(hintOf(() => parseSmf(text("\x7fELF"))), LINK_FIRST);
  assertEquals(hintOf(() => parseSmf(text("!<arch>\n"))), LINK_FIRST);
});

Deno.test("sections that are larger than the file are a damaged copy", () => {
  const builder = new SmfBuilder();
  for (const name of ["a", "b"]) {
    builder.section({ name, type: SectionType.Data, bytes: new Uint8Array(400) });
  }
  const bytes = unhashed(builder.build());
  const [first] = parseSmf(bytes).sections;
  const overlapping = patched(bytes, [96 + 56 + 8, 8, first.offset], [96 + 16, 8, 800], [96 + 24, 8, 800]);
  assertEquals(hintOf(() => parseSmf(overlapping)), COPY_AGAIN);
});

zstdTest("bytes that are not a whole zstd frame are a damaged copy", () => {
  assertEquals(hintOf(() => decompressZstd(new Uint8Array(4), new Uint8Array(9), "data")), COPY_AGAIN);
});

Deno.test("a section count over the limit is to be reduced", () => {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(70_000 * 56) });
  const bytes = patched(unhashed(builder.build()), [16, 4, 70_000]);
  assertEquals(
    hintOf(() => parseSmf(bytes)),
    "merge sections: link without -ffunction-sections, or split the module",
  );
});

Deno.test("unknown flags may be those of a newer version of the package", () => {
  const hint = "update this package, or clear the flags that docs/format.md does not list";
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(1) });
  const bytes = unhashed(builder.build());
  assertEquals(hintOf(() => parseSmf(patched(bytes, [8, 4, 0x100]))), hint);
  assertEquals(hintOf(() => parseSmf(patched(bytes, [96 + 4, 4, 0x15]))), hint);
});

Deno.test("bytes that end before the requested range are a damaged copy", () => {
  const reading = function* (): Generator<{ offset: number; length: number }, void, Uint8Array> {
    yield { offset: 0, length: 2 };
  };
  assertEquals(hintOf(() => readFrom(new Uint8Array(1), reading())), COPY_AGAIN);
});

Deno.test("names that changed after the check say not to change the bytes", () => {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(1) });
  builder.symbol({ name: "f", type: 1, size: 1 });
  const { symbols } = parseSmf(builder.build());
  symbols.source.bytes.fill(0xff, 56);
  assertEquals(hintOf(() => symbols.name(0)), "do not change the bytes of a file while it is in use");
});

Deno.test("a module that was loaded without the check is to be loaded again with it", () => {
  const bytes = new Uint8Array(3);
  const integrity = new Integrity(integrityOf(bytes));
  assertEquals(
    hintOf(() => integrity.checkKnown(undefined)),
    "unload the module and load it again with this integrity string",
  );
  assertEquals(
    hintOf(() => integrity.checkKnown(integrityOf(new Uint8Array(4)))),
    NEXT_STEPS.IntegrityMismatch,
  );
});
