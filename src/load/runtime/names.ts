/**
 * Names that the loader answers itself, since what answers them elsewhere
 * knows nothing of modules.
 */

import { HOST_PLATFORM } from "./host.ts";
import type { FoundImport, ImportRecord, ImportSource } from "../imports/resolve.ts";
import type { ExecutableMemory } from "../../os/memory/contract.ts";
import { Platform } from "../../smf/enums.ts";
import { openDynamicLinker } from "../../os/dynamic_linker.ts";
import { exitFunction, isExitName, ModuleExits } from "./atexit.ts";

/** `void *__tls_get_addr(tls_index *)`: where this thread has a variable. A program has it whatever its libraries are. */
const FIND_VARIABLE = "__tls_get_addr";

/** Who answers, for people. */
const [LOADER, C_LIBRARY] = ["the loader", "the C library"];

let findVariable: FoundImport | undefined;

/** Answers for these names, on Linux. */
export const runtimeNames: ImportSource = {
  find(name: string): FoundImport | undefined {
    if (HOST_PLATFORM !== Platform.Linux) return undefined;
    if (isExitName(name)) return { address: exitFunction(name), from: LOADER };
    return name === FIND_VARIABLE ? findVariable ??= lookUp(name) : undefined;
  },
};

function lookUp(name: string): FoundImport | undefined {
  const linker = openDynamicLinker();
  const address = linker.find(null, name);
  linker[Symbol.dispose]();
  return address === 0n ? undefined : { address, from: C_LIBRARY };
}

/** Prepares for the end of a module, if with these imports it can register something for that. */
export function registerExits(
  imports: readonly ImportRecord[],
  memory: ExecutableMemory,
): ModuleExits | undefined {
  return imports.some(({ from }) => from === LOADER) ? new ModuleExits(memory) : undefined;
}
