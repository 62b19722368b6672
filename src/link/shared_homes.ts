/**
 * Finds the homes that hold several variables: a reload keeps those all together, or none of them. Says which
 * flags make the compiler give each variable a section of its own.
 */
import { Machine, SymbolKind } from "../os/elf.ts";
import type { MixedTables } from "./class_tables.ts";
import { type Homes, NO_HOME, type PlacedHome } from "./homes.ts";
import type { InputSection, LinkObject } from "./input.ts";
import type { MapHome } from "./map.ts";
import type { Resolution } from "./resolve.ts";

/** The sections that compilers collect variables in, rather than to give each a section of its own. */
const COLLECTED = /^\.l?(?:data(?:\.rel(?:\.ro)?)?(?:\.local)?|bss|rodata)$/;
/** Sections with the variables that clang addresses from the first of them. */
const MERGED = /_MergedGlobals/;

/** Lists the homes of several variables, in the order of their addresses. */
export function sharedHomes({ objects }: Resolution, homes: Homes | undefined): MapHome[] {
  if (homes === undefined) return [];
  const variables = new Map<number, Map<number, string>>();
  for (const object of objects) collect(object, variables);
  return homes.list.flatMap((home, index) => {
    const found = variables.get(index);
    return home.section === undefined || found === undefined || found.size < 2
      ? []
      : [mapHome(home, home.section, found)];
  });
}

/** Lists the sections with tables of classes that are not homes, as far as they are linked. */
export function mixedTables(mixed: readonly MixedTables[]): MapHome[] {
  return mixed.flatMap(({ section, tables }) => {
    const { output, offset, object, name, elf: { size } } = section;
    if (output === undefined) return [];
    const address = output.address + offset;
    return [{
      object: object.name,
      section: name,
      address,
      size,
      variables: tables,
      flags: flagsFor(section),
    }];
  });
}

/** Adds the variables that an object defines, by home and by offset: names of one variable count once. */
function collect({ elf: { symbols }, sections }: LinkObject, found: Map<number, Map<number, string>>): void {
  for (let symbol = 1; symbol < symbols.length; symbol++) {
    const kind = symbols.kind(symbol);
    if (kind !== SymbolKind.OBJECT && kind !== SymbolKind.NOTYPE || symbols.size(symbol) === 0) continue;
    const section = symbols.section(symbol);
    const home = section === -1 ? NO_HOME : sections[section]?.home ?? NO_HOME;
    if (home === NO_HOME) continue;
    let byOffset = found.get(home);
    if (byOffset === undefined) found.set(home, byOffset = new Map());
    const offset = symbols.value(symbol);
    if (!byOffset.has(offset)) byOffset.set(offset, symbols.name(symbol));
  }
}

function mapHome(
  { name, output, offset, size }: PlacedHome,
  section: InputSection,
  variables: ReadonlyMap<number, string>,
): MapHome {
  return {
    object: section.object.name,
    section: name,
    address: output.address + offset,
    size,
    variables: [...variables].sort(([a], [b]) => a - b).map(([, variable]) => variable),
    flags: flagsFor(section),
  };
}

function flagsFor({ name, object }: InputSection): string[] {
  const isCollected = COLLECTED.test(name);
  const mayMerge = isCollected && object.elf.machine === Machine.AARCH64 && isByClang(object);
  return [
    ...(isCollected ? ["-fdata-sections"] : []),
    ...(mayMerge || MERGED.test(name) ? ["-mno-global-merge"] : []),
  ];
}

/** Whether clang compiled an object, by the text that compilers leave in the section `.comment`. */
function isByClang({ elf }: LinkObject): boolean {
  const comment = elf.sections.find(({ name }) => name === ".comment");
  if (comment === undefined) return false;
  const { offset, size } = comment;
  return new TextDecoder().decode(elf.file.bytes.subarray(offset, offset + size)).includes("clang");
}
