/**
 * The debug information of a module: that of its objects, one behind the other, relocated by section: offsets
 * lead into the sections of the module, addresses are offsets in its image.
 */
import { LoadError } from "../errors/load_error.ts";
import { RecordSize } from "../os/elf.ts";
import { type DebugPlaces, NOWHERE_HIGH } from "../smf/debug.ts";
import { alignUp } from "../smf/offsets.ts";
import { TLS_SECTION } from "../smf/thread_local.ts";
import { type DebugInput, debugInputs } from "./debug_inputs.ts";
import {
  decodeLinks,
  ELSEWHERE,
  NUMBERS,
  OFFSET,
  PIECE,
  PLACE,
  RECORD,
  SECTION,
  UNKNOWN,
  WIDTH,
} from "./debug_links.ts";
import { DEBUG_RELOCATIONS } from "./debug_relocations.ts";
import { hasDebugInfo } from "./debug_sections.ts";
import { type DebugFrames, debugFrames } from "./debug_frames.ts";
import type { ElfSection } from "./elf/symbols.ts";
import { DebugGroups } from "./debug_groups.ts";
import type { FrameSection } from "./eh_frame.ts";
import type { LinkObject } from "./input.ts";
import { Found, type Locator } from "./locate.ts";
import { MergedSection } from "./merge.ts";
import { causeOf } from "./problems.ts";
import { type LinkProgress, REPORT_EACH } from "./progress.ts";
import type { Resolution } from "./resolve.ts";

/** The debug information of a module. */
export interface LinkedDebug {
  /** The sections under their whole names. */
  readonly sections: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** The words that hold addresses. */
  readonly places: readonly DebugPlaces[];
  /** Objects whose debug information cannot be read, which is left out. */
  readonly unreadable: readonly { readonly object: string; readonly reason: string }[];
}

/** One section of the module's debug information. */
class Output {
  size = 0;
  merged: MergedSection | undefined;
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  readonly places: number[] = [];

  /** Makes room for a section of an object; returns its offset. */
  reserve({ alignment, bytes }: Pick<DebugInput, "alignment" | "bytes">): number {
    const offset = alignUp(this.size, alignment);
    this.size = offset + bytes.length;
    return offset;
  }

  allocate(): void {
    let strings = 0;
    if (this.merged !== undefined) {
      this.merged.place();
      // Behind what was not merged, from where the pieces count.
      this.merged.moveTo(this.size);
      strings = this.merged.size;
    }
    this.bytes = new Uint8Array(this.size + strings);
    this.view = new DataView(this.bytes.buffer);
    this.merged?.write(this.bytes, this.size);
  }
}

/** A section of an object, and its offset in the module's. */
interface Placed {
  readonly input: DebugInput;
  readonly output: Output;
  readonly offset: number;
}

/**
 * Links the debug information of all objects. What is damaged costs the debug information of its object, never
 * the link.
 */
export function linkDebug(
  resolution: Resolution,
  locator: Locator,
  frames: readonly FrameSection[],
  progress?: LinkProgress,
): LinkedDebug {
  const unreadable: { object: string; reason: string }[] = [];
  const outputs = new Map<string, Output>();
  const groups = new DebugGroups<Placed>();
  const objects: { object: LinkObject; placed: Map<number, Placed> }[] = [];
  for (const object of resolution.objects) {
    if (!hasDebugInfo(object)) continue;
    let inputs: DebugInput[];
    const twins = groups.add(object);
    try {
      inputs = debugInputs(object, (section) => twins.has(section));
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      unreadable.push({ object: object.name, reason: causeOf(error) });
      continue;
    }
    const placed = new Map<number, Placed>();
    for (const input of inputs) {
      let output = outputs.get(input.name);
      if (output === undefined) outputs.set(input.name, output = new Output());
      const { pieces, elf, bytes } = input;
      if (pieces !== undefined) {
        output.merged ??= new MergedSection(1, true);
        output.merged.add({ elf: { ...elf, alignment: 1 }, bytes: () => bytes }, pieces);
      }
      const one = { input, output, offset: pieces === undefined ? output.reserve(input) : 0 };
      placed.set(elf.index, one);
      groups.keep(elf, one);
    }
    for (const [section, key] of twins) {
      const kept = groups.kept(key);
      if (kept !== undefined) placed.set(section, kept);
    }
    objects.push({ object, placed });
  }
  if (outputs.size === 0) return { sections: [], places: [], unreadable };
  const made = debugFrames(frames, locator);
  let output = outputs.get(FRAMES);
  if (output === undefined) outputs.set(FRAMES, output = new Output());
  const framesAt = output.reserve({ alignment: 8, bytes: made.bytes });
  for (const output of outputs.values()) output.allocate();
  writeFrames(made, output, framesAt);
  for (const [index, { object, placed }] of objects.entries()) {
    if (index % REPORT_EACH === 0) progress?.("linking debug information", index, objects.length);
    new DebugRelocator(object, placed, locator).run();
  }
  const filled = [...outputs].filter(([, { bytes }]) => bytes.length > 0);
  return {
    sections: filled.map(([name, { bytes }]) => ({ name, bytes })),
    places: filled.filter(([, { places }]) => places.length > 0).map(([name, { places }]) => ({
      name,
      offsets: Uint32Array.from(places).sort(),
    })),
    unreadable,
  };
}

const FRAMES = ".debug_frame";

/** Writes the frames that the linker made, behind those of objects. */
function writeFrames(
  { bytes, places, references }: DebugFrames,
  { bytes: into, view, places: all }: Output,
  at: number,
) {
  into.set(bytes, at);
  for (const place of places) all.push(at + place);
  for (const reference of references) {
    view.setUint32(at + reference, at + view.getUint32(at + reference, true), true);
  }
}

/** Writes the value of a word of 4 or 8 bytes. */
function writeValue(view: DataView, place: number, width: number, value: number): void {
  view.setUint32(place, value, true);
  if (width === 8) view.setInt32(place + 4, Math.floor(value / 0x1_0000_0000), true);
}

/** Writes the sections of one object to their places. */
class DebugRelocator {
  readonly #object: LinkObject;
  /** The sections of the object that are in the module, by their indexes. */
  readonly #placed: (Placed | undefined)[];
  readonly #locator: Locator;

  constructor(object: LinkObject, placed: ReadonlyMap<number, Placed>, locator: Locator) {
    this.#object = object;
    this.#locator = locator;
    this.#placed = new Array(object.elf.sections.length);
    for (const [section, one] of placed) this.#placed[section] = one;
  }

  run(): void {
    for (const [section, one] of this.#placed.entries()) {
      // The twin of another object's section has been written with that object.
      if (
        one === undefined || one.input.pieces !== undefined ||
        this.#object.elf.sections[section] !== one.input.elf
      ) continue;
      one.output.bytes.set(one.input.bytes, one.offset);
      this.#relocate(one);
    }
  }

  #relocate(one: Placed): void {
    const { input: { relocations }, output: { view }, offset } = one;
    if (relocations === undefined) return;
    const links = decodeLinks(this.#object, relocations);
    if (links === undefined) {
      const count = relocations.size / RecordSize.RELA;
      for (let record = 0; record < count; record++) this.#relocateRecord(one, relocations, record);
      return;
    }
    for (let at = 0; at < links.length; at += NUMBERS) {
      const value = this.#linkedValue(links, at);
      if (value === undefined) {
        this.#relocateRecord(one, relocations, links[at + RECORD]);
        continue;
      }
      writeValue(view, offset + (links[at + PLACE] >>> 0), links[at + WIDTH], value);
    }
  }

  /** Returns the value of a word that leads to debug information; undefined for another one. */
  #linkedValue(links: Int32Array, at: number): number | undefined {
    const section = links[at + SECTION];
    const placed = section === ELSEWHERE ? undefined : this.#placed[section];
    if (placed === undefined) return undefined;
    const { elf, pieces } = placed.input, target = links[at + OFFSET];
    if (pieces === undefined) return placed.offset + target;
    // The twin of another object's section has other pieces.
    if (elf !== this.#object.elf.sections[section]) return undefined;
    const piece = links[at + PIECE] === UNKNOWN ? links[at + PIECE] = pieces.find(target) : links[at + PIECE];
    return piece === -1 ? undefined : pieces.offsets[piece] + target - pieces.starts[piece];
  }

  /** Applies one relocation of a table; those of unknown types do nothing. */
  #relocateRecord({ output, offset }: Placed, table: ElfSection, record: number): void {
    const { file: { view }, machine } = this.#object.elf;
    const at = table.offset + record * RecordSize.RELA;
    const relocation = DEBUG_RELOCATIONS[machine].get(view.getUint32(at + 8, true));
    if (relocation === undefined) return;
    const place = offset + view.getUint32(at, true);
    const addend = view.getInt32(at + 20, true) * 0x1_0000_0000 + view.getUint32(at + 16, true);
    const { width, isThreadLocal } = relocation;
    const value = this.#value(view.getUint32(at + 12, true), addend, isThreadLocal);
    if (value === undefined) {
      output.view.setUint32(place, width === 8 ? 0 : NOWHERE_HIGH, true);
      if (width === 8) output.view.setUint32(place + 4, NOWHERE_HIGH, true);
      return;
    }
    writeValue(output.view, place, width, value);
    if (width === 8 && this.#isAddress) output.places.push(place);
  }

  /** Whether the last value is an offset in the image. */
  #isAddress = false;

  /** Returns the value of a word; undefined if what it leads to is not in the module. */
  #value(symbol: number, addend: number, isThreadLocal: boolean): number | undefined {
    this.#isAddress = false;
    const { symbols } = this.#object.elf;
    const section = symbols.section(symbol);
    const placed = section === -1 ? undefined : this.#placed[section];
    if (placed !== undefined) {
      const at = symbols.value(symbol) + addend;
      const { pieces } = placed.input;
      if (pieces === undefined) return placed.offset + at;
      const piece = pieces.find(at);
      return piece === -1 ? undefined : pieces.offsets[piece] + at - pieces.starts[piece];
    }
    const locator = this.#locator;
    locator.symbol(this.#object, symbol, addend);
    if (locator.found === Found.ABSOLUTE) return locator.value + addend;
    if (locator.found !== Found.DEFINED) return undefined;
    const offset = locator.offset + (locator.addendUsed ? 0 : addend);
    // A thread-local variable has no address, only an offset in the block of its thread.
    if (isThreadLocal || locator.output.name === TLS_SECTION) return isThreadLocal ? offset : undefined;
    this.#isAddress = true;
    return locator.output.address + offset;
  }
}
