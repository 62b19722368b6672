/**
 * The names of a module that others use through trampolines, over all its
 * versions: each name keeps its index in every version's table.
 */

import type { Compatibility } from "../../image/compatibility.ts";
import { offsetOf } from "../../module/image_data.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import type { TrampolineUsers } from "../../module/share/trampoline_users.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { MemoryAllocator } from "../../os/memory/allocator.ts";
import { nameOfKey } from "../../smf/entries.ts";
import type { NameUse } from "./claims.ts";
import type { Exported } from "./exports.ts";
import { type Lease, type LeaseRequest, requestsOf } from "./replaceable_leases.ts";
import { SlotFunctionFinder, type SlotFunctions } from "./slot_functions.ts";
import { type DeclarationChanges, type RenewedSlots, SlotNames, type TrampolineSlot } from "./slot_names.ts";
import { findTargets, type SlotTargets } from "./slot_targets.ts";
import { VersionTables } from "./version_tables.ts";

/** The entry of a slot that the current version does not export and nobody claims. */
const NOWHERE = 0;

const NO_TARGETS = new Float64Array();

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

/** The trampoline slots of one module. */
export class TrampolineSlots {
  readonly #tables: VersionTables;
  readonly #slots = new SlotNames();
  readonly #functions = new SlotFunctionFinder();
  /** Where the slots lead in the last candidate: new memory for each would cost more than filling it. */
  #targets: Float64Array = NO_TARGETS;

  /** @param users Told of each version that is called through the trampolines. */
  constructor(allocator: MemoryAllocator, users: TrampolineUsers) {
    this.#tables = new VersionTables(allocator, users);
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
    return !isCandidateOnly && this.#tables.at(index) !== NOWHERE;
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
    this.#fill(current, slot, Number(address));
    return slot;
  }

  /**
   * Makes the slots of functions of the current version, where there are none: the module holds their addresses.
   *
   * @param bySymbol The slots by the functions' symbols, as {@linkcode TrampolineSlots.bySymbol} finds them; gets the
   * new ones. Names that have a slot for somebody else are left.
   */
  enterFunctions(current: ModuleVersion, symbols: ArrayLike<number>, bySymbol: Int32Array): void {
    let missing = 0;
    for (let index = 0; index < symbols.length; index++) if (bySymbol[symbols[index]] < 0) missing++;
    if (missing === 0) return;
    const { image } = current, base = Number(image.memory.address), first = this.#slots.length;
    const before = this.functionsOf(current).symbols, others = this.#symbolsOfCurrent(before);
    const entered = new Int32Array(missing), addresses = new Float64Array(missing);
    let count = 0;
    for (let index = 0; index < symbols.length; index++) {
      const symbol = symbols[index];
      if (bySymbol[symbol] >= 0 || others.has(symbol)) continue;
      const offset = offsetOf(image, symbol);
      if (offset < 0) continue;
      bySymbol[symbol] = first + count;
      entered[count] = symbol;
      addresses[count++] = base + offset;
    }
    try {
      this.#tables.enterAll(current, first, addresses.subarray(0, count));
    } catch (error) {
      for (let index = 0; index < count; index++) bySymbol[entered[index]] = -1;
      throw error;
    }
    const added = entered.subarray(0, count), all = new Int32Array(first + count);
    this.#slots.addQuiet(current, added);
    all.set(before);
    all.set(added, first);
    this.#functions.enter(current, all);
  }

  /** The symbols of the functions that names with a slot of their own mean, whether or not everybody may use it. */
  #symbolsOfCurrent(symbols: Int32Array): Set<number> {
    const found = new Set<number>();
    for (const { index } of this.#slots.current()) if (symbols[index] >= 0) found.add(symbols[index]);
    return found;
  }

  /** Makes the trampoline of a slot, and leads it to an address. */
  #fill(current: ModuleVersion, { index }: TrampolineSlot, address: number): void {
    this.#tables.fill(current, index, address, this.#slots.length);
  }

  /** All slots, wherever they lead, but for those that nobody uses but the module itself. */
  get awake(): readonly TrampolineSlot[] {
    return this.#slots.awake;
  }

  /** The slot at an index, wherever it leads; undefined if nobody uses it but the module itself. */
  awakeAt(index: number): TrampolineSlot | undefined {
    return this.#slots.awakeAt(index);
  }

  /** Whether any slot leads into a version. */
  leadInto(lifetime: Lifetime): boolean {
    return this.#slots.quiet.leadInto(lifetime) ||
      this.#slots.awake.some(({ target }) => target === lifetime);
  }

  /** The functions that the slots mean in a version. */
  functionsOf(version: ModuleVersion): SlotFunctions {
    return this.#functions.of(version, this.#slots);
  }

  /** For each symbol of the current version the index of the slot that everybody may use; -1 without one. */
  bySymbol(current: ModuleVersion): Int32Array {
    const found = new Int32Array(current.image.file.symbols.length).fill(-1);
    const { symbols } = this.functionsOf(current);
    this.#slots.quiet.enterIndexes(found);
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
    for (let index = 0; index < addresses.length; index++) {
      const symbol = functions.symbols[index];
      if (symbol < 0 || addresses[index] !== functions.addresses[index]) continue;
      canonical[symbol] = this.addressAsNumber(current, index);
    }
    return canonical;
  }

  /** Gives other slots to the functions of a hot module whose signature a candidate changes. */
  renew(current: ModuleVersion, candidate: ModuleVersion, changes: DeclarationChanges): RenewedSlots {
    return this.#slots.renew(
      candidate,
      changes,
      ({ index }) => this.functionsOf(candidate).symbols[index] >= 0,
      (slot) => this.#fill(current, slot, NOWHERE),
    );
  }

  /** The canonical address of a function: that of its trampoline. */
  address(current: ModuleVersion, slot: TrampolineSlot): bigint {
    return this.#tables.trampolinesOf(current).address(slot.index);
  }

  /** Like {@linkcode TrampolineSlots.address}, of the slot at an index, as a number. */
  addressAsNumber(current: ModuleVersion, index: number): number {
    return this.#tables.trampolinesOf(current).addressAsNumber(index);
  }

  /** The name of the trampoline that an address lies in, and where it leads; undefined for other addresses. */
  trampolineAt(address: bigint): { readonly name: string; readonly target: bigint } | undefined {
    const index = this.#tables.indexAt(address);
    if (index === undefined || index >= this.#slots.length) return undefined;
    return { name: nameOfKey(this.#slots.nameOf(index)), target: BigInt(this.#tables.at(index)) };
  }

  /** The uses of names by importers, live libraries and leases. */
  *uses(): Iterable<NameUse> {
    for (const claims of this.#slots.claimed()) {
      for (const claim of claims) yield { name: claims.name, claim, isWhole: false };
    }
  }

  /** The address of the word that holds the address of the current version's table. */
  tablePointer(current: ModuleVersion): bigint {
    return this.#tables.trampolinesOf(current).tablePointer;
  }

  /**
   * The address of the word that leads to the current version's quarantine, which
   * must be prepared for guards.
   */
  quarantinePointer(current: ModuleVersion): bigint {
    return this.#tables.quarantinePointer(current, this.#slots.length);
  }

  /** Finds where each slot leads in a candidate, which changes the signatures of some functions. */
  targets(candidate: ModuleVersion, compatibility: Compatibility, renewed: RenewedSlots): SlotTargets {
    const addressOf = ({ index }: TrampolineSlot): number => this.#tables.at(index);
    const { length } = this.#slots;
    if (this.#targets.length !== length) this.#targets = new Float64Array(length);
    return findTargets(
      this.#slots,
      addressOf,
      candidate,
      this.functionsOf(candidate),
      compatibility,
      renewed,
      this.#targets,
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
    const prepared = this.#tables.prepare(candidate, addresses, undo);
    const { symbols } = this.functionsOf(candidate);
    const leases = [...requests, ...requestsOf(kept)].map(({ lifetime, why }): Lease => {
      const hold = undo.use(lifetime.holdLeaseFor(candidate.image.identity, why));
      return { lifetime, [Symbol.dispose]: () => hold[Symbol.dispose]() };
    });
    let obsolete: readonly Lease[] = [];
    return {
      commit: () => {
        prepared.commit();
        this.#slots.replace(renewed);
        this.#slots.leadAll(candidate, symbols, kept);
        obsolete = prepared.leases.replace(leases);
      },
      release(allReturned) {
        for (const lease of obsolete) {
          if (!allReturned) lease.lifetime.pin();
          lease[Symbol.dispose]();
        }
      },
    };
  }
}
