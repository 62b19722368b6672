// The features of levels, of processors that are not there.
import { assertEquals } from "@std/assert";
import { missingFeatures } from "../../../src/load/runtime/processor.ts";
import type { ProcessorWords } from "../../../src/os/processor.ts";
import { cpuNames } from "../../../src/smf/cpu.ts";
import { Arch } from "../../../src/smf/enums.ts";

const NONE: ProcessorWords = { leaf1: 0, leaf7: 0, extended: 0, xcr0: 0, hwcap: 0 };
const ALL: ProcessorWords = { leaf1: -1, leaf7: -1, extended: -1, xcr0: -1, hwcap: -1 };
/** As CPUID answers on these processors, and XCR0 under Linux. */
const NEHALEM: ProcessorWords = { ...NONE, leaf1: 0x0098_e3bd, extended: 1 };
const HASWELL: ProcessorWords = {
  ...NONE,
  leaf1: 0x7ffa_fbff,
  leaf7: 0x0000_27ab,
  extended: 0x21,
  xcr0: 7,
};

Deno.test("every level that has a name has features, and no processor lacks them if it has all", () => {
  for (const arch of [Arch.X86_64, Arch.Aarch64]) {
    const levels = cpuNames(arch).map((_, level) => level);
    assertEquals(levels.map((level) => missingFeatures(arch, level, ALL)), levels.map(() => []));
    const counts = levels.map((level) => missingFeatures(arch, level, NONE)!.length);
    assertEquals(counts, counts.toSorted((a, b) => a - b));
    assertEquals(new Set(counts).size, levels.length);
    assertEquals(missingFeatures(arch, levels.length, ALL), undefined);
  }
});

Deno.test("a Nehalem is x86-64-v2, a Haswell x86-64-v3", () => {
  assertEquals(missingFeatures(Arch.X86_64, 1, NEHALEM), []);
  assertEquals(
    missingFeatures(Arch.X86_64, 2, NEHALEM),
    ["AVX", "AVX2", "BMI1", "BMI2", "F16C", "FMA", "LZCNT", "MOVBE", "OSXSAVE"],
  );
  assertEquals(missingFeatures(Arch.X86_64, 2, HASWELL), []);
  assertEquals(
    missingFeatures(Arch.X86_64, 3, HASWELL),
    ["AVX512F", "AVX512BW", "AVX512CD", "AVX512DQ", "AVX512VL"],
  );
});

Deno.test("a feature whose registers the system does not save is missing", () => {
  assertEquals(missingFeatures(Arch.X86_64, 2, { ...HASWELL, xcr0: 3 }), ["AVX", "AVX2", "F16C", "FMA"]);
  assertEquals(missingFeatures(Arch.X86_64, 3, { ...ALL, xcr0: 7 })?.length, 5);
  assertEquals(missingFeatures(Arch.X86_64, 3, { ...ALL, xcr0: 0xe7 }), []);
});

Deno.test("an Arm processor without LSE is Armv8.0", () => {
  assertEquals(missingFeatures(Arch.Aarch64, 0, NONE), []);
  assertEquals(missingFeatures(Arch.Aarch64, 1, { ...NONE, hwcap: 1 << 7 | 1 << 12 }), ["LSE"]);
  assertEquals(missingFeatures(Arch.Aarch64, 1, { ...NONE, hwcap: 1 << 7 | 1 << 8 | 1 << 12 }), []);
});
