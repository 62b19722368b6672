/**
 * Native code for Deno that behaves like a JavaScript module: one `.smf` file,
 * loaded, linked, called as fast as `Deno.dlopen` calls, and unloaded safely.
 *
 * Importing this module opens nothing and asks for no permission. Loading needs
 * `--allow-ffi` and `--allow-read`; reading the format needs nothing.
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
 * @module
 */

export type { CallPath, TakenPath } from "./src/call/path.ts";
export { LoadError, type LoadErrorData, type LoadErrorKind } from "./src/errors.ts";
export type { ImportRecord, ImportResolver } from "./src/imports/resolve.ts";
export {
  type ExecutableMemory,
  type MemoryAllocator,
  PagedAllocator,
  type Pages,
  platformAllocator,
  type PosixSystem,
  Protection,
  type SystemLibrary,
  type WindowsSystem,
} from "./src/memory/allocator.ts";
export { LinuxAllocator } from "./src/memory/linux.ts";
export { MacosAllocator } from "./src/memory/macos.ts";
export { WindowsAllocator } from "./src/memory/windows.ts";
export {
  type AddressLease,
  type BindOptions,
  type BoundFunction,
  type BoundSymbols,
  type Callable,
  LoadedModule,
  type ModuleExport,
} from "./src/module.ts";
export { ModuleLoader, type ModuleLoaderOptions } from "./src/module_loader.ts";
export type { CarryReport, FreshVariable, OldPointer } from "./src/carry.ts";
export { LiveLibrary } from "./src/live.ts";
export type { TakeoverOptions } from "./src/reload.ts";
export type { LiveToken, ModuleToken } from "./src/share/token.ts";
export type { KeptVersion } from "./src/succession.ts";
export type { ImportOptions } from "./src/import_scope.ts";
export type { ImportedFunction, ImportValue } from "./src/imports/given.ts";
export {
  type LoadOptions,
  ModuleRegistry,
  type ModuleRegistryOptions,
  type ReloadOptions,
  type UnloadOptions,
} from "./src/registry.ts";
export {
  type RelocationOptions,
  type SectionOptions,
  SmfBuilder,
  type SmfBuilderOptions,
  type SymbolOptions,
} from "./src/smf/builder.ts";
export {
  AppType,
  Arch,
  Binding,
  Compression,
  HeaderFlag,
  Platform,
  RelocationType,
  SectionFlag,
  SectionType,
  SymbolType,
} from "./src/smf/enums.ts";
export { ModuleChecksum } from "./src/smf/checksum.ts";
export { ParsedSmf, parseSmf, SmfFile } from "./src/smf/file.ts";
export { hashName } from "./src/smf/hash.ts";
export type { SmfHeader } from "./src/smf/header.ts";
export type {
  ExtraHeaderField,
  Field,
  HeaderField,
  HeaderLayout,
  Layout,
  LayoutName,
  SectionLayout,
} from "./src/smf/layout.ts";
export { RelocationTable, type SmfRelocation } from "./src/smf/reloc.ts";
export type { SmfSection } from "./src/smf/section.ts";
export type { Named } from "./src/smf/names.ts";
export { type SmfSymbol, SymbolTable, type SymbolTableSource } from "./src/smf/symbol.ts";
export type { WatchEvent, WatchOptions } from "./src/watch.ts";
export { type LinkedModule, type LinkInput, linkObjects, type LinkOptions } from "./src/link/linker.ts";
export {
  formatMap,
  type LinkMap,
  type MapDropped,
  type MapEntry,
  type MapExport,
  type MapImport,
  type MapMember,
  type MapSection,
} from "./src/link/map.ts";
