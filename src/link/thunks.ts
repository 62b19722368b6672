/**
 * The thunks of a module that is made of code for programs (-fno-pic): where such code has the address
 * of an exported function or of an import as an operand of 32 bits, or reaches for an imported variable,
 * a thunk does the instruction's work with the address from a GOT slot. So every module sees the same
 * address of a function, and imports may be far away.
 *
 * Code that is compiled with -fPIC loads such addresses from GOT slots by itself.
 */
import { RecordSize, SymbolKind } from "../os/elf.ts";
import type { LinkArch, RelocationRule, Thunk, ThunkMaker } from "./arch/arch.ts";
import { signed64 } from "./elf/bytes.ts";
import type { InputSection, LinkObject, Location, OutputSection } from "./input.ts";

/** The output section of the thunks. */
const THUNK_SECTION = ".text.thunks";
const ALIGNMENT = 8;

/** A thunk, and the instruction's section. `at` is set by the layout. */
export interface PlacedThunk {
  readonly thunk: Thunk;
  readonly section: InputSection;
  /** The name number of the symbol whose address is in the slot. */
  readonly id: number;
  /** The offset that the relocation patches in its section. */
  readonly place: number;
  at?: Location;
}

/** The names whose addresses are not known when the module is linked. */
export interface ThunkTargets {
  isImport(id: number): boolean;
  /** Whether a name is an exported function. */
  isCanonical(id: number): boolean;
}

/** Whether a relocation holds an address of 32 bits, as code for fixed addresses has it. */
export function isShortAddress({ use, width, smf }: RelocationRule): boolean {
  return use === "absolute" && width === 4 && smf !== undefined;
}

/** The thunks of a module. */
export class Thunks implements Iterable<PlacedThunk> {
  readonly #bySection: Map<InputSection, Map<number, PlacedThunk>> = new Map();
  readonly #all: PlacedThunk[] = [];
  readonly #entries: Map<LinkObject, ReadonlyMap<number, readonly number[]>> = new Map();

  /** Makes the thunks for the relocations of code sections. */
  add(sections: readonly InputSection[], { rules, thunks }: LinkArch, targets: ThunkTargets): void {
    if (thunks === undefined) return;
    for (const section of sections) {
      if (section.isCode && section.hasBytes) this.#addOf(section, rules, thunks, targets);
    }
  }

  #addOf(
    section: InputSection,
    rules: LinkArch["rules"],
    thunks: ThunkMaker,
    targets: ThunkTargets,
  ): void {
    const { object, elf } = section;
    const { view } = object.elf.file;
    const bytes = section.bytes();
    // By the start of the instruction.
    const byStart = new Map<number, PlacedThunk>();
    const refused = new Set<number>();
    for (let index = 0; index < elf.relaCount; index++) {
      const entry = elf.relaOffset + index * RecordSize.RELA;
      const rule = rules.get(view.getUint32(entry + 8, true));
      if (rule === undefined) continue;
      const isAddress = rule.use === "absolute" && rule.width >= 4;
      if (!isAddress && !(rule.use === "relative" && rule.width === 4)) continue;
      const id = object.globalOf(view.getUint32(entry + 12, true));
      if (id === -1) continue;
      const isNeeded = targets.isImport(id) ? rule.width === 4 : isAddress && targets.isCanonical(id);
      if (!isNeeded) continue;
      const place = view.getUint32(entry, true);
      const from = this.#entryBefore(section, place);
      const thunk = thunks.make(bytes, from, place, rule, signed64(view, entry + 16));
      if (thunk === undefined) continue;
      // One instruction with two such operands would need two slots.
      if (byStart.has(thunk.start)) refused.add(thunk.start);
      byStart.set(thunk.start, { thunk, section, id, place });
    }
    for (const start of refused) byStart.delete(start);
    if (byStart.size === 0) return;
    const byPlace = new Map<number, PlacedThunk>();
    for (const placed of byStart.values()) {
      byPlace.set(placed.place, placed);
      if (placed.thunk.moved !== undefined) byPlace.set(placed.thunk.moved.from, placed);
      this.#all.push(placed);
    }
    this.#bySection.set(section, byPlace);
  }

  /** The offset of the nearest function of a section that begins at or before a place. */
  #entryBefore({ object, elf }: InputSection, place: number): number {
    let entries = this.#entries.get(object);
    if (entries === undefined) this.#entries.set(object, entries = functionsOf(object));
    return entries.get(elf.index)?.findLast((entry) => entry <= place) ?? 0;
  }

  /** The thunk that does the work of the relocation at a place, or has a copy of the place. */
  at(section: InputSection, place: number): PlacedThunk | undefined {
    return this.#all.length === 0 ? undefined : this.#bySection.get(section)?.get(place);
  }

  /** Makes room for every thunk in the section that `code` returns. */
  place(code: (name: string) => OutputSection): void {
    for (const placed of this) {
      const output = code(THUNK_SECTION);
      placed.at = { output, offset: output.reserve(placed.thunk.bytes.length, ALIGNMENT) };
    }
  }

  [Symbol.iterator](): Iterator<PlacedThunk> {
    return this.#all.values();
  }
}

/** The address of the copy of an operand in a thunk. */
export function addressOfCopy({ thunk, at }: PlacedThunk): number {
  return at!.output.address + at!.offset + thunk.moved!.to;
}

/**
 * The difference between the addends of a distance in the copy and in the instruction: both count from the
 * end of their instruction, which is nearer in the copy, as no immediate operand follows.
 */
export function addendOfCopy({ thunk: { end, moved } }: PlacedThunk): number {
  const { from, to, end: endOfCopy } = moved!;
  return endOfCopy === undefined ? 0 : end - from - (endOfCopy - to);
}

/**
 * Writes a thunk, and replaces its instruction by a jump to it, once both sections are filled.
 *
 * @param contents The bytes of the sections, by index.
 * @returns the offset of the thunk's distance to its slot, in its section.
 */
export function writeThunk(
  { thunk, section, at }: PlacedThunk,
  thunks: ThunkMaker,
  contents: readonly (Uint8Array | undefined)[],
): number {
  const { start, end, bytes, slotAt, moved } = thunk;
  const from = section.output!, { output: to, offset } = at!;
  const code = contents[from.index]!, into = contents[to.index]!;
  const view = new DataView(into.buffer, into.byteOffset);
  into.set(bytes, offset);
  const origin = from.address + section.offset, target = to.address + offset;
  if (moved !== undefined) {
    const value = new DataView(code.buffer, code.byteOffset).getInt32(section.offset + moved.from, true);
    const change = moved.end === undefined ? 0 : origin + end - (target + moved.end);
    view.setInt32(offset + moved.to, value + change, true);
  }
  view.setInt32(offset + bytes.length - 4, origin + end - (target + bytes.length), true);
  thunks.enter(code, section.offset + start, section.offset + end, target - (origin + start));
  return offset + slotAt;
}

/** The offsets of an object's functions, ascending, by index of their section. */
function functionsOf({ elf: { symbols } }: LinkObject): Map<number, number[]> {
  const functions = new Map<number, number[]>();
  for (let index = 1; index < symbols.length; index++) {
    const section = symbols.section(index);
    if (section === -1 || symbols.kind(index) !== SymbolKind.FUNC) continue;
    const known = functions.get(section);
    if (known === undefined) functions.set(section, [symbols.value(index)]);
    else known.push(symbols.value(index));
  }
  for (const offsets of functions.values()) offsets.sort((a, b) => a - b);
  return functions;
}
