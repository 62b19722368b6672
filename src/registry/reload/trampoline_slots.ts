/**
 * The names of a module that others use through trampolines, over all its
 * versions: each name keeps its index in every version's table.
 */

import { LazyMap } from "../../os/lazy_collections.ts";
import { type JumpTable, QUARANTINE_WORD, Trampolines } from "../../call/trampoline.ts";
import type { Compatibility } from "../../image/compatibility.ts";
import type { NameUse } from "./claims.ts";
import { nameOfKey } from "../../smf/entries.ts";
import { type IsChanged, type RenewedSlots, SlotNames, type TrampolineSlot } from "./slot_names.ts";
import { type Lease, type LeaseRequest, ReplaceableLeases, requestsOf } from "./replaceable_leases.ts";
import type { Exported } from "./exports.ts";
import { findTargets, type SlotTargets } from "./slot_targets.ts";
import { SlotFunctionFinder, type SlotFunctions } from "./slot_functions.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import { quarantineOf } from "../../load/runtime/crash_guard.ts";
import type { MemoryAllocator } from "../../os/memory/allocator.ts";
import { abandon } from "../../os/memory/deferred_release.ts";
import type { TrampolineUsers } from "../../module/share/trampoline_users.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** The entry of a slot that the current version does not export and nobody claims. */
const NOWHERE = 0n;

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
  readonly #functions = new SlotFunctionFinder();
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
    return slot !== undefined && this.#isUsable(slot) ? slot : undefined;
  }

  /** Whether everybody may use a slot, and it has an address: there is none if the system has refused memory for it. */
  #isUsable({ index, isCandidateOnly }: TrampolineSlot): boolean {
    const table = this.#table;
    return !isCandidateOnly && table !== undefined && index < table.capacity && table.isFilled(index);
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
    const needed = this.#slots.all.length + count;
    if (count > 0 && needed > (this.#table?.capacity ?? 0)) this.#growTable(current, needed);
  }

  /** Makes the trampoline of a slot, and leads it to an address. */
  #fill(current: ModuleVersion, { index }: TrampolineSlot, address: bigint): void {
    this.#trampolinesOf(current).address(index);
    if (this.#table === undefined || index >= this.#table.capacity) {
      // Doubling bounds the memory of the old tables, which all stay.
      this.#growTable(current, Math.max(this.#slots.all.length, 2 * (this.#table?.capacity ?? 0)));
    }
    this.#table!.set(index, address);
  }

  /** All slots by their indexes, wherever they lead. */
  get all(): readonly TrampolineSlot[] {
    return this.#slots.all;
  }

  /** The functions that the slots mean in a version. */
  functionsOf(version: ModuleVersion): SlotFunctions {
    return this.#functions.of(version, this.#slots.all);
  }

  /** For each symbol of the current version the index of the slot that everybody may use; -1 without one. */
  bySymbol(current: ModuleVersion): Int32Array {
    const found = new Int32Array(current.image.file.symbols.length).fill(-1);
    const { symbols } = this.functionsOf(current);
    for (const slot of this.#slots.current()) {
      const symbol = symbols[slot.index];
      if (symbol >= 0 && this.#isUsable(slot)) found[symbol] = slot.index;
    }
    return found;
  }

  /**
   * The addresses of the trampolines that lead to a candidate's functions, by their symbols; 0 for others.
   *
   * @param addresses Where the slots lead.
   */
  canonicalOf(current: ModuleVersion, candidate: ModuleVersion, { addresses }: SlotTargets): Float64Array {
    const canonical = new Float64Array(candidate.image.file.symbols.length);
    const functions = this.functionsOf(candidate);
    const enter = ({ index }: TrampolineSlot): void => {
      const symbol = functions.symbols[index];
      if (symbol < 0 || addresses[index] !== functions.addresses[index]) return;
      canonical[symbol] = this.addressAsNumber(current, index);
    };
    for (const slot of this.#slots.current()) enter(slot);
    for (const slot of this.#slots.retired()) enter(slot);
    return canonical;
  }

  /** Gives other slots to the functions of a hot module whose signature a candidate changes. */
  renew(current: ModuleVersion, candidate: ModuleVersion, isChanged: IsChanged): RenewedSlots {
    return this.#slots.renew(
      candidate,
      isChanged,
      ({ index }) => this.functionsOf(candidate).symbols[index] >= 0,
      (slot) => this.#fill(current, slot, NOWHERE),
    );
  }

  /** The canonical address of a function: that of its trampoline. */
  address(current: ModuleVersion, slot: TrampolineSlot): bigint {
    return this.#trampolinesOf(current).address(slot.index);
  }

  /** Like {@linkcode TrampolineSlots.address}, of the slot at an index, as a number. */
  addressAsNumber(current: ModuleVersion, index: number): number {
    return this.#trampolinesOf(current).addressAsNumber(index);
  }

  /** The name of the trampoline that an address lies in, and where it leads; undefined for other addresses. */
  trampolineAt(address: bigint): { readonly name: string; readonly target: bigint } | undefined {
    const index = this.#trampolines?.indexAt(address);
    const slot = index === undefined ? undefined : this.all[index];
    return slot && { name: nameOfKey(slot.name), target: this.#table?.get(slot.index) ?? NOWHERE };
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
    if (this.#table === undefined) this.#growTable(current, this.#slots.all.length);
    const trampolines = this.#trampolinesOf(current), table = this.#table!;
    table.quarantine ??= quarantineOf(current.image);
    trampolines.switchTo(table);
    return trampolines.tablePointer + QUARANTINE_WORD;
  }

  /** Finds where each slot leads in a candidate, which changes the signatures of some functions. */
  targets(candidate: ModuleVersion, compatibility: Compatibility, renewed: RenewedSlots): SlotTargets {
    const addressOf = ({ index }: TrampolineSlot): number => Number(this.#table!.get(index));
    return findTargets(
      this.#slots,
      addressOf,
      candidate,
      this.functionsOf(candidate),
      compatibility,
      renewed,
    );
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
    const tableBefore = this.#versionTables.get(candidate)?.table;
    const versionTable = this.#prepareTable(candidate, addresses, own);
    const { table } = versionTable, isUsedAgain = table === tableBefore;
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
          if (isUsedAgain) table.refill(addresses);
          table.quarantine = quarantineOf(candidate.image);
          this.#trampolines!.switchTo(table);
          this.#fallBackFrom(candidate, table);
          candidate.addTrampolineUsers(this.#users);
        }
        this.#slots.leadAll(candidate, kept);
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
    const addresses = Float64Array.from(
      { length },
      (_, index) => index < capacity ? Number(this.#table!.get(index)) : 0,
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
