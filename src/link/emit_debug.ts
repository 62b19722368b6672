/**
 * Writes debug information: to the module, or to a file beside it.
 */
import type { SmfBuilder } from "../smf/builder.ts";
import { DEBUG_LINK, DEBUG_PLACES, encodeDebugLink, encodePlaces, shortDebugName } from "../smf/debug.ts";
import { SectionType } from "../smf/enums.ts";
import { xxh32 } from "../smf/hash.ts";
import type { LinkArch } from "./arch/arch.ts";
import { type CompanionSymbol, writeCompanion } from "./debug_companion.ts";
import type { LinkedDebug } from "./debug_output.ts";
import type { Layout } from "./layout.ts";

/** The parts of a link that debug information needs. */
export interface DebugTarget {
  readonly arch: LinkArch;
  readonly layout: Layout;
  /** The debug information; undefined if there is none. */
  readonly debug: LinkedDebug | undefined;
  /** The name of the file that gets the debug information; undefined if the module itself keeps it. */
  readonly companion: string | undefined;
  /** Whether the sections of debug information are compressed. */
  readonly compressDebug: boolean;
}

/** Adds debug information to a module; returns the bytes of its companion file, if it has one. */
export function addDebug(
  builder: SmfBuilder,
  { debug, companion, arch, layout, compressDebug: compress }: DebugTarget,
  symbols: readonly CompanionSymbol[],
): Uint8Array | undefined {
  if (debug === undefined) return undefined;
  const add = (name: string, bytes: Uint8Array, compress: boolean): void => {
    builder.section({ name: shortDebugName(name), type: SectionType.Dwarf, alignment: 1, bytes, compress });
  };
  if (companion !== undefined) {
    const file = writeCompanion(arch.machine, layout.outputs, symbols, debug);
    add(DEBUG_LINK, encodeDebugLink({ name: companion, hash: xxh32(file) }), false);
    return file;
  }
  for (const { name, bytes } of debug.sections) add(name, bytes, compress);
  add(DEBUG_PLACES, encodePlaces(debug.places), compress);
  return undefined;
}
