/**
 * COFF objects and import libraries to fuzz the linker with, and their anatomy.
 */
import { addCoffFunction, CoffWriter, Rel, Scn, Select, shortImport } from "../support/coff_writer.ts";
import { ascii } from "../support/objects.ts";
import { type Anatomy, FoundParts } from "./mutate.ts";
import { fixtures, type Seed } from "./seeds.ts";

/** An object with COMDAT sections of every selection, a weak name, a table of functions, and options. */
function everyFeature(isBig: boolean): Uint8Array {
  const writer = new CoffWriter(isBig);
  const text = addCoffFunction(writer, "table", 1);
  const selections = [Select.ONE, Select.ANY, Select.SAME_SIZE, Select.EXACT, Select.LARGEST];
  const functions = selections.map((selection, i) => {
    const section = writer.section({
      name: ".text$of_some_function",
      flags: Scn.CODE | Scn.COMDAT,
      bytes: Uint8Array.of(0xe8, 0, 0, 0, 0),
    });
    writer.comdat(section, selection);
    const symbol = writer.symbol({ name: `f${i}`, section, type: 0x20 });
    writer.relocation(section, 1, writer.symbol({ name: `__imp_f${i}` }), Rel.REL32);
    return { section, symbol };
  });
  const unwind = writer.section({
    name: ".xdata",
    flags: Scn.RODATA,
    bytes: Uint8Array.of(1, 0, 0, 0),
    alignment: 4,
  });
  const unwindData = writer.symbol({ name: "unwind", section: unwind });
  for (const { section, symbol } of functions) {
    const flags = Scn.RODATA | Scn.COMDAT;
    // The end is the start and the size of the function.
    const bytes = Uint8Array.of(0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0);
    const table = writer.section({ name: ".pdata", flags, bytes, alignment: 4 });
    writer.comdat(table, Select.ASSOCIATIVE, section);
    writer.relocation(table, 0, symbol, Rel.ADDR32NB);
    writer.relocation(table, 4, symbol, Rel.ADDR32NB);
    writer.relocation(table, 8, unwindData, Rel.ADDR32NB);
  }
  const data = writer.section({ name: ".data", flags: Scn.DATA, bytes: new Uint8Array(16), alignment: 8 });
  writer.relocation(data, 0, functions[1].symbol, Rel.ADDR64);
  writer.symbol({ name: "total", section: data, value: 8 });
  writer.weak("f_weak", writer.symbol({ name: "table2", section: text, value: 5 }));
  writer.symbol({ name: "f_common", value: 24 });
  writer.section({
    name: ".drectve",
    flags: Scn.INFO,
    bytes: ascii("/EXPORT:table /INCLUDE:total -aligncomm:f_common,4"),
  });
  return writer.build();
}

/** Seeds for the linker. */
export function coffSeeds(): Seed[] {
  return [
    { name: "features.obj", bytes: everyFeature(false) },
    { name: "features_big.obj", bytes: everyFeature(true) },
    { name: "import.obj", bytes: shortImport("f", "system.dll", 0, 4, "other") },
    ...fixtures("coff", /\.(?:o|obj|lib|a)$/),
  ];
}

const SECTION = [[0, 8], [16, 4], [20, 4], [24, 4], [32, 2], [36, 4]] as const;
const RELOCATION = [[0, 4], [4, 4], [8, 2]] as const;
const SYMBOL = [[0, 4], [4, 4], [8, 4], [12, 2], [14, 2], [16, 1], [17, 1]] as const;
const BIG_SYMBOL = [[0, 4], [4, 4], [8, 4], [12, 4], [16, 2], [18, 1], [19, 1]] as const;
const HEADER = [[0, 2], [2, 2], [8, 4], [12, 4], [16, 2], [18, 2]] as const;
const BIG_HEADER = [[4, 2], [6, 2], [12, 4], [44, 4], [48, 4], [52, 4]] as const;

/** The anatomy of an object; undefined for another file. */
export function coffAnatomy(bytes: Uint8Array): Anatomy | undefined {
  if (bytes.length < 20) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint32(0, true);
  const isBig = first === 0xffff_0000 && bytes.length >= 56;
  if (!isBig && (first & 0xffff) !== 0x8664) return undefined;
  const size = isBig ? 56 : 20;
  const parts = new FoundParts(bytes);
  parts.add(0, isBig ? BIG_HEADER : HEADER);
  const count = isBig ? view.getUint32(44, true) : view.getUint16(2, true);
  parts.addTable(size, 40, count, SECTION);
  for (let i = 0; i < count && size + 40 * i + 40 <= bytes.length; i++) {
    const header = size + 40 * i;
    parts.addTable(view.getUint32(header + 24, true), 10, view.getUint16(header + 32, true), RELOCATION);
  }
  const symbols = view.getUint32(isBig ? 48 : 8, true), symbolCount = view.getUint32(isBig ? 52 : 12, true);
  parts.addTable(symbols, isBig ? 20 : 18, symbolCount, isBig ? BIG_SYMBOL : SYMBOL);
  return parts.anatomy();
}
