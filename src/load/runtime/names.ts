/**
 * Symbols that the loader defines in place of the C library, whose own
 * functions know shared libraries only, not modules.
 */

import { HOST_PLATFORM } from "./host.ts";
import type { FoundImport, ImportRecord, ImportSource } from "../imports/resolve.ts";
import type { ExecutableMemory } from "../../os/memory/contract.ts";
import { Platform } from "../../smf/enums.ts";
import { TLS_GET_ADDR } from "../../os/loader_names.ts";
import { openDynamicLinker } from "../../os/dynamic_linker.ts";
import { exitFunction, isExitName, ModuleExits } from "./atexit.ts";

/** The sources as {@linkcode FoundImport.from} names them. */
const [LOADER, C_LIBRARY] = ["the loader", "the C library"];

let tlsGetAddr: FoundImport | undefined;

/**
 * The source of these symbols.
 *
 * Platforms: defines them on Linux only.
 */
export const runtimeNames: ImportSource = {
  find(name: string): FoundImport | undefined {
    if (HOST_PLATFORM !== Platform.Linux) return undefined;
    if (isExitName(name)) return { address: exitFunction(name), from: LOADER };
    return name === TLS_GET_ADDR ? tlsGetAddr ??= lookUp(name) : undefined;
  },
};

function lookUp(name: string): FoundImport | undefined {
  using linker = openDynamicLinker();
  const address = linker.find(null, name);
  return address === 0n ? undefined : { address, from: C_LIBRARY };
}

/** Records a module whose imports let it register functions for its end; undefined if they do not. */
export function registerExits(
  imports: readonly ImportRecord[],
  memory: ExecutableMemory,
): ModuleExits | undefined {
  return imports.some(({ from }) => from === LOADER) ? new ModuleExits(memory) : undefined;
}
