import { assertEquals } from "@std/assert";
import { stayAwake } from "../../src/os/wakefulness.ts";

/** Counts the timers that are started and ended while `work` runs. */
function timersOf(work: () => void): [started: number, ended: number] {
  const { setInterval, clearInterval } = globalThis;
  let started = 0, ended = 0;
  globalThis.setInterval = ((...parameters: Parameters<typeof setInterval>) => {
    started++;
    return setInterval(...parameters);
  }) as typeof setInterval;
  globalThis.clearInterval = (timer) => {
    ended++;
    clearInterval(timer);
  };
  try {
    work();
  } finally {
    Object.assign(globalThis, { setInterval, clearInterval });
  }
  return [started, ended];
}

Deno.test("a Deno that does not notice wakes is kept awake until nothing waits", () => {
  for (const version of ["2.3.7", "2.4.0", "2.7.1", "2.7.5"]) {
    assertEquals(timersOf(() => stayAwake(version)()), [1, 1], version);
  }
});

Deno.test("other versions get no timer", () => {
  for (const version of ["2.7.6", "2.7.14", "2.8.0", "2.9.6", "2.10.0", "3.0.0"]) {
    assertEquals(timersOf(() => stayAwake(version)()), [0, 0], version);
  }
});
