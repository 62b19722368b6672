/**
 * What a version of a module has under a name that others use.
 */

import { isAddress } from "./image.ts";
import { symbolAddress } from "./loader.ts";
import { SymbolType } from "./smf/enums.ts";
import type { ModuleVersion } from "./version.ts";

/** What a name in use is: its kind may not change from version to version. */
export type ExportKind = "function" | "data";

/** An export, and how many bytes there are from it to the end of the image. */
export interface Exported {
  readonly kind: ExportKind;
  readonly address: bigint;
  readonly room: number;
}

/** The export of that name, if there is one that has an address. */
export function findExported({ image }: ModuleVersion, name: string): Exported | undefined {
  const symbol = image.file.symbols.findExport(name);
  if (symbol === undefined || !isAddress(symbol.type)) return undefined;
  const kind = symbol.type === SymbolType.Function ? "function" : "data";
  const address = symbolAddress(image, symbol.index);
  return { kind, address, room: Number(image.memory.address - address) + image.memory.size };
}
