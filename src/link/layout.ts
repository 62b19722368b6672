/**
 * The layout: gathers the sections that are reached into the sections of an SMF file, and gives
 * everything its address in the file's image.
 */
import { LoadError } from "../errors/load_error.ts";
import { SectionType as SmfSectionType } from "../smf/enums.ts";
import { alignUp, IMAGE_PAGE, imageOffsets } from "../smf/offsets.ts";
import type { LinkArch } from "./arch/arch.ts";
import { checkAlignment, checkSize } from "./layout_limits.ts";
import type { LinkerSymbol } from "./linker_symbols.ts";
import { GOT_SECTION } from "../smf/homes.ts";
import type { GotSlots } from "./got.ts";
import type { HandlerTables } from "./handler_tables.ts";
import type { IfuncSlots } from "./ifunc.ts";
import type { PltStubs } from "./plt.ts";
import { type FrameSection, placeFrames } from "./eh_frame.ts";
import { type InputSection, type Location, OutputSection } from "./input.ts";
import { inFileOrder, isLinkOrdered, sortByLinkOrder } from "./link_order.ts";
import { MergedSection } from "./merge.ts";
import {
  C_IDENTIFIER,
  FRAGMENTS,
  FUNCTION_TABLE,
  groupOf,
  isFragment,
  isFunctionTable,
} from "./section_names.ts";
import { TLS_SECTION } from "../smf/thread_local.ts";
import { compareNames, sortStartup, startupArray, startupArrayOf } from "./startup_order.ts";
import { isThreadLocal, type TlsSlots } from "./thread_local.ts";
import type { Thunks } from "./thunks.ts";
import { needsVeneers, Veneers } from "./veneers.ts";

/** The merged elements of one kind, and their offset in the output section. */
export interface PlacedMerge {
  readonly section: MergedSection;
  offset: number;
}

/** The address of everything in the module. */
export interface Layout {
  /** The sections in file order: code, read-only data, data, zeroed data. */
  readonly outputs: readonly OutputSection[];
  /** Merged elements, by output section. */
  readonly merged: ReadonlyMap<OutputSection, readonly PlacedMerge[]>;
  /** Call frame information, by output section. */
  readonly frames: ReadonlyMap<OutputSection, readonly FrameSection[]>;
  /** Tentative definitions, by name number. */
  readonly commons: ReadonlyMap<number, Location>;
  /** GOT slots that hold constants, by name number. */
  readonly constants: ReadonlyMap<number, Location>;
  /** GOT slots of thread-local variables. */
  readonly tls: TlsSlots;
  /** Stubs and GOT slots of ifuncs. */
  readonly ifuncs: IfuncSlots;
  /** The linker's own GOT slots that hold addresses. */
  readonly got: GotSlots;
  /** Stubs of imported functions. */
  readonly plt: PltStubs;
  /** Thunks of code for fixed addresses. */
  readonly thunks: Thunks;
  /** Entries of handlers' tables that go through GOT slots. */
  readonly handlers: HandlerTables;
  /** Veneers of branches that are out of reach; undefined if all targets are near. */
  readonly veneers: Veneers | undefined;
  /** Functions made of fragments, and the slot of the array that holds the address of each. */
  readonly fragments: readonly { code: OutputSection; slot: Location }[];
}

/** Everything that gets an address. */
export interface LayoutInput {
  readonly sections: readonly InputSection[];
  readonly mergeable: readonly InputSection[];
  readonly frames: readonly FrameSection[];
  readonly commons: ReadonlyMap<number, { size: number; alignment: number }>;
  readonly constants: ReadonlySet<number>;
  readonly tls: TlsSlots;
  readonly ifuncs: IfuncSlots;
  readonly got: GotSlots;
  readonly plt: PltStubs;
  readonly thunks: Thunks;
  readonly handlers: HandlerTables;
  readonly linkerSymbols: Iterable<LinkerSymbol>;
  /** The size of all inputs in bytes, which bounds the size of the output. */
  readonly inputSize: number;
  readonly arch: LinkArch;
}

/** Returns name and SMF type of the output section that an input section goes to. */
function outputOf(section: InputSection): [name: string, type: number] {
  const { name } = section;
  // Read-only: threads copy the image and write to their copies.
  if (isThreadLocal(section)) return [TLS_SECTION, SmfSectionType.RoData];
  const type = section.isCode
    ? SmfSectionType.Code
    : !section.hasBytes
    ? SmfSectionType.Bss
    : section.isWritable
    ? SmfSectionType.Data
    : SmfSectionType.RoData;
  // __start_NAME and __stop_NAME bound these, so they keep their name and are not mixed with others.
  if (C_IDENTIFIER.test(name)) return [name, type];
  const startup = startupArrayOf(section);
  // Read-only: the loader relocates the pages before it protects them.
  if (startup !== undefined) return [startup.output, SmfSectionType.RoData];
  // The marks of start files, which count on lying side by side.
  if (startupArray(name) !== undefined) return [name, SmfSectionType.RoData];
  if (name === ".data.rel.ro" || name.startsWith(".data.rel.ro.")) {
    return [".data.rel.ro", SmfSectionType.RoData];
  }
  if (isFunctionTable(name)) return [FUNCTION_TABLE, type];
  const group = groupOf(name);
  if (group !== undefined) return [group, type];
  if (type === SmfSectionType.Code) return [isFragment(name) ? name : ".text", type];
  if (type === SmfSectionType.Bss) return [".bss", type];
  return type === SmfSectionType.Data ? [".data", type] : [".rodata", type];
}

/** Ranks code by section name, so that code that runs together lies together. */
function textRank(name: string): number {
  if (name.startsWith(".text.hot")) return 0;
  if (name.startsWith(".text.startup")) return 2;
  if (name.startsWith(".text.exit")) return 3;
  if (name.startsWith(".text.unlikely") || name.startsWith(".text.cold")) return 4;
  return 1;
}

/** Orders code by rank. A library has a hundred thousand sections of it, so that each is ranked once. */
function sortText(inputs: InputSection[]): void {
  const ranked: InputSection[][] = [[], [], [], [], []];
  for (const section of inputs) ranked[textRank(section.name)].push(section);
  let next = 0;
  for (const sections of ranked) for (const section of sections) inputs[next++] = section;
}

function compareInputs(output: OutputSection): (a: InputSection, b: InputSection) => number {
  // Zeroed variables come last: only the end of the image can be left out of the file.
  if (output.name === TLS_SECTION) return (a, b) => Number(b.hasBytes) - Number(a.hasBytes);
  if (output.inputs.some(({ name }) => groupOf(name) !== undefined)) {
    return (a, b) => compareNames(a.name, b.name);
  }
  return () => 0;
}

/** Returns the type for two uses of one section name: the one that needs more rights. */
function combinedType(output: OutputSection, type: number): number {
  if (output.type === type) return type;
  if (output.type === SmfSectionType.Code || type === SmfSectionType.Code) {
    throw new LoadError(
      "Unsupported",
      "Cannot link module: sections of one name hold code here and data there",
      {
        section: output.name,
        hint: "give code and data sections different names",
      },
    );
  }
  return SmfSectionType.Data;
}

/** Gathers input sections by output section, in link order. */
class Gathering {
  readonly outputs: Map<string, OutputSection> = new Map();
  readonly merged: Map<OutputSection, PlacedMerge[]> = new Map();

  output(name: string, type: number): OutputSection {
    let output = this.outputs.get(name);
    if (output === undefined) this.outputs.set(name, output = new OutputSection(name, type));
    output.type = combinedType(output, type);
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

/** Gives everything its address. */
export function layOut(input: LayoutInput): Layout {
  const gathering = new Gathering();
  for (const section of input.sections) gathering.add(section);
  for (const section of input.mergeable) gathering.merge(section);
  const fragments = [...FRAGMENTS].flatMap(([name, array]) => {
    const code = gathering.outputs.get(name);
    if (code === undefined) return [];
    code.reserve(input.arch.fragments.head.length, 16);
    const output = gathering.output(array, SmfSectionType.RoData);
    return [{ code, slot: { output, offset: output.reserve(8, 8) } }];
  });
  const veneers = needsVeneers(input.sections, input.arch) ? new Veneers(input.arch) : undefined;
  const gathered = inFileOrder(gathering.outputs.values());
  const ordered = gathered.filter(isLinkOrdered);
  for (const output of gathered) {
    if (ordered.includes(output)) continue;
    if (output.name === ".text") sortText(output.inputs);
    else if (startupArray(output.name) === undefined) output.inputs.sort(compareInputs(output));
    else sortStartup(output.inputs);
    if (veneers !== undefined && output.name === ".text") veneers.place(output);
    else placeInputs(output, gathering.merged.get(output) ?? []);
  }
  for (const output of ordered) {
    sortByLinkOrder(output, gathered);
    placeInputs(output, gathering.merged.get(output) ?? []);
  }
  for (const { code } of fragments) code.reserve(input.arch.fragments.tail.length, 1);
  const commons = new Map<number, Location>();
  for (const [id, { size, alignment }] of input.commons) {
    const output = gathering.output(".bss", SmfSectionType.Bss);
    checkAlignment(alignment, { section: "COMMON" });
    commons.set(id, { output, offset: output.reserve(size, alignment) });
  }
  const constants = new Map<number, Location>();
  for (const id of input.constants) {
    const output = gathering.output(GOT_SECTION, SmfSectionType.RoData);
    constants.set(id, { output, offset: output.reserve(8, 8) });
  }
  const got = (): OutputSection => gathering.output(GOT_SECTION, SmfSectionType.RoData);
  const code = (name: string): OutputSection => gathering.output(name, SmfSectionType.Code);
  input.ifuncs.place(code, got);
  input.plt.place(code);
  input.thunks.place(code);
  input.got.place(got);
  for (const { section, make } of input.linkerSymbols) {
    if (make !== undefined && !gathering.outputs.has(section)) {
      gathering.output(section, make.type).reserve(make.size, 8);
    }
  }
  input.tls.place(got);
  const frames = placeFrames(input.frames, () => gathering.output(".eh_frame", SmfSectionType.RoData));

  const outputs = inFileOrder(gathering.outputs.values());
  outputs.forEach((output, index) => {
    output.index = index;
    output.contentSize = output.size;
    // The address of an empty section needs a byte to belong to the section.
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
    ifuncs: input.ifuncs,
    got: input.got,
    plt: input.plt,
    thunks: input.thunks,
    handlers: input.handlers,
    veneers,
    fragments,
  };
}

/** Gives the sections their addresses; returns the end of the image. */
function placeOutputs(outputs: readonly OutputSection[]): number {
  const extents = () => outputs.map(({ type, size, alignment }) => ({ type, virtualSize: size, alignment }));
  // A symbol may mark the end of its section. If the next group began at the same
  // address, the symbol would belong to that group, so one byte is added.
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
  for (const section of output.inputs) {
    section.offset = output.reserve(section.elf.size + section.spare, section.elf.alignment);
  }
  for (const placed of merged) {
    placed.section.place();
    placed.offset = output.reserve(placed.section.size, placed.section.alignment);
    placed.section.moveTo(placed.offset);
  }
}

/** Pads each code section for the next: loaders pack code sections without regard to alignment. */
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
