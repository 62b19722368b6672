/**
 * Reads Mach-O objects for macOS, for x86-64 and AArch64, into the input model of the linker. The parts of sections
 * that garbage collection takes or leaves are sections of the model, whose bytes stay where they are in the file.
 */
import { Platform } from "../../smf/enums.ts";
import { NO_DIRECTIVES } from "../directives.ts";
import type { ElfObject } from "../elf/object.ts";
import { RecordSize, SectionFlag } from "../../os/elf.ts";
import { debugRelocations, ModelTables } from "../model_tables.ts";
import { Atoms } from "./atoms.ts";
import { addCompactFrames } from "./compact_unwind.ts";
import { debugReferences } from "./debug_references.ts";
import { type MachFile, readMachFile } from "./file.ts";
import { FrameWriter } from "./frame_writer.ts";
import { copyFrames } from "./frames.ts";
import { addSymbols } from "./model_symbols.ts";
import { type Constant, readReferences, type Reference } from "./relocations.ts";
import { COMPACT_UNWIND, FRAMES, isLoaded } from "./sections.ts";
import { type MachSymbol, readMachSymbols } from "./symbols.ts";

/**
 * Parses an object, and validates all of its tables.
 *
 * @throws {LoadError} `InvalidFormat` or `Unsupported`, naming the file.
 */
export function parseMachObject(name: string, bytes: Uint8Array): ElfObject {
  const headers = readMachFile(name, bytes);
  const symbols = readMachSymbols(headers);
  const atoms = new Atoms(headers, symbols);
  const { list, constants } = readReferences(headers, headers.sections.filter(isLoaded), symbols, atoms);
  const debug = debugReferences(headers, symbols, atoms);
  const references = [...list, ...debug.list];
  const frames = madeFrames(headers, symbols, atoms);
  const table = frames.build();
  if (table.length > 0) {
    const atom = atoms.append(".eh_frame", bytes.length, table.length);
    references.push(...frames.relocations.map((relocation) => ({ atom, ...relocation })));
  }
  references.sort((a, b) => a.atom.index - b.atom.index || a.place - b.place);

  const tables = new ModelTables(headers.file, table);
  const labels = references.flatMap(({ target }) => "offset" in target ? [target] : []);
  const added = addSymbols(headers.file, symbols, labels, atoms, tables);
  tables.reserveRelocations(references.length);
  for (const { place, type, addend, target } of references) {
    tables.relocation(place, added.numberOf(target), type, addend);
  }
  const built = tables.build(added.firstGlobal);
  attach(atoms, references, built.relocations);
  settle(built.file.view, [...constants, ...debug.constants]);
  return {
    name,
    file: built.file,
    machine: headers.machine,
    sections: atoms.model,
    symbols: built.symbols,
    groups: [],
    platform: Platform.MacOS,
    directives: {
      ...NO_DIRECTIVES,
      libraries: headers.options.map((option) => option.join(" ")),
      aliases: added.aliases,
    },
  };
}

/** Writes the call frame information anew, of both tables that an object may have. */
function madeFrames(headers: MachFile, symbols: readonly MachSymbol[], atoms: Atoms): FrameWriter {
  const writer = new FrameWriter(headers.machine);
  const described = new Set<string>();
  const { sections, file: { bytes } } = headers;
  for (const section of sections) {
    if (section.name !== FRAMES) continue;
    const { list, constants } = readReferences(headers, [section], symbols, atoms);
    const table = bytes.slice(section.offset, section.offset + section.size);
    settle(new DataView(table.buffer), constants, section.offset);
    for (const key of copyFrames(headers, section, table, list, writer)) described.add(key);
  }
  for (const section of sections) {
    if (section.name !== COMPACT_UNWIND) continue;
    const { list } = readReferences(headers, [section], symbols, atoms);
    addCompactFrames(headers, section, list, described, writer);
  }
  return writer;
}

/** Writes the differences that are known into a part of the object that begins at the file offset `start`. */
function settle(view: DataView, constants: readonly Constant[], start = 0): void {
  for (const { at, value, width } of constants) {
    if (width === 4) view.setInt32(at - start, value, true);
    else view.setBigInt64(at - start, BigInt(value), true);
  }
}

/** Tells the sections of the model where their relocations are; tables of debug information are sections of their own. */
function attach({ model }: Atoms, references: readonly Reference[], start: number): void {
  const counts = new Map<number, number>();
  references.forEach(({ atom: { index } }, position) => {
    const section = model[index];
    if ((section.flags & SectionFlag.ALLOC) === 0) return counts.set(index, (counts.get(index) ?? 0) + 1);
    if (section.relaCount++ === 0) section.relaOffset = start + position * RecordSize.RELA;
  });
  for (const [index, count] of counts) {
    const first = references.findIndex(({ atom }) => atom.index === index);
    const offset = start + first * RecordSize.RELA;
    model.push(debugRelocations(model.length, model[index], offset, count));
  }
}
