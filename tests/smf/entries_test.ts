// The section that lists the functions which a reload switches.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Binding, Compression, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { type Entries, entriesBytes, entryKey, isEntryKey, nameOfKey } from "../../src/smf/entries.ts";
import { parseSmf } from "../../src/smf/file.ts";
import type { LayoutName } from "../../src/smf/layout.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { assertLoadError, hostBuilder } from "../support/testing.ts";

/** Symbols in 16 bytes of code, one of them a name that occurs twice, and of data; constants are at 4096. */
const SYMBOLS: readonly (readonly [name: string, type: number, binding: number, value: number])[] = [
  ["one", SymbolType.Function, Binding.Local, 0],
  ["twice", SymbolType.Function, Binding.Local, 4],
  ["twice", SymbolType.Function, Binding.Local, 8],
  ["exported", SymbolType.Function, Binding.Global, 12],
  ["data", SymbolType.Data, Binding.Local, 8192],
];

function fileWith(...sections: Uint8Array[]): SmfBuilder {
  const builder = hostBuilder({ compression: Compression.None });
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  builder.section({ name: "constants", type: SectionType.RoData, bytes: new Uint8Array(24) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8) });
  for (const bytes of sections) builder.section({ name: ".entries", type: SectionType.Entries, bytes });
  for (const [name, type, binding, value] of SYMBOLS) builder.symbol({ name, type, binding, value });
  return builder;
}

function read(...sections: Uint8Array[]): Entries | undefined {
  return parseSmf(fileWith(...sections).build()).entries();
}

const HEAD = 16;
const NO_SLOTS = { start: 0, end: 0 };
const CALL_SLOTS = { start: 4104, end: 4120 };
const GOOD = [
  { symbol: 0, file: "", key: entryKey("one", "") },
  { symbol: 1, file: "a.c", key: entryKey("twice", "a.c") },
  { symbol: 2, file: "b.c", key: entryKey("twice", "b.c") },
];

/** Bytes with words in them changed, by their offsets. */
function changed(words: Readonly<Record<number, number>>): Uint8Array {
  const bytes = entriesBytes(GOOD, CALL_SLOTS);
  const view = new DataView(bytes.buffer);
  for (const [at, value] of Object.entries(words)) view.setUint32(Number(at), value, true);
  return bytes;
}

Deno.test("entries are read as they were written, and their absence is not an empty list", () => {
  assertEquals(read(), undefined);
  assertEquals(read(entriesBytes([])), { functions: [], callSlots: NO_SLOTS });
  assertEquals(read(entriesBytes(GOOD)), { functions: GOOD, callSlots: NO_SLOTS });
  assertEquals(read(entriesBytes(GOOD, CALL_SLOTS)), { functions: GOOD, callSlots: CALL_SLOTS });
});

Deno.test("entries survive a rewrite in every layout", () => {
  const file = parseSmf(fileWith(entriesBytes(GOOD, CALL_SLOTS)).build());
  for (const layout of ["H72", "H80", "H96", "P128"] satisfies LayoutName[]) {
    assertEquals(parseSmf(SmfBuilder.from(file, { layout }).build()).entries(), {
      functions: GOOD,
      callSlots: CALL_SLOTS,
    }, layout);
  }
});

Deno.test("anything else is refused", () => {
  const NO_WORDS = "the call slots are not words of a section of constants";
  const good = entriesBytes(GOOD);
  const texts = HEAD + 3 * 8;
  const withoutEnd = good.slice();
  withoutEnd[good.length - 1] = 65;
  const withoutStart = good.slice();
  withoutStart[texts] = 65;
  const cases: readonly (readonly [problem: string, offset: number, ...sections: Uint8Array[]])[] = [
    ["there are two sections of them", 0, good, good],
    ["the section is too short", 0, new Uint8Array(0)],
    ["the section is too short", 0, new Uint8Array(HEAD)],
    ["the section is too long", 0, new Uint8Array(HEAD + 1 + 5 * (8 + 4096) + 1)],
    ["there are fewer records than it says", 0, changed({ 0: 100 })],
    ["there are fewer records than it says", 0, changed({ 0: 0xffff_ffff })],
    ["the texts do not begin and end with a NUL", texts, withoutEnd],
    ["the texts do not begin and end with a NUL", texts, withoutStart],
    ["symbol 5 does not exist", HEAD + 16, changed({ 32: 5 })],
    ["symbols are not in ascending order", HEAD + 8, changed({ 24: 0 })],
    ["symbols are not in ascending order", HEAD + 16, changed({ 32: 0 })],
    ["symbol 3 is not a local function", HEAD + 16, changed({ 32: 3 })],
    ["symbol 4 is not a local function", HEAD + 16, changed({ 32: 4 })],
    ["a file name is not among the texts", HEAD + 8, changed({ 28: 2 })],
    ["a file name is not among the texts", HEAD + 8, changed({ 28: 9 })],
    ["a file name is not among the texts", HEAD + 8, changed({ 28: 0xffff_fff0 })],
    ["two entries are called 'twice'", HEAD + 16, changed({ 36: 1 })],
    // Beyond the end, before the start, between words, in variables, in code, and no number.
    [NO_WORDS, 4, changed({ 4: 3 })],
    [NO_WORDS, 4, changed({ 8: 4088 })],
    [NO_WORDS, 4, changed({ 8: 4100 })],
    [NO_WORDS, 4, changed({ 4: 1, 8: 8192 })],
    [NO_WORDS, 4, changed({ 8: 0 })],
    [NO_WORDS, 4, changed({ 4: 0 })],
    [NO_WORDS, 4, changed({ 12: 0xffff_ffff })],
    [NO_WORDS, 4, changed({ 4: 0xffff_ffff })],
  ];
  for (const [problem, offset, ...sections] of cases) {
    const bytes = fileWith(...sections).build();
    const start = parseSmf(bytes).sections.find(({ type }) => type === SectionType.Entries)!.offset;
    const data = { section: ".entries", offset: start + offset };
    const { message } = assertLoadError(() => parseSmf(bytes).entries(), "InvalidFormat", data);
    assertStringIncludes(message, problem);
  }
});

Deno.test("keys of entries are no names, and tell files apart", () => {
  const key = entryKey("f", "a.c");
  assertEquals([isEntryKey(key), isEntryKey("f"), nameOfKey(key), nameOfKey("f")], [true, false, "f", "f"]);
  assertEquals(new Set([key, entryKey("f", ""), entryKey("f", "b.c")]).size, 3);
});
