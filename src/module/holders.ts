/**
 * Holders: everything that keeps a version's memory, and the graph of versions
 * that hold each other by importing, perhaps in circles.
 */

import { LazySet } from "../os/lazy_collections.ts";
import type { ModuleIdentity } from "../load/imports/resolve.ts";

/** The kinds of holders: the rules for closing differ by kind. */
export type HoldKind = "importer" | "lease" | "address" | "version" | "call" | "running" | "isolate";

/** One reason why a version's memory stays. */
export interface Holder {
  readonly kind: HoldKind;
  /** For messages and `holders()`: `module '/a/b.smf'`, `a nonblocking call`. */
  readonly description: string;
  /** The module that holds the version, if a module does. */
  readonly importer?: ModuleIdentity;
}

/** The holders of one version that are counted one by one. */
export class HolderSet implements Iterable<Holder> {
  readonly #holders = new LazySet<Holder>();
  #hadLease = false;
  #hadImporter = false;

  /** Whether a raw address was ever leased. */
  get hadLease(): boolean {
    return this.#hadLease;
  }

  /** Whether another module ever imported from the version. */
  get hadImporter(): boolean {
    return this.#hadImporter;
  }

  /** Adds a holder until the result is disposed of; then calls `released` once. */
  add(holder: Holder, released: () => void): Disposable {
    this.#holders.add(holder);
    if (holder.kind === "lease") this.#hadLease = true;
    if (holder.kind === "importer") this.#hadImporter = true;
    return {
      [Symbol.dispose]: (): void => {
        if (this.#holders.delete(holder)) released();
      },
    };
  }

  [Symbol.iterator](): Iterator<Holder> {
    return this.#holders[Symbol.iterator]();
  }
}

/** Something that keeps the memory of a {@linkcode HeldNode}. */
export interface Keeper<V> {
  readonly kind: HoldKind;
  /** The version that holds it, if a version does. */
  readonly version: V | undefined;
}

/** A version as a node of the graph; its edges lead to the versions that hold it. */
export interface HeldNode<V> {
  /** Whether its functions can be called. */
  readonly isOpen: boolean;
  /** Whether nothing but its keepers stands between it and being freed. */
  readonly isDraining: boolean;
  /** The versions that hold it, including pinned ones that have ended. */
  importers(): Iterable<V>;
  /** Everything that keeps its memory now. */
  keepers(): Iterable<Keeper<V>>;
}

/**
 * Finds the versions that import from a version, directly or through others.
 *
 * @returns them; with `version` itself only if it is part of a circle.
 */
export function allImporters<V extends HeldNode<V>>(version: HeldNode<V>): Set<V> {
  const found = new Set<V>(version.importers());
  for (const importer of found) {
    for (const next of importer.importers()) found.add(next);
  }
  return found;
}

/**
 * Finds the versions that can be freed together with a version: modules that
 * import from each other end together.
 *
 * @returns `version` and all versions that hold it, if each of them is draining
 * and nothing else keeps any of them; otherwise `undefined`.
 */
export function freeableGroup<V extends HeldNode<V>>(version: V): Set<V> | undefined {
  const group = new Set<V>([version]);
  for (const member of group) {
    if (member !== version && !member.isDraining) return undefined;
    for (const { version: holder } of member.keepers()) {
      if (holder === undefined) return undefined;
      group.add(holder);
    }
  }
  return group;
}

/**
 * Why memory stays: for a raw address that a user leases, for an address in
 * another module's variables, for an open module of the version's own circle,
 * or for something that can be waited for.
 */
export type KeepReason = "lease" | "address" | "circle" | "other";

/** Finds every reason that keeps a version's memory, or that of a version that holds it. */
export function keepReasons<V extends HeldNode<V>>(version: V): Set<KeepReason> {
  const reasons = new Set<KeepReason>();
  const members = new Set<V>([version]);
  for (const member of members) {
    if (member.isOpen) {
      reasons.add(allImporters(member).has(version) ? "circle" : "other");
      continue;
    }
    if (!member.isDraining) reasons.add("other");
    for (const { kind, version: holder } of member.keepers()) {
      if (kind === "address") reasons.add("address");
      else if (holder !== undefined) members.add(holder);
      else reasons.add(kind === "lease" ? "lease" : "other");
    }
  }
  return reasons;
}
