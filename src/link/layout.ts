/**
 * Gathers what is reached into the sections of an SMF file and gives everything
 * its place in the file's image.
 */
import { LoadError, type LoadErrorData } from "../errors.ts";
import { SectionType as SmfSectionType } from "../smf/enums.ts";
import { MAX_ALIGNMENT, MAX_IMAGE_SIZE, MAX_SECTIONS } from "../smf/limits.ts";
import { alignUp, IMAGE_PAGE, imageOffsets } from "../smf/offsets.ts";
import type { LinkArch } from "./arch/arch.ts";
import type { LinkerSymbol } from "./linker_symbols.ts";
import type { IfuncSlots } from "./ifunc.ts";
import type { FrameSection } from "./eh_frame.ts";
import { placeFrames } from "./frame_output.ts";
import { type InputSection, OutputSection, type Place } from "./input.ts";
import { MergedSection } from "./merge.ts";
import { C_IDENTIFIER, FRAGMENTS, isFragment, startupOrder, TLS_SECTION } from "./section_names.ts";
import { isThreadLocal, type TlsSlots } from "./thread_local.ts";

/** Merged elements of one kind, and their offset in the output section. */
export interface PlacedMerge {
  readonly section: MergedSection;
  offset: number;
}

/** Where everything is. */
export interface Layout {
  /** In file order: code, read-only data, data, zeroed data. */
  readonly outputs: readonly OutputSection[];
  /** Merged elements, by the output section that they are in. */
  readonly merged: ReadonlyMap<OutputSection, readonly PlacedMerge[]>;
  /** Call frame information, by the output section that it is in. */
  readonly frames: ReadonlyMap<OutputSection, readonly FrameSection[]>;
  /** Tentative definitions, by name number. */
  readonly commons: ReadonlyMap<number, Place>;
  /** GOT slots that hold constants, by name number. */
  readonly constants: ReadonlyMap<number, Place>;
  /** GOT slots of thread-local variables. */
  readonly tls: TlsSlots;
  /** Stubs, and GOT slots, of functions that are chosen when the module is loaded. */
  readonly chosen: IfuncSlots;
  /** Functions made of fragments, and the slot of an array that takes the address of each. */
  readonly fragments: readonly { code: OutputSection; slot: Place }[];
}

/** What the layout places. */
export interface LayoutInput {
  readonly sections: readonly InputSection[];
  readonly mergeable: readonly InputSection[];
  readonly frames: readonly FrameSection[];
  readonly commons: ReadonlyMap<number, { size: number; alignment: number }>;
  readonly constants: ReadonlySet<number>;
  readonly tls: TlsSlots;
  readonly chosen: IfuncSlots;
  /** Names that the linker defines. */
  readonly bounds: Iterable<LinkerSymbol>;
  /** The size of all inputs, which bounds the size of the output. */
  readonly inputSize: number;
  readonly arch: LinkArch;
}

/** Name and SMF type of the output section that an input section goes to. */
function outputOf(section: InputSection): [name: string, type: number] {
  const { name } = section;
  // Nobody writes to the image that threads copy.
  if (isThreadLocal(section)) return [TLS_SECTION, SmfSectionType.RoData];
  const type = section.isCode
    ? SmfSectionType.Code
    : !section.hasBytes
    ? SmfSectionType.Bss
    : section.isWritable
    ? SmfSectionType.Data
    : SmfSectionType.RoData;
  // __start_NAME and __stop_NAME bound these, so they keep their name and to themselves.
  if (C_IDENTIFIER.test(name)) return [name, type];
  const startup = startupOrder(name);
  // Read-only once relocated, which the loader does before it protects the pages.
  if (startup !== undefined) return [startup.output, SmfSectionType.RoData];
  if (name === ".data.rel.ro" || name.startsWith(".data.rel.ro.")) {
    return [".data.rel.ro", SmfSectionType.RoData];
  }
  if (type === SmfSectionType.Code) return [isFragment(name) ? name : ".text", type];
  if (type === SmfSectionType.Bss) return [".bss", type];
  return type === SmfSectionType.Data ? [".data", type] : [".rodata", type];
}

/** Code that runs together lies together, as compilers ask by section names. */
function textRank(name: string): number {
  if (name.startsWith(".text.hot")) return 0;
  if (name.startsWith(".text.startup")) return 2;
  if (name.startsWith(".text.exit")) return 3;
  if (name.startsWith(".text.unlikely") || name.startsWith(".text.cold")) return 4;
  return 1;
}

function compareInputs(output: OutputSection): (a: InputSection, b: InputSection) => number {
  if (output.name === ".text") return (a, b) => textRank(a.name) - textRank(b.name);
  // Only the end of the image may be left out of the file.
  if (output.name === TLS_SECTION) return (a, b) => Number(b.hasBytes) - Number(a.hasBytes);
  if (startupOrder(output.name) !== undefined) {
    return (a, b) => startupOrder(a.name)!.priority - startupOrder(b.name)!.priority;
  }
  return () => 0;
}

/** How two uses of one section name are reconciled: what needs more rights wins. */
function combined(output: OutputSection, type: number): number {
  if (output.type === type) return type;
  if (output.type === SmfSectionType.Code || type === SmfSectionType.Code) {
    throw new LoadError("Unsupported", "Cannot link: sections of one name hold code here and data there", {
      section: output.name,
    });
  }
  return SmfSectionType.Data;
}

const ORDER: readonly number[] = [
  SmfSectionType.Code,
  SmfSectionType.RoData,
  SmfSectionType.Data,
  SmfSectionType.Bss,
];

function checkAlignment(alignment: number, where: LoadErrorData): void {
  if (alignment <= MAX_ALIGNMENT) return;
  throw new LoadError("Unsupported", "Cannot link: the alignment is too large", {
    ...where,
    value: alignment,
    range: [1, MAX_ALIGNMENT + 1],
  });
}

/** Gathers inputs by output section, in link order. */
class Gathering {
  readonly outputs: Map<string, OutputSection> = new Map();
  readonly merged: Map<OutputSection, PlacedMerge[]> = new Map();

  output(name: string, type: number): OutputSection {
    let output = this.outputs.get(name);
    if (output === undefined) this.outputs.set(name, output = new OutputSection(name, type));
    output.type = combined(output, type);
    return output;
  }

  add(section: InputSection): void {
    const [name, type] = outputOf(section);
    checkAlignment(section.elf.alignment, { path: section.object.name, section: section.name });
    section.output = this.output(name, type);
    section.output.inputs.push(section);
  }

  merge(section: InputSection): void {
    const [name, type] = outputOf(section);
    const output = this.output(name, type);
    checkAlignment(section.elf.alignment, { path: section.object.name, section: section.name });
    section.output = output;
    const { entrySize, strings } = section.merge!;
    const inOutput = this.merged.get(output) ?? [];
    this.merged.set(output, inOutput);
    let merged = inOutput.find(({ section: other }) =>
      other.entrySize === entrySize && other.strings === strings
    );
    if (merged === undefined) {
      inOutput.push(merged = { section: new MergedSection(entrySize, strings), offset: 0 });
    }
    merged.section.add(section, section.merge!);
  }
}

/** Places everything. */
export function layOut(input: LayoutInput): Layout {
  const gathering = new Gathering();
  for (const section of input.sections) gathering.add(section);
  for (const section of input.mergeable) gathering.merge(section);
  const fragments = Object.entries(FRAGMENTS).flatMap(([name, array]) => {
    const code = gathering.outputs.get(name);
    if (code === undefined) return [];
    code.reserve(input.arch.fragments.head.length, 16);
    const output = gathering.output(array, SmfSectionType.RoData);
    return [{ code, slot: { output, offset: output.reserve(8, 8) } }];
  });
  for (const output of gathering.outputs.values()) placeInputs(output, gathering.merged.get(output) ?? []);
  for (const { code } of fragments) code.reserve(input.arch.fragments.tail.length, 1);
  const commons = new Map<number, Place>();
  for (const [id, { size, alignment }] of input.commons) {
    const output = gathering.output(".bss", SmfSectionType.Bss);
    checkAlignment(alignment, { section: "COMMON" });
    commons.set(id, { output, offset: output.reserve(size, alignment) });
  }
  const constants = new Map<number, Place>();
  for (const id of input.constants) {
    const output = gathering.output(".got", SmfSectionType.RoData);
    constants.set(id, { output, offset: output.reserve(8, 8) });
  }
  const got = (): OutputSection => gathering.output(".got", SmfSectionType.RoData);
  input.chosen.place((name) => gathering.output(name, SmfSectionType.Code), got);
  for (const { section, make } of input.bounds) {
    if (make !== undefined && !gathering.outputs.has(section)) {
      gathering.output(section, make.type).reserve(make.size, 8);
    }
  }
  input.tls.place(got);
  const frames = placeFrames(input.frames, () => gathering.output(".eh_frame", SmfSectionType.RoData));

  const outputs = [...gathering.outputs.values()].sort((a, b) =>
    ORDER.indexOf(a.type) - ORDER.indexOf(b.type)
  );
  outputs.forEach((output, index) => {
    output.index = index;
    output.contentSize = output.size;
    // A section that something refers to has an address, and an address needs a byte.
    if (output.size === 0) output.size = 1;
  });
  padCode(outputs);
  const end = placeOutputs(outputs);
  checkSize(outputs, end, input.inputSize);
  return {
    outputs,
    merged: gathering.merged,
    frames: new Map(frames === undefined ? [] : [[frames, input.frames]]),
    commons,
    constants,
    tls: input.tls,
    chosen: input.chosen,
    fragments,
  };
}

/** Gives the sections their addresses and answers where the image ends. */
function placeOutputs(outputs: readonly OutputSection[]): number {
  const extents = () => outputs.map(({ type, size, alignment }) => ({ type, virtualSize: size, alignment }));
  // A symbol may mark the end of its section. Where the next group begins at the
  // same address it would belong to that one, so such a group gets one byte more.
  const first = imageOffsets(extents());
  for (const group of first.groups) {
    if (group.end % IMAGE_PAGE !== 0) continue;
    const last = outputs.findLast((output, index) => first.offsets[index]! + output.size === group.end);
    if (last !== undefined) last.size++;
  }
  const { offsets, end } = imageOffsets(extents());
  outputs.forEach((output, index) => output.address = offsets[index]!);
  return end;
}

function placeInputs(output: OutputSection, merged: readonly PlacedMerge[]): void {
  output.inputs.sort(compareInputs(output));
  for (const section of output.inputs) {
    section.offset = output.reserve(section.elf.size, section.elf.alignment);
  }
  for (const placed of merged) {
    placed.section.place();
    placed.offset = output.reserve(placed.section.size, placed.section.alignment);
    placed.section.moveTo(placed.offset);
  }
}

/** Code sections are packed without regard to alignment, so each is padded for the next. */
function padCode(outputs: readonly OutputSection[]): void {
  let at = 0;
  let previous: OutputSection | undefined;
  for (const output of outputs) {
    if (output.type !== SmfSectionType.Code) break;
    if (previous !== undefined) {
      const gap = alignUp(at, output.alignment) - at;
      previous.size += gap;
      at += gap;
    }
    at += output.size;
    previous = output;
  }
}

/** Refuses images that no loader takes, and gaps that only a broken file asks for. */
function checkSize(outputs: readonly OutputSection[], end: number, inputSize: number): void {
  if (!(end <= MAX_IMAGE_SIZE)) {
    throw new LoadError("Unsupported", `Cannot link: the module would need ${end} bytes of memory`, {
      value: end,
      range: [0, MAX_IMAGE_SIZE + 1],
    });
  }
  // One section more holds the relocations.
  if (outputs.length >= MAX_SECTIONS - 1) {
    throw new LoadError("Unsupported", "Cannot link: there are too many sections of different names", {
      value: outputs.length,
      range: [0, MAX_SECTIONS - 1],
    });
  }
  let stored = 0;
  for (const output of outputs) stored += output.storedSize;
  const limit = 2 ** 26 + 16 * inputSize;
  if (stored > limit) {
    throw new LoadError(
      "Unsupported",
      "Cannot link: alignment leaves gaps many times the size of the inputs",
      {
        value: stored,
        range: [0, limit + 1],
      },
    );
  }
}
