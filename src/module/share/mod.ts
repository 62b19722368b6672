/**
 * What an isolate needs that only uses modules of others, by their tokens: half of the package, so that a Worker
 * starts sooner.
 *
 * | token | class |
 * |---|---|
 * | of a live library, which changes with each reload | {@linkcode LiveLibrary} |
 * | of one version of a module | {@linkcode LoadedModule} |
 *
 * Needs `--allow-ffi`. Import it in place of `@simple/loader`, not beside: as published it is a copy of its own, whose
 * errors are no instances of the other one's `LoadError`.
 *
 * @example
 * ```ts
 * import { ModuleRegistry } from "@simple/loader";
 * import { LiveLibrary } from "@simple/loader/attach";
 * import { assertEquals } from "@std/assert";
 *
 * const definitions = { add: { parameters: ["i64", "i64"], result: "i64" } } as const;
 * using registry = new ModuleRegistry();
 * const library = registry.open("fixtures/mylib.smf", definitions);
 * const token = structuredClone(library.share()); // as postMessage does
 *
 * // In the Worker, which imports only this entry point:
 * using attached = LiveLibrary.attach(token, definitions);
 * assertEquals(attached.symbols.add(2n, 3n), 5n);
 * ```
 *
 * @module
 */

import "../../os/runtime_version.ts";
export { LoadError, type LoadErrorData, type LoadErrorKind } from "../../errors/load_error.ts";
export { CharArray } from "../../call/view/char_array.ts";
export type {
  FieldView,
  StructView,
  ViewArrays,
  ViewDescription,
  ViewOf,
  ViewStruct,
  ViewType,
} from "../../call/view/description.ts";
export type { CrashFrame } from "../../errors/crash.ts";
export type { CrashOptions, OnCrash } from "../../call/guard.ts";
export type { CallPath, TakenPath } from "../../call/path.ts";
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
} from "../../call/function_definition.ts";
export type { TypeCheck } from "../../call/type_check.ts";
export type { ExecutableMemory } from "../../os/memory/allocator.ts";
export type {
  AddressLease,
  AnyFunction,
  AttachOptions,
  BindOptions,
  BoundByTypes,
  BoundFunction,
  BoundSymbols,
  ModuleSymbols,
} from "../binding.ts";
export type { BoundModule } from "../bound_module.ts";
export type {
  CarryReport,
  ChangedPointee,
  ConvertedVariable,
  FreshVariable,
  KeptTable,
  OldPointer,
  ReplacedCodeFate,
  UnusedObjects,
} from "../carry.ts";
export { LoadedModule } from "../handle.ts";
export type { ModuleDescription, ModuleExport } from "../description.ts";
export { type AttachLiveOptions, LiveLibrary, type TypedLibrary } from "../live.ts";
export type { LiveView } from "../live_variables.ts";
export type { ChangedUse } from "../version.ts";
export type { ViewedModule } from "../viewed_module.ts";
export type { LiveToken, ModuleToken } from "./token.ts";
