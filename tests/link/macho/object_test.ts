// Reading Mach-O objects: sections, their parts, symbols, relocations, and files that are damaged.
import { assert, assertEquals } from "@std/assert";
import type { ElfObject } from "../../../src/link/elf/object.ts";
import { type ElfSection, SymbolPlace } from "../../../src/link/elf/symbols.ts";
import { parseMachObject } from "../../../src/link/macho/object.ts";
import {
  Machine,
  SectionFlag,
  SectionType,
  SymbolBinding,
  SymbolKind,
  SymbolVisibility,
} from "../../../src/os/elf.ts";
import { Platform } from "../../../src/smf/enums.ts";
import { Cpu, Desc, Kind, MachWriter, Sect, X86 } from "../../support/macho_writer.ts";
import { ascii } from "../../support/objects.ts";
import { indexOf, refusedBy, relocationsOf } from "../../support/parsed_objects.ts";

const parsed = (writer: MachWriter): ElfObject => parseMachObject("a.o", writer.build());

const refused = refusedBy(parseMachObject, "a.o");

/** The section that a symbol is in, and its offset there. */
function placeOf(object: ElfObject, name: string): [section: ElfSection, offset: number] {
  const index = indexOf(object, name);
  return [object.sections[object.symbols.section(index)], object.symbols.value(index)];
}

/** The relocations of a section: offset, type, symbol's name or place, addend. */
function namedRelocations(object: ElfObject, section: ElfSection) {
  const { symbols } = object;
  return relocationsOf(object, section).map(({ place, type, symbol, addend }) => {
    const name = symbols.name(symbol) || `${symbols.section(symbol)}+${symbols.value(symbol)}`;
    return [place, type, name, Number(addend)];
  });
}

Deno.test("symbols divide sections; labels and alternative entries do not", () => {
  const writer = new MachWriter();
  const text = writer.section({
    name: "__TEXT,__text",
    flags: Sect.CODE,
    bytes: new Uint8Array(48),
    alignment: 16,
  });
  writer.symbol({ name: "_f", section: text });
  writer.symbol({ name: "LBB0", section: text, value: 8, type: Kind.LOCAL });
  writer.symbol({ name: "_f_inner", section: text, value: 12, desc: Desc.ALT_ENTRY });
  writer.symbol({ name: "_g", section: text, value: 16, type: Kind.LOCAL });
  writer.symbol({ name: "l_h", section: text, value: 24, type: Kind.LOCAL });
  const object = parsed(writer);
  assertEquals(object.machine, Machine.X86_64);
  assertEquals(object.platform, Platform.MacOS);
  const [f, atF] = placeOf(object, "f"), [inner, atInner] = placeOf(object, "f_inner");
  assertEquals([f.name, f.size, f.alignment, atF], ["__TEXT,__text", 16, 16, 0]);
  assertEquals(f.flags, SectionFlag.ALLOC | SectionFlag.EXECINSTR);
  assert(inner === f && atInner === 12);
  assertEquals(object.symbols.size(indexOf(object, "f")), 12, "to the next name");
  const [g] = placeOf(object, "g");
  assertEquals([g.size, g.alignment, g.offset - f.offset], [8, 16, 16]);
  // Places inside of code and constants may count on the section's alignment.
  const [h, atH] = placeOf(object, "l_h");
  assertEquals([h.size, h.alignment, atH], [32, 16, 8]);
  assertEquals(object.symbols.kind(indexOf(object, "l_h")), SymbolKind.NOTYPE);
  assertEquals(object.symbols.kind(indexOf(object, "g")), SymbolKind.FUNC);
});

Deno.test("variables get the alignment of their place", () => {
  const writer = new MachWriter();
  const data = writer.section({ name: "__DATA,__data", bytes: new Uint8Array(40), alignment: 16 });
  writer.symbol({ name: "_a", section: data });
  writer.symbol({ name: "_b", section: data, value: 8 });
  const object = parsed(writer);
  const [b, offset] = placeOf(object, "b");
  assertEquals([b.size, b.alignment, offset], [32, 8, 0]);
});

Deno.test("an object that says nothing about its parts stays whole", () => {
  const writer = new MachWriter(Cpu.X86_64, false);
  const text = writer.section({ name: "__TEXT,__text", flags: Sect.CODE, bytes: new Uint8Array(48) });
  writer.symbol({ name: "_f", section: text });
  writer.symbol({ name: "_g", section: text, value: 16 });
  const object = parsed(writer);
  assertEquals(placeOf(object, "f")[0], placeOf(object, "g")[0]);
  assertEquals(placeOf(object, "g")[1], 16);
});

Deno.test("sections get the names, types and flags that the linker goes by", () => {
  const writer = new MachWriter();
  const bytes = new Uint8Array(16);
  const names = [
    ["__DATA,__const", 0],
    ["__TEXT,__const", 0],
    ["__TEXT,__cstring", Sect.CSTRINGS],
    ["__TEXT,__literal8", Sect.LITERALS_8],
    ["__DATA,__mod_init_func", Sect.INIT],
    ["__DATA,__mod_term_func", Sect.TERM],
    ["__DATA,__thread_data", Sect.TLS],
    ["__DATA,marks", 0],
    ["__DATA,__data", Sect.RETAIN],
    ["__DWARF,__debug_str_offs", 0x0200_0000],
    ["__DWARF,__debug_str", 0x0200_0000],
    ["__DWARF,__apple_names", 0x0200_0000],
  ] as const;
  for (const [name, flags] of names) writer.section({ name, flags, bytes });
  writer.section({ name: "__DATA,__bss", flags: Sect.ZEROFILL, size: 8 });
  writer.section({ name: "__DATA,__thread_bss", flags: Sect.TLS_ZEROFILL, size: 8 });
  const { ALLOC, WRITE, MERGE, STRINGS, TLS, GNU_RETAIN } = SectionFlag;
  const { PROGBITS, NOBITS, INIT_ARRAY, FINI_ARRAY } = SectionType;
  const sections = parsed(writer).sections.slice(1).map(({ name, type, flags, entrySize }) => {
    return [name, type, flags, entrySize];
  });
  assertEquals(sections, [
    [".data.rel.ro", PROGBITS, ALLOC | WRITE, 0],
    ["__TEXT,__const", PROGBITS, ALLOC, 0],
    ["__TEXT,__cstring", PROGBITS, ALLOC | MERGE | STRINGS, 1],
    ["__TEXT,__literal8", PROGBITS, ALLOC | MERGE, 8],
    [".init_array", INIT_ARRAY, ALLOC | WRITE, 0],
    [".fini_array", FINI_ARRAY, ALLOC | WRITE, 0],
    ["__DATA,__thread_data", PROGBITS, ALLOC | WRITE | TLS, 0],
    ["marks", PROGBITS, ALLOC | WRITE, 0],
    ["__DATA,__data", PROGBITS, ALLOC | WRITE | GNU_RETAIN, 0],
    [".debug_str_offsets", PROGBITS, 0, 0],
    [".debug_str", PROGBITS, MERGE | STRINGS, 1],
    ["__DWARF,__apple_names", PROGBITS, 0, 0],
    ["__DATA,__bss", NOBITS, ALLOC | WRITE, 0],
    ["__DATA,__thread_bss", NOBITS, ALLOC | WRITE | TLS, 0],
  ]);
});

Deno.test("symbols keep their bindings and lose the underscore of C", () => {
  const writer = new MachWriter();
  const data = writer.section({ name: "__DATA,__data", bytes: new Uint8Array(24) });
  writer.symbol({ name: "_weak", section: data, desc: Desc.WEAK });
  writer.symbol({ name: "_hidden", section: data, value: 8, type: Kind.PRIVATE });
  writer.symbol({ name: "plain", section: data, value: 16, desc: Desc.RETAIN });
  writer.symbol({ name: "__underscored", desc: Desc.WEAK_REFERENCE });
  writer.symbol({ name: "_common", value: 24, desc: 4 << 8 });
  writer.symbol({ name: "_constant", type: Kind.ABSOLUTE, value: 77 });
  writer.symbol({ name: "section$end$__DATA$marks" });
  const object = parsed(writer);
  const { symbols } = object;
  const facts = (name: string) => {
    const i = indexOf(object, name);
    return [symbols.binding(i), symbols.visibility(i), symbols.place(i), symbols.value(i), symbols.size(i)];
  };
  const { GLOBAL, WEAK } = SymbolBinding;
  assertEquals(facts("weak"), [WEAK, 0, SymbolPlace.SECTION, 0, 8]);
  assertEquals(facts("hidden"), [GLOBAL, SymbolVisibility.HIDDEN, SymbolPlace.SECTION, 0, 8]);
  assertEquals(facts("plain"), [GLOBAL, 0, SymbolPlace.SECTION, 0, 8]);
  assertEquals(facts("_underscored"), [WEAK, 0, SymbolPlace.UNDEFINED, 0, 0]);
  assertEquals(facts("common"), [GLOBAL, 0, SymbolPlace.COMMON, 16, 24]);
  assertEquals(facts("constant"), [GLOBAL, 0, SymbolPlace.ABSOLUTE, 77, 0]);
  assertEquals(facts("__stop_marks"), [GLOBAL, 0, SymbolPlace.UNDEFINED, 0, 0]);
  const isRetained = (name: string) => (placeOf(object, name)[0].flags & SectionFlag.GNU_RETAIN) !== 0;
  assertEquals([isRetained("plain"), isRetained("hidden")], [true, false]);
});

Deno.test("an indirect symbol is a name for another; options name libraries", () => {
  const writer = new MachWriter();
  // Its value is the offset of the other name in the string table, where an empty name comes first.
  writer.symbol({ name: "_other" });
  writer.symbol({ name: "_name", type: Kind.INDIRECT, value: 1 });
  writer.option("-framework", "CoreFoundation");
  writer.option("-lz");
  const { directives } = parsed(writer);
  assertEquals(directives?.aliases, [{ name: "name", target: "other" }]);
  assertEquals(directives?.libraries, ["-framework CoreFoundation", "-lz"]);
});

Deno.test("relocations of x86-64 get addends that count from the place", () => {
  const writer = new MachWriter();
  const bytes = new Uint8Array(64), view = new DataView(bytes.buffer);
  const text = writer.section({ name: "__TEXT,__text", flags: Sect.CODE, bytes });
  const strings = writer.section({
    name: "__TEXT,__cstring",
    flags: Sect.CSTRINGS,
    bytes: ascii("one\0two\0"),
  });
  const f = writer.symbol({ name: "_f", section: text });
  const x = writer.symbol({ name: "_x" });
  const relative = (place: number, type: number, stored: number, symbol = x, isSymbol = true): void => {
    view.setInt32(place, stored, true);
    writer.relocation(text, { place, type, symbol, isSymbol, isRelative: true });
  };
  relative(0, X86.SIGNED, 8);
  relative(4, X86.SIGNED_4, -4);
  relative(8, X86.BRANCH, 0);
  relative(12, X86.GOT_LOAD, 0);
  relative(16, X86.TLV, 0);
  // The second string: the distance counts from the end of the instruction.
  relative(20, X86.SIGNED, writer.addressOf(strings) + 4 - 24, strings, false);
  relative(24, X86.SIGNED_4, writer.addressOf(strings) + 4 - 32, strings, false);
  view.setInt32(32, 5, true);
  writer.relocation(text, { place: 32, type: X86.UNSIGNED, symbol: x, power: 3 });
  view.setInt32(40, 10, true);
  writer.relocation(text, { place: 40, type: X86.SUBTRACTOR, symbol: f });
  writer.relocation(text, { place: 40, type: X86.UNSIGNED, symbol: x });
  const object = parsed(writer);
  const [, , second] = object.sections;
  assertEquals(namedRelocations(object, object.sections[1]), [
    [0, 2, "x", 4],
    [4, 2, "x", -8],
    [8, 4, "x", -4],
    [12, 42, "x", -4],
    [16, 42, "x", -4],
    [20, 2, `${second.index}+4`, -4],
    [24, 2, `${second.index}+4`, -8],
    [32, 1, "x", 5],
    [40, 2, "x", 50],
  ]);
});

Deno.test("a difference inside one part is a constant", () => {
  const writer = new MachWriter();
  const data = writer.section({ name: "__DATA,__data", bytes: new Uint8Array(32) });
  const start = writer.symbol({ name: "_start", section: data, value: 16 });
  const end = writer.symbol({ name: "_end", section: data, value: 28, desc: Desc.ALT_ENTRY });
  writer.symbol({ name: "_first", section: data });
  writer.relocation(data, { place: 4, type: X86.SUBTRACTOR, symbol: start, power: 3 });
  writer.relocation(data, { place: 4, type: X86.UNSIGNED, symbol: end, power: 3 });
  const object = parsed(writer);
  const [first] = placeOf(object, "first");
  assertEquals(first.relaCount, 0);
  assertEquals(object.file.view.getBigInt64(first.offset + 4, true), 12n);
});

Deno.test("a difference from a symbol of another part is refused", () => {
  const writer = new MachWriter();
  const data = writer.section({ name: "__DATA,__data", bytes: new Uint8Array(32) });
  writer.symbol({ name: "_first", section: data });
  const start = writer.symbol({ name: "_start", section: data, value: 16 });
  const x = writer.symbol({ name: "_x" });
  writer.relocation(data, { place: 4, type: X86.SUBTRACTOR, symbol: start });
  writer.relocation(data, { place: 4, type: X86.UNSIGNED, symbol: x });
  const error = refused(writer.build(), "Unsupported", "a symbol that the linker may move");
  assertEquals([error.data.symbol, error.data.offset], ["_start", 4]);
});

Deno.test("relocations of AArch64 get the types that their instructions ask for", () => {
  const writer = new MachWriter(Cpu.ARM64);
  // adrp; add; ldrb, ldrh, ldr w, ldr x, ldr q; bl; adrp and ldr of a GOT slot
  const words = [
    0x90000000,
    0x91000000,
    0x39400000,
    0x79400000,
    0xb9400000,
    0xf9400000,
    0x3dc00000,
    0x94000000,
  ];
  const bytes = new Uint8Array(Uint32Array.from([...words, 0x90000000, 0xf9400000, 0x90000000]).buffer);
  const text = writer.section({ name: "__TEXT,__text", flags: Sect.CODE, bytes, alignment: 4 });
  writer.symbol({ name: "_f", section: text });
  const x = writer.symbol({ name: "_x" });
  const [BRANCH26, PAGE21, PAGEOFF12, GOT_PAGE, GOT_PAGEOFF, TLV_PAGE, ADDEND] = [2, 3, 4, 5, 6, 8, 10];
  writer.relocation(text, { place: 0, type: ADDEND, symbol: -16 & 0xff_ffff, isSymbol: false });
  writer.relocation(text, { place: 0, type: PAGE21, symbol: x, isRelative: true });
  for (let place = 4; place < 28; place += 4) writer.relocation(text, { place, type: PAGEOFF12, symbol: x });
  writer.relocation(text, { place: 28, type: BRANCH26, symbol: x, isRelative: true });
  writer.relocation(text, { place: 32, type: GOT_PAGE, symbol: x, isRelative: true });
  writer.relocation(text, { place: 36, type: GOT_PAGEOFF, symbol: x });
  writer.relocation(text, { place: 40, type: TLV_PAGE, symbol: x, isRelative: true });
  const object = parsed(writer);
  assertEquals(object.machine, Machine.AARCH64);
  assertEquals(namedRelocations(object, object.sections[1]), [
    [0, 275, "x", -16],
    [4, 277, "x", 0],
    [8, 278, "x", 0],
    [12, 284, "x", 0],
    [16, 285, "x", 0],
    [20, 286, "x", 0],
    [24, 299, "x", 0],
    [28, 283, "x", 0],
    [32, 311, "x", 0],
    [36, 312, "x", 0],
    [40, 311, "x", 0],
  ]);
});
