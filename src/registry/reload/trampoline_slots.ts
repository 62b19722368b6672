/**
 * The names of a module that others use through trampolines, over all its
 * versions: each name keeps its index in every version's table.
 */

import { LazyMap } from "../../os/lazy_collections.ts";
import { type JumpTable, QUARANTINE_WORD, Trampolines } from "../../call/trampoline.ts";
import { type Compatibility, fitOf, isRefused } from "../../image/compatibility.ts";
import { declarationsOf, type NameUse } from "./claims.ts";
import { nameOfKey } from "../../smf/entries.ts";
import { type IsChanged, type RenewedSlots, SlotNames, type TrampolineSlot } from "./slot_names.ts";
import { type Lease, type LeaseRequest, ReplaceableLeases, requestsOf } from "./replaceable_leases.ts";
import { type Exported, findSought } from "./exports.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import { quarantineOf } from "../../load/runtime/crash_guard.ts";
import type { MemoryAllocator } from "../../os/memory/allocator.ts";
import { abandon } from "../../os/memory/deferred_release.ts";
import type { TrampolineUsers } from "../../module/share/trampoline_users.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** The entry of a slot that the current version does not export and nobody claims. */
const NOWHERE = 0n;

/** The addresses that slots lead to in a candidate. */
export interface SlotTargets {
  /** By the slots' indices. */
  readonly addresses: readonly bigint[];
  /** Slots that go on leading into an older version. */
  readonly kept: ReadonlySet<TrampolineSlot>;
  /** Names in use that the candidate lacks or has as something else. */
  readonly missing: readonly string[];
  /** Slots that nobody uses and that lead nowhere in the candidate. */
  readonly dropped: readonly TrampolineSlot[];
  /** Slots that stay with old code, and those that take their places. */
  readonly renewed: RenewedSlots;
}

/** Slots ready to lead into another version. */
export interface PreparedSlots {
  /** Leads all slots there. Cannot fail. */
  commit(): void;
  /**
   * Gives back the leases that the version had when it was current before.
   *
   * @param allReturned Whether no call can be running in their versions any more.
   */
  release(allReturned: boolean): void;
}

/** A version's needs as the current one, used again when a rollback makes it current again. */
interface VersionTable {
  /** On older versions that must stay for it. */
  readonly leases: ReplaceableLeases;
  /** Undefined until the module has trampolines. */
  readonly table: JumpTable | undefined;
}

/** The trampoline slots of one module. */
export class TrampolineSlots {
  readonly #allocator: MemoryAllocator;
  readonly #users: TrampolineUsers;
  readonly #slots = new SlotNames();
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

  /** The slot of a name, wherever it leads. */
  get(name: string): TrampolineSlot | undefined {
    return this.#slots.get(name);
  }

  /** The slot of a name if everybody may use it. */
  find(name: string): TrampolineSlot | undefined {
    const slot = this.#slots.get(name);
    const isUsable = slot?.isCandidateOnly === false && this.#leadsSomewhere(slot);
    return isUsable ? slot : undefined;
  }

  /** Whether a slot has an address: there is none yet if the system has refused memory for it. */
  #leadsSomewhere({ index }: TrampolineSlot): boolean {
    const table = this.#table;
    return table !== undefined && index < table.capacity && table.get(index) !== NOWHERE;
  }

  /** Leads a name that nobody uses yet to an export of the version `target`. */
  enter(
    current: ModuleVersion,
    name: string,
    { kind, address }: Exported,
    version: ModuleVersion,
  ): TrampolineSlot {
    const slot = this.#slots.lead(name, kind, version);
    if (!slot.claims.exist) slot.size = 0;
    this.#fill(current, slot, address);
    return slot;
  }

  /** Makes room for slots that are about to be made: a table that grows with each leaves its smaller ones behind. */
  reserve(current: ModuleVersion, count: number): void {
    const needed = this.#slots.count + count;
    if (count > 0 && needed > (this.#table?.capacity ?? 0)) this.#growTable(current, needed);
  }

  /** Makes the trampoline of a slot, and leads it to an address. */
  #fill(current: ModuleVersion, { index }: TrampolineSlot, address: bigint): void {
    this.#trampolinesOf(current).address(index);
    if (this.#table === undefined || index >= this.#table.capacity) {
      // Doubling bounds the memory of the old tables, which all stay.
      this.#growTable(current, Math.max(this.#slots.count, 2 * (this.#table?.capacity ?? 0)));
    }
    this.#table!.set(index, address);
  }

  /** All slots, wherever they lead. */
  *all(): Generator<TrampolineSlot, void, void> {
    yield* this.#slots.current();
    yield* this.#slots.retired();
  }

  /** Gives other slots to the functions of a hot module whose signature a candidate changes. */
  renew(current: ModuleVersion, candidate: ModuleVersion, isChanged: IsChanged): RenewedSlots {
    return this.#slots.renew(candidate, isChanged, (slot) => this.#fill(current, slot, NOWHERE));
  }

  /** The canonical address of a function: that of its trampoline. */
  address(current: ModuleVersion, slot: TrampolineSlot): bigint {
    return this.#trampolinesOf(current).address(slot.index);
  }

  /** The name of the trampoline that an address lies in, and where it leads; undefined for other addresses. */
  trampolineAt(address: bigint): { readonly name: string; readonly target: bigint } | undefined {
    const index = this.#trampolines?.indexAt(address);
    if (index === undefined) return undefined;
    for (const slot of this.all()) {
      if (slot.index === index) {
        return { name: nameOfKey(slot.name), target: this.#table?.get(index) ?? NOWHERE };
      }
    }
    return undefined;
  }

  /** The uses of names by importers, live libraries and leases. */
  *uses(): Iterable<NameUse> {
    for (const { name, claims } of this.#slots.current()) {
      if (claims.exist) { for (const claim of claims) yield { name, claim, isWhole: false }; }
    }
  }

  /** The address of the word that holds the address of the current version's table. */
  tablePointer(current: ModuleVersion): bigint {
    return this.#trampolinesOf(current).tablePointer;
  }

  /**
   * The address of the word that leads to the current version's quarantine, which
   * must be prepared for guards.
   */
  quarantinePointer(current: ModuleVersion): bigint {
    if (this.#table === undefined) this.#growTable(current, this.#slots.count);
    const trampolines = this.#trampolinesOf(current), table = this.#table!;
    table.quarantine ??= quarantineOf(current.image);
    trampolines.switchTo(table);
    return trampolines.tablePointer + QUARANTINE_WORD;
  }

  /**
   * Finds where each slot leads in a candidate.
   *
   * @param renewed The slots of functions whose signature it changes.
   */
  targets(candidate: ModuleVersion, compatibility: Compatibility, renewed: RenewedSlots): SlotTargets {
    const addresses: bigint[] = [];
    const kept = new Set<TrampolineSlot>();
    const missing: string[] = [];
    const dropped: TrampolineSlot[] = [];
    const keep = (slot: TrampolineSlot): void => {
      addresses[slot.index] = this.#table!.get(slot.index);
      kept.add(slot);
    };
    for (const slot of this.#slots.retired()) {
      if (slot.isCandidateOnly) addresses[slot.index] = NOWHERE;
      else keep(slot);
    }
    for (const slot of this.#slots.current()) {
      const target = findSought(candidate, slot);
      const fit = fitOf(slot, target);
      const next = renewed.get(slot);
      addresses[slot.index] = NOWHERE;
      if (next !== undefined) {
        keep(slot);
        kept.delete(next);
        addresses[next.index] = target!.address;
      } else if (target !== undefined && fit === "fits") {
        addresses[slot.index] = target.address;
      } else if (slot.claims.exist && !slot.isCandidateOnly && isRefused(fit, compatibility)) {
        missing.push(slot.name);
      } else if (slot.claims.exist || (slot.isTaken && !slot.isCandidateOnly)) {
        keep(slot);
      } else {
        dropped.push(slot);
      }
    }
    return { addresses, kept, missing, dropped, renewed };
  }

  /**
   * Gets ready to lead all slots into a candidate.
   *
   * @param requests Other versions that must stay for it.
   * @param undo Gets what is to be disposed of if it does not take over.
   */
  prepare(
    candidate: ModuleVersion,
    { addresses, kept, renewed }: SlotTargets,
    requests: readonly LeaseRequest[],
    undo: DisposableStack,
  ): PreparedSlots {
    const belongings: Disposable[] = [];
    const own = <T extends Disposable>(belonging: T): T => {
      belongings.push(belonging);
      undo.defer(() => abandon(belonging));
      return belonging;
    };
    const versionTable = this.#prepareTable(candidate, addresses, own);
    const { table } = versionTable;
    const leases = [...requests, ...requestsOf(kept)].map(({ lifetime, why }): Lease => {
      const hold = undo.use(lifetime.holdLeaseFor(candidate.image.identity, why));
      return { lifetime, [Symbol.dispose]: () => hold[Symbol.dispose]() };
    });
    let obsolete: readonly Lease[] = [];
    return {
      commit: () => {
        for (const belonging of belongings) candidate.own(belonging);
        this.#versionTables.set(candidate, versionTable);
        this.#table = table;
        this.#slots.replace(renewed);
        if (table !== undefined) {
          addresses.forEach((address, index) => table.set(index, address));
          table.quarantine = quarantineOf(candidate.image);
          this.#trampolines!.switchTo(table);
          this.#fallBackFrom(candidate, table);
          candidate.addTrampolineUsers(this.#users);
        }
        const leading = {
          target: candidate.lifetime,
          declared: declarationsOf(candidate.image),
          isCandidateOnly: false,
        };
        for (const slot of this.#slots.current()) if (!kept.has(slot)) Object.assign(slot, leading);
        obsolete = versionTable.leases.replace(leases);
      },
      release(allReturned) {
        for (const lease of obsolete) {
          if (!allReturned) lease.lifetime.pin();
          lease[Symbol.dispose]();
        }
      },
    };
  }

  /** Finds or makes a version's table and leases; passes each new thing to `own`. */
  #prepareTable(
    version: ModuleVersion,
    addresses: readonly bigint[],
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

  #trampolinesOf(current: ModuleVersion): Trampolines {
    if (this.#trampolines === undefined) {
      const trampolines = new Trampolines(this.#allocator);
      current.own(trampolines.hold());
      current.addTrampolineUsers(this.#users);
      this.#trampolines = trampolines;
    }
    return this.#trampolines;
  }

  /** Makes a larger table. The old one stays with its version, because a thread may be reading it. */
  #growTable(current: ModuleVersion, length: number): void {
    const { capacity } = this.#table ?? { capacity: 0 };
    const addresses = Array.from(
      { length },
      (_, index) => index < capacity ? this.#table!.get(index) : NOWHERE,
    );
    const table = this.#trampolinesOf(current).table(addresses);
    table.quarantine = this.#table?.quarantine;
    current.own(table);
    let leases = this.#versionTables.get(current)?.leases;
    if (leases === undefined) current.own(leases = new ReplaceableLeases());
    this.#versionTables.set(current, { table, leases });
    this.#trampolinesOf(current).switchTo(table);
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
