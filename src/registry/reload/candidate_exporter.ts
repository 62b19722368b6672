/**
 * The exports of a candidate, as other candidates are linked to them that take over together with it.
 */

import type { FoundImport, IsolateQuestion, Provider } from "../../load/imports/resolve.ts";
import type { ModuleVersion } from "../../module/version.ts";
import { declarationsOf } from "./claims.ts";
import { type Exporter, exportNames, findExported } from "./exports.ts";
import type { ThreadLocalImporters } from "./thread_local_importers.ts";
import type { TrampolineSlot } from "./slot_names.ts";
import type { TrampolineSlots } from "./trampoline_slots.ts";
import type { VariableImporters } from "./variable_importers.ts";

/** The parts of a module's exports that a candidate shares with the current version. */
export interface SharedExports {
  readonly current: ModuleVersion;
  readonly slots: TrampolineSlots;
  readonly variables: VariableImporters;
  readonly threadLocals: ThreadLocalImporters;
  readonly isIsolateLocal: IsolateQuestion;
  /** Holds the candidate for importers. */
  readonly provider: Provider;
  /** The slot of an export of the current version. */
  slot(name: string): TrampolineSlot | undefined;
  /** Makes the answer for a function. */
  found(slot: TrampolineSlot, provider?: Provider): FoundImport;
}

/** Answers for a candidate: new functions lead into it at once, the others when it takes over. */
export function candidateExporter(candidate: ModuleVersion, shared: SharedExports): Exporter {
  const { current, slots, variables, threadLocals, isIsolateLocal, provider } = shared;
  const declared = declarationsOf(candidate.image);
  const find = (name: string): FoundImport | undefined => {
    const exported = findExported(candidate, name);
    if (exported === undefined) return undefined;
    if (exported.kind === "data") return variables.find(name, candidate, isIsolateLocal);
    const kind = findExported(current, name)?.kind;
    // A variable that becomes a function can be imported after the takeover, not before.
    if (kind === "data") return undefined;
    // Importers that take over together with the candidate are made for its declarations.
    const made = (slot: TrampolineSlot): Pick<FoundImport, "claim"> => ({
      claim: () => slot.claims.add(declared),
    });
    if (kind === "function") {
      const slot = shared.slot(name)!;
      return { ...shared.found(slot), ...made(slot) };
    }
    const known = slots.get(name);
    const isKept = known !== undefined && known.claims.exist && !known.isCandidateOnly;
    if (isKept && known.kind === "data") return undefined;
    const slot = isKept ? known : slots.enter(current, name, exported, candidate);
    slot.isCandidateOnly = !isKept;
    return { ...shared.found(slot, provider), ...made(slot) };
  };
  return {
    find,
    findThreadLocal: (name) => threadLocals.find(name, candidate, isIsolateLocal),
    names: () => exportNames(candidate),
  };
}
