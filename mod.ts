/**
 * Native code for Deno that behaves like a JavaScript module: one `.smf` file,
 * loaded, linked, called as fast as `Deno.dlopen` calls, and unloaded safely.
 *
 * Importing this module opens nothing and asks for no permission. Loading needs
 * `--allow-ffi` and `--allow-read`; reading the format needs nothing.
 *
 * | you want to | use |
 * |---|---|
 * | load, call and close modules that import from each other | {@linkcode ModuleRegistry}, {@linkcode LoadedModule} |
 * | call functions that follow reloads | {@linkcode LiveLibrary}, from `open`; `reload`, `watch`, `rollback` |
 * | use one module in several Workers | `share()` and `attach(token)` of both |
 * | load a single module | {@linkcode ModuleLoader} |
 * | make modules | {@linkcode linkObjects}, from compiled objects; {@linkcode SmfBuilder}, from bytes |
 * | look into them | {@linkcode parseSmf} |
 * | find out what went wrong | {@linkcode LoadError}; `console.log` of a module or a registry |
 *
 * `@simple/loader/format` has everything about the file format, such as the
 * enumerations that a builder takes; `@simple/loader/link` has the link map.
 *
 * @example Load a module and call it
 * ```ts
 * import { ModuleRegistry } from "@simple/loader";
 * import { assertEquals } from "@std/assert";
 *
 * using registry = new ModuleRegistry();
 * const module = registry.load("fixtures/mylib.smf");
 * const add = module.getFunction("add", { parameters: ["i64", "i64"], result: "i64" });
 * assertEquals(add?.(2n, 3n), 5n);
 * ```
 *
 * @example Replace its code while it is in use
 * ```ts
 * import { ModuleRegistry } from "@simple/loader";
 * import { assertEquals } from "@std/assert";
 *
 * using registry = new ModuleRegistry();
 * registry.loadBytes("counter", Deno.readFileSync("fixtures/counter_v1.smf"));
 * const { symbols } = registry.open("counter", { answer: { parameters: [], result: "i32" } });
 * assertEquals(symbols.answer(), 41);
 *
 * registry.reload("counter", { bytes: Deno.readFileSync("fixtures/counter_v2.smf"), state: "carry" });
 * assertEquals(symbols.answer(), 42);
 * ```
 *
 * @module
 */

import "./src/os/runtime_version.ts";
export { LoadError, type LoadErrorData, type LoadErrorKind } from "./src/errors/load_error.ts";
export { CharArray } from "./src/call/view/char_array.ts";
export type {
  FieldView,
  StructView,
  ViewArrays,
  ViewDescription,
  ViewOf,
  ViewStruct,
  ViewType,
} from "./src/call/view/description.ts";
export type { CrashFrame } from "./src/errors/crash.ts";
export type { CrashOptions, OnCrash } from "./src/call/guard.ts";
export type { CallPath, TakenPath } from "./src/call/path.ts";
export type {
  Callable,
  CapturedResult,
  ConvertedArguments,
  ConvertedFunction,
  ConvertedResult,
  Definitions,
  ErrnoResult,
  FunctionDefinition,
  Integers,
  ParameterType,
  ResultBuffer,
  ResultType,
  SymbolsOf,
} from "./src/call/function_definition.ts";
export type { TypeCheck } from "./src/call/type_check.ts";
export type { LinkCache } from "./src/link/link_cache.ts";
export { type LinkedModule, type LinkInput, linkObjects, type LinkOptions } from "./src/link/linker.ts";
export type { LinkMap } from "./src/link/map.ts";
export type { ImportValue } from "./src/load/imports/given.ts";
export type { ImportedFunction } from "./src/load/imports/owned_callback.ts";
export type { ImportRecord, ImportResolver } from "./src/load/imports/resolve.ts";
export type {
  CarryOptions,
  CarryReport,
  ChangedPointee,
  ConvertedVariable,
  FreshVariable,
  KeptTable,
  OldPointer,
  ReplacedCodeFate,
  UnusedObjects,
} from "./src/module/carry.ts";
export type {
  AddressLease,
  AnyFunction,
  AttachOptions,
  BindOptions,
  BoundByTypes,
  BoundFunction,
  BoundSymbols,
  ModuleSymbols,
} from "./src/module/binding.ts";
export type { BoundModule } from "./src/module/bound_module.ts";
export type { ChangedUse } from "./src/module/version.ts";
export type { ModuleDescription, ModuleExport } from "./src/module/description.ts";
export { LoadedModule } from "./src/module/handle.ts";
export type { ViewedModule } from "./src/module/viewed_module.ts";
export { type AttachLiveOptions, LiveLibrary, type TypedLibrary } from "./src/module/live.ts";
export type { LiveView } from "./src/module/live_variables.ts";
export {
  type ModuleBytesOptions,
  ModuleLoader,
  type ModuleLoaderOptions,
  type ModuleLoadOptions,
} from "./src/module/loader.ts";
export type { LiveToken, ModuleToken } from "./src/module/share/token.ts";
export {
  type ExecutableMemory,
  type MemoryAllocator,
  platformAllocator,
  Protection,
} from "./src/os/memory/allocator.ts";
export type { ImportOptions } from "./src/registry/import_scope.ts";
export type {
  LoadOptions,
  ModuleRegistryOptions,
  OpenOptions,
  ReloadOptions,
  TrustOptions,
  UnloadOptions,
} from "./src/registry/options.ts";
export { ModuleSet } from "./src/registry/module_set.ts";
export { type NativeCallback, ObservedSet } from "./src/registry/observed_set.ts";
export { ModuleRegistry } from "./src/registry/registry.ts";
export type { ReloadStep, TraceEvent, TraceFacts, TraceKind } from "./src/load/trace.ts";
export type { InspectedModule, InspectedVersion, RegistryInspection } from "./src/registry/inspection.ts";
export type { SymbolizedAddress } from "./src/registry/symbolize.ts";
export type { SourceFrame } from "./src/types/dwarf/source_map.ts";
export type { KeptVersion } from "./src/registry/reload/reloader.ts";
export type { SafePointOptions } from "./src/registry/reload/safe_point.ts";
export type { TakeoverOptions } from "./src/registry/reload/takeover.ts";
export type { WatchEvent, WatchOptions } from "./src/registry/watch/options.ts";
export {
  type RelocationOptions,
  type SectionOptions,
  SmfBuilder,
  type SmfBuilderOptions,
  type SymbolOptions,
} from "./src/smf/builder.ts";
export { type ParsedSmf, parseSmf, type SmfFile } from "./src/smf/file.ts";
export type { SmfHeader } from "./src/smf/header.ts";
export { type IntegrityAlgorithm, integrityOf } from "./src/smf/integrity.ts";
export type { SmfSection } from "./src/smf/section.ts";
export type { SmfSymbol, SymbolTable } from "./src/smf/symbol.ts";
