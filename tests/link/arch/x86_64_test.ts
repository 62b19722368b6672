// x86-64: instructions that use GOT slots, and the direct forms that they are rewritten to.
import { assertEquals } from "@std/assert";
import { SymbolKind, SymbolVisibility } from "../../../src/os/elf.ts";
import { RelocationType } from "../../../src/smf/enums.ts";
import { addFunction, CODE, DATA, ElfWriter, link } from "../../support/objects.ts";
import { R } from "../../support/relocation_objects.ts";

/** Links `instruction`, which refers behind its first `at` bytes to the GOT slot of `to`, hidden by default. */
function gotReference(
  instruction: number[],
  at: number,
  flags: number,
  options: { exported?: boolean } = {},
) {
  const writer = new ElfWriter();
  const from = addFunction(writer, "from", Uint8Array.from(instruction));
  const to = writer.section({ name: ".to", flags, bytes: new Uint8Array(32), alignment: 16 });
  const visibility = options.exported ? SymbolVisibility.DEFAULT : SymbolVisibility.HIDDEN;
  const symbol = writer.symbol({ name: "to", section: to, value: 8, kind: SymbolKind.FUNC, visibility });
  writer.relocation(from, { offset: at, symbol, type: R.REX_GOTPCRELX, addend: -4 });
  return link(writer.build());
}

Deno.test("mov through the GOT becomes lea", () => {
  const code = gotReference([0x48, 0x8b, 0x05, 0, 0, 0, 0], 3, CODE);
  assertEquals(code.bytesAt(code.at("from"), 3), [0x48, 0x8d, 0x05]);
  assertEquals(code.int32(code.at("from") + 3), code.at("to") - 4 - (code.at("from") + 3));
  assertEquals(code.relocations(), []);

  const data = gotReference([0x4c, 0x8b, 0x3d, 0, 0, 0, 0], 3, DATA);
  assertEquals(data.bytesAt(data.at("from"), 3), [0x4c, 0x8d, 0x3d], "the register stays");
  assertEquals(data.relocations(), []);
  assertEquals(data.settled(data.at("from") + 3), data.at("to") - 4);
});

Deno.test("calls and jumps through the GOT become direct ones of the same length", () => {
  const call = gotReference([0xff, 0x15, 0, 0, 0, 0, 0xc3], 2, CODE);
  assertEquals(call.bytesAt(call.at("from"), 2), [0x67, 0xe8]);
  assertEquals(call.int32(call.at("from") + 2), call.at("to") - (call.at("from") + 6));

  const jump = gotReference([0xff, 0x25, 0, 0, 0, 0, 0xc3], 2, CODE);
  assertEquals(jump.bytesAt(jump.at("from"), 1), [0xe9]);
  assertEquals(jump.int32(jump.at("from") + 1), jump.at("to") - (jump.at("from") + 5));
  assertEquals(jump.bytesAt(jump.at("from") + 5, 2), [0x90, 0xc3]);
});

Deno.test("the address of an exported function still comes from the GOT, a call to it does not", () => {
  const address = gotReference([0x48, 0x8b, 0x05, 0, 0, 0, 0], 3, CODE, { exported: true });
  assertEquals(address.bytesAt(address.at("from"), 3), [0x48, 0x8b, 0x05]);
  assertEquals(address.relocations().map(({ symbol, type }) => [symbol, type]), [[
    "to",
    RelocationType.GotPcRel,
  ]]);

  const call = gotReference([0xff, 0x15, 0, 0, 0, 0], 2, CODE, { exported: true });
  assertEquals(call.bytesAt(call.at("from"), 2), [0x67, 0xe8]);
});

/** Links `instruction`, which refers behind its first `at` bytes to a function by its distance. */
function distanceReference(
  instruction: number[],
  at: number,
  visibility: number = SymbolVisibility.DEFAULT,
  addend = -4,
) {
  const writer = new ElfWriter();
  const from = addFunction(writer, "from", Uint8Array.from(instruction));
  const to = writer.section({ name: ".to", flags: CODE, bytes: new Uint8Array(32), alignment: 16 });
  const symbol = writer.symbol({ name: "to", section: to, value: 8, kind: SymbolKind.FUNC, visibility });
  writer.relocation(from, { offset: at, symbol, type: R.PC32, addend });
  const module = link(writer.build());
  return {
    bytes: module.bytesAt(module.at("from"), at),
    relocations: module.relocations().map(({ symbol, type }) => [symbol, type]),
  };
}

Deno.test("lea of an exported function becomes a load from its GOT slot", () => {
  const slot = [["to", RelocationType.GotPcRel]];
  const plain = distanceReference([0x48, 0x8d, 0x05, 0, 0, 0, 0], 3);
  assertEquals(plain, { bytes: [0x48, 0x8b, 0x05], relocations: slot });
  const extended = distanceReference([0x4c, 0x8d, 0x3d, 0, 0, 0, 0], 3);
  assertEquals(extended, { bytes: [0x4c, 0x8b, 0x3d], relocations: slot });
});

Deno.test("lea of another function, of a place inside one, and calls stay direct", () => {
  const lea = [0x48, 0x8d, 0x05, 0, 0, 0, 0];
  const direct = { bytes: lea.slice(0, 3), relocations: [] };
  assertEquals(distanceReference(lea, 3, SymbolVisibility.HIDDEN), direct);
  assertEquals(distanceReference(lea, 3, SymbolVisibility.DEFAULT, 0), direct);
  assertEquals(distanceReference([0xe8, 0, 0, 0, 0], 1), { bytes: [0xe8], relocations: [] });
});

Deno.test("other instructions keep their GOT slot, and so do all with a type that must not be relaxed", () => {
  const add = gotReference([0x48, 0x03, 0x05, 0, 0, 0, 0], 3, DATA);
  assertEquals(add.bytesAt(add.at("from"), 3), [0x48, 0x03, 0x05]);
  assertEquals(add.relocations().map(({ type }) => type), [RelocationType.GotPcRel]);

  const writer = new ElfWriter();
  const from = addFunction(writer, "from", Uint8Array.of(0x48, 0x8b, 0x05, 0, 0, 0, 0));
  const to = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(8) });
  const symbol = writer.symbol({ name: "to", section: to, visibility: SymbolVisibility.HIDDEN });
  writer.relocation(from, { offset: 3, symbol, type: R.GOTPCREL, addend: -4 });
  assertEquals(link(writer.build()).bytesAt(0, 3), [0x48, 0x8b, 0x05]);
});
