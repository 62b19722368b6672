/**
 * A module as others import from it: addresses that stay while its versions
 * come and go, and a hold that moves on to the newest.
 *
 * Functions are imported through trampolines. Data has no trampoline: who
 * imports it holds the very version that it was linked to.
 */

import { JumpTable, Trampolines } from "./call/trampoline.ts";
import { LoadError } from "./errors.ts";
import type { FoundImport, Importer, Provider } from "./imports/resolve.ts";
import { symbolAddress } from "./loader.ts";
import type { MemoryAllocator } from "./memory/allocator.ts";
import { SymbolType } from "./smf/enums.ts";
import { findExport, type ModuleVersion } from "./version.ts";

/** A hold on whatever version is the current one. */
interface MovingHold {
  readonly importer: Importer;
  current: Disposable;
}

/** The exports of one module over all its versions. */
export class StableExports {
  readonly #allocator: MemoryAllocator;
  #version: ModuleVersion;
  /** Names that have a trampoline, with its index. */
  readonly #indices = new Map<string, number>();
  #trampolines: Trampolines | undefined;
  #table: JumpTable | undefined;
  readonly #holds = new Set<MovingHold>();
  readonly #provider: Provider;

  constructor(version: ModuleVersion, allocator: MemoryAllocator) {
    this.#allocator = allocator;
    this.#version = version;
    this.#provider = {
      description: version.provider.description,
      hold: (importer) => this.#hold(importer),
    };
  }

  /** The newest committed version. */
  get version(): ModuleVersion {
    return this.#version;
  }

  /** What an importer of `name` is linked to. */
  find(name: string): FoundImport | undefined {
    const { image, provider } = this.#version;
    const symbol = findExport(image.file, name);
    if (symbol === undefined) return undefined;
    const from = provider.description;
    if (symbol.type === SymbolType.Function) {
      return {
        address: this.#trampoline(name, symbolAddress(image, symbol.index)),
        from,
        provider: this.#provider,
      };
    }
    return { address: symbolAddress(image, symbol.index), from, provider };
  }

  /** Names that can be imported. */
  *names(): Iterable<string> {
    const { symbols } = this.#version.image.file;
    for (let index = 0; index < symbols.length; index++) {
      if (symbols.isExport(index)) yield symbols.name(index);
    }
  }

  /**
   * Prepares to send all trampolines to another version. Everything that can
   * fail happens here; the result commits and cannot fail.
   *
   * @throws {LoadError} `Incompatible`, listing the functions in use that the candidate lacks.
   */
  prepare(candidate: ModuleVersion): () => void {
    const addresses: bigint[] = [];
    const missing: string[] = [];
    for (const [name, index] of this.#indices) {
      const symbol = findExport(candidate.image.file, name);
      if (symbol === undefined || symbol.type !== SymbolType.Function) missing.push(name);
      else addresses[index] = symbolAddress(candidate.image, symbol.index);
    }
    if (missing.length > 0) {
      const names = missing.map((name) => `'${name}'`).join(", ");
      throw new LoadError(
        "Incompatible",
        `Cannot reload: the new version does not export ${names}, in use by others`,
        {
          path: candidate.path,
          symbols: missing,
        },
      );
    }
    const trampolines = this.#trampolines;
    const table = trampolines === undefined ? undefined : this.#newTable(candidate, addresses);
    if (trampolines !== undefined) candidate.own(trampolines.hold());
    const moved = [...this.#holds].map((hold) => ({ hold, next: candidate.provider.hold(hold.importer) }));
    return () => {
      if (table !== undefined) trampolines?.lead(table);
      this.#table = table;
      this.#version = candidate;
      for (const { hold, next } of moved) {
        const previous = hold.current;
        hold.current = next;
        previous[Symbol.dispose]();
      }
    };
  }

  #hold(importer: Importer): Disposable {
    const hold: MovingHold = { importer, current: this.#version.provider.hold(importer) };
    this.#holds.add(hold);
    return {
      [Symbol.dispose]: () => {
        if (this.#holds.delete(hold)) hold.current[Symbol.dispose]();
      },
    };
  }

  /** The one canonical address of an exported function. */
  #trampoline(name: string, address: bigint): bigint {
    const version = this.#version;
    if (this.#trampolines === undefined) {
      const trampolines = new Trampolines(this.#allocator);
      version.own(trampolines.hold());
      this.#trampolines = trampolines;
    }
    const trampolines = this.#trampolines;
    const known = this.#indices.get(name);
    if (known !== undefined) return trampolines.address(known);
    const index = this.#indices.size;
    const trampoline = trampolines.address(index);
    if (this.#table === undefined || index >= this.#table.capacity) {
      // The old table stays with its version: a thread may be reading it.
      const larger = this.#newTable(version, [...this.#addresses(version), address]);
      trampolines.lead(larger);
      this.#table = larger;
    }
    this.#table.set(index, address);
    this.#indices.set(name, index);
    return trampoline;
  }

  /** A table that goes with the version that it leads into. */
  #newTable(version: ModuleVersion, addresses: readonly bigint[]): JumpTable {
    const table = new JumpTable(this.#allocator, addresses);
    version.own(table);
    return table;
  }

  #addresses(version: ModuleVersion): bigint[] {
    return [...this.#indices.keys()].map((name) => {
      const symbol = findExport(version.image.file, name)!;
      return symbolAddress(version.image, symbol.index);
    });
  }
}
