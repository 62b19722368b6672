/**
 * The linker alone: ELF objects and static libraries to a module, as bytes.
 * It needs no permission and loads nothing, and works wherever JavaScript does.
 *
 * Everything here is also exported by `@simple/loader` itself.
 *
 * @example An object file to a module
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

export { LoadError, type LoadErrorData, type LoadErrorKind } from "../errors.ts";
export { type LinkedModule, type LinkInput, linkObjects, type LinkOptions } from "./linker.ts";
export {
  formatMap,
  type LinkMap,
  type MapDropped,
  type MapEntry,
  type MapExport,
  type MapImport,
  type MapMember,
  type MapSection,
} from "./map.ts";
