/**
 * All that the library's entry points export, so that it becomes one bundle: four that import from each other
 * cost each program 2 ms more.
 *
 * The linker comes last, with what uses it, so that it is one of the parts that lazy_parts.ts defers.
 *
 * @module
 */
import "../../src/registry/registry.ts";
import "../../src/module/loader.ts";
export * from "../../src/smf/mod.ts";
export * from "../../mod.ts";
export * from "../../src/link/mod.ts";
export * from "../../src/build/mod.ts";
