/**
 * Writes the sections' bytes and applies relocations.
 *
 * Distances (S + A - P) are settled here: inside one group, which moves as a
 * whole, and between groups where the whole image can, which the file then asks
 * for. Everything else stays for the loader: addresses (S + A), GOT slots
 * (G + A - P), and imports.
 */
import { LoadError } from "../errors.ts";
import { RelocationType, SectionType as SmfSectionType } from "../smf/enums.ts";
import { type LinkArch, type RelocationRule, writeInt32, writeInt64 } from "./arch/arch.ts";
import { keepIfunc, writeStub } from "./ifunc.ts";
import { RecordSize } from "../os/elf.ts";
import { writeFrames } from "./frame_output.ts";
import type { InputSection } from "./input.ts";
import { malformed, signed64 } from "./elf/bytes.ts";
import { DynamicRelocations, Target } from "./dynamic_relocations.ts";
import type { FrameSection } from "./eh_frame.ts";
import type { OutputSection } from "./input.ts";
import type { Layout } from "./layout.ts";
import { Found, type Locator } from "./locate.ts";
import type { Problems } from "./problems.ts";
import { failedAt, symbolName, unsupportedAt } from "./relocation_errors.ts";
import { isFragment, startupOrder } from "./section_names.ts";
import { TLS_SECTION } from "./section_names.ts";
import { keepSlot, type TlsSlot } from "./thread_local.ts";

/** A symbol of this module that is not exported but needs a GOT slot. */
export interface GotSymbol {
  readonly name: string;
  readonly output: OutputSection;
  readonly offset: number;
}

/** What {@linkcode applyRelocations} works on. */
export interface ApplyInput {
  readonly arch: LinkArch;
  readonly layout: Layout;
  readonly locator: Locator;
  /** Whether a name is exported, so that others may hold its address. */
  isExported(id: number): boolean;
  nameOf(id: number): string;
  readonly problems: Problems;
}

/** The finished contents and what is left to relocate. */
export interface Applied {
  /** By output section; undefined for zeroed data. */
  readonly contents: readonly (Uint8Array | undefined)[];
  readonly kept: DynamicRelocations;
  readonly gotSymbols: readonly GotSymbol[];
  /** How many relocations were settled. */
  readonly applied: number;
  /** Whether there are distances between groups among them. */
  readonly isFixed: boolean;
}

/** What became of a GOT reference whose instruction was rewritten. */
const DIRECT: RelocationRule = {
  name: "relaxed GOT reference",
  use: "relative",
  width: 4,
  smf: RelocationType.Pc32,
  write: writeInt32,
  range: [-(2 ** 31), 2 ** 31],
};

/** Fills every output section. */
export function applyRelocations(input: ApplyInput): Applied {
  const applier = new Applier(input);
  const contents = input.layout.outputs.map((output) => applier.fill(output));
  input.problems.throwIfAny();
  const { kept, gotSymbols, applied, isFixed } = applier;
  return { contents, kept, gotSymbols, applied, isFixed };
}

class Applier {
  readonly kept: DynamicRelocations = new DynamicRelocations();
  readonly gotSymbols: GotSymbol[] = [];
  applied = 0;
  isFixed = false;
  readonly #input: ApplyInput;
  readonly #gotIndex: Map<number, number> = new Map();
  // The place that is being patched.
  #output!: OutputSection;
  #bytes!: Uint8Array;
  #view!: DataView;
  #section!: InputSection;
  #at = 0;
  #symbol = 0;

  constructor(input: ApplyInput) {
    this.#input = input;
  }

  fill(output: OutputSection): Uint8Array | undefined {
    if (output.type === SmfSectionType.Bss) {
      for (const section of output.inputs) this.#refuseRelocations(section);
      return undefined;
    }
    const bytes = new Uint8Array(output.storedSize);
    this.#output = output;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    if (output.type === SmfSectionType.Code) bytes.fill(this.#input.arch.filler);
    if (isFragment(output.name)) this.#surround(output);
    for (const section of output.inputs) this.#copy(section);
    for (const { section, offset } of this.#input.layout.merged.get(output) ?? []) {
      section.write(bytes, offset);
    }
    this.#fillFrames(this.#input.layout.frames.get(output) ?? []);
    this.#fillFragments(output);
    for (const [id, place] of this.#input.layout.constants) {
      if (place.output === output) this.#fillConstant(id, place.offset);
    }
    this.#fillChosen(output);
    for (const slot of this.#input.layout.tls) if (slot.output === output) this.#fillTlsSlot(slot);
    return bytes;
  }

  #refuseRelocations(section: InputSection): void {
    if (section.elf.relaCount === 0) return;
    throw malformed(section.object.name, "relocations apply to a section without bytes", {
      section: section.name,
    });
  }

  #copy(section: InputSection): void {
    const { elf } = section;
    if (!section.hasBytes) {
      this.#bytes.fill(0, section.offset, section.offset + elf.size);
      return this.#refuseRelocations(section);
    }
    const reversed = startupOrder(section.name)?.reversed === true;
    if (!reversed) this.#bytes.set(section.bytes(), section.offset);
    else if (elf.size % 8 !== 0) {
      throw malformed(section.object.name, "the size is no multiple of 8", { section: section.name });
    }
    for (let i = 0; i < elf.relaCount; i++) {
      const place = section.object.elf.file.view.getUint32(elf.relaOffset + i * RecordSize.RELA, true);
      this.#relocate(section, i, section.offset + (reversed ? elf.size - 8 - place : place), place);
    }
  }

  #fillFrames(frames: readonly FrameSection[]): void {
    writeFrames(frames, this.#bytes);
    for (const frame of frames) {
      const { view } = frame.section.object.elf.file;
      for (const record of frame.records) {
        if (!record.live) continue;
        for (let i = record.firstRelocation; i < record.lastRelocation; i++) {
          const index = frame.relocations[i];
          const place = view.getUint32(frame.section.elf.relaOffset + index * RecordSize.RELA, true);
          this.#relocate(frame.section, index, record.place + place - record.start, place);
        }
      }
    }
  }

  /** Makes fragments that run into each other a function: gaps must not stop them. */
  #surround({ contentSize }: OutputSection): void {
    const { head, tail, nop } = this.#input.arch.fragments;
    for (let at = 0; at < contentSize; at++) this.#bytes[at] = nop[at % nop.length];
    this.#bytes.set(head);
    this.#bytes.set(tail, contentSize - tail.length);
  }

  #fillFragments(output: OutputSection): void {
    for (const { code, slot } of this.#input.layout.fragments) {
      if (slot.output !== output) continue;
      this.kept.add(output.address + slot.offset, Target.section(code.index), RelocationType.Abs64, 0);
    }
  }

  #fillConstant(id: number, offset: number): void {
    const { locator, arch } = this.#input;
    locator.global(id);
    if (!arch.rules.get(arch.absolute64)!.write!(this.#view, offset, locator.value)) {
      this.#input.problems.add(
        new LoadError("RelocationFailed", "Cannot link: the constant is above 2^53 - 1", {
          symbol: this.#input.nameOf(id),
        }),
      );
    }
  }

  #fillChosen(output: OutputSection): void {
    const { arch, layout, locator } = this.#input;
    for (const chosen of layout.chosen) {
      if (chosen.stub!.output !== output) continue;
      const { object, symbol } = chosen;
      locator.place(object.sectionOf(symbol)!, object.elf.symbols.value(symbol));
      writeStub(arch, this.#bytes, chosen.stub!.offset);
      keepIfunc(arch, this.kept, chosen, { output: locator.output, offset: locator.offset });
    }
  }

  /** What can be said of a slot's variable was checked where something refers to it. */
  #fillTlsSlot(slot: TlsSlot): void {
    const { locator } = this.#input;
    locator.symbol(slot.object, slot.symbol, slot.addend);
    const variable = locator.found === Found.PLACE
      ? { base: locator.output, offset: locator.offset }
      : slot.object.globalOf(slot.symbol);
    const word = keepSlot(this.kept, slot, variable);
    if (word !== 0) writeInt64(this.#view, slot.offset + 8, word);
  }

  /** Applies or keeps relocation `index` of a section, whose place is at `at` in the output. */
  #relocate(section: InputSection, index: number, at: number, place: number): void {
    const { object, elf } = section;
    const { view } = object.elf.file;
    const entry = elf.relaOffset + index * RecordSize.RELA;
    const type = view.getUint32(entry + 8, true);
    this.#section = section;
    this.#at = at;
    this.#symbol = view.getUint32(entry + 12, true);
    const rule = this.#input.arch.rules.get(type);
    if (rule === undefined) return this.#unsupported(this.#input.arch.advice(type), place, type);
    if (rule.use === "none") return;
    if (place + rule.width > elf.size) {
      throw malformed(object.name, "a relocation passes the end of its section", {
        section: section.name,
        offset: place,
      });
    }
    let addend = signed64(view, entry + 16);
    if (Number.isNaN(addend)) return this.#fail("the addend is above 2^53 - 1", rule, place, NaN);

    const { locator } = this.#input;
    locator.symbol(object, this.#symbol, addend);
    if (locator.addendUsed) addend = 0;
    const id = object.globalOf(this.#symbol);
    if (rule.use === "tls" || rule.use === "tls-offset") return this.#toThreadLocal(rule, addend, place);
    if (this.#output.name === TLS_SECTION && rule.use !== "absolute") {
      return this.#unsupported("a distance would differ between threads", place, type);
    }
    switch (locator.found) {
      case Found.PLACE:
        return this.#toPlace(rule, id, addend, place);
      case Found.ABSOLUTE:
        return this.#toConstant(rule, id, addend, place);
      case Found.IMPORT:
        if (id === -1) return this.#unsupported("the relocation has no symbol", place, type);
        if (rule.smf === undefined) return this.#noCounterpart(rule, place);
        return this.#keep(rule.smf, Target.global(id), addend);
      default:
        return this.#unsupported("the symbol's section was dropped in favour of another copy", place, type);
    }
  }

  /** The symbol is a thread-local variable, here or elsewhere. */
  #toThreadLocal(rule: RelocationRule, addend: number, place: number): void {
    const { locator, layout, arch } = this.#input;
    const isHere = locator.found === Found.PLACE && locator.output.name === TLS_SECTION;
    const isElsewhere = locator.found === Found.IMPORT && rule.slot !== undefined && rule.slot !== "module";
    if (!isHere && !isElsewhere) {
      return this.#unsupported(
        `the symbol is used as a thread-local variable and is none of this module [${rule.name}]`,
        place,
        undefined,
      );
    }
    if (rule.slot === undefined) {
      const value = locator.offset + addend;
      if (rule.write!(this.#view, this.#at, value)) this.applied++;
      else this.#fail("the offset does not fit", rule, place, value);
      return;
    }
    // Where addends count from behind the instruction, they belong to the way to the slot.
    const ofVariable = arch.biased ? 0 : addend;
    const slot = layout.tls.get(rule.slot, this.#section.object, this.#symbol, ofVariable);
    this.#toDistance(rule.toSlot!, slot.output!, slot.offset, addend - ofVariable, place);
  }

  /** The symbol is in this module. */
  #toPlace(rule: RelocationRule, id: number, addend: number, place: number): void {
    const { output, offset } = this.#input.locator;
    if (output.name === TLS_SECTION) {
      return this.#unsupported(
        `a thread-local variable is used as an ordinary one: declare it alike everywhere [${rule.name}]`,
        place,
        undefined,
      );
    }
    const exported = id !== -1 && this.#input.isExported(id);
    // The address of an exported function is the loader's to choose, so that it
    // is the same for everybody; only what calls it may go straight there.
    // What runs at start and end is no address for anybody.
    const canonical = exported && output.type === SmfSectionType.Code &&
      startupOrder(this.#output.name) === undefined;
    if (rule.use === "got") {
      const { arch } = this.#input;
      const direct = this.#output.type === SmfSectionType.Code && place >= 2
        ? arch.relaxGot(this.#bytes, this.#at, addend, rule, canonical)
        : -1;
      if (direct === -1) {
        return this.#keep(rule.smf!, exported ? Target.global(id) : this.#gotTarget(output, offset), addend);
      }
      this.#at = direct;
      return this.#toDistance(DIRECT, output, offset, addend, place);
    }
    if (rule.use === "relative" || rule.use === "branch") {
      return this.#toDistance(rule, output, offset, addend, place);
    }
    if (rule.smf === undefined) return this.#noCounterpart(rule, place);
    if (canonical) this.#keep(rule.smf, Target.global(id), addend);
    else this.#keep(rule.smf, Target.section(output.index), offset + addend);
  }

  /** S + A - P: known now if nothing can come between the two. */
  #toDistance(
    rule: RelocationRule,
    output: OutputSection,
    offset: number,
    addend: number,
    place: number,
  ): void {
    const from = this.#output;
    const isApart = output.type !== from.type;
    if ((isApart && !this.#input.arch.hasFixedPages) || rule.write === undefined) {
      if (rule.smf === undefined) return this.#noCounterpart(rule, place);
      return this.#keep(rule.smf, Target.section(output.index), offset + addend);
    }
    const S = output.address + offset;
    const A = addend;
    const P = from.address + this.#at;
    if (!rule.write(this.#view, this.#at, S + A - P)) {
      return this.#fail("the distance does not fit", rule, place, S + A - P);
    }
    this.applied++;
    if (isApart) this.isFixed = true;
  }

  /** The symbol is a number without a place. */
  #toConstant(rule: RelocationRule, id: number, addend: number, place: number): void {
    const { locator, arch, layout } = this.#input;
    const { value } = locator;
    if (rule.use === "absolute") {
      if (rule.write!(this.#view, this.#at, value + addend)) this.applied++;
      else this.#fail("the constant does not fit", rule, place, value + addend);
    } else if (rule.use === "got" && layout.constants.has(id) && rule.smf === RelocationType.GotPcRel) {
      const slot = layout.constants.get(id)!;
      this.#toDistance(DIRECT, slot.output, slot.offset, addend, place);
    } else if (rule.use === "branch" && value === 0 && arch.neverTaken(this.#bytes, this.#at)) {
      this.applied++;
    } else {
      this.#fail("a constant has no place that a distance could lead to", rule, place, value);
    }
  }

  #gotTarget(output: OutputSection, offset: number): number {
    const address = output.address + offset;
    let index = this.#gotIndex.get(address);
    if (index === undefined) {
      index = this.gotSymbols.push({ name: symbolName(this.#section.object, this.#symbol), output, offset }) -
        1;
      this.#gotIndex.set(address, index);
    }
    return Target.got(index);
  }

  #keep(type: number, target: number, addend: number): void {
    this.kept.add(this.#output.address + this.#at, target, type, addend);
  }

  #noCounterpart(rule: RelocationRule, place: number): void {
    const what = rule.width === 4 && rule.use === "absolute"
      ? "a 32-bit address, which a module cannot have: compile with -fPIC"
      : "the symbol is too far away for this relocation: compile with -fPIC";
    this.#unsupported(`${what} [${rule.name}]`, place, undefined);
  }

  #unsupported(problem: string, place: number, type: number | undefined): void {
    const name = type === undefined ? undefined : this.#input.arch.rules.get(type)?.name ?? `type ${type}`;
    this.#input.problems.add(unsupportedAt(this.#section, this.#symbol, place, problem, name));
  }

  #fail(problem: string, rule: RelocationRule, place: number, value: number): void {
    this.#input.problems.add(failedAt(this.#section, this.#symbol, place, problem, rule, value));
  }
}
