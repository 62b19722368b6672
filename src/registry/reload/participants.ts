/**
 * The participants of a module's reload, in the order in which they take each step but the commit.
 */

import type { AddressGuards } from "./address_guards.ts";
import { Callbacks } from "./callbacks.ts";
import { CodeTakeover } from "./code_takeover.ts";
import { DebuggersTakeover } from "./debuggers_takeover.ts";
import { ExportsTakeover } from "./exports_takeover.ts";
import type { Participants, ReloadContext } from "./participant.ts";
import { Succession } from "./succession.ts";
import { ThreadLocalsTakeover } from "./thread_locals_takeover.ts";
import { VariablesTakeover } from "./variables_takeover.ts";

/** Makes them for the modules of one registry. */
export function participantsOf(context: ReloadContext, guards: AddressGuards): Participants {
  return (replacement) => [
    new ThreadLocalsTakeover(context),
    new Succession(context, guards),
    new ExportsTakeover(),
    new VariablesTakeover(replacement, context),
    new CodeTakeover(context),
    new Callbacks(context),
    new DebuggersTakeover(context),
  ];
}
