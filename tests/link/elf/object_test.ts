// Reading objects: every table is read, and every broken one is an error.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../../src/errors/load_error.ts";
import { parseObject } from "../../../src/link/elf/object.ts";
import { SectionType, SymbolBinding, SymbolKind } from "../../../src/os/elf.ts";
import { addFunction, archive, ascii, CODE, DATA, ElfWriter, link, RODATA } from "../../support/objects.ts";

function sample(): Uint8Array {
  const writer = new ElfWriter();
  const text = addFunction(writer, "f", new Uint8Array(16).fill(0xc3));
  const local = writer.symbol({
    name: "inner",
    section: text,
    value: 8,
    size: 4,
    binding: SymbolBinding.LOCAL,
  });
  writer.relocation(text, { offset: 0, symbol: local, type: 2, addend: -4 });
  return writer.build();
}

/** Makes the sample with some bytes changed. */
function changed(change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = sample();
  change(new DataView(bytes.buffer), bytes);
  return bytes;
}

const HEADER = { type: 16, machine: 18, shoff: 40, shentsize: 58, shnum: 60, shstrndx: 62 };
const SHDR = { type: 4, flags: 8, offset: 24, size: 32, link: 40, info: 44, align: 48, entsize: 56 };

/** Returns the file offset of a section's header. */
function headerOf(bytes: Uint8Array, name: string): number {
  const { sections } = parseObject("sample", sample());
  const index = sections.findIndex((section) => section.name === name);
  assert(index >= 0, name);
  return Number(new DataView(bytes.buffer).getBigUint64(HEADER.shoff, true)) + 64 * index;
}

function refused(bytes: Uint8Array, kind: LoadError["kind"], message: string): LoadError {
  const error = assertThrows(() => parseObject("a.o", bytes), LoadError);
  assert(error.kind === kind && error.message.includes(message), `${error.kind}: ${error.message}`);
  assertEquals(error.data.path, "a.o");
  return error;
}

Deno.test("sections, symbols and relocations are read", () => {
  const { sections, symbols, machine } = parseObject("a.o", sample());
  assertEquals(machine, 62);
  const text = sections.find(({ name }) => name === ".text.f")!;
  assertEquals([text.type, text.size, text.alignment, text.relaCount], [SectionType.PROGBITS, 16, 16, 1]);
  const names = Array.from({ length: symbols.length }, (_, i) => symbols.name(i));
  assertEquals(names, ["", "inner", "f"]);
  assertEquals(symbols.firstGlobal, 2);
  assertEquals([symbols.value(1), symbols.size(1), symbols.section(1)], [8, 4, text.index]);
  assertEquals([symbols.kind(2), symbols.binding(2)], [SymbolKind.FUNC, SymbolBinding.GLOBAL]);
});

Deno.test("files that are not objects are refused by their kind, with the next step", () => {
  const refuses = (bytes: Uint8Array, kind: LoadError["kind"], message: string, hint: string) => {
    const error = refused(bytes, kind, message);
    assert(error.hint.startsWith(hint), error.hint);
  };
  refuses(new Uint8Array(0), "InvalidFormat", "empty", "compile again");
  refuses(
    ascii("hello, world"),
    "InvalidFormat",
    "neither an object nor an archive",
    "give object files",
  );
  refuses(Uint8Array.of(0x42, 0x43, 0xc0, 0xde), "InvalidFormat", "LLVM bitcode", "compile without -flto");
  refuses(Uint8Array.of(0xca, 0xfe, 0xba, 0xbe), "InvalidFormat", "a class of Java", "give object files");
  refuses(Uint8Array.of(0x4d, 0x5a, 0x90, 0), "InvalidFormat", "a program or a DLL", "link the objects");
  refuses(Uint8Array.of(0x53, 0x4d, 0x46, 0), "InvalidFormat", "SMF module already", "load it");
  refuses(changed((_, bytes) => bytes[4] = 1), "Unsupported", "32-bit", "compile for 64-bit");
  refuses(changed((_, bytes) => bytes[5] = 2), "Unsupported", "big-endian", "compile for 64-bit");
  refuses(
    changed((view) => view.setUint16(HEADER.type, 3, true)),
    "Unsupported",
    "shared library",
    "name it in the option `libraries`",
  );
  refuses(
    changed((view) => view.setUint16(HEADER.type, 2, true)),
    "Unsupported",
    "executable",
    "link the objects",
  );
  refuses(changed((view) => view.setUint16(HEADER.type, 4, true)), "Unsupported", "e_type 4", "");
  refuses(
    changed((view) => view.setUint16(HEADER.machine, 243, true)),
    "Unsupported",
    "e_machine 243",
    "compile for 64-bit",
  );
});

Deno.test("a missing section table is an error before memory is allocated", () => {
  refused(sample().subarray(0, 40), "InvalidFormat", "ELF header");
  refused(changed((view) => view.setBigUint64(HEADER.shoff, 0n, true)), "InvalidFormat", "no section table");
  refused(
    changed((view) => view.setBigUint64(HEADER.shoff, 1n << 40n, true)),
    "InvalidFormat",
    "outside the file",
  );
  refused(changed((view) => view.setBigUint64(HEADER.shoff, 1n << 60n, true)), "InvalidFormat", "2^53");
  refused(changed((view) => view.setUint16(HEADER.shentsize, 40, true)), "InvalidFormat", "e_shentsize");
  refused(changed((view) => view.setUint16(HEADER.shnum, 0xfeff, true)), "InvalidFormat", "outside the file");
  refused(changed((view) => view.setUint16(HEADER.shstrndx, 500, true)), "InvalidFormat", "e_shstrndx");
  const huge = changed((view, bytes) => {
    view.setUint16(HEADER.shnum, 0, true);
    view.setBigUint64(headerOf(bytes, "") + SHDR.size, 0xffffffffn, true);
  });
  refused(huge, "InvalidFormat", "outside the file");
});

Deno.test("counts that do not fit the header are in the first section header", () => {
  const bytes = changed((view, bytes) => {
    const first = headerOf(bytes, "");
    const count = view.getUint16(HEADER.shnum, true);
    view.setBigUint64(first + SHDR.size, BigInt(count), true);
    view.setUint32(first + SHDR.link, view.getUint16(HEADER.shstrndx, true), true);
    view.setUint16(HEADER.shnum, 0, true);
    view.setUint16(HEADER.shstrndx, 0xffff, true);
  });
  assertEquals(parseObject("a.o", bytes).sections.length, parseObject("a.o", sample()).sections.length);
});

/** Makes an object of more sections than the header can count, whose symbols `f` and `x` are in section `index`. */
function manySections(index: number, extended = index): Uint8Array {
  const writer = new ElfWriter();
  const code = Uint8Array.of(0xb8, 1, 0, 0, 0, 0xc3);
  while (writer.section({ name: ".x", flags: 0, bytes: new Uint8Array(0) }) < index - 1);
  writer.section({ name: ".text", flags: CODE, bytes: code });
  const data = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(16), alignment: 8 });
  let last = data;
  while (last < 70_000) last = writer.section({ name: ".x", flags: 0, bytes: new Uint8Array(0) });
  const binding = SymbolBinding.LOCAL;
  const local = writer.symbol({ name: "x", section: 0xffff, kind: SymbolKind.FUNC, size: 6, binding });
  const f = writer.symbol({ name: "f", section: 0xffff, kind: SymbolKind.FUNC, size: 6 });
  writer.symbol({ name: "p", section: 0xffff, kind: SymbolKind.OBJECT, size: 16 });
  writer.relocation(data, { offset: 0, symbol: f, type: 1 });
  writer.relocation(data, { offset: 8, symbol: local, type: 1 });
  // By symbol index: the null symbol, x, f, p. The symbol table follows the one section of relocations.
  const bytes = new Uint8Array(Uint32Array.of(0, extended, extended, data).buffer);
  const symtab = last + 3;
  writer.section({ name: ".shndx", type: SectionType.SYMTAB_SHNDX, flags: 0, bytes, link: symtab });
  const object = writer.build();
  const view = new DataView(object.buffer);
  const table = Number(view.getBigUint64(HEADER.shoff, true));
  const count = (object.length - table) / 64;
  view.setUint16(HEADER.shnum, 0, true);
  view.setUint16(HEADER.shstrndx, 0xffff, true);
  view.setBigUint64(table + SHDR.size, BigInt(count), true);
  view.setUint32(table + SHDR.link, count - 1, true);
  return object;
}

Deno.test("an object of 70,000 sections links; none of their indexes means anything else", () => {
  // The first reserved index, LCOMMON, ABS, COMMON, XINDEX, and the one behind them.
  for (const index of [0xff00, 0xff02, 0xfff1, 0xfff2, 0xffff, 0x10000]) {
    const linked = link(manySections(index));
    assertEquals(linked.exportNames(), ["f", "p"], `${index}`);
    assertEquals(linked.file.symbols.find("f")?.size, 6);
    const target = [0, 8].map((offset) => linked.target(linked.at("p") + offset));
    assertEquals(target, [linked.at("f"), linked.at("f")], `${index}`);
  }
  const archived = archive([{ name: "m.o", bytes: manySections(0xfff1) }], { withIndex: false });
  assertEquals(link({ "a.a": archived }, { exports: ["f"] }).exportNames(), ["f"]);
});

Deno.test("an extended section index of 0 is refused", () => {
  refused(manySections(0x10000, 0), "InvalidFormat", "a symbol's section does not exist");
  refused(manySections(0x10000, 80_000), "InvalidFormat", "a symbol's section does not exist");
});

Deno.test("section headers are checked", () => {
  const header = (name: string, change: (view: DataView, at: number) => void) =>
    changed((view, bytes) => change(view, headerOf(bytes, name)));
  const outside = header(".text.f", (view, at) => view.setBigUint64(at + SHDR.size, 5000n, true));
  assertEquals(refused(outside, "InvalidFormat", "outside the file").data.section, ".text.f");
  for (const alignment of [3n, 1n << 31n, 1n << 32n, 1n << 40n]) {
    refused(
      header(".text.f", (view, at) => view.setBigUint64(at + SHDR.align, alignment, true)),
      "InvalidFormat",
      "alignment",
    );
  }
  refused(header(".text.f", (view, at) => view.setUint32(at, 60_000, true)), "InvalidFormat", "name");
  refused(
    header(".text.f", (view, at) => {
      view.setBigUint64(at + SHDR.offset, 0n, true);
      view.setBigUint64(at + SHDR.size, BigInt(sample().length), true);
    }),
    "InvalidFormat",
    "overlap",
  );
});

Deno.test("symbol tables are checked", () => {
  const table = (change: (view: DataView, at: number) => void) =>
    changed((view, bytes) => change(view, headerOf(bytes, ".symtab")));
  const symbols = (change: (view: DataView, at: number) => void) =>
    changed((view, bytes) =>
      change(view, Number(view.getBigUint64(headerOf(bytes, ".symtab") + SHDR.offset, true)) + 24)
    );
  refused(
    table((view, at) => view.setBigUint64(at + SHDR.entsize, 16n, true)),
    "InvalidFormat",
    "symbol table's size",
  );
  refused(
    table((view, at) =>
      view.setBigUint64(at + SHDR.size, view.getBigUint64(at + SHDR.size, true) - 1n, true)
    ),
    "InvalidFormat",
    "symbol table's size",
  );
  refused(table((view, at) => view.setUint32(at + SHDR.info, 9, true)), "InvalidFormat", "first global");
  refused(
    table((view, at) => view.setUint32(at + SHDR.info, 1, true)),
    "InvalidFormat",
    "binding contradicts",
  );
  for (const strings of [1, 200]) {
    refused(
      table((view, at) => view.setUint32(at + SHDR.link, strings, true)),
      "InvalidFormat",
      "no string table",
    );
  }
  const open = changed((_, bytes) => {
    const { offset, size } = parseObject("sample", sample()).sections.find(({ name }) => name === ".strtab")!;
    bytes[offset + size - 1] = 0x61;
  });
  refused(open, "InvalidFormat", "does not end with a NUL");
  refused(symbols((view, at) => view.setUint32(at, 70_000, true)), "InvalidFormat", "name lies outside");
  refused(
    symbols((view, at) => view.setUint16(at + 6, 200, true)),
    "InvalidFormat",
    "section does not exist",
  );
  refused(symbols((view, at) => view.setUint16(at + 6, 0xff77, true)), "InvalidFormat", "reserved");
  refused(
    symbols((view, at) => view.setUint16(at + 6, 0xffff, true)),
    "InvalidFormat",
    "extended section indexes",
  );
  refused(
    symbols((view, at) => view.setBigUint64(at + 8, 17n, true)),
    "InvalidFormat",
    "outside its section",
  );
  refused(
    symbols((view, at) => view.setBigUint64(at + 8, 1n << 60n, true)),
    "InvalidFormat",
    "outside its section",
  );
});

Deno.test("an object has one symbol table, and the table of extended section indexes is as long", () => {
  const withSection = (type: number): Uint8Array => {
    const writer = new ElfWriter();
    addFunction(writer, "f", new Uint8Array(16));
    const section = writer.section({ name: ".more", type, flags: 0, bytes: new Uint8Array(4), entrySize: 4 });
    const bytes = writer.build();
    const view = new DataView(bytes.buffer);
    const start = Number(view.getBigUint64(HEADER.shoff, true));
    const count = view.getUint16(HEADER.shnum, true);
    const types = Array.from({ length: count }, (_, i) => view.getUint32(start + 64 * i + SHDR.type, true));
    view.setUint32(start + 64 * section + SHDR.link, types.lastIndexOf(SectionType.SYMTAB), true);
    return bytes;
  };
  refused(withSection(SectionType.SYMTAB), "InvalidFormat", "two symbol tables");
  refused(withSection(SectionType.SYMTAB_SHNDX), "InvalidFormat", "extended section indexes is short");
});

Deno.test("a symbol's name may have 1 MiB, and no more", () => {
  const named = (length: number): Uint8Array => {
    const writer = new ElfWriter();
    addFunction(writer, "n".repeat(length), new Uint8Array(1));
    return writer.build();
  };
  refused(named(2 ** 20 + 1), "InvalidFormat", "longer than 1 MiB");
  assertEquals(parseObject("a.o", named(2 ** 20)).symbols.length, 2);
});

Deno.test("relocation tables are checked", () => {
  const table = (change: (view: DataView, at: number) => void) =>
    changed((view, bytes) => change(view, headerOf(bytes, ".rela.text.f")));
  for (const target of [0, 90]) {
    refused(
      table((view, at) => view.setUint32(at + SHDR.info, target, true)),
      "InvalidFormat",
      "does not exist",
    );
  }
  refused(
    table((view, at) => view.setBigUint64(at + SHDR.entsize, 16n, true)),
    "InvalidFormat",
    "multiple of 24",
  );
  refused(
    table((view, at) => view.setBigUint64(at + SHDR.size, 20n, true)),
    "InvalidFormat",
    "multiple of 24",
  );
  refused(table((view, at) => view.setUint32(at + SHDR.link, 1, true)), "InvalidFormat", "no symbol table");
  refused(
    table((view, at) => view.setUint32(at + SHDR.type, SectionType.REL, true)),
    "Unsupported",
    "SHT_REL",
  );
});

Deno.test("a section has one relocation table", () => {
  const writer = new ElfWriter();
  const text = addFunction(writer, "f", new Uint8Array(16));
  const symbol = writer.symbol({ name: "g" });
  writer.relocation(text, { offset: 0, symbol, type: 2, addend: -4 });
  const other = addFunction(writer, "other", new Uint8Array(16));
  writer.relocation(other, { offset: 0, symbol, type: 2, addend: -4 });
  const bytes = writer.build();
  const view = new DataView(bytes.buffer);
  const tables = parseObject("a.o", bytes).sections.filter(({ type }) => type === SectionType.RELA);
  const start = Number(view.getBigUint64(HEADER.shoff, true));
  for (const { index } of tables) view.setUint32(start + 64 * index + SHDR.info, text, true);
  refused(bytes, "Unsupported", "two relocation tables for one section");
});

Deno.test("groups are checked", () => {
  const withGroup = (members: number[], signature?: number) => {
    const writer = new ElfWriter();
    const text = addFunction(writer, "f", new Uint8Array(16));
    writer.group(signature ?? writer.symbol({ name: "s", section: text }), members);
    return writer.build();
  };
  for (const member of [0, 77]) {
    refused(withGroup([member]), "InvalidFormat", "section group names a section");
  }
  const ragged = withGroup([1]);
  const view = new DataView(ragged.buffer);
  const group = parseObject("a.o", ragged).sections.find(({ type }) => type === SectionType.GROUP)!;
  const header = Number(view.getBigUint64(HEADER.shoff, true)) + 64 * group.index;
  for (const signature of [0, 3, 99]) {
    const unsigned = ragged.slice();
    new DataView(unsigned.buffer).setUint32(header + SHDR.info, signature, true);
    refused(unsigned, "InvalidFormat", "no signature");
  }
  view.setBigUint64(header + SHDR.size, BigInt(group.size + 2), true);
  refused(ragged, "InvalidFormat", "broken list");
  assertEquals(parseObject("a.o", withGroup([1])).groups.map(({ members }) => members), [[1]]);
});

Deno.test("names that overlap each other are limited, so that they do not take for ever", () => {
  // Every section's name is the same megabyte.
  const writer = new ElfWriter();
  writer.section({ name: "n".repeat(1_000_000), flags: RODATA, bytes: new Uint8Array(1) });
  for (let i = 0; i < 5_000; i++) writer.section({ name: "", flags: RODATA, bytes: new Uint8Array(1) });
  const bytes = writer.build();
  const view = new DataView(bytes.buffer);
  const table = Number(view.getBigUint64(HEADER.shoff, true));
  for (let i = 1; i <= 5_000; i++) view.setUint32(table + 64 * i, view.getUint32(table + 64, true), true);
  refused(bytes, "InvalidFormat", "names overlap");
});
