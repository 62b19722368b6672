/**
 * The exports of one version of a module.
 */

import { LoadError } from "../../errors/load_error.ts";
import { type ExportPlace, exportPlace } from "../../image/compatibility.ts";
import type { FoundImport } from "../../load/imports/resolve.ts";
import { keptHome, symbolAddress } from "../../load/loader.ts";
import { placeOfKey } from "../../module/function_keys.ts";
import { isEntryKey } from "../../smf/entries.ts";
import { exactSize } from "../../smf/symbol_size.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** Answers importers for the names that a module exports. */
export interface Exporter {
  /** Finds the address that an importer of `name` is linked to; undefined if the module does not export it. */
  find(name: string): FoundImport | undefined;
  /** Finds the thread-local variable of a name; undefined if the module does not export it. */
  findThreadLocal(name: string): FoundImport | undefined;
  /** The names that can be imported. */
  names(): Iterable<string>;
}

/** An export, and how many bytes there are from it to the end of the image. */
export interface Exported extends ExportPlace {
  readonly address: bigint;
}

/** The export with that name, if there is one that has an address. */
export function findExported({ image }: ModuleVersion, name: string): Exported | undefined {
  const found = exportPlace(image, name);
  if (found === undefined) return undefined;
  const kept = keptHome(image, image.file.symbols.value(found.index));
  return { ...found, ...kept ?? { address: symbolAddress(image, found.index) } };
}

/** The export or the entry with that key, if there is one that has an address. */
export function findByKey(version: ModuleVersion, key: string): Exported | undefined {
  const { image } = version;
  if (image.entries === undefined) return isEntryKey(key) ? undefined : findExported(version, key);
  const place = placeOfKey(image, key);
  if (place?.kind !== "function") return place && findExported(version, key);
  const { kind, index, size, room } = place;
  const { memory, plan, file: { symbols } } = image, offset = plan.place(symbols.value(index), 0);
  // Code is in no home, so its place is that of its own version.
  const address = offset < 0 ? symbolAddress(image, index) : memory.address + BigInt(offset);
  return { kind, index, size, room, address };
}

/** The size of an export in bytes; 0 if it is not known exactly. */
export function exportSize({ image: { file: { symbols } } }: ModuleVersion, name: string): number {
  const symbol = symbols.findExport(name);
  return symbol === undefined ? 0 : exactSize(symbol);
}

/** The offset in the image by which an export's type is found; undefined if it has none. */
export function typedAt({ image: { file: { symbols } } }: ModuleVersion, name: string): number | undefined {
  const symbol = symbols.findExport(name);
  return symbol === undefined || symbol.visibility === 0 ? undefined : symbol.value;
}

/** The names of all exports. */
export function* exportNames({ image: { file: { symbols } } }: ModuleVersion): Iterable<string> {
  for (let index = 0; index < symbols.length; index++) {
    if (symbols.isExport(index)) yield symbols.name(index);
  }
}

/** The hashes of the names of all exports. */
export function* exportHashes({ image: { file: { symbols } } }: ModuleVersion): Iterable<number> {
  for (let index = 0; index < symbols.length; index++) {
    if (symbols.isExport(index)) yield symbols.nameHash(index);
  }
}

/**
 * Requires that a static of `size` bytes lies in the module where an export is.
 *
 * @throws {LoadError} `Incompatible`.
 */
export function requireRoom(version: ModuleVersion, name: string, size: number): void {
  const exported = findExported(version, name);
  if (exported === undefined || size <= exported.room) return;
  throw new LoadError("Incompatible", "Cannot bind static: it ends outside the module", {
    path: version.path,
    symbol: name,
    size,
    range: [0, exported.room + 1],
    hint: "bind the static with the type that the module gives it; smf nm FILE lists sizes",
  });
}
