import { assertEquals } from "@std/assert";
import { Protection } from "../../src/os/memory/allocator.ts";
import { askProcessor, processorWords } from "../../src/os/processor.ts";
import { descriptors, NO_PROC, WatchedAllocator } from "../support/testing.ts";

/** Features by the names of Linux, with the word and the bit of each. */
const NAMES = [
  ["ssse3", "leaf1", 9],
  ["fma", "leaf1", 12],
  ["sse4_2", "leaf1", 20],
  ["popcnt", "leaf1", 23],
  ["avx", "leaf1", 28],
  ["avx2", "leaf7", 5],
  ["bmi2", "leaf7", 8],
  ["avx512f", "leaf7", 16],
  ["avx512vl", "leaf7", 31],
  ["lahf_lm", "extended", 0],
] as const;

/** The lane oldcpu emulates one processor, and shows the flags of another. */
const emulated = Deno.env.get("QEMU_CPU");

Deno.test({
  name: "the processor says of itself what Linux says of it",
  ignore: NO_PROC || Deno.build.arch !== "x86_64" || emulated !== undefined,
  fn() {
    const flags = /^flags\s*:(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))![1].split(" ");
    const words = processorWords();
    for (const [name, word, bit] of NAMES) {
      assertEquals((words[word] >>> bit & 1) === 1, flags.includes(name), name);
    }
    assertEquals((words.xcr0 & 6) === 6, flags.includes("avx"));
  },
});

Deno.test({
  name: "an emulated Nehalem has no AVX",
  ignore: emulated !== "Nehalem",
  fn() {
    const { leaf1, leaf7 } = processorWords();
    assertEquals([leaf1 >>> 28 & 1, leaf7 >>> 5 & 1, leaf1 >>> 20 & 1], [0, 0, 1]);
  },
});

Deno.test("the answer stays, and asking leaves nothing behind", () => {
  assertEquals(processorWords(), processorWords());
  const allocator = new WatchedAllocator();
  const open = descriptors().length;
  assertEquals(askProcessor(allocator), processorWords());
  assertEquals(allocator.live.size, 0);
  assertEquals(allocator.mappings(), []);
  assertEquals(allocator.protections.filter((protection) => protection !== Protection.READ_EXECUTE), []);
  assertEquals(descriptors().length, open);
});
