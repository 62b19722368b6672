/**
 * The callbacks of a reload, `migrate` and `verify`, as a participant.
 */

import { LoadError } from "../../errors/load_error.ts";
import { type LoadedModule, openHandle } from "../../module/handle.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { Participant, ReloadContext, Takeover } from "./participant.ts";

/** Lets the user's code see a candidate before anybody else does. */
export class Callbacks implements Participant {
  readonly #context: ReloadContext;

  constructor(context: ReloadContext) {
    this.#context = context;
  }

  migrate({ options: { migrate }, previous, candidate }: Takeover): void {
    if (migrate === undefined) return;
    using handles = new DisposableStack();
    const candidateHandle = this.#open(candidate, handles);
    migrate(this.#open(previous, handles), candidateHandle);
  }

  /** @throws {LoadError} `Incompatible` if `verify` returns false. */
  verify({ options: { verify }, candidate }: Takeover): void {
    if (verify === undefined) return;
    using handles = new DisposableStack();
    if (verify(this.#open(candidate, handles)) !== false) return;
    throw new LoadError("Incompatible", "Cannot reload: verify refused the new version", {
      path: candidate.path,
      hint: "find out why `verify` returned false; let it throw an error that says so",
    });
  }

  /** Opens a handle for one callback: it ends with the callback, and closing it does not end its version. */
  #open(version: ModuleVersion, handles: DisposableStack): LoadedModule {
    version.addHandle();
    handles.defer(() => version.releaseHandle());
    return handles.use(openHandle(version, { callPath: this.#context.callPath }));
  }
}
