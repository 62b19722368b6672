/**
 * The contents of a module and the plan of its image, in the form of `smf inspect --json`.
 */
import { LoadError } from "../../errors/load_error.ts";
import { GOT_SLOT_SIZE, PLT_STUB_SIZE, type Region } from "../../image/arrange.ts";
import { isAddress, planImage } from "../../image/plan.ts";
import { scanRelocations } from "../../image/relocation/scan.ts";
import { cpuName } from "../../smf/cpu.ts";
import {
  appTypeName,
  archName,
  bindingName,
  compressionName,
  HeaderFlag,
  headerFlagNames,
  platformName,
  relocationTypeName,
  sectionFlagNames,
  sectionTypeName,
  symbolTypeName,
} from "../../smf/enums.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import { type Home, homeAt } from "../../smf/homes.ts";
import { imageOffsets } from "../../smf/offsets.ts";
import type { SmfSection } from "../../smf/section.ts";
import { sectionAt, sectionRanges } from "./section_ranges.ts";

/** A region of the planned image. */
export interface ImageRegion {
  readonly protection: "read-execute" | "read-only" | "read-write";
  readonly offset: number;
  readonly length: number;
  /** The sections in it, and the tables that the loader adds, by their offsets. */
  readonly parts: readonly { readonly name: string; readonly offset: number; readonly length: number }[];
}

/** The fields of `smf inspect --json`. */
export interface InspectionData {
  readonly header: Readonly<Record<string, unknown>>;
  readonly sections: readonly {
    readonly index: number;
    readonly name: string;
    readonly type: string;
    readonly flags: string;
    readonly offset: number;
    readonly size: number;
    readonly virtualSize: number;
    readonly alignment: number;
    readonly imageOffset: number | undefined;
  }[];
  readonly symbols: readonly {
    readonly name: string;
    readonly type: string;
    readonly binding: string;
    readonly defined: boolean;
    readonly section: string | undefined;
    readonly value: number;
    readonly size: number;
    readonly typeId: number;
    readonly version: number;
  }[];
  readonly relocations: readonly {
    readonly offset: number;
    readonly type: string;
    readonly symbol: string;
    readonly addend: bigint;
  }[];
  readonly imports: readonly string[];
  /** The host libraries that the module names, beside the C library. */
  readonly libraries: readonly string[];
  /** The homes of variables: the places that stay where they are over reloads. */
  readonly homes: readonly {
    readonly offset: number;
    readonly size: number;
    readonly alignment: number;
    /** The variables in it, by their places. */
    readonly variables: readonly string[];
  }[];
  /** The functions of a hot module that a reload switches and that are not exported; null for other modules. */
  readonly entries: readonly { readonly name: string; readonly file: string }[] | null;
  readonly image: {
    readonly pageSize: number;
    readonly size: number;
    readonly alignment: number;
    readonly gotSlots: number;
    readonly pltStubs: number;
    /** Whether the image holds addresses of its own in 32 bits, so that it must lie in the low 2 GiB. */
    readonly isLow: boolean;
    readonly regions: readonly ImageRegion[];
  } | undefined;
}

/** The data of a file, and the error if it can be read but not placed in memory. */
export interface Inspection {
  readonly data: InspectionData;
  readonly problem: LoadError | undefined;
}

/** Page size of the plan, in bytes; hosts with larger pages space the regions wider. */
const PAGE_SIZE = 4096;

/**
 * Collects the contents of a parsed module.
 *
 * @param chosen The sections to show, with their symbols and relocations.
 */
export function inspectModule(module: ParsedSmf, chosen: readonly SmfSection[], path: string): Inspection {
  const { sections, symbols, relocations, header } = module;
  const { offsets } = imageOffsets(sections);
  const ranges = sectionRanges(module);
  const all = chosen.length === sections.length;
  const isChosen = (offset: number): boolean => {
    const range = sectionAt(ranges, offset);
    return all || (range !== undefined && chosen.includes(range.section));
  };
  const hasAddress = (index: number): boolean => module.isDefined(index) && isAddress(symbols.type(index));
  let problem: LoadError | undefined;
  let image: InspectionData["image"];
  try {
    image = imageMap(module);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    problem = error.locate({ path });
  }
  const data: InspectionData = {
    header: headerData(module),
    sections: chosen.map(({ index, name, type, flags, offset, size, virtualSize, alignment }) => ({
      index,
      name,
      type: sectionTypeName(type),
      flags: sectionFlagNames(flags),
      offset,
      size,
      virtualSize,
      alignment,
      imageOffset: offsets[index],
    })),
    symbols: [...symbols].filter(({ index, value }) => all || (hasAddress(index) && isChosen(value))).map(
      ({ index, name, type, binding, value, size, typeId, version }) => ({
        name,
        type: symbolTypeName(type),
        binding: bindingName(binding),
        defined: module.isDefined(index),
        section: hasAddress(index) ? sectionAt(ranges, value)?.section.name : undefined,
        value,
        size,
        typeId,
        version,
      }),
    ),
    relocations: [...relocations].filter(({ offset }) => isChosen(offset)).map(
      ({ offset, type, symbol, addend }) => ({
        offset,
        type: relocationTypeName(type, header.arch),
        symbol: symbols.name(symbol),
        addend,
      }),
    ),
    imports: module.imports(),
    libraries: module.hostLibraries(),
    homes: homesData(module).filter(({ offset }) => isChosen(offset)),
    entries: module.entries()?.functions.filter(({ symbol }) => isChosen(symbols.value(symbol)))
      .map(({ symbol, file }) => ({ name: symbols.name(symbol), file })) ?? null,
    image,
  };
  return { data, problem };
}

function homesData(module: ParsedSmf): InspectionData["homes"] {
  const homes = module.homes();
  const variables = new Map<Home, { readonly name: string; readonly value: number }[]>();
  for (const { index, name, value, size, type } of module.symbols) {
    if (size === 0 || !isAddress(type) || !module.isDefined(index)) continue;
    const home = homeAt(homes, value);
    if (home === undefined) continue;
    const found = variables.get(home);
    if (found === undefined) variables.set(home, [{ name, value }]);
    else found.push({ name, value });
  }
  return homes.map((home) => ({
    offset: home.offset,
    size: home.size,
    alignment: home.alignment,
    variables: (variables.get(home) ?? []).sort((a, b) => a.value - b.value).map(({ name }) => name),
  }));
}

function headerData({ header, size, checksum }: ParsedSmf): Readonly<Record<string, unknown>> {
  return {
    size,
    layout: header.layout,
    offset: header.offset,
    formatVersion: `${header.versionMajor}.${header.versionMinor}`,
    platform: platformName(header.platform),
    arch: archName(header.arch),
    cpu: cpuName(header.arch, header.cpu),
    flags: headerFlagNames(header.flags),
    compression: compressionName(header.compression),
    sectionTableOffset: header.sectionTableOffset,
    symbolTableOffset: header.symbolTableOffset,
    exportedCount: header.exportedCount,
    entryPoint: (header.flags & HeaderFlag.Executable) === 0 ? null : header.entryPoint,
    stubSize: header.base,
    moduleHash: header.moduleHash,
    moduleHashChecked: checksum !== undefined,
    sourceHash: header.sourceHash,
    appType: appTypeName(header.appType),
  };
}

function imageMap(module: ParsedSmf): InspectionData["image"] {
  const needs = scanRelocations(module);
  const plan = planImage(module, PAGE_SIZE, { got: needs.gotCount, plt: needs.pltCount });
  const region = (
    protection: ImageRegion["protection"],
    { offset, length }: Region,
    table: ImageRegion["parts"] = [],
  ): ImageRegion[] => {
    if (length === 0) return [];
    const sections = plan.sections.filter((placed) =>
      placed.offset >= offset && placed.offset < offset + length
    );
    const parts = sections.map(({ section, offset }) => ({
      name: section.name === "" ? `#${section.index}` : section.name,
      offset,
      length: section.virtualSize,
    }));
    return [{ protection, offset, length, parts: [...parts, ...table] }];
  };
  const slots = (name: string, offset: number, count: number, size: number): ImageRegion["parts"] =>
    count === 0 ? [] : [{ name, offset, length: count * size }];
  const got = slots("(GOT)", plan.got, needs.gotCount, GOT_SLOT_SIZE);
  return {
    pageSize: PAGE_SIZE,
    size: plan.size,
    alignment: plan.alignment,
    gotSlots: needs.gotCount,
    pltStubs: needs.pltCount,
    isLow: needs.isLow,
    regions: [
      ...(plan.gotRegion === plan.rodata ? [] : region("read-only", plan.gotRegion, got)),
      ...region("read-execute", plan.code, slots("(PLT)", plan.plt, needs.pltCount, PLT_STUB_SIZE)),
      ...region("read-only", plan.rodata, plan.gotRegion === plan.rodata ? got : []),
      ...region("read-write", plan.data),
    ],
  };
}
