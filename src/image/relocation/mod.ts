/**
 * The processors whose relocations are known.
 */

import { Arch } from "../../smf/enums.ts";
import { AARCH64 } from "./aarch64.ts";
import type { RelocationArch } from "./arch.ts";
import { X86_64 } from "./x86_64.ts";

/** What the relocation types of a header's processor mean; modules for others are refused before. */
export function relocationArch(arch: number): RelocationArch {
  return arch === Arch.Aarch64 ? AARCH64 : X86_64;
}
