/**
 * The processors that the linker makes modules for.
 */
import { AARCH64 } from "./aarch64.ts";
import type { LinkArch } from "./arch.ts";
import { Machine } from "../../os/elf.ts";
import { X86_64 } from "./x86_64.ts";

/** Returns the processor of an object. Objects for others are refused when they are parsed. */
export function archOf(machine: number): LinkArch {
  return machine === Machine.AARCH64 ? AARCH64 : X86_64;
}
