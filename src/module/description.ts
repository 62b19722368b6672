/**
 * The description of a loaded module: facts that can be read also after it is
 * closed.
 */

import type { ImportRecord } from "../load/imports/resolve.ts";
import { HeaderFlag, symbolTypeName } from "../smf/enums.ts";
import type { SmfHeader } from "../smf/header.ts";
import type { SymbolTable } from "../smf/symbol.ts";
import type { BoundFunction } from "./binding.ts";
import type { ChangedUse, ModuleVersion } from "./version.ts";

/** One name that a module exports. */
export interface ModuleExport {
  /** The symbol's name. */
  readonly name: string;
  /** `Function`, `Data` or another of the format's symbol types. */
  readonly type: string;
  /** In bytes; 0 if the file does not say. */
  readonly size: number;
}

/** The facts about a {@linkcode LoadedModule} that can be read also after it is closed. */
export abstract class ModuleDescription {
  readonly #version: ModuleVersion;

  /** Describes a version. */
  protected constructor(version: ModuleVersion) {
    this.#version = version;
  }

  /** The path that was asked for, or the name that was given for bytes. */
  get path(): string {
    return this.#version.path;
  }

  /** The file's header. */
  get header(): SmfHeader {
    return this.#version.image.file.header;
  }

  /** The file's symbols, defined and undefined ones. */
  get symbols(): SymbolTable {
    return this.#version.image.file.symbols;
  }

  /** Counts the versions of this module in its registry, from 1. */
  get version(): number {
    return this.#version.number;
  }

  /** Whether the file is marked RELOADABLE: made to be replaced while it runs. */
  isReloadable(): boolean {
    return (this.header.flags & HeaderFlag.Reloadable) !== 0;
  }

  /** The hash of its sources that the file's writer stored; 0 if there is none. */
  sourceHash(): bigint {
    return this.header.sourceHash;
  }

  /** Lists the names that the module exports: its defined Global symbols, in file order. */
  exports(): ModuleExport[] {
    const exports: ModuleExport[] = [];
    for (const { index, name, type, size } of this.symbols) {
      if (this.symbols.isExport(index)) exports.push({ name, type: symbolTypeName(type), size });
    }
    return exports;
  }

  /** Lists the names that the module uses but does not define, each with the provider that answered. */
  imports(): readonly ImportRecord[] {
    return this.#version.image.imports;
  }

  /**
   * Lists the names in use that this version declares in another way than the
   * versions that their users were made for: only a reload with
   * `compatibility: "allow"` lets them, and the next one does not list them
   * again. Empty where the files do not tell the types.
   */
  changedUses(): readonly ChangedUse[] {
    return this.#version.changedUses;
  }

  /** Lists the functions that were bound so far, with the path that their calls take. */
  callPaths(): BoundFunction[] {
    return [...this.#version.binder.callPaths()];
  }

  /**
   * Why `callPath: "auto"` does without fast calls; undefined if it does not, and
   * before any function was called often enough for one.
   */
  get fallbackReason(): string | undefined {
    return this.#version.binder.fallbackReason;
  }
}
