/**
 * From sources to modules: compiles C, C++, Rust and Zig with the compilers of this machine, links, and opens.
 *
 * Needs `--allow-run` of the compiler, and `--allow-read` and `--allow-write` of the folder for objects; `cc` needs
 * `--allow-ffi`, too.
 *
 * | you want to | use |
 * |---|---|
 * | call C from a script | {@linkcode cc} |
 * | write a module | {@linkcode build}, which gives its bytes |
 * | show what the compiler says | {@linkcode CompileError} |
 *
 * @example
 * ```ts ignore
 * import { cc } from "@simple/loader/build";
 *
 * using counter = await cc("counter.c");
 * console.log(counter.symbols.count());
 * ```
 *
 * @module
 */

import "../os/runtime_version.ts";
export { LoadError, type LoadErrorData, type LoadErrorKind } from "../errors/load_error.ts";
export { LinkCache } from "../link/link_cache.ts";
export type { LinkOptions } from "../link/options.ts";
export type { LinkMap } from "../link/map.ts";
export type { CarryReport } from "../module/carry.ts";
export type { ModuleSymbols } from "../module/binding.ts";
export { ModuleRegistry } from "../registry/registry.ts";
export { build, type BuildOptions, type BuiltModule, type Sources } from "./build.ts";
export { cc, type CcOptions } from "./cc.ts";
export { CompiledLibrary } from "./compiled_library.ts";
export type { SourceText } from "./request.ts";
export type { CompilerRun } from "./compile.ts";
export { CompileError, type FailedSource } from "./compile_error.ts";
