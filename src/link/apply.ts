/**
 * Fills the output sections: copies the inputs' bytes, writes what the linker itself adds, and
 * applies every relocation.
 */
import { LoadError } from "../errors/load_error.ts";
import { RecordSize } from "../os/elf.ts";
import { RelocationType, SectionType as SmfSectionType } from "../smf/enums.ts";
import { writeInt64 } from "./arch/arch.ts";
import { type DynamicRelocations, Target } from "./dynamic_relocations.ts";
import { type FrameSection, writeFrames } from "./eh_frame.ts";
import type { GotSlot } from "./got.ts";
import type { GotSymbol } from "./got_symbols.ts";
import { addIfuncRelocation } from "./ifunc.ts";
import type { InputSection, Location, OutputSection } from "./input.ts";
import { EHDR_SECTION, emptyHeader } from "./linker_symbols.ts";
import { Found } from "./locate.ts";
import { malformed } from "./problems.ts";
import { Relocator } from "./relocate.ts";
import { REPORT_EACH } from "./progress.ts";
import type { ApplyInput } from "./relocation_place.ts";
import { isFragment } from "./section_names.ts";
import { startupArrayOf } from "./startup_order.ts";
import { addTlsRelocations, type TlsSlot } from "./thread_local.ts";
import { writeThunk } from "./thunks.ts";

/** The finished contents, and the relocations that are left. */
export interface Applied {
  /** By index of the output section; undefined for zeroed data. */
  readonly contents: readonly (Uint8Array | undefined)[];
  /** The relocations that the loader applies. */
  readonly dynamic: DynamicRelocations;
  readonly gotSymbols: readonly GotSymbol[];
  /** The number of relocations that the linker applied. */
  readonly applied: number;
  /** Whether one of them is a distance between groups, so that the image must keep its layout. */
  readonly isFixed: boolean;
}

/** Fills every output section. */
export function applyRelocations(input: ApplyInput): Applied {
  const filler = new Filler(input);
  const contents = input.layout.outputs.map((output) => filler.fill(output));
  filler.writeThunks(contents);
  input.problems.throwIfAny();
  const { dynamic, gotSymbols, applied, isFixed } = filler.relocator;
  return { contents, dynamic, gotSymbols: gotSymbols.list, applied, isFixed };
}

class Filler {
  readonly relocator: Relocator;
  readonly #input: ApplyInput;
  readonly #total: number;
  #done = 0;
  #bytes!: Uint8Array;
  #view!: DataView;

  constructor(input: ApplyInput) {
    this.#input = input;
    this.#total = Math.max(1, input.layout.outputs.reduce((sum, { inputs }) => sum + inputs.length, 0));
    this.relocator = new Relocator(input);
  }

  fill(output: OutputSection): Uint8Array | undefined {
    if (output.type === SmfSectionType.Bss) {
      for (const section of output.inputs) this.#refuseRelocations(section);
      return undefined;
    }
    const { arch, layout, progress } = this.#input;
    const bytes = new Uint8Array(output.storedSize);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.relocator.enter(output, bytes, this.#view);
    if (output.type === SmfSectionType.Code) bytes.fill(arch.filler);
    if (isFragment(output.name)) this.#surround(output);
    if (output.name === EHDR_SECTION && output.inputs.length === 0) bytes.set(emptyHeader(arch.machine));
    for (const section of output.inputs) {
      if (this.#done++ % REPORT_EACH === 0) {
        progress?.("applying relocations", this.#done - 1, this.#total);
      }
      this.#copy(section);
    }
    for (const { section, offset } of layout.merged.get(output) ?? []) section.write(bytes, offset);
    this.#fillFrames(layout.frames.get(output) ?? []);
    this.#fillFragments(output);
    for (const [id, slot] of layout.constants) {
      if (slot.output === output) this.#fillConstant(id, slot.offset);
    }
    this.#fillIfuncs(output);
    for (const { at, slot } of layout.plt) {
      if (at!.output === output) this.#writeStub(at!.offset, { output: slot.output!, offset: slot.offset });
    }
    for (const slot of layout.got) if (slot.output === output) this.#fillGotSlot(slot);
    for (const slot of layout.tls) if (slot.output === output) this.#fillTlsSlot(slot);
    return bytes;
  }

  /** Writes the thunks, once the code that they replace is filled and relocated. */
  writeThunks(contents: readonly (Uint8Array | undefined)[]): void {
    const { arch: { thunks }, layout } = this.#input;
    for (const placed of layout.thunks) {
      const { output } = placed.at!;
      const bytes = contents[output.index]!;
      this.relocator.enter(output, bytes, new DataView(bytes.buffer));
      this.relocator.toThunkSlot(writeThunk(placed, thunks!, contents), placed.id, thunks!.toSlot);
    }
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
    const reversed = startupArrayOf(section)?.reversed === true;
    if (!reversed) {
      section.copyTo(this.#bytes, section.offset);
      this.#input.layout.handlers.encode(section, this.#bytes);
    } else if (elf.size % 8 !== 0) {
      throw malformed(section.object.name, "the section's size is not a multiple of 8", {
        section: section.name,
      });
    }
    for (let i = 0; i < elf.relaCount; i++) {
      const place = section.object.elf.file.view.getUint32(elf.relaOffset + i * RecordSize.RELA, true);
      this.relocator.relocate(section, i, section.offset + (reversed ? elf.size - 8 - place : place), place);
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
          this.relocator.relocate(frame.section, index, record.outputOffset + place - record.start, place);
        }
      }
    }
  }

  /** Makes fragments that run into each other a function: gaps between them must not stop execution. */
  #surround({ contentSize }: OutputSection): void {
    const { head, tail, nop } = this.#input.arch.fragments;
    for (let at = 0; at < contentSize; at++) this.#bytes[at] = nop[at % nop.length];
    this.#bytes.set(head);
    this.#bytes.set(tail, contentSize - tail.length);
  }

  #fillFragments(output: OutputSection): void {
    for (const { code, slot } of this.#input.layout.fragments) {
      if (slot.output !== output) continue;
      const target = Target.section(code.index);
      this.relocator.dynamic.add(output.address + slot.offset, target, RelocationType.Abs64, 0);
    }
  }

  #fillConstant(id: number, offset: number): void {
    const { locator, arch } = this.#input;
    locator.global(id);
    if (!arch.rules.get(arch.absolute64)!.write!(this.#view, offset, locator.value)) {
      this.#input.problems.add(
        new LoadError("RelocationFailed", "Cannot fill GOT slot: the constant is above 2^53 - 1", {
          symbol: this.#input.nameOf(id),
          hint: "use a constant of at most 2^53 - 1, or load it from a variable",
        }),
      );
    }
  }

  #fillIfuncs(output: OutputSection): void {
    const { layout, locator } = this.#input;
    for (const ifunc of layout.ifuncs) {
      if (ifunc.stub!.output !== output) continue;
      const { object, symbol } = ifunc;
      locator.inSection(object.sectionOf(symbol)!, object.elf.symbols.value(symbol));
      const resolver = { output: locator.output, offset: locator.offset };
      this.#writeStub(ifunc.stub!.offset, ifunc.slot!);
      addIfuncRelocation(this.relocator.dynamic, ifunc, resolver);
    }
  }

  /** Writes a stub that jumps to the address in a slot. */
  #writeStub(at: number, slot: Location): void {
    const { bytes, references } = this.#input.arch.pltStub;
    this.#bytes.set(bytes, at);
    for (const [offset, rule, addend] of references) this.relocator.toSlot(at + offset, rule, slot, addend);
  }

  /** Fills a slot with its symbol's address, or leaves that to the loader. */
  #fillGotSlot(slot: GotSlot): void {
    const { id, local, offset } = slot;
    const { locator } = this.#input;
    if (local === undefined) locator.global(id);
    else locator.symbol(local.object, local.symbol, local.addend);
    const addend = locator.addendUsed ? 0 : local?.addend ?? 0;
    if (locator.found === Found.ABSOLUTE) writeInt64(this.#view, offset, locator.value);
    else this.relocator.fillSlot(slot, addend);
  }

  /** Fills the slot of a variable whose use the relocator checked where something refers to it. */
  #fillTlsSlot(slot: TlsSlot): void {
    const { locator } = this.#input;
    locator.symbol(slot.object, slot.symbol, slot.addend);
    const variable = locator.found === Found.DEFINED
      ? { base: locator.output, offset: locator.offset }
      : slot.object.globalOf(slot.symbol);
    const word = addTlsRelocations(this.relocator.dynamic, slot, variable);
    if (word !== 0) writeInt64(this.#view, slot.offset + 8, word);
  }
}
