/**
 * Relocation, and the processors whose relocation types are known.
 */

import { Arch } from "../../smf/enums.ts";
import { AARCH64 } from "./aarch64.ts";
import type { RelocationArch } from "./arch.ts";
import { X86_64 } from "./x86_64.ts";

/** The relocation types of a header's processor. Modules for other processors have been refused before. */
export function relocationArch(arch: number): RelocationArch {
  return arch === Arch.Aarch64 ? AARCH64 : X86_64;
}
