/**
 * Sharing live functions between isolates: this file leads from a token to the
 * source of a live library in the attaching isolate.
 */

import type { CallsInFlight } from "../../call/in_flight.ts";
import { LoadError } from "../../errors/load_error.ts";
import { hasQuarantine, QUARANTINE_WORD } from "../../call/trampoline.ts";
import { requireGuards } from "../../load/runtime/crash_guard.ts";
import { KeptTypes } from "../../smf/kept_types.ts";
import type { Lifetime } from "../lifetime.ts";
import type { LiveSource } from "../live_bindings.ts";
import { attachControl } from "./attach.ts";
import { claimExport } from "./claims.ts";
import { type LiveToken, openLiveToken } from "./token.ts";

function withdrawn(path: string, symbol: string): LoadError {
  return new LoadError(
    "UndefinedSymbol",
    "Cannot bind: the module was reloaded, and no longer exports the name as it was",
    {
      path,
      symbol,
      symbols: [symbol],
      hint: "post a new token, made by share() after the reload, or correct the name",
    },
  );
}

/** Finds the word that leads to the quarantine of the current version. */
function requireQuarantine(path: string, tablePointer: bigint): bigint {
  requireGuards(path);
  if (hasQuarantine(tablePointer)) return tablePointer + QUARANTINE_WORD;
  throw new LoadError("Unsupported", "Cannot make crashes exceptions: the owner has not asked for it", {
    path,
    hint: 'open the functions with `onCrash: "throw"` in the isolate that owns the module, then share them',
  });
}

/**
 * Attaches this isolate to live functions of a module that another isolate owns.
 *
 * @throws {LoadError} `InvalidToken`, `Closed`, `Busy`.
 */
export function attachLiveSource(token: LiveToken): LiveSource {
  const { module, control } = openLiveToken(token);
  const slots = new Map(module.slots.map((slot) => [slot.name, slot]));
  const types = module.types && new KeptTypes(module.types);
  let lifetime: Lifetime | undefined;
  let calls: CallsInFlight | undefined;
  const attachment = attachControl(control, `live functions of '${module.path}'`, {
    revoked: () => lifetime?.revokeQuietly(),
    callsInFlight: () => calls?.whenReturned(),
  });
  return {
    path: module.path,
    tablePointer: module.tablePointer,
    quarantinePointer: () => requireQuarantine(module.path, module.tablePointer),
    // The owner can replace the version at any moment.
    tellsOfReloads: false,
    variable: (name) => {
      throw new LoadError("Unsupported", "Cannot view: another isolate owns the module", {
        path: module.path,
        symbol: name,
        hint: "view it through LoadedModule.attach(token), with the token of a version's share()",
      });
    },
    find(name) {
      const slot = slots.get(name);
      return slot && { kind: slot.kind, size: slot.symbolSize, typedAt: slot.typedAt };
    },
    exportNames: () => slots.keys(),
    types: () => types?.read(module.path),
    slot(name, size) {
      const slot = slots.get(name);
      if (slot === undefined) return undefined;
      if (size > slot.size) {
        throw new LoadError(
          "Incompatible",
          "Cannot bind static: the module that was shared provides fewer bytes",
          {
            path: module.path,
            symbol: name,
            size,
            range: [0, slot.size + 1],
            hint: "bind it with the type that the shared library has, or bind the larger type before share()",
          },
        );
      }
      if (!claimExport(module.claims, slot.index)) throw withdrawn(module.path, name);
      return slot;
    },
    begin() {
      attachment.setInFlight(calls!.count + 1);
      return () => attachment.setInFlight(calls!.count);
    },
    opened(openedLifetime, openedCalls) {
      lifetime = openedLifetime;
      calls = openedCalls;
    },
    revoked: () => {},
    release: () => attachment.leave(),
    share: () => token,
  };
}
