/**
 * Compares the declarations of names in use between two versions, where both files tell the types.
 */

import { type Compatibility, exportPlace } from "../../image/compatibility.ts";
import { TypedPair } from "../../image/typed_variables.ts";
import { LoadError } from "../../errors/load_error.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { typesOf, typesOfRunning } from "../../module/image_types.ts";
import type { ChangedUse, ModuleVersion } from "../../module/version.ts";
import type { TrampolineSlots } from "./trampoline_slots.ts";
import type { VariableImporters } from "./variable_importers.ts";

/** A message quotes so many declarations. */
const MOST_QUOTED = 3;

/** Compares declarations; remembers the types of the version that it was asked about last. */
export class ChangedUses {
  #compared: { readonly candidate: WeakRef<ModuleVersion>; readonly pair: TypedPair | undefined } | undefined;

  /**
   * Finds the names in use whose declarations a candidate changes, and tells the candidate.
   *
   * @throws {LoadError} `Incompatible` with `strict`, if there are any.
   */
  check(
    previous: ModuleVersion,
    candidate: ModuleVersion,
    slots: TrampolineSlots,
    variables: VariableImporters,
    compatibility: Compatibility,
  ): void {
    candidate.changedUses = this.#find(previous, candidate, slots, variables);
    if (candidate.changedUses.length > 0 && compatibility === "strict") {
      throw refusal(candidate, candidate.changedUses);
    }
  }

  #find(
    previous: ModuleVersion,
    candidate: ModuleVersion,
    slots: TrampolineSlots,
    variables: VariableImporters,
  ): ChangedUse[] {
    const pair = this.#pairOf(previous, candidate);
    const changed = new Map<string, ChangedUse>();
    if (pair === undefined) return [];
    const compare = (name: string, isImported: boolean): void => {
      const before = exportPlace(previous.image, name), after = exportPlace(candidate.image, name);
      if (before === undefined || after?.kind !== before.kind) return;
      // A live variable is bound by its size and room; importers have its whole layout in their code.
      if (before.kind === "data" && !isImported && !pair.isScalar(before.index)) return;
      const use = pair.changedUse(before.index, after.index);
      if (use !== undefined) changed.set(name, { name, ...use });
    };
    for (const { name, claims, target, isCandidateOnly } of slots.all()) {
      // A slot that leads into an older version stays there, or was compared when it moved.
      if (claims > 0 && !isCandidateOnly && target === previous.lifetime) compare(name, false);
    }
    for (const name of variables.names()) compare(name, true);
    return [...changed.values()];
  }

  #pairOf(previous: ModuleVersion, candidate: ModuleVersion): TypedPair | undefined {
    const { image: old } = previous, { image: now } = candidate;
    if (old.types === undefined || now.types === undefined || isSameFile(old, now)) return undefined;
    if (this.#compared?.candidate.deref() === candidate) return this.#compared.pair;
    const types = typesOf(now), typesBefore = types && typesOfRunning(old);
    const pair = types === undefined || typesBefore === undefined
      ? undefined
      : new TypedPair({ file: old.file, types: typesBefore }, { file: now.file, types });
    this.#compared = { candidate: new WeakRef(candidate), pair };
    return pair;
  }
}

function isSameFile({ file: old }: LoadedImage, { file: now }: LoadedImage): boolean {
  return old.checksum !== undefined && now.checksum !== undefined && old.size === now.size &&
    old.header.moduleHash === now.header.moduleHash;
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
      symbols: changed.map(({ name }) => name),
      hint: 'close what uses them and bind them anew, or reload with `compatibility: "allow"`, ' +
        "if the callers suit both declarations",
    },
  );
}
