/**
 * Wakes of an isolate by `Atomics.notify`. Before version 2.7.6, Deno did not notice
 * one that came while the isolate was busy: `Atomics.waitAsync` settled when the
 * event loop next had something else to do, perhaps never.
 */

import { isBefore } from "./deno_versions.ts";

/** Milliseconds between the looks of an isolate that would not be woken. */
const PERIOD = 50;

/** Has the event loop turn again and again while it waits, where it is not woken; call the result when nothing waits. */
export function stayAwake(version: string = Deno.version.deno): () => void {
  if (!isBefore(version, 2, 7, 6)) return () => {};
  const timer = setInterval(() => {}, PERIOD);
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}
