/**
 * The tables of a module's versions, through which its trampolines jump: that of the version that serves, and those of
 * others that have not ended.
 */

import { type JumpTable, QUARANTINE_WORD, Trampolines } from "../../call/trampoline.ts";
import { quarantineOf } from "../../load/runtime/crash_guard.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import type { TrampolineUsers } from "../../module/share/trampoline_users.ts";
import type { ModuleVersion } from "../../module/version.ts";
import { LazyMap } from "../../os/lazy_collections.ts";
import type { MemoryAllocator } from "../../os/memory/allocator.ts";
import { abandon } from "../../os/memory/deferred_release.ts";
import { ReplaceableLeases } from "./replaceable_leases.ts";

/** A version's needs as the current one, used again when a rollback makes it current again. */
interface VersionTable {
  /** On older versions that must stay for it. */
  readonly leases: ReplaceableLeases;
  /** Undefined until the module has trampolines. */
  readonly table: JumpTable | undefined;
}

/** A version's table, ready to be the one that trampolines jump through. */
export interface PreparedTable {
  readonly leases: ReplaceableLeases;
  /** Switches all trampolines to it. Cannot fail. */
  commit(): void;
}

/** The tables of one module's versions. */
export class VersionTables {
  readonly #allocator: MemoryAllocator;
  readonly #users: TrampolineUsers;
  #trampolines: Trampolines | undefined;
  /** The current version's table. */
  #table: JumpTable | undefined;
  /** The tables of versions that have not ended, the current one last. */
  readonly #liveTables = new LazyMap<Lifetime, JumpTable>();
  readonly #versionTables = new WeakMap<ModuleVersion, VersionTable>();

  /** @param users Told of each version that is called through the trampolines. */
  constructor(allocator: MemoryAllocator, users: TrampolineUsers) {
    this.#allocator = allocator;
    this.#users = users;
  }

  /** The module's trampolines, which are made for the first version that needs them. */
  trampolinesOf(current: ModuleVersion): Trampolines {
    if (this.#trampolines === undefined) {
      const trampolines = new Trampolines(this.#allocator);
      current.own(trampolines.hold());
      current.addTrampolineUsers(this.#users);
      this.#trampolines = trampolines;
    }
    return this.#trampolines;
  }

  /** The index of the trampoline that an address lies in; undefined for other addresses. */
  indexAt(address: bigint): number | undefined {
    return this.#trampolines?.indexAt(address);
  }

  /** Where a trampoline leads now; 0 if that is nowhere. */
  at(index: number): number {
    const table = this.#table;
    return table !== undefined && index < table.capacity ? table.get(index) : 0;
  }

  /** Makes trampolines from an index on that nobody has used yet, and leads them to addresses. */
  enterAll(current: ModuleVersion, first: number, addresses: Float64Array): void {
    const count = first + addresses.length;
    this.trampolinesOf(current).reserve(count);
    if (count > (this.#table?.capacity ?? 0)) {
      const all = this.#addresses(count);
      all.set(addresses, first);
      return this.#exchange(current, all);
    }
    for (let index = 0; index < addresses.length; index++) this.#table!.set(first + index, addresses[index]);
  }

  /**
   * Makes a trampoline, and leads it to an address.
   *
   * @param count The number of trampolines that there are to be.
   */
  fill(current: ModuleVersion, index: number, address: number, count: number): void {
    this.trampolinesOf(current).address(index);
    const { capacity } = this.#table ?? { capacity: 0 };
    // Doubling bounds the memory of the old tables, which all stay.
    if (index >= capacity) this.#grow(current, Math.max(count, 2 * capacity));
    this.#table!.set(index, address);
  }

  /**
   * The address of the word that leads to the current version's quarantine, which
   * must be prepared for guards.
   */
  quarantinePointer(current: ModuleVersion, count: number): bigint {
    if (this.#table === undefined) this.#grow(current, count);
    const trampolines = this.trampolinesOf(current), table = this.#table!;
    table.quarantine ??= quarantineOf(current.image);
    trampolines.switchTo(table);
    return trampolines.tablePointer + QUARANTINE_WORD;
  }

  /**
   * Gets a candidate's table ready.
   *
   * @param addresses Where the trampolines are to lead.
   * @param undo Gets what is to be disposed of if the candidate does not take over.
   */
  prepare(candidate: ModuleVersion, addresses: Float64Array, undo: DisposableStack): PreparedTable {
    const belongings: Disposable[] = [];
    const own = <T extends Disposable>(belonging: T): T => {
      belongings.push(belonging);
      undo.defer(() => abandon(belonging));
      return belonging;
    };
    const before = this.#versionTables.get(candidate)?.table;
    const versionTable = this.#prepareTable(candidate, addresses, own);
    const { table, leases } = versionTable;
    return {
      leases,
      commit: () => {
        for (const belonging of belongings) candidate.own(belonging);
        this.#versionTables.set(candidate, versionTable);
        this.#table = table;
        if (table === undefined) return;
        if (table === before) table.refill(addresses);
        table.quarantine = quarantineOf(candidate.image);
        this.#trampolines!.switchTo(table);
        this.#fallBackFrom(candidate, table);
        candidate.addTrampolineUsers(this.#users);
      },
    };
  }

  /** Finds or makes a version's table and leases; passes each new thing to `own`. */
  #prepareTable(
    version: ModuleVersion,
    addresses: Float64Array,
    own: <T extends Disposable>(belonging: T) => T,
  ): VersionTable {
    const known = this.#versionTables.get(version);
    const leases = known?.leases ?? own(new ReplaceableLeases());
    const trampolines = this.#trampolines;
    if (trampolines === undefined) return { leases, table: undefined };
    if (known?.table === undefined) own(trampolines.hold());
    const hasRoom = known?.table !== undefined && known.table.capacity >= addresses.length;
    return { leases, table: hasRoom ? known.table : own(trampolines.table(addresses)) };
  }

  /** Where the first trampolines lead now. */
  #addresses(count: number): Float64Array {
    const addresses = new Float64Array(count), table = this.#table;
    const known = Math.min(count, table?.capacity ?? 0);
    for (let index = 0; index < known; index++) addresses[index] = table!.get(index);
    return addresses;
  }

  #grow(current: ModuleVersion, length: number): void {
    this.#exchange(current, this.#addresses(length));
  }

  /** Makes a larger table. The old one stays with its version, because a thread may be reading it. */
  #exchange(current: ModuleVersion, addresses: Float64Array): void {
    const table = this.trampolinesOf(current).table(addresses);
    table.quarantine = this.#table?.quarantine;
    current.own(table);
    let leases = this.#versionTables.get(current)?.leases;
    if (leases === undefined) current.own(leases = new ReplaceableLeases());
    this.#versionTables.set(current, { table, leases });
    this.trampolinesOf(current).switchTo(table);
    this.#table = table;
    this.#fallBackFrom(current, table);
  }

  /**
   * When a version ends, leads its trampolines to the newest version that is left: a
   * lease keeps one, and its code goes through them.
   */
  #fallBackFrom(version: ModuleVersion, table: JumpTable): void {
    const tables = this.#liveTables, { lifetime } = version;
    tables.delete(lifetime);
    tables.set(lifetime, table);
    // After the table, so that it runs before the table is freed.
    version.own({
      [Symbol.dispose]: () => {
        if (!tables.delete(lifetime)) return;
        const next = [...tables.values()].at(-1);
        if (next !== undefined && this.#table === table) this.#trampolines!.switchTo(this.#table = next);
      },
    });
  }
}
