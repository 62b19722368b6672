/**
 * The symbols of an SMF file, from those of objects: which are named, and the type and size of each.
 */
import { SectionType, SIZE_REACHES, SymbolType } from "../smf/enums.ts";
import { SymbolKind } from "../os/elf.ts";
import { TLS_SECTION } from "../smf/thread_local.ts";
import { State } from "./globals.ts";
import type { LinkObject, OutputSection } from "./input.ts";
import type { MapExport } from "./map.ts";
import { STUB_SIZE } from "./plt.ts";
import type { Resolution } from "./resolve.ts";

/** The address of a symbol, for the file and the map. */
export interface PlacedSymbol {
  readonly output: OutputSection;
  readonly address: number;
  readonly size: number;
}

/** Returns the size of a symbol that an object defines. */
export function sizeOf(
  globals: Resolution["globals"],
  id: number,
  object: LinkObject,
  symbol: number,
): number {
  const { symbols } = object.elf;
  if (symbols.kind(symbol) === SymbolKind.GNU_IFUNC) return STUB_SIZE;
  const alias = globals.aliases.get(id);
  // A name in the middle of a variable has no size of its own.
  if (alias !== undefined && alias.offset !== 0) return 0;
  return globals.state(id) === State.COMMON
    ? globals.commons.get(alias?.target ?? id)!.size
    : symbols.size(symbol);
}

/** Returns the flags of an export: of a variable in an object that tells no sizes. */
export function exportFlags({ globals, objects }: Resolution, id: number, type: number): number {
  // Objects in ELF name no system. Tentative definitions have sizes in all formats.
  const object: LinkObject | undefined = objects[globals.object(id)];
  const reaches = type === SymbolType.Data && object?.elf.platform !== undefined &&
    globals.state(id) !== State.COMMON;
  return reaches ? SIZE_REACHES : 0;
}

/** Whether local symbols of a kind are functions or variables that have a name in the source. */
export function isNamed(kind: number): boolean {
  return kind === SymbolKind.FUNC || kind === SymbolKind.OBJECT || kind === SymbolKind.GNU_IFUNC;
}

/** Takes every symbol in code for a function, since assembly often leaves the type out; not the end of the code. */
export function symbolType({ output, address }: PlacedSymbol): number {
  if (output.type !== SectionType.Code) return SymbolType.Data;
  return address < output.address + output.size ? SymbolType.Function : SymbolType.None;
}

/** The kind of an export, as the map names it. */
export function exportKind(type: number, { output }: PlacedSymbol): MapExport["kind"] {
  if (type === SymbolType.Function) return "function";
  return output.name === TLS_SECTION ? "thread-local" : "data";
}
