/**
 * Puts adapters into executable memory:
 *
 * ```text
 * adapter 0   at a multiple of 16
 * adapter 1
 * …
 * unwind tables
 * ```
 */

import { alignUp } from "../../smf/offsets.ts";
import { type MemoryAllocator, platformAllocator, Protection } from "../../os/memory/allocator.ts";
import { abandon } from "../../os/memory/deferred_release.ts";
import type { AdapterCode } from "./signature.ts";
import { ADAPTER_SYSTEM } from "./system.ts";
import type { AdapterPlace } from "./unwind_tables.ts";

const ALIGNMENT = 16;

/** Adapters in memory. */
export interface AdapterBlock extends Disposable {
  /** The addresses of the adapters, in their order. */
  readonly addresses: readonly bigint[];
}

/**
 * Makes adapters callable, until the result is disposed of.
 *
 * Safety: no call through an adapter may be running when the result is disposed of.
 *
 * Platforms: where {@linkcode ADAPTER_SYSTEM} is defined.
 *
 * @throws {LoadError} `OutOfMemory`, `PermissionDenied`; `Unsupported` if the unwinder does not take their frames.
 */
export function openAdapters(
  adapters: readonly AdapterCode[],
  allocator: MemoryAllocator = platformAllocator(),
): AdapterBlock {
  const places: AdapterPlace[] = [];
  let end = 0;
  for (const { bytes, frameBytes } of adapters) {
    places.push({ offset: end, size: bytes.length, frameBytes });
    end = alignUp(end + bytes.length, ALIGNMENT);
  }
  const tables = ADAPTER_SYSTEM!.writeTables(places, end);
  using undo = new DisposableStack();
  const memory = allocator.allocate(end + tables.length, allocator.pageSize);
  undo.defer(() => abandon({ [Symbol.dispose]: () => allocator.free(memory) }));
  const view = allocator.view(memory);
  adapters.forEach(({ bytes }, index) => view.set(bytes, places[index].offset));
  view.set(tables, end);
  allocator.protect(memory, Protection.READ_EXECUTE);
  undo.use(ADAPTER_SYSTEM!.register(memory.address + BigInt(end), places.length, memory.address));
  const owned = undo.move();
  return {
    addresses: places.map(({ offset }) => memory.address + BigInt(offset)),
    [Symbol.dispose]: () => owned.dispose(),
  };
}
