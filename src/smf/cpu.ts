/**
 * The levels of processors that a file may need, by architecture. A level includes
 * those before it; level 0 is the baseline, which every processor has.
 */

import { Arch, archName } from "./enums.ts";

const LEVELS: Readonly<Partial<Record<number, readonly string[]>>> = {
  // x86-64 psABI 1.0, section 3.1.1, table 3.1 ("Micro-Architecture Levels").
  [Arch.X86_64]: ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"],
  // Arm ARM, section A2.2 ("Architectural features by version").
  [Arch.Aarch64]: ["armv8-a", "armv8.1-a", "armv8.2-a", "armv8.3-a"],
};

/** The names of an architecture's levels, the baseline first; none if it has no levels. */
export function cpuNames(arch: number): readonly string[] {
  return LEVELS[arch] ?? [];
}

/** `x86-64-v3` for level 2 of X86_64; `X86_64 level 9` for an unknown level. */
export function cpuName(arch: number, level: number): string {
  return cpuNames(arch)[level] ?? (level === 0 ? archName(arch) : `${archName(arch)} level ${level}`);
}

/**
 * The level with a name: 2 for `x86-64-v3`.
 *
 * @throws {TypeError} for a name that the architecture does not have.
 */
export function cpuLevel(arch: number, name: string): number {
  const level = cpuNames(arch).indexOf(name);
  if (level >= 0) return level;
  const names = cpuNames(arch).map((known) => `'${known}'`).join(", ");
  throw new TypeError(
    `Cannot use cpu '${name}': ${archName(arch)} has ${names === "" ? "no levels" : names}`,
  );
}
