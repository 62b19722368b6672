// Ifuncs: one stub and one slot each, for all references of every kind.
import { assertEquals } from "@std/assert";
import { SymbolBinding, SymbolKind } from "../../src/os/elf.ts";
import { RelocationType, SymbolType } from "../../src/smf/enums.ts";
import { addFunction, CODE, DATA, ElfWriter, link } from "../support/objects.ts";

const [ABS64, PC32, PLT32, GOTPCRELX] = [1, 2, 4, 42];

/** Makes an object with an ifunc of two names, whose resolver is 8 bytes into its section. */
function object(machine?: number): { writer: ElfWriter; ifunc: number; alias: number } {
  const writer = new ElfWriter(machine);
  const section = writer.section({ name: ".text.r", flags: CODE, bytes: new Uint8Array(16), alignment: 16 });
  const kind = SymbolKind.GNU_IFUNC;
  // Local symbols come first.
  const alias = writer.symbol({ name: "alias", section, value: 8, kind, binding: SymbolBinding.LOCAL });
  const ifunc = writer.symbol({ name: "ifunc", section, value: 8, size: 8, kind });
  return { writer, ifunc, alias };
}

Deno.test("all references lead to one stub, and the loader calls one resolver", () => {
  const { writer, ifunc, alias } = object();
  const f = addFunction(writer, "f", new Uint8Array(24));
  const data = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(16), alignment: 8 });
  writer.relocation(f, { offset: 4, symbol: ifunc, type: PLT32, addend: -4 });
  writer.relocation(f, { offset: 12, symbol: alias, type: PC32, addend: -4 });
  writer.relocation(f, { offset: 18, symbol: alias, type: GOTPCRELX, addend: -4 });
  writer.relocation(data, { offset: 0, symbol: alias, type: ABS64 });
  writer.relocation(data, { offset: 8, symbol: ifunc, type: ABS64 });
  writer.symbol({ name: "data", section: data });
  const linked = link(writer.build(), { exports: ["f", "data"] });
  const stub = linked.section(".iplt").address;
  const from = linked.at("f");
  assertEquals([4, 12].map((at) => from + at + 4 + linked.int32(from + at)), [stub, stub]);
  assertEquals(linked.section(".iplt").size, 16);
  assertEquals(linked.bytesAt(stub, 2), [0xff, 0x25]);
  const relocations = linked.relocations();
  const slot = linked.section(".got").address;
  assertEquals(relocations.filter(({ type }) => type === RelocationType.Indirect64), [
    { offset: slot, symbol: ".text", type: RelocationType.Indirect64, addend: 8 },
  ]);
  assertEquals(stub + 6 + linked.int32(stub + 2), slot, "the linker knows the distance to the slot");
  const words = relocations.filter(({ type }) => type === RelocationType.Abs64);
  assertEquals(words.map(({ symbol, addend }) => [symbol, addend]), [[".iplt", 0], [".iplt", 0]]);
});

Deno.test("an exported ifunc is a function at its stub, and the loader chooses its address", () => {
  const { writer, ifunc } = object();
  const data = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(8), alignment: 8 });
  writer.symbol({ name: "data", section: data });
  writer.relocation(data, { offset: 0, symbol: ifunc, type: ABS64 });
  const linked = link(writer.build());
  const symbol = linked.file.symbols.findExport("ifunc")!;
  assertEquals([symbol.type, symbol.value], [SymbolType.Function, linked.section(".iplt").address]);
  assertEquals(linked.relocations().find(({ type }) => type === RelocationType.Abs64)?.symbol, "ifunc");
});

Deno.test("an ifunc has the size of its stub, and its name if it is local, so that pointers to it can be carried", () => {
  const { writer, alias } = object();
  const data = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(8), alignment: 8 });
  writer.symbol({ name: "data", section: data });
  writer.relocation(data, { offset: 0, symbol: alias, type: ABS64 });
  const { file } = link(writer.build());
  const rows = ["ifunc", "alias"].map((name) => file.symbols.find(name)!);
  assertEquals(rows.map(({ type, size, binding }) => [type, size, binding]), [
    [SymbolType.Function, 16, SymbolBinding.GLOBAL],
    [SymbolType.Function, 16, SymbolBinding.LOCAL],
  ]);
  assertEquals(rows[0].value, rows[1].value);
});

Deno.test("an ifunc that nothing refers to has no stub", () => {
  const { writer } = object();
  addFunction(writer, "f", new Uint8Array(8));
  const linked = link(writer.build(), { exports: ["f"] });
  assertEquals(linked.file.sections.map(({ name }) => name), [".text"]);
});

Deno.test("aarch64: the stub finds its slot by pages", () => {
  const { writer, ifunc } = object(183);
  const code = writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(8), alignment: 4 });
  writer.symbol({ name: "f", section: code });
  writer.relocation(code, { offset: 0, symbol: ifunc, type: 283 });
  const linked = link(writer.build(), { exports: ["f"] });
  const stub = linked.section(".iplt").address;
  assertEquals(linked.relocations().filter(({ offset }) => offset >= stub), [
    { offset: stub, symbol: ".got", type: RelocationType.Arm64Page21, addend: 0 },
    { offset: stub + 4, symbol: ".got", type: RelocationType.Arm64PageOff12, addend: 0 },
    {
      offset: linked.section(".got").address,
      symbol: ".text",
      type: RelocationType.Indirect64,
      addend: linked.at("f") === 0 ? 16 : 8,
    },
  ]);
});
