// The sections that the linker makes homes of, and the references that it leaves to the loader.
import { assert, assertEquals } from "@std/assert";
import { SectionFlag, SectionIndex, SymbolBinding, SymbolKind, SymbolVisibility } from "../../src/os/elf.ts";
import { type LinkInput, linkObjects } from "../../src/link/linker.ts";
import { Binding, RelocationType, SectionType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { imageOffsets } from "../../src/smf/offsets.ts";
import { testOutputOf } from "../support/compilers.ts";
import {
  addFunction,
  addVariable,
  DATA,
  ElfWriter,
  type KeptRelocation,
  link,
  type Linked,
  linkFails,
} from "../support/objects.ts";
import { staticLibrary } from "../support/real_archives.ts";
import { C_SOURCE, CPP_SOURCE } from "./homes_sources.ts";

const ABS64 = 1, PC32 = 2, GOTPCREL = 9, PC8 = 15, GOTOFF64 = 25, GOTPC64 = 29, REX_GOTPCRELX = 42;
const RELOADABLE = { reloadable: true, exports: ["f"] };

/** The homes of a module: the name of the symbol of each, and its size. */
function homesOf({ file }: Linked): string[] {
  return file.homes().map(({ symbol, size }) => `${file.symbols.name(symbol)} ${size}`);
}

/** An object whose function `f` has a reference every 16 bytes. */
class References {
  readonly writer: ElfWriter = new ElfWriter();
  readonly #code: number;
  #at = 0;

  constructor() {
    this.#code = addFunction(this.writer, "f", new Uint8Array(512).fill(0x90));
  }

  /** Adds a reference; returns its offset in `f`. */
  add(symbol: number, type: number = PC32, addend = -4): number {
    this.#at += 16;
    this.writer.relocation(this.#code, { offset: this.#at, symbol, type, addend });
    return this.#at;
  }

  link(options: Parameters<typeof link>[1] = RELOADABLE): Linked {
    return link(this.writer.build(), options);
  }
}

/** The relocation at an offset in `f`; undefined if the linker has applied it. */
function keptAt(linked: Linked, offset: number): KeptRelocation | undefined {
  return linked.relocations().find((kept) => kept.offset === linked.at("f") + offset);
}

Deno.test("homes are the input sections of writable variables, and one for each COMMON symbol", () => {
  const references = new References();
  const { writer } = references;
  const sections = [
    [".data", 0],
    [".bss", 0],
    [".data.one", 0],
    [".ldata", 0],
    [".my.own", 0],
    // None of these.
    [".data.rel.ro.local", 0],
    [".data.rel.local.DW.ref.__gxx_personality_v0", 0],
    ["bounded", 0],
    [".tm_clone_table", 0],
    [".tdata", SectionFlag.TLS],
  ] as const;
  for (const [name, more] of sections) {
    const section = writer.section({ name, flags: DATA | more, bytes: new Uint8Array(16), alignment: 8 });
    const kind = more === 0 ? SymbolKind.OBJECT : SymbolKind.TLS;
    const symbol = writer.symbol({ name: `in${name}`, section, size: 16, kind });
    // R_X86_64_DTPOFF32 reaches the thread-local one.
    references.add(symbol, more === 0 ? PC32 : 21);
  }
  references.add(writer.symbol({ name: "__start_bounded" }));
  const empty = writer.section({ name: ".data.empty", flags: DATA, bytes: new Uint8Array(0) });
  references.add(writer.sectionSymbol(empty));
  references.add(writer.symbol({ name: "tentative", section: SectionIndex.COMMON, value: 16, size: 24 }));
  const linked = references.link();
  const names = ["in.bss 16", "in.data 16", "in.data.one 16", "in.ldata 16", "in.my.own 16", "tentative 24"];
  assertEquals(homesOf(linked).sort(), names);
  const plain = references.link({ exports: ["f"] });
  assertEquals(plain.file.sections.filter(({ type }) => type === SectionType.Homes), []);
});

Deno.test("the section of a reference says which home is meant, whatever the address", () => {
  const references = new References();
  const { writer } = references;
  const [first, second] = ["first", "second"].map((name) =>
    writer.section({ name: `.data.${name}`, flags: DATA, bytes: new Uint8Array(16), alignment: 8 })
  );
  for (const [name, section] of [["first", first], ["second", second]] as const) {
    writer.symbol({ name, section, size: 16, kind: SymbolKind.OBJECT, binding: SymbolBinding.LOCAL });
  }
  const past = references.add(writer.sectionSymbol(first), PC32, 16 - 4);
  const before = references.add(writer.sectionSymbol(second), PC32, -8 - 4);
  // A label at the end of the first is at the address of the second.
  const label = writer.symbol({ name: "first_end", section: first, value: 16, kind: SymbolKind.NOTYPE });
  const [atEnd, byTable, byMove] = [PC32, GOTPCREL, REX_GOTPCRELX].map((type) => references.add(label, type));
  const linked = references.link();
  assertEquals(linked.at("second"), linked.at("first") + 16);
  const leads = (offset: number): unknown[] => {
    const { symbol, addend } = keptAt(linked, offset)!;
    return [symbol, addend];
  };
  assertEquals([past, before, atEnd].map(leads), [["first", 12], ["second", -12], ["first", 12]]);
  for (const at of [byTable, byMove]) {
    const slot = linked.settled(linked.at("f") + at) + 4;
    const { symbol, addend } = linked.relocations().find(({ offset }) => offset === slot)!;
    assertEquals([symbol, addend], ["first", 16]);
  }
});

Deno.test("code reaches a home through a slot of its own where it asks for one, and is not rewritten", () => {
  const references = new References();
  const { writer } = references;
  addVariable(writer, "variable", new Uint8Array(8));
  const variable = writer.symbol({ name: "variable" });
  const at = references.add(variable, REX_GOTPCRELX);
  for (const exports of [["f"], ["*"]]) {
    const linked = references.link({ reloadable: true, exports });
    const slot = linked.settled(linked.at("f") + at) + 4;
    assertEquals(linked.section(".got").address, slot);
    assertEquals(linked.target(slot), linked.at("variable"));
    const kept = linked.relocations().find(({ offset }) => offset === slot)!;
    assertEquals(kept.type, RelocationType.Abs64);
    assert(linked.isFixed);
  }
});

Deno.test("names that options give to places in variables lead to the home, too", () => {
  const references = new References();
  addVariable(references.writer, "variable", new Uint8Array(16));
  const symbol = references.writer.symbol({ name: "second_alias" });
  const [direct, bySlot] = [PC32, REX_GOTPCRELX].map((type) => references.add(symbol, type));
  const defsym = { alias: "variable + 8", second_alias: "alias + 4" };
  const linked = references.link({ ...RELOADABLE, defsym });
  const home = linked.at("variable");
  assertEquals(linked.target(linked.at("f") + direct), home + 12 - 4);
  const slot = linked.settled(linked.at("f") + bySlot) + 4;
  assertEquals(linked.target(slot), home + 12);
});

Deno.test("the medium model's distance from the GOT becomes one from the place", () => {
  const references = new References();
  const { writer } = references;
  addVariable(writer, "variable", new Uint8Array(8));
  const at = references.add(writer.symbol({ name: "variable" }), GOTOFF64, 3);
  references.add(writer.symbol({ name: "_GLOBAL_OFFSET_TABLE_" }), GOTPC64, 0);
  const linked = references.link();
  const { type, addend } = keptAt(linked, at)!;
  assertEquals(type, RelocationType.Pc64);
  // S + A - P is what the code adds to the GOT's address.
  const [place, got] = [linked.at("f") + at, linked.section(".got").address];
  assertEquals(linked.at("variable") + addend - place, linked.at("variable") + 3 - got);
  assert(linked.isFixed);
});

Deno.test("a distance that the loader cannot write refuses the link, and says what helps", () => {
  const references = new References();
  addVariable(references.writer, "variable", new Uint8Array(8));
  references.add(references.writer.symbol({ name: "variable" }), PC8, 0);
  const problem = "cannot hold so short a distance to a variable";
  const error = linkFails(references.writer.build(), "Unsupported", problem, RELOADABLE);
  assertEquals(error.data.symbol, "variable");
  assert(error.hint.includes("--reloadable"), error.hint);
});

Deno.test("variables in homes keep their names when a module is stripped; functions do not", () => {
  const references = new References();
  const { writer } = references;
  const section = writer.section({ name: ".bss", flags: DATA, size: 32, alignment: 8 });
  const local = { section, kind: SymbolKind.OBJECT, binding: SymbolBinding.LOCAL, size: 8 };
  writer.symbol({ ...local, name: "a", value: 8 });
  writer.symbol({
    ...local,
    name: "b",
    value: 16,
    binding: SymbolBinding.GLOBAL,
    visibility: SymbolVisibility.HIDDEN,
  });
  references.add(writer.sectionSymbol(section));
  const rodata = writer.section({ name: ".rodata", flags: SectionFlag.ALLOC, bytes: new Uint8Array(8) });
  writer.symbol({ ...local, name: "constant", section: rodata });
  references.add(writer.sectionSymbol(rodata));
  const named = ({ file }: Linked): string[] => [...file.symbols].map(({ name }) => name).sort();
  // The home begins with bytes of no variable, so its symbol is one of its own, without size.
  const linked = references.link({ ...RELOADABLE, strip: true });
  assertEquals(named(linked), [".bss", "a", "b", "f"]);
  const [{ symbol, offset }] = linked.file.homes();
  const { name, binding, size, value } = linked.file.symbols.at(symbol);
  assertEquals([name, binding, size, value], [".bss", Binding.Local, 0, offset]);
  assertEquals(named(references.link({ exports: ["f"], strip: true })), ["f"]);
});

Deno.test("words of variables that hold addresses of variables name the home, tags included", () => {
  const references = new References();
  const { writer } = references;
  const target = addVariable(writer, "target", new Uint8Array(16));
  const holder = addVariable(writer, "holder", new Uint8Array(16));
  const symbol = writer.sectionSymbol(target);
  const tag = 0x0100_0000_0000_0000n;
  writer.relocation(holder, { offset: 0, symbol, type: ABS64, addend: 24 });
  writer.relocation(holder, { offset: 8, symbol, type: ABS64, addend: tag });
  references.add(writer.symbol({ name: "holder" }));
  const linked = references.link();
  const [plain, tagged] = [0, 1].map((index) => linked.file.relocations.at(index + 1));
  const { symbols } = linked.file;
  assertEquals([symbols.name(plain.symbol), plain.addend], ["target", 24n]);
  assertEquals([symbols.name(tagged.symbol), tagged.addend], ["target", tag]);
});

/** Everything that a module says of its code and constants: their bytes, and where their relocations lead. */
function codeAndConstants(bytes: Uint8Array): { parts: Uint8Array[]; leads: string[]; moves: number } {
  const file = parseSmf(bytes);
  const { symbols, relocations } = file;
  const { offsets, groups } = imageOffsets(file.sections);
  const end = groups.find(({ kind }) => kind === "data" || kind === "bss")?.start ?? Infinity;
  const homes = new Set(file.homes().map(({ symbol }) => symbol));
  const parts = file.sections.filter(({ index }) => (offsets[index] ?? end) < end).map((section) =>
    file.contents(section)
  );
  const leads: string[] = [];
  let moves = 0;
  for (let index = 0; index < relocations.length; index++) {
    const [offset, symbol] = [relocations.offset(index), relocations.symbol(index)];
    if (offset >= end) continue;
    if (homes.has(symbol)) moves++;
    // Beside another object a variable's name says which file it is of.
    const name = symbols.name(symbol).replace(/@.*/, "");
    leads.push([offset, relocations.type(index), name, relocations.addend(index)].join(" "));
  }
  return { parts, leads, moves };
}

/** Links inputs, alone and with other variables in front of theirs: their code must not tell which. */
function assertIndependent(
  inputs: readonly LinkInput[],
  machine: number | undefined,
  exports: string[],
): number {
  const padding = new ElfWriter(machine);
  for (const [name, size, alignment] of [[".data", 73_736, 8], [".bss", 8_208, 16]] as const) {
    const section = padding.section({ name, flags: DATA, alignment, size });
    padding.symbol({ name: `padding${name}`, section, size, kind: SymbolKind.OBJECT });
  }
  const keep = ["padding.data", "padding.bss"];
  const options = { exports, reloadable: true, types: "off" } as const;
  const before = codeAndConstants(linkObjects(inputs, options).bytes);
  const padded = [{ name: "padding.o", bytes: padding.build() }, ...inputs];
  const after = codeAndConstants(linkObjects(padded, { ...options, keep }).bytes);
  assertEquals(after.leads, before.leads);
  assertEquals(after.parts, before.parts);
  return before.moves;
}

const COMPILERS = [
  ["gcc", undefined, C_SOURCE, "c"],
  ["clang-14", undefined, C_SOURCE, "c"],
  ["g++", undefined, CPP_SOURCE, "cpp"],
  ["aarch64-linux-gnu-gcc", 183, C_SOURCE, "c"],
  ["clang-14 --target=aarch64-linux-gnu", 183, C_SOURCE, "c"],
  ["aarch64-linux-gnu-g++", 183, CPP_SOURCE, "cpp"],
] as const;

for (const [compiler, machine, source, suffix] of COMPILERS) {
  const name = `code of ${compiler} does not depend on the places of variables`;
  testOutputOf(compiler, name, async (folder, compileThere) => {
    Deno.writeTextFileSync(`${folder}/check.${suffix}`, source);
    for (const flags of ["-O0", "-O2 -fdata-sections", "-O3 -fcommon -fno-plt", "-Os"]) {
      const common = suffix === "c" ? [] : ["-std=c++17"];
      await compileThere(...common, "-fPIC", ...flags.split(" "), "-c", `check.${suffix}`, "-o", "check.o");
      const input = { name: "check.o", bytes: Deno.readFileSync(`${folder}/check.o`) };
      for (const exports of [["check"], ["*"]]) assert(assertIndependent([input], machine, exports) > 10);
    }
  });
}

for (
  const [file, debian, moves] of [
    ["libz.a", "zlib1g-dev", 0],
    ["liblua5.4.a", "liblua5.4-dev", 0],
    ["libsqlite3.a", "libsqlite3-dev", 500],
  ] as const
) {
  const bytes = staticLibrary(file);
  const name = `code of ${file} does not depend on the places of variables`;
  Deno.test({
    name: bytes === undefined ? `${name} (SKIPPED: needs ${file}, Debian's ${debian})` : name,
    ignore: bytes === undefined,
    fn() {
      assert(assertIndependent([{ name: file, bytes: bytes! }], undefined, ["*"]) >= moves);
    },
  });
}
