/**
 * The sans-I/O protocol between loading and reading: steps yield the bytes that
 * they want, a driver reads them. One sequence of steps serves the synchronous
 * and the asynchronous functions.
 */

import type { ReadRequest } from "../../smf/reader.ts";
import type { FileStamp } from "./stamp.ts";

/** Yielded by steps when they have read everything: the driver checks that the file has not changed. */
export const CHECK_UNCHANGED = Symbol("check unchanged");

/**
 * Steps that turn a file of a known size into something. They yield requests,
 * then {@linkcode CHECK_UNCHANGED}. A failed read is thrown into them.
 */
export type FileReading<T> = (
  size: number,
  stamp?: FileStamp,
) => Generator<ReadRequest | typeof CHECK_UNCHANGED, T, Uint8Array>;

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Runs steps to their end; `read` answers their requests. */
export function drive<T>(
  steps: ReturnType<FileReading<T>>,
  read: (request: ReadRequest) => Uint8Array,
  checkUnchanged: () => void,
): T {
  let step = steps.next(NO_BYTES);
  while (!step.done) {
    let bytes = NO_BYTES;
    try {
      if (step.value === CHECK_UNCHANGED) checkUnchanged();
      else bytes = read(step.value);
    } catch (error) {
      // The steps release what they own and throw the error again.
      step = steps.throw(error);
      continue;
    }
    step = steps.next(bytes);
  }
  return step.value;
}

/** Like {@linkcode drive}, with functions that may be asynchronous. */
export async function driveAsync<T>(
  steps: ReturnType<FileReading<T>>,
  read: (request: ReadRequest) => Promise<Uint8Array> | Uint8Array,
  checkUnchanged: () => Promise<void>,
): Promise<T> {
  let step = steps.next(NO_BYTES);
  while (!step.done) {
    let bytes = NO_BYTES;
    try {
      if (step.value === CHECK_UNCHANGED) await checkUnchanged();
      else {
        const found = read(step.value);
        // Bytes that are there already need no turn of the event loop.
        bytes = found instanceof Promise ? await found : found;
      }
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(bytes);
  }
  return step.value;
}
