/**
 * The trampoline slots of one module by name. A name may have several: code that was compiled for a function's old
 * signature keeps the old slot, and the code behind it.
 */

import { LazyMap, LazySet } from "../../os/lazy_collections.ts";
import type { ExportKind } from "../../image/compatibility.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import type { ModuleVersion } from "../../module/version.ts";
import { Claims, type Declarations, declarationsOf } from "./claims.ts";
import { QuietSlots } from "./quiet_slots.ts";

/** A function or variable in use, at the same index of every version's table. */
export interface TrampolineSlot {
  /** The name of the export, or the key of an entry that is not one. */
  readonly name: string;
  readonly index: number;
  kind: ExportKind;
  /** Bytes of the largest static that the name is bound as. */
  size: number;
  /** The uses by importers, live libraries and leases. A version may lack a name without claims. */
  readonly claims: Claims;
  /** The lifetime of the version that it leads into: not the current one, if that lacks the name. */
  target: Lifetime;
  /** The declarations of that version. */
  declared: Declarations;
  /**
   * Whether a version holds its address in words of its own, or other isolates were given it: then a version may
   * lack the name, and it stays.
   */
  isTaken: boolean;
  /** Whether it leads into a candidate, so that only candidates that take over together may use it. */
  isCandidateOnly: boolean;
}

/** The slots that a candidate leads somewhere else than the names did before: the old one, and the new one. */
export type RenewedSlots = ReadonlyMap<TrampolineSlot, TrampolineSlot>;

/** Compares the declarations of a version with those of a candidate. */
export interface DeclarationChanges {
  /** Whether the candidate declares any function in another way. */
  isAnyChanged(declared: Declarations, candidate: ModuleVersion): boolean;
  /** Whether it declares this function in another way. */
  isChanged(name: string, declared: Declarations, candidate: ModuleVersion): boolean;
}

/** The slots of one module. */
export class SlotNames {
  readonly #current = new LazyMap<string, TrampolineSlot>();
  /** Slots of names that have another one now. */
  readonly #retired = new LazySet<TrampolineSlot>();
  /** By their indexes; undefined for those that are quiet. */
  readonly #all: (TrampolineSlot | undefined)[] = [];
  readonly #awake: TrampolineSlot[] = [];
  /** The slots that nobody uses but the module itself. */
  readonly quiet: QuietSlots = new QuietSlots();
  /** The uses of names, among them some that have ended. */
  readonly #claimed = new LazySet<Claims>();

  /** The number of slots that were ever made. */
  get length(): number {
    return this.#all.length;
  }

  /** All slots that are not quiet. */
  get awake(): readonly TrampolineSlot[] {
    return this.#awake;
  }

  /** The slot at an index; undefined if it is quiet. */
  awakeAt(index: number): TrampolineSlot | undefined {
    return this.#all[index];
  }

  /** The name of the slot at an index. */
  nameOf(index: number): string {
    return this.#all[index]?.name ?? this.quiet.nameOf(index)!;
  }

  /** The slot of a name, wherever it leads. */
  get(name: string): TrampolineSlot | undefined {
    const known = this.#current.get(name);
    if (known !== undefined) return known;
    const index = this.quiet.indexOf(name);
    return index < 0 ? undefined : this.wake(index);
  }

  /** Makes a quiet slot one that others can use. */
  wake(index: number): TrampolineSlot {
    const name = this.quiet.nameOf(index)!;
    const slot = this.#newSlot(name, index, "function", this.quiet.leading);
    slot.isTaken = true;
    this.quiet.remove(index);
    this.#all[index] = slot;
    this.#awake.push(slot);
    this.#current.set(name, slot);
    return slot;
  }

  /** Makes quiet slots that lead to functions of a version, where none of the functions has a slot. */
  addQuiet(version: ModuleVersion, symbols: Int32Array): void {
    const first = this.#all.length;
    for (let count = 0; count < symbols.length; count++) this.#all.push(undefined);
    this.quiet.add(version, first, symbols);
  }

  /** Returns the slot of a name, which is made if there is none, and leads it into a version. */
  lead(name: string, kind: ExportKind, version: ModuleVersion): TrampolineSlot {
    const known = this.get(name);
    if (known !== undefined) return Object.assign(known, leading(version), { kind, isCandidateOnly: false });
    const made = this.#make(name, kind, version);
    this.#current.set(name, made);
    return made;
  }

  #make(name: string, kind: ExportKind, version: ModuleVersion): TrampolineSlot {
    const slot = this.#newSlot(name, this.#all.length, kind, leading(version));
    this.#all.push(slot);
    this.#awake.push(slot);
    return slot;
  }

  #newSlot(
    name: string,
    index: number,
    kind: ExportKind,
    { target, declared }: Pick<TrampolineSlot, "target" | "declared">,
  ): TrampolineSlot {
    return {
      name,
      index,
      kind,
      size: 0,
      claims: new Claims(name, this.#claimed),
      target,
      declared,
      isTaken: false,
      isCandidateOnly: false,
    };
  }

  /** The uses of all names that are in use. */
  *claimed(): Iterable<Claims> {
    for (const claims of this.#claimed) {
      if (claims.exist) yield claims;
      else this.#claimed.delete(claims);
    }
  }

  /** The slots that names have now, but for quiet ones. */
  current(): Iterable<TrampolineSlot> {
    return this.#current.values();
  }

  /** The slots that only code of old versions uses. */
  retired(): Iterable<TrampolineSlot> {
    return this.#retired;
  }

  /**
   * Gives other slots to the functions of a hot module whose signature a candidate changes, so that old code, which
   * passes arguments in the old way, keeps the old functions. A slot that led to functions of the new signature
   * before is used again.
   *
   * @param isFunction Whether a slot's name is a function in the candidate.
   * @param made Gets each new slot.
   */
  renew(
    candidate: ModuleVersion,
    changes: DeclarationChanges,
    isFunction: (slot: TrampolineSlot) => boolean,
    made: (slot: TrampolineSlot) => void,
  ): RenewedSlots {
    const renewed = new Map<TrampolineSlot, TrampolineSlot>();
    if (candidate.image.entries === undefined) return renewed;
    if (this.quiet.exist && changes.isAnyChanged(this.quiet.leading.declared, candidate)) {
      for (const index of this.quiet.indexes()) this.wake(index);
    }
    /** The declarations of most slots, if the candidate changes none of them. */
    let unchanged: Declarations | undefined;
    for (const slot of this.#current.values()) {
      const { name, kind, declared } = slot;
      if (declared === unchanged) continue;
      if (!changes.isAnyChanged(declared, candidate)) {
        unchanged = declared;
        continue;
      }
      // Whoever claims it is asked first, and then goes along.
      const isOwn = kind === "function" && slot.isTaken && !slot.claims.exist && !slot.isCandidateOnly;
      if (!isOwn || !changes.isChanged(name, declared, candidate) || !isFunction(slot)) continue;
      let next = this.#usedBefore(name, candidate, changes);
      if (next === undefined) {
        next = this.#make(name, kind, candidate);
        next.isCandidateOnly = true;
        this.#retired.add(next);
        made(next);
      }
      renewed.set(slot, next);
    }
    return renewed;
  }

  /** A slot of a name that is free, or whose users suit a candidate. */
  #usedBefore(
    name: string,
    candidate: ModuleVersion,
    changes: DeclarationChanges,
  ): TrampolineSlot | undefined {
    for (const slot of this.#retired) {
      if (slot.name !== name) continue;
      if (slot.isCandidateOnly || !changes.isChanged(name, slot.declared, candidate)) return slot;
    }
    return undefined;
  }

  /**
   * Leads the current slots of all names into a version, but for some.
   *
   * @param symbols The symbols of the functions of all slots there, by the slots' indexes.
   */
  leadAll(version: ModuleVersion, symbols: Int32Array, but: ReadonlySet<TrampolineSlot>): void {
    this.quiet.lead(version, symbols);
    const { target, declared } = leading(version);
    for (const slot of this.#current.values()) {
      if (but.size > 0 && but.has(slot)) continue;
      slot.target = target;
      slot.declared = declared;
      slot.isCandidateOnly = false;
    }
  }

  /** Makes slots the current ones of their names, in place of those that they renew. */
  replace(renewed: RenewedSlots): void {
    for (const [old, next] of renewed) {
      this.#retired.delete(next);
      this.#retired.add(old);
      this.#current.set(next.name, next);
      next.isTaken = true;
    }
  }
}

function leading({ lifetime, image }: ModuleVersion): Pick<TrampolineSlot, "target" | "declared"> {
  return { target: lifetime, declared: declarationsOf(image) };
}
