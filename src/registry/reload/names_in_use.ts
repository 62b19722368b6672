/**
 * How a candidate fits the uses of a module's names: by what it exports, and how it declares that.
 */

import type { Compatibility } from "../../image/compatibility.ts";
import { LoadError } from "../../errors/load_error.ts";
import { listNames } from "../../errors/names.ts";
import type { ModuleVersion } from "../../module/version.ts";
import { ChangedUses, type FoundChanges } from "./changed_uses.ts";
import { LeasedVariables } from "./leased_variables.ts";
import type { SharedSlots } from "./shared_slots.ts";
import type { RenewedSlots, TrampolineSlot } from "./slot_names.ts";
import type { SlotTargets } from "./slot_targets.ts";
import type { TrampolineSlots } from "./trampoline_slots.ts";
import { VariableImporters } from "./variable_importers.ts";

/** The fit of a candidate that may take over. */
export interface CandidateFit {
  readonly targets: SlotTargets;
  readonly changes: FoundChanges;
  /** Slots that isolates may no longer claim by the tokens that they have. */
  readonly withdrawn: readonly TrampolineSlot[];
}

/** The uses of one module's names, over all its versions. */
export class NamesInUse {
  /** Importers of variables. */
  readonly variables: VariableImporters = new VariableImporters();
  /** Variables whose addresses are leased. */
  readonly leased: LeasedVariables = new LeasedVariables();
  readonly #slots: TrampolineSlots;
  readonly #shared: SharedSlots;
  readonly #changed = new ChangedUses();

  /**
   * @param slots Everything that is used through trampolines.
   * @param shared The slots that other isolates were given.
   */
  constructor(slots: TrampolineSlots, shared: SharedSlots) {
    this.#slots = slots;
    this.#shared = shared;
  }

  /**
   * Compares a candidate with the uses.
   *
   * @param renews Whether functions whose signature it changes get other slots.
   * @throws {LoadError} `Incompatible`, listing the names that the candidate lacks or declares in another way.
   */
  fit(
    previous: ModuleVersion,
    candidate: ModuleVersion,
    compatibility: Compatibility,
    renews: boolean,
  ): CandidateFit {
    const slots = this.#slots;
    this.#shared.collect(slots.awake);
    const renewed: RenewedSlots = renews ? slots.renew(previous, candidate, this.#changed) : new Map();
    const targets = slots.targets(candidate, compatibility, renewed);
    const users = [this.variables, this.leased];
    const missing = [...targets.missing, ...users.flatMap((user) => user.missing(candidate, compatibility))];
    if (missing.length > 0) {
      const symbols = [...new Set(missing)];
      const message = `Cannot reload: the new version does not export ${listNames(symbols)} as before`;
      throw new LoadError("Incompatible", message, { path: candidate.path, symbols });
    }
    const uses = [slots, ...users].flatMap((user) => [...user.uses()]);
    const changes = this.#changed.check(previous, candidate, uses, compatibility);
    const changed = this.#shared.offered(slots.awake)
      .filter(({ name, declared }) => this.#changed.isChanged(name, declared, candidate));
    return { targets, changes, withdrawn: [...targets.dropped, ...changed] };
  }
}
