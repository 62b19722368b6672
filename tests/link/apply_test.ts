// Filling sections: constants, GOT slots that hold them, and sections that cannot be relocated.
import { assert, assertEquals } from "@std/assert";
import { SectionIndex, SymbolBinding, SymbolVisibility } from "../../src/os/elf.ts";
import { addFunction, addVariable, DATA, ElfWriter, link, linkFails } from "../support/objects.ts";
import { R } from "../support/relocation_objects.ts";

/** Makes a variable that refers to an absolute symbol. */
function constant(type: number, value: bigint, addend = 0n): Uint8Array {
  const writer = new ElfWriter();
  const place = addVariable(writer, "place", new Uint8Array(16).fill(0xee));
  const symbol = writer.symbol({ name: "constant", section: SectionIndex.ABS, value });
  writer.relocation(place, { offset: 4, symbol, type, addend });
  return writer.build();
}

Deno.test("32 and 32S take constants that fit, from the first to the last", () => {
  const read = (type: number, value: bigint) => {
    const linked = link(constant(type, value));
    assertEquals(linked.relocations(), []);
    assertEquals(linked.bytesAt(linked.at("place") + 8, 4), [0xee, 0xee, 0xee, 0xee]);
    return linked.bytesAt(linked.at("place") + 4, 4);
  };
  assertEquals(read(R[32], 0n), [0, 0, 0, 0]);
  assertEquals(read(R[32], 2n ** 32n - 1n), [255, 255, 255, 255]);
  assertEquals(read(R["32S"], -(2n ** 31n)), [0, 0, 0, 0x80]);
  assertEquals(read(R["32S"], 2n ** 31n - 1n), [255, 255, 255, 0x7f]);
  for (
    const [type, value] of [[R[32], -1n], [R[32], 2n ** 32n], [R["32S"], 2n ** 31n], [
      R["32S"],
      -(2n ** 31n) - 1n,
    ]]
  ) {
    const error = linkFails(constant(type as number, value as bigint), "RelocationFailed", "does not fit");
    assertEquals(error.data.value, Number(value));
  }
});

Deno.test("64 takes constants as they are; a distance to one does not exist", () => {
  const linked = link(constant(R[64], 0x1122334455n, 1n));
  assertEquals(linked.int64(linked.at("place") + 4), 0x1122334456n);
  assertEquals(linked.relocations(), []);
  linkFails(constant(R.PC32, 5n), "RelocationFailed", "constant");
});

Deno.test("an addend that passes 2^53 with the offset of its section is an error", () => {
  const writer = new ElfWriter();
  addVariable(writer, "first", new Uint8Array(64));
  const data = addVariable(writer, "second", new Uint8Array(8), SymbolBinding.LOCAL);
  writer.relocation(data, {
    offset: 0,
    symbol: writer.sectionSymbol(data),
    type: R[64],
    addend: 2n ** 53n - 1n,
  });
  linkFails(writer.build(), "RelocationFailed", "addend is beyond 2^53", { keep: [".data*"] });
});

Deno.test("relocations of a section without bytes are an error", () => {
  const writer = new ElfWriter();
  const zeros = writer.section({ name: ".bss", flags: DATA, size: 16 });
  writer.symbol({ name: "zeros", section: zeros, size: 16 });
  writer.relocation(zeros, { offset: 0, symbol: writer.sectionSymbol(zeros), type: R[64] });
  const error = linkFails(writer.build(), "InvalidFormat", "section without bytes");
  assertEquals(error.data.section, ".bss");
});

Deno.test("an array that is reversed must have whole entries", () => {
  const writer = new ElfWriter();
  addFunction(writer, "f", Uint8Array.of(0xc3));
  writer.section({ name: ".ctors", flags: DATA, bytes: new Uint8Array(12), alignment: 8 });
  linkFails(writer.build(), "InvalidFormat", "not a multiple of 8");
});

Deno.test("a constant in a GOT slot may be as large as a number is exact", () => {
  const build = (value: bigint): Uint8Array => {
    const writer = new ElfWriter();
    const from = addFunction(writer, "from", Uint8Array.of(0x48, 0x03, 0x05, 0, 0, 0, 0, 0xc3));
    const symbol = writer.symbol({ name: "constant", section: SectionIndex.ABS, value });
    writer.relocation(from, { offset: 3, symbol, type: R.GOTPCREL, addend: -4 });
    return writer.build();
  };
  const linked = link(build(2n ** 53n - 1n));
  assertEquals(linked.int64(linked.settled(linked.at("from") + 3) + 4), 2n ** 53n - 1n);
  const error = linkFails(build(2n ** 53n), "RelocationFailed", "above 2^53 - 1");
  assert(error.hint.startsWith("use a constant of at most"), error.hint);
});

Deno.test("an undefined weak function that is hidden is 0 and not an import", () => {
  const writer = new ElfWriter();
  // cmpq $0, absent@GOTPCREL(%rip); jmp absent
  const from = addFunction(writer, "from", Uint8Array.of(0x48, 0x83, 0x3d, 0, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0));
  const absent = writer.symbol({
    name: "absent",
    binding: SymbolBinding.WEAK,
    visibility: SymbolVisibility.HIDDEN,
  });
  writer.relocation(from, { offset: 3, symbol: absent, type: R.GOTPCREL, addend: -5 });
  writer.relocation(from, { offset: 9, symbol: absent, type: R.PLT32, addend: -4 });
  const data = addVariable(writer, "pointer", new Uint8Array(8).fill(7));
  writer.relocation(data, { offset: 0, symbol: absent, type: R[64] });
  const linked = link(writer.build());
  assertEquals(linked.importNames(), []);
  const slot = linked.settled(linked.at("from") + 3) + 5;
  assertEquals(linked.int64(slot), 0n, "the GOT reference leads to a slot that holds 0");
  assertEquals(linked.bytesAt(linked.at("from") + 8, 4), [0x0f, 0x0b, 0x0f, 0x0b], "the branch traps");
  assertEquals(linked.int64(linked.at("pointer")), 0n);
});
