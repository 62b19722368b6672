/**
 * All that the library's entry points export, so that it becomes one bundle: four that import from each other
 * cost each program 2 ms more.
 *
 * The linker comes last, with what uses it: the end of the bundle, which lazy_linker.ts defers.
 *
 * @module
 */
import "../../src/registry/registry.ts";
import "../../src/module/loader.ts";
export * from "../../src/smf/mod.ts";
export * from "../../mod.ts";
export * from "../../src/link/mod.ts";
export * from "../../src/build/mod.ts";
