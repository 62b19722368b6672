/**
 * Entries that the library for crashes puts in front of functions (native/crash/guard.c).
 */

import type { GuardEntry } from "../../call/guard.ts";
import { ifPermitted } from "../../os/library.ts";

/**
 * Owns an entry.
 *
 * @param address What the library has returned.
 * @param remove `smf_guard_remove`.
 * @returns undefined for address 0: the system has refused memory.
 */
export function codeEntry(address: bigint, remove: (entry: bigint) => void): GuardEntry | undefined {
  if (address === 0n) return undefined;
  return {
    address,
    [Symbol.dispose]() {
      // Without --allow-ffi it stays, and nobody calls it.
      ifPermitted(() => remove(address));
    },
  };
}
