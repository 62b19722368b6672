/**
 * Compares the declarations that names in use were used for with those of a candidate, where both files tell the
 * types.
 */

import { LazyMap } from "../../os/lazy_collections.ts";
import type { Compatibility } from "../../image/compatibility.ts";
import { haveSameTypes } from "../../image/symbol_types.ts";
import { TypedPair } from "../../image/typed_variables.ts";
import { LoadError } from "../../errors/load_error.ts";
import { readUnlessDamaged } from "../../module/image_types.ts";
import { haveSameKeys, placeOfKey } from "../../module/function_keys.ts";
import type { ChangedUse, ModuleVersion } from "../../module/version.ts";
import { type Claim, type Declarations, declarationsOf, type NameUse } from "./claims.ts";

/** A message quotes so many declarations. */
const MOST_QUOTED = 3;

/** The changes that a candidate makes. */
export interface FoundChanges {
  /** Remembers that the users suit the candidate's declarations, too: a reload with `allow` has let them differ. */
  accept(): void;
}

/** Compares declarations; remembers the types that it has compared with those of the last candidate. */
export class ChangedUses {
  #candidate: WeakRef<ModuleVersion> | undefined;
  #pairs = new LazyMap<Declarations, TypedPair | undefined>();

  /**
   * Finds the names in use whose declarations a candidate changes, and tells the candidate.
   *
   * @throws {LoadError} `Incompatible` with `strict`, if there are any; `InvalidFormat` if the candidate's types are
   * damaged.
   */
  check(
    previous: ModuleVersion,
    candidate: ModuleVersion,
    uses: Iterable<NameUse>,
    compatibility: Compatibility,
  ): FoundChanges {
    // First, so that damaged types are found whether or not anything is in use.
    this.#pairOf(declarationsOf(previous.image), candidate);
    const changed = new Map<string, ChangedUse>();
    const claims: Pick<Claim, "suits">[] = [];
    for (const { name, claim, isWhole } of uses) {
      const use = this.#change(name, claim.suits, isWhole, candidate);
      if (use === undefined) continue;
      claims.push(claim);
      changed.set(`${name}\0${use.before}`, use);
    }
    candidate.changedUses = [...changed.values()];
    if (changed.size > 0 && compatibility === "strict") throw refusal(candidate, candidate.changedUses);
    const declared = declarationsOf(candidate.image);
    return { accept: () => claims.forEach(({ suits }) => suits.push(declared)) };
  }

  /** Whether a candidate declares an export or an entry in another way. */
  isChanged(name: string, declared: Declarations, candidate: ModuleVersion): boolean {
    return this.#change(name, [declared], false, candidate) !== undefined;
  }

  /** Whether a candidate changes any declaration at all, as far as anybody knows. */
  isAnyChanged(declared: Declarations, candidate: ModuleVersion): boolean {
    return this.#pairOf(declared, candidate) !== undefined;
  }

  /** Compares with each of the declarations that users suit; returns how the last of them differs if all do. */
  #change(
    name: string,
    suits: readonly Declarations[],
    isWhole: boolean,
    candidate: ModuleVersion,
  ): ChangedUse | undefined {
    let change: ChangedUse | undefined;
    for (const declared of suits) {
      const pair = this.#pairOf(declared, candidate);
      if (pair === undefined) return undefined;
      const before = placeOfKey(declared, name), after = placeOfKey(candidate.image, name);
      if (before === undefined || after?.kind !== before.kind) return undefined;
      // A live variable is bound by its size and room; importers have its whole layout in their code.
      if (before.kind === "data" && !isWhole && !pair.isScalar(before.index)) return undefined;
      const use = pair.changedUse(before.index, after.index);
      if (use === undefined) return undefined;
      change = { name, ...use };
    }
    return change;
  }

  #pairOf(declared: Declarations, candidate: ModuleVersion): TypedPair | undefined {
    if (this.#candidate?.deref() !== candidate) {
      this.#candidate = new WeakRef(candidate);
      this.#pairs = new LazyMap();
    }
    if (!this.#pairs.has(declared)) {
      this.#pairs.set(declared, pairOf(declared, declarationsOf(candidate.image)));
    }
    return this.#pairs.get(declared);
  }
}

function pairOf(old: Declarations, now: Declarations): TypedPair | undefined {
  if (old.types === undefined || now.types === undefined || isSameFile(old, now)) return undefined;
  // The old ones first: a version that has the same takes over what is decoded by then.
  const typesBefore = readUnlessDamaged(old.types, old.description), types = now.types.read(now.description);
  if (typesBefore === undefined) return undefined;
  const before = { file: old.file, types: typesBefore }, after = { file: now.file, types };
  // Then no use is changed, and nobody needs to ask for each.
  return haveSameKeys(old, now) && haveSameTypes(before, after) ? undefined : new TypedPair(before, after);
}

function isSameFile(one: Declarations, other: Declarations): boolean {
  const { file: old } = one, { file: now } = other;
  return old === now || (old.checksum !== undefined && now.checksum !== undefined && old.size === now.size &&
    old.header.moduleHash === now.header.moduleHash);
}

function refusal({ path }: ModuleVersion, changed: readonly ChangedUse[]): LoadError {
  const quoted = changed.slice(0, MOST_QUOTED).map(({ name, before, after }) =>
    `'${name}' was ${before}, is ${after}`
  );
  const rest = changed.length - quoted.length;
  const more = rest > 0 ? `; and ${rest} more` : "";
  return new LoadError(
    "Incompatible",
    `Cannot reload: names in use are declared in another way: ${quoted.join("; ")}${more}`,
    {
      path,
      symbols: [...new Set(changed.map(({ name }) => name))],
      hint: 'close what uses them and bind them anew, or reload with `compatibility: "allow"`, ' +
        "if the callers suit both declarations",
    },
  );
}
