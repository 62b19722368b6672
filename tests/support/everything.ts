/** An object with every feature that the linker supports. */
import { addFunction, addVariable, ascii, DATA, ElfWriter, STRINGS } from "./objects.ts";

/** Builds an object with groups, merged strings, commons, unwind tables, start-up arrays and every kind of symbol. */
export function everything(): Uint8Array {
  const writer = new ElfWriter();
  const f = addFunction(writer, "first", new Uint8Array(32).fill(0x90));
  const group = addFunction(writer, "grouped", new Uint8Array(16), 2);
  writer.group(writer.symbol({ name: "signature", section: group, binding: 2 }), [group]);
  const strings = writer.section({
    name: ".rodata.str1.1",
    flags: STRINGS,
    bytes: ascii("one\0two\0"),
    entrySize: 1,
  });
  const data = addVariable(writer, "table", new Uint8Array(32));
  const init = writer.section({
    name: ".init_array",
    type: 14,
    flags: DATA,
    bytes: new Uint8Array(8),
    alignment: 8,
  });
  const frame = new Uint8Array(52);
  const view = new DataView(frame.buffer);
  [[0, 20], [24, 20], [28, 28]].forEach(([at, value]) => view.setUint32(at, value, true));
  // The CIE: version 1, "zLR", alignments, return register, and near pointers to handlers and functions.
  frame.set([1, 0x7a, 0x4c, 0x52, 0, 1, 0x78, 16, 2, 0x1b, 0x1b], 8);
  // The length of the FDE's pointer to its handlers.
  frame[40] = 4;
  const frames = writer.section({ name: ".eh_frame", bytes: frame, alignment: 8 });
  const symbol = writer.sectionSymbol(f);
  writer.symbol({ name: "common", section: 0xfff2, value: 16, size: 40 });
  writer.symbol({ name: "constant", section: 0xfff1, value: 77 });
  writer.relocation(frames, { offset: 32, symbol, type: 2 });
  writer.relocation(frames, { offset: 41, symbol: writer.sectionSymbol(strings), type: 2 });
  writer.relocation(init, { offset: 0, symbol, type: 1 });
  writer.relocation(f, { offset: 4, symbol: writer.symbol({ name: "import" }), type: 4, addend: -4 });
  writer.relocation(f, { offset: 12, symbol: writer.symbol({ name: "atexit" }), type: 42, addend: -4 });
  writer.relocation(data, { offset: 0, symbol: writer.sectionSymbol(strings), type: 1, addend: 4 });
  writer.relocation(data, { offset: 8, symbol: writer.symbol({ name: "__start_hooks" }), type: 1 });
  writer.section({ name: "hooks", flags: DATA, bytes: new Uint8Array(8) });
  return writer.build();
}
