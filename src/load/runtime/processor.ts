/**
 * The features of each level of processors, and which of them a processor lacks.
 */

import type { ProcessorWords } from "../../os/processor.ts";
import { Arch } from "../../smf/enums.ts";

/** A feature: the bit of a word that says that it is there, and the registers that the system must save for it. */
type Feature = readonly [
  name: string,
  word: Exclude<keyof ProcessorWords, "xcr0">,
  bit: number,
  saved?: number,
];

/** Bits of XCR0: SSE and AVX registers; with the mask registers and all of ZMM. */
const AVX_STATE = 0x06;
const AVX512_STATE = 0xe6;

const FEATURES: Readonly<Partial<Record<number, readonly (readonly Feature[])[]>>> = {
  // x86-64 psABI 1.0, section 3.1.1, table 3.1; bits from Intel's SDM, volume 2, "CPUID".
  [Arch.X86_64]: [
    [],
    [
      ["CMPXCHG16B", "leaf1", 13],
      ["LAHF-SAHF", "extended", 0],
      ["POPCNT", "leaf1", 23],
      ["SSE3", "leaf1", 0],
      ["SSE4.1", "leaf1", 19],
      ["SSE4.2", "leaf1", 20],
      ["SSSE3", "leaf1", 9],
    ],
    [
      ["AVX", "leaf1", 28, AVX_STATE],
      ["AVX2", "leaf7", 5, AVX_STATE],
      ["BMI1", "leaf7", 3],
      ["BMI2", "leaf7", 8],
      ["F16C", "leaf1", 29, AVX_STATE],
      ["FMA", "leaf1", 12, AVX_STATE],
      ["LZCNT", "extended", 5],
      ["MOVBE", "leaf1", 22],
      ["OSXSAVE", "leaf1", 27],
    ],
    [
      ["AVX512F", "leaf7", 16, AVX512_STATE],
      ["AVX512BW", "leaf7", 30, AVX512_STATE],
      ["AVX512CD", "leaf7", 28, AVX512_STATE],
      ["AVX512DQ", "leaf7", 17, AVX512_STATE],
      ["AVX512VL", "leaf7", 31, AVX512_STATE],
    ],
  ],
  // Arm ARM, section A2.2, what is mandatory and seen by programs; bits from Linux, uapi/asm/hwcap.h.
  [Arch.Aarch64]: [
    [],
    [["CRC32", "hwcap", 7], ["LSE", "hwcap", 8], ["RDM", "hwcap", 12]],
    [["DPB", "hwcap", 16]],
    [["JSCVT", "hwcap", 13], ["FCMA", "hwcap", 14], ["LRCPC", "hwcap", 15], ["PAuth", "hwcap", 30]],
  ],
};

/**
 * The features of a level that a processor lacks.
 *
 * @returns their names, those of lower levels first; `undefined` if the level is not known.
 */
export function missingFeatures(
  arch: number,
  level: number,
  words: ProcessorWords,
): readonly string[] | undefined {
  const levels = FEATURES[arch];
  if (levels === undefined || level >= levels.length) return undefined;
  return levels.slice(0, level + 1).flat().filter(([, word, bit, saved = 0]) =>
    (words[word] >>> bit & 1) === 0 || (words.xcr0 & saved) !== saved
  ).map(([name]) => name);
}
