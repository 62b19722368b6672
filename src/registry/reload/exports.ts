/**
 * What a version of a module has under a name that others use.
 */

import { type ExportPlace, exportPlace } from "../../image/compatibility.ts";
import { symbolAddress } from "../../load/loader.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** An export, and how many bytes there are from it to the end of the image. */
export interface Exported extends ExportPlace {
  readonly address: bigint;
}

/** The export of that name, if there is one that has an address. */
export function findExported({ image }: ModuleVersion, name: string): Exported | undefined {
  const found = exportPlace(image, name);
  return found === undefined ? undefined : { ...found, address: symbolAddress(image, found.index) };
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
