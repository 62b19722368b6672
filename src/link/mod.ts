/**
 * The linker: links ELF objects and static libraries to a module, as bytes.
 * Needs no permission, loads nothing, and works in every JavaScript runtime.
 *
 * `@simple/loader` exports {@linkcode linkObjects} too; the link map is here only.
 *
 * @example Link a compiler's object to a module
 * ```ts
 * import { formatMap, linkObjects } from "@simple/loader/link";
 * import { assertEquals, assertStringIncludes } from "@std/assert";
 *
 * const object = { name: "arith.o", bytes: Deno.readFileSync("fixtures/c/arith.o") };
 * const { bytes, map } = linkObjects([object], { reloadable: true });
 * assertEquals(bytes.subarray(0, 3), new TextEncoder().encode("SMF"));
 * assertStringIncludes(formatMap(map), "arith.o");
 * ```
 *
 * @module
 */

export { LoadError, type LoadErrorData, type LoadErrorKind } from "../errors/load_error.ts";
export { LinkCache } from "./link_cache.ts";
export { type LinkedModule, type LinkInput, linkObjects, type LinkOptions } from "./linker.ts";
export {
  formatMap,
  type LinkMap,
  type MapDebug,
  type MapDropped,
  type MapEntry,
  type MapExport,
  type MapHome,
  type MapImport,
  type MapLive,
  type MapLiveStep,
  type MapMember,
  type MapReference,
  type MapSection,
  type MapTypes,
} from "./map.ts";
export type { Unswitched } from "./unswitched.ts";
