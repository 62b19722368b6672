// Reading COFF objects: headers, sections, symbols, COMDAT records, weak externals, and files that are damaged.
import { assert, assertEquals } from "@std/assert";
import { parseCoffObject } from "../../../src/link/coff/object.ts";
import type { ElfObject } from "../../../src/link/elf/object.ts";
import { type ElfSection, SymbolPlace } from "../../../src/link/elf/symbols.ts";
import {
  SectionFlag,
  SectionType,
  SymbolBinding,
  SymbolKind,
  SymbolVisibility,
} from "../../../src/os/elf.ts";
import { Platform } from "../../../src/smf/enums.ts";
import { addCoffFunction, Class, CoffWriter, Rel, Scn, Select } from "../../support/coff_writer.ts";
import { ascii } from "../../support/objects.ts";
import { indexOf, refusedBy, relocationsOf } from "../../support/parsed_objects.ts";

function parsed(writer: CoffWriter): ElfObject {
  return parseCoffObject("a.obj", writer.build());
}

const refused = refusedBy(parseCoffObject, "a.obj");

/** The relocations of a section: offset, type, symbol's name, addend. */
function namedRelocations(object: ElfObject, section: ElfSection) {
  return relocationsOf(object, section).map(({ place, type, symbol, addend }) => {
    return [place, type, object.symbols.name(symbol), Number(addend)];
  });
}

for (const isBig of [false, true]) {
  const form = isBig ? "the form of /bigobj" : "the ordinary form";

  Deno.test(`sections and symbols are read from ${form}`, () => {
    const writer = new CoffWriter(isBig);
    const text = addCoffFunction(writer, "f", 1);
    const long = writer.section({
      name: ".data$a_long_name",
      flags: Scn.DATA,
      bytes: ascii("12345678"),
      alignment: 8,
    });
    const bss = writer.section({ name: ".bss", flags: Scn.BSS, size: 24, alignment: 4 });
    writer.symbol({ name: "first", section: long });
    writer.symbol({ name: "second_variable", section: long, value: 6 });
    writer.symbol({ name: "zeroed", section: bss, storage: Class.STATIC });
    writer.symbol({ name: "absent" });
    writer.symbol({ name: "common", value: 12 });
    writer.symbol({ name: "@comp.id", section: -1, value: 0x1045eaf, storage: Class.STATIC });
    const object = parsed(writer);
    assertEquals(object.platform, Platform.Windows);
    assertEquals(
      object.sections.slice(1).map((
        { name, type, flags, size, alignment },
      ) => [name, type, flags, size, alignment]),
      [
        [".text", SectionType.PROGBITS, SectionFlag.ALLOC | SectionFlag.EXECINSTR, 6, 16],
        [".data$a_long_name", SectionType.PROGBITS, SectionFlag.ALLOC | SectionFlag.WRITE, 8, 8],
        [".bss", SectionType.NOBITS, SectionFlag.ALLOC | SectionFlag.WRITE, 24, 4],
      ],
    );
    const { symbols } = object;
    const facts = (name: string) => {
      const i = indexOf(object, name);
      return [symbols.section(i), symbols.value(i), symbols.size(i), symbols.kind(i), symbols.binding(i)];
    };
    assertEquals(facts("f"), [text, 0, 6, SymbolKind.FUNC, SymbolBinding.GLOBAL]);
    assertEquals(facts("first"), [long, 0, 6, SymbolKind.OBJECT, SymbolBinding.GLOBAL], "to the next symbol");
    assertEquals(
      facts("second_variable"),
      [long, 6, 2, SymbolKind.OBJECT, SymbolBinding.GLOBAL],
      "to the end",
    );
    assertEquals(facts("zeroed"), [bss, 0, 24, SymbolKind.OBJECT, SymbolBinding.LOCAL]);
    assertEquals(symbols.place(indexOf(object, "absent")), SymbolPlace.UNDEFINED);
    const common = indexOf(object, "common");
    assertEquals(
      [symbols.place(common), symbols.size(common), symbols.value(common)],
      [SymbolPlace.COMMON, 12, 16],
      "aligned to a power of two above its size",
    );
    assert(indexOf(object, "zeroed") < symbols.firstGlobal && indexOf(object, "f") >= symbols.firstGlobal);
  });
}

Deno.test("addends are read from the places, and distances counted from there", () => {
  const writer = new CoffWriter();
  const bytes = new Uint8Array(48);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0xe8; // call
  view.setInt32(8, 5, true);
  view.setInt32(16, -7, true);
  view.setBigInt64(24, -3n, true);
  view.setInt32(32, 40, true);
  const text = writer.section({ name: ".text", flags: Scn.CODE, bytes });
  const f = writer.symbol({ name: "f" }), g = writer.symbol({ name: "g" });
  writer.relocation(text, 1, f, Rel.REL32);
  writer.relocation(text, 8, g, Rel.REL32);
  writer.relocation(text, 16, g, Rel.REL32_4);
  writer.relocation(text, 24, g, Rel.ADDR64);
  writer.relocation(text, 32, g, Rel.ADDR32NB);
  writer.relocation(text, 36, g, Rel.ABSOLUTE);
  const object = parsed(writer);
  assertEquals(namedRelocations(object, object.sections[text]), [
    [1, 4, "f", -4], // R_X86_64_PLT32, since a call is in front
    [8, 2, "g", 1], // R_X86_64_PC32
    [16, 2, "g", -15], // behind four bytes of an immediate operand
    [24, 1, "g", -3], // R_X86_64_64
    [32, 0x103, "g", 40],
    [36, 0, "g", 0],
  ]);
});

Deno.test("COMDAT sections and their associates become groups with the rule of the selection", () => {
  const writer = new CoffWriter();
  const rules = [Select.ANY, Select.SAME_SIZE, Select.EXACT, Select.LARGEST, Select.ONE];
  const sections = rules.map((selection, i) => {
    const section = writer.section({ name: ".text", flags: Scn.CODE | Scn.COMDAT, bytes: new Uint8Array(4) });
    writer.comdat(section, selection);
    writer.symbol({ name: `f${i}`, section, type: 0x20 });
    return section;
  });
  const child = writer.section({ name: ".rdata", flags: Scn.RODATA | Scn.COMDAT, bytes: new Uint8Array(4) });
  writer.comdat(child, Select.ASSOCIATIVE, sections[0]);
  const grandchild = writer.section({
    name: ".rdata",
    flags: Scn.RODATA | Scn.COMDAT,
    bytes: new Uint8Array(4),
  });
  writer.comdat(grandchild, Select.ASSOCIATIVE, child);
  const lone = writer.section({ name: ".rdata", flags: Scn.RODATA | Scn.COMDAT, bytes: new Uint8Array(4) });
  writer.comdat(lone, Select.ASSOCIATIVE, sections[4]);
  const object = parsed(writer);
  assertEquals(
    object.groups.map(({ symbol, members, rule }) => [object.symbols.name(symbol), members, rule]),
    [
      ["f0", [sections[0], child, grandchild], "any"],
      ["f1", [sections[1]], "same size"],
      ["f2", [sections[2]], "same bytes"],
      ["f3", [sections[3]], "largest"],
    ],
  );
  const { flags, link } = object.sections[lone];
  assertEquals([flags & SectionFlag.LINK_ORDER, link], [SectionFlag.LINK_ORDER, sections[4]]);
});

Deno.test("weak externals are weak definitions, weak references, or names that stand for others", () => {
  const writer = new CoffWriter();
  const text = addCoffFunction(writer, "other", 1);
  const own = writer.symbol({ name: ".weak.defined.default", section: text, value: 2, type: 0x20 });
  writer.weak("defined", own);
  writer.weak("reference", writer.symbol({ name: ".weak.reference.", section: -1, value: 0 }));
  writer.weak("alternative", writer.symbol({ name: "target" }));
  writer.weak("sought", writer.symbol({ name: "target2" }), 2);
  const object = parsed(writer);
  const { symbols, directives } = object;
  const facts = (name: string) => {
    const i = indexOf(object, name);
    return [symbols.place(i), symbols.binding(i), symbols.value(i)];
  };
  assertEquals(facts("defined"), [SymbolPlace.SECTION, SymbolBinding.WEAK, 2]);
  assertEquals(facts("reference"), [SymbolPlace.UNDEFINED, SymbolBinding.WEAK, 0]);
  assertEquals(facts("alternative"), [SymbolPlace.UNDEFINED, SymbolBinding.WEAK, 0]);
  assertEquals(facts("sought"), [SymbolPlace.UNDEFINED, SymbolBinding.WEAK, 0]);
  assertEquals(directives?.sought, ["sought"]);
  assertEquals(directives?.aliases, [
    { name: "alternative", target: "target" },
    { name: "sought", target: "target2" },
  ]);
});

Deno.test("the table of functions is split by the sections of its functions", () => {
  const writer = new CoffWriter();
  const first = addCoffFunction(writer, "f", 1), second = addCoffFunction(writer, "g", 2);
  const f = writer.symbol({ name: "f2", section: first, value: 3, type: 0x20 });
  const g = writer.symbol({ name: "g2", section: second, value: 3, type: 0x20 });
  const table = writer.section({
    name: ".pdata",
    flags: Scn.RODATA,
    bytes: new Uint8Array(36),
    alignment: 4,
  });
  [f, f, g].forEach((symbol, i) => writer.relocation(table, 12 * i, symbol, Rel.ADDR32NB));
  const object = parsed(writer);
  const parts = object.sections.filter(({ name }) => name === ".pdata");
  assertEquals(parts.map(({ size, link, relaCount }) => [size, link, relaCount]), [[24, first, 2], [
    12,
    second,
    1,
  ]]);
  assertEquals(
    namedRelocations(object, parts[1]),
    [[0, 0x103, "g2", 0]],
    "places count from the start of the part",
  );
});

Deno.test("options in an object are read, with and without quotes", () => {
  const writer = new CoffWriter();
  writer.section({
    name: ".drectve",
    flags: Scn.INFO,
    bytes: ascii(
      '/DEFAULTLIB:"LIBCMT" -export:f /EXPORT:v,DATA -export:"renamed=g" /INCLUDE:kept ' +
        '/alternatename:a=b -exclude-symbols:hidden,other -aligncomm:common,6 /FAILIFMISMATCH:"x=1" ',
    ),
  });
  writer.symbol({ name: "hidden" });
  writer.symbol({ name: "common", value: 4 });
  const object = parsed(writer);
  assertEquals(object.directives, {
    ...object.directives!,
    exports: ["f", "v", "renamed"],
    libraries: ["LIBCMT"],
    required: ["kept"],
    aliases: [{ name: "renamed", target: "g" }, { name: "a", target: "b" }],
    hostLibraries: [],
  });
  assertEquals(object.symbols.visibility(indexOf(object, "hidden")), SymbolVisibility.HIDDEN);
  assertEquals(object.symbols.value(indexOf(object, "common")), 64);
});

Deno.test("a section without bytes in the file is zeroed, also if its flags do not say so", () => {
  const writer = new CoffWriter();
  writer.section({ name: ".data", flags: Scn.DATA, size: 16 });
  const { sections } = parsed(writer);
  assertEquals([sections[1].type, sections[1].size], [SectionType.NOBITS, 16]);
});

Deno.test("the record of a static function is not that of its section", () => {
  const writer = new CoffWriter();
  const section = writer.section({ name: ".text", flags: Scn.CODE, bytes: Uint8Array.of(0xc3) });
  // IMAGE_SYM_CLASS_STATIC with a record of the function's size and lines, as GNU's assembler writes for its debuggers.
  writer.symbol({
    name: "helper",
    section,
    type: 0x20,
    storage: Class.STATIC,
    aux: new Uint8Array(18).fill(5),
  });
  const object = parsed(writer);
  assertEquals(object.symbols.kind(indexOf(object, "helper")), SymbolKind.FUNC);
  assertEquals(object.groups, []);
});

Deno.test("files that cannot be linked are refused by their kind, with the next step", () => {
  const machine = (value: number) => {
    const bytes = new CoffWriter().build();
    new DataView(bytes.buffer).setUint16(0, value, true);
    return bytes;
  };
  refused(machine(0x14c), "Unsupported", "32-bit x86");
  refused(machine(0xaa64), "Unsupported", "AArch64");
  const anonymous = new CoffWriter(true).build();
  anonymous[12] = 0;
  refused(anonymous, "Unsupported", "intermediate code");
  const executable = new CoffWriter().build();
  executable[18] = 2;
  refused(executable, "Unsupported", "executable");
  const forwarder = new CoffWriter();
  forwarder.section({ name: ".drectve", flags: Scn.INFO, bytes: ascii("/EXPORT:f=other.g") });
  refused(forwarder.build(), "Unsupported", "forwarded");
});

Deno.test("damaged tables are errors that name the file", () => {
  const sample = () => {
    const writer = new CoffWriter();
    const text = addCoffFunction(writer, "a_function_with_a_long_name", 1);
    writer.relocation(text, 1, 0, Rel.REL32);
    writer.section({ name: ".a_long_section", flags: Scn.DATA, bytes: new Uint8Array(8) });
    return writer.build();
  };
  const changed = (change: (view: DataView) => void) => {
    const bytes = sample();
    change(new DataView(bytes.buffer));
    return bytes;
  };
  const symbols = new DataView(sample().buffer).getUint32(8, true);
  refused(sample().subarray(0, 12), "InvalidFormat", "COFF header");
  refused(changed((view) => view.setUint16(2, 9999, true)), "InvalidFormat", "section table");
  refused(changed((view) => view.setUint32(12, 99_999, true)), "InvalidFormat", "symbol table");
  refused(changed((view) => view.setUint32(20 + 16, 9999, true)), "InvalidFormat", "outside the file");
  refused(changed((view) => view.setUint16(20 + 32, 9999, true)), "InvalidFormat", "relocation table");
  refused(changed((view) => view.setUint32(20 + 24, 2, true)), "InvalidFormat", "relocation");
  refused(changed((view) => view.setUint32(20 + 40 + 1, 0x39393939)), "InvalidFormat", "section's name");
  refused(changed((view) => view.setUint32(symbols + 4, 9999, true)), "InvalidFormat", "symbol's name");
  refused(changed((view) => view.setInt16(symbols + 12, 9, true)), "InvalidFormat", "section does not exist");
  refused(changed((view) => view.setUint32(symbols + 8, 7, true)), "InvalidFormat", "outside its section");
  refused(changed((view) => view.setUint8(symbols + 17, 5)), "InvalidFormat", "auxiliary records");
  refused(changed((view) => view.setUint8(symbols + 16, Class.WEAK)), "InvalidFormat", "no auxiliary record");
});

Deno.test("associations in a circle and unknown selections are errors", () => {
  const circle = (first: number, second: number, selection: number) => {
    const writer = new CoffWriter();
    for (const parent of [first, second]) {
      const section = writer.section({
        name: ".rdata",
        flags: Scn.RODATA | Scn.COMDAT,
        bytes: new Uint8Array(4),
      });
      writer.comdat(section, selection, parent);
    }
    return writer.build();
  };
  refused(circle(2, 1, Select.ASSOCIATIVE), "InvalidFormat", "circle");
  refused(circle(1, 1, Select.ASSOCIATIVE), "InvalidFormat", "does not exist");
  refused(circle(0, 0, 9), "InvalidFormat", "selection 9");
});
