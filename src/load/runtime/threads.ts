/**
 * The threads of the process, and whether one of them may be in some code: functions of the loader's library for ends
 * (native/threads.c).
 */

import { EXITS_LIBRARY, EXITS_NAME } from "./atexit_library.ts";
import { HOST_PLATFORM } from "./host.ts";
import { NativeLibrary } from "./native_library.ts";
import { Platform } from "../../smf/enums.ts";

/**
 * The library's functions.
 *
 * | C declaration | failure |
 * |---|---|
 * | `size_t smf_threads(int64_t *numbers, size_t room)` | 0 |
 * | `int smf_find_threads(const struct range *ranges, size_t count, uint8_t *may_be)` | −1 |
 */
const FUNCTIONS = {
  smf_threads: { parameters: ["buffer", "usize"], result: "usize" },
  smf_find_threads: { parameters: ["buffer", "usize", "buffer"], result: "i32" },
} as const satisfies Record<string, Deno.ForeignFunction>;

const call = new NativeLibrary(EXITS_NAME, EXITS_LIBRARY).caller(FUNCTIONS);

/**
 * The numbers of the process's threads.
 *
 * Platforms: undefined where nobody knows: on other systems than Linux, and without `/proc`.
 */
export function threadNumbers(): ReadonlySet<bigint> | undefined {
  if (HOST_PLATFORM !== Platform.Linux) return undefined;
  let numbers = new BigInt64Array(128);
  let count = 0;
  while ((count = Number(call("smf_threads", numbers, BigInt(numbers.length)))) > numbers.length) {
    numbers = new BigInt64Array(2 * count);
  }
  return count === 0 ? undefined : new Set(numbers.subarray(0, count));
}

/** Some code, by its address and size in bytes. */
export interface CodeRange {
  readonly address: bigint;
  readonly size: number;
}

/**
 * Says of each range of code whether a thread may be running it, or come back to it: this one counts, and so does one
 * that runs anything at all just now. Looks at stacks of threads only: code that switches between stacks of its own
 * must not have called code of the ranges.
 *
 * Platforms: undefined where nobody knows: elsewhere than on Linux on x86-64, in emulators, and without `/proc`.
 */
export function findThreads(ranges: readonly CodeRange[]): readonly boolean[] | undefined {
  if (HOST_PLATFORM !== Platform.Linux || Deno.build.arch !== "x86_64") return undefined;
  const words = new BigUint64Array(2 * ranges.length), mayBe = new Uint8Array(ranges.length);
  ranges.forEach(({ address, size }, index) => {
    words[2 * index] = address;
    words[2 * index + 1] = address + BigInt(size);
  });
  if (call("smf_find_threads", words, BigInt(ranges.length), mayBe) !== 0) return undefined;
  return Array.from(mayBe, (mark) => mark !== 0);
}
