/**
 * Wakes of an isolate by `Atomics.notify`. Before version 2.7.6, Deno did not notice
 * one that came while the isolate was busy: `Atomics.waitAsync` settled when the
 * event loop next had something else to do, perhaps never.
 */

/** Milliseconds between the looks of an isolate that would not be woken. */
const PERIOD = 50;

/** Has the event loop turn again and again while it waits, where it is not woken; call the result when nothing waits. */
export function stayAwake(version: string = Deno.version.deno): () => void {
  if (!isOlder(version)) return () => {};
  const timer = setInterval(() => {}, PERIOD);
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}

function isOlder(version: string): boolean {
  const [major, minor, patch] = version.split(".").map(Number);
  return major === 2 && (minor < 7 || (minor === 7 && patch < 6));
}
