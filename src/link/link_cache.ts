/**
 * The memory of links, as callers hold it.
 */
import { showAs } from "../os/inspection.ts";
import { LinkMemory } from "./link_memory.ts";

/**
 * Returns what a cache holds.
 *
 * @throws {TypeError} for something else than a cache.
 */
export let memoryOf: (cache: LinkCache) => LinkMemory;

/**
 * Makes links fast that follow each other and share most of their objects: it keeps what they have read. The
 * result of a link is the same with it and without it, byte by byte.
 *
 * It holds the objects of the last three links and at most 64 MiB of them, as copies, together with what was read of
 * them, which takes up to about four times as much. All of that is freed with the cache itself.
 *
 * @example Two links
 * ```ts
 * import { LinkCache, linkObjects } from "@simple/loader/link";
 * import { assertEquals } from "@std/assert";
 *
 * const cache = new LinkCache();
 * const link = () => linkObjects([{ name: "arith.o", bytes: Deno.readFileSync("fixtures/c/arith.o") }], {}, cache);
 * assertEquals(link().bytes, link().bytes); // the second reads nothing again
 * ```
 */
export class LinkCache {
  readonly #memory: LinkMemory = new LinkMemory();

  static {
    memoryOf = (cache) => {
      if (#memory in cache) return cache.#memory;
      throw new TypeError("Cannot link module: the cache is not a LinkCache");
    };
    showAs(this.prototype, "LinkCache", (cache) => #memory in cache ? { size: cache.size } : {});
  }

  /** The bytes of all objects that it holds. */
  get size(): number {
    return this.#memory.size;
  }
}
