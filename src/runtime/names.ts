/**
 * Names that the loader answers itself, since what answers them elsewhere
 * knows nothing of modules.
 */

import type { FoundImport, ImportSource } from "../imports/resolve.ts";
import { HOST_PLATFORM } from "../host.ts";
import { Platform } from "../smf/enums.ts";
import { openDynamicLinker } from "../system/dynamic_linker.ts";

/** Those of the C library itself, which a program has whatever its libraries are. */
const FROM_C_LIBRARY: ReadonlySet<string> = new Set([
  // void *__tls_get_addr(tls_index *): where this thread has a variable
  "__tls_get_addr",
]);

const found: Map<string, FoundImport> = new Map();

/** Answers for these names. */
export const runtimeNames: ImportSource = {
  find(name: string): FoundImport | undefined {
    if (!FROM_C_LIBRARY.has(name) || HOST_PLATFORM !== Platform.Linux) return undefined;
    const known = found.get(name);
    if (known !== undefined) return known;
    const linker = openDynamicLinker();
    const address = linker.find(null, name);
    linker.dispose();
    if (address === 0n) return undefined;
    const answer = { address, from: "the C library" };
    found.set(name, answer);
    return answer;
  },
};
