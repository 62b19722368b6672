/**
 * The names of a module that others use through trampolines, over all its
 * versions: each keeps its place in every version's table.
 */

import { type JumpTable, Trampolines } from "../../call/trampoline.ts";
import { type Compatibility, type ExportKind, fitOf, isRefused } from "../../image/compatibility.ts";
import { type Exported, findExported } from "./exports.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import type { MemoryAllocator } from "../../os/memory/allocator.ts";
import { abandon } from "../../os/memory/deferred_release.ts";
import type { TrampolineUsers } from "../../module/share/trampoline_users.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** A name that others use, for ever at the same place of every version's table. */
export interface Slot {
  readonly name: string;
  readonly index: number;
  kind: ExportKind;
  /** Bytes of the largest static that it is bound as. */
  size: number;
  /** How many importers and live libraries use it; a version may lack what nobody uses. */
  users: number;
  /** Of the version that it leads into: not the current one, if that lacks it. */
  home: Lifetime;
  /** Whether that version has not taken over, and who is to take over with it alone uses it. */
  offered: boolean;
}

/** Marks a slot as in use until disposed. */
export function claimSlot(slot: Slot): Disposable {
  slot.users++;
  return { [Symbol.dispose]: () => void slot.users-- };
}

/** Where a slot leads that the current version does not export and nobody uses. */
const NOWHERE = 0n;

/** Where the slots lead in a version. */
export interface Targets {
  /** By index. */
  readonly addresses: readonly bigint[];
  /** Those that have to stay where they are. */
  readonly kept: ReadonlySet<Slot>;
  /** Names in use that do not fit. */
  readonly missing: readonly string[];
}

/** A version that has to stay for another one, and why. */
export interface LeaseRequest {
  readonly lifetime: Lifetime;
  readonly why: string;
}

/** What a version needs as the current one; it is used again when the version comes back. */
interface VersionTable {
  /** On other versions that have to stay for it. */
  readonly leases: Leases;
  /** Once it is called through trampolines. */
  readonly table: JumpTable | undefined;
}

/** Leases of which only the latest count. */
class Leases implements Disposable {
  #leases: readonly Disposable[] = [];

  /** Gives those that counted before. */
  replace(leases: readonly Disposable[]): readonly Disposable[] {
    const before = this.#leases;
    this.#leases = leases;
    return before;
  }

  [Symbol.dispose](): void {
    for (const lease of this.replace([])) lease[Symbol.dispose]();
  }
}

/** Those of one module. */
export class Slots {
  readonly #allocator: MemoryAllocator;
  readonly #use: TrampolineUsers;
  readonly #slots = new Map<string, Slot>();
  #trampolines: Trampolines | undefined;
  #table: JumpTable | undefined;
  readonly #serving = new WeakMap<ModuleVersion, VersionTable>();

  /** @param use Who calls through the trampolines. */
  constructor(allocator: MemoryAllocator, use: TrampolineUsers) {
    this.#allocator = allocator;
    this.#use = use;
  }

  /** The slot of a name, wherever it leads. */
  get(name: string): Slot | undefined {
    return this.#slots.get(name);
  }

  /** The slot of a name, if it leads somewhere for everybody. */
  find(name: string): Slot | undefined {
    const slot = this.#slots.get(name);
    const leads = slot?.offered === false && this.#table!.get(slot.index) !== NOWHERE;
    return leads ? slot : undefined;
  }

  /** Leads a name, which nobody uses yet, to where a version has it. */
  enter(current: ModuleVersion, name: string, { kind, address }: Exported, home: Lifetime): Slot {
    const slot: Slot = this.#slots.get(name) ??
      { name, index: this.#slots.size, kind, size: 0, users: 0, home, offered: false };
    Object.assign(slot, { kind, home, offered: false });
    this.#trampolinesOf(current).address(slot.index);
    if (this.#table === undefined || slot.index >= this.#table.capacity) this.#growTable(current, address);
    this.#table!.set(slot.index, address);
    this.#slots.set(name, slot);
    return slot;
  }

  /** The one canonical address of a function. */
  address(current: ModuleVersion, slot: Slot): bigint {
    return this.#trampolinesOf(current).address(slot.index);
  }

  /** Where the address of the current version's table is. */
  tablePointer(current: ModuleVersion): bigint {
    return this.#trampolinesOf(current).tablePointer;
  }

  /** Where each slot leads in a candidate. */
  targets(candidate: ModuleVersion, compatibility: Compatibility): Targets {
    const addresses: bigint[] = [];
    const kept = new Set<Slot>();
    const missing: string[] = [];
    for (const slot of this.#slots.values()) {
      const target = findExported(candidate, slot.name);
      const fit = fitOf(slot, target);
      addresses[slot.index] = NOWHERE;
      if (target !== undefined && fit === "fits") {
        addresses[slot.index] = target.address;
      } else if (slot.users > 0 && !slot.offered && isRefused(fit, compatibility)) {
        missing.push(slot.name);
      } else if (slot.users > 0) {
        addresses[slot.index] = this.#table!.get(slot.index);
        kept.add(slot);
      }
    }
    return { addresses, kept, missing };
  }

  /**
   * Gets ready to lead all slots into a candidate.
   *
   * @param requests What else has to stay for it.
   * @param undo What is to be disposed of if it does not take over.
   * @returns the commit, which cannot fail: it gives the leases that the
   * candidate had from the last time.
   */
  prepare(
    candidate: ModuleVersion,
    { addresses, kept }: Targets,
    requests: readonly LeaseRequest[],
    undo: DisposableStack,
  ): () => readonly Disposable[] {
    const belongings: Disposable[] = [];
    const own = <T extends Disposable>(belonging: T): T => {
      belongings.push(belonging);
      undo.defer(() => abandon(belonging));
      return belonging;
    };
    const serving = this.#serve(candidate, addresses, own);
    const { table } = serving;
    const ours = [...kept].map(({ name, home }): LeaseRequest => {
      return { lifetime: home, why: `its function '${name}', still in use` };
    });
    const leases = [...requests, ...ours].map(({ lifetime, why }) =>
      undo.use(lifetime.holdLeaseFor(candidate.image.importer, why))
    );
    return () => {
      for (const belonging of belongings) candidate.own(belonging);
      this.#serving.set(candidate, serving);
      this.#table = table;
      if (table !== undefined) {
        addresses.forEach((address, index) => table.set(index, address));
        this.#trampolines!.lead(table);
        candidate.addTrampolineUsers(this.#use);
      }
      for (const slot of this.#slots.values()) {
        if (!kept.has(slot)) Object.assign(slot, { home: candidate.lifetime, offered: false });
      }
      return serving.leases.replace(leases);
    };
  }

  /** What a version needs as the current one; what it does not have from the last time is made. */
  #serve(
    version: ModuleVersion,
    addresses: readonly bigint[],
    own: <T extends Disposable>(belonging: T) => T,
  ): VersionTable {
    const known = this.#serving.get(version);
    const leases = known?.leases ?? own(new Leases());
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
      current.addTrampolineUsers(this.#use);
      this.#trampolines = trampolines;
    }
    return this.#trampolines;
  }

  /** The old table stays with its version: a thread may be reading it. */
  #growTable(current: ModuleVersion, next: bigint): void {
    const { capacity } = this.#table ?? { capacity: 0 };
    const addresses = Array.from(
      { length: Math.min(capacity, this.#slots.size) },
      (_, index) => this.#table!.get(index),
    );
    addresses.push(next);
    // Twice as large: each of the old ones stays.
    while (addresses.length < 2 * capacity) addresses.push(NOWHERE);
    const table = this.#trampolinesOf(current).table(addresses);
    current.own(table);
    let leases = this.#serving.get(current)?.leases;
    if (leases === undefined) current.own(leases = new Leases());
    this.#serving.set(current, { table, leases });
    this.#trampolinesOf(current).lead(table);
    this.#table = table;
  }
}
