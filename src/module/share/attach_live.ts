/**
 * Sharing live functions between isolates: this file leads from a token to the
 * source of a live library in the attaching isolate.
 */

import type { CallsInFlight } from "../../call/in_flight.ts";
import { LoadError } from "../../errors.ts";
import type { Lifetime } from "../lifetime.ts";
import type { LiveSource } from "../live_bindings.ts";
import { attachControl } from "./attach.ts";
import { type LiveToken, openLiveToken } from "./token.ts";

/**
 * Attaches this isolate to live functions of a module that another isolate owns.
 *
 * @throws {LoadError} `InvalidToken`, `Closed`, `Busy`.
 */
export function attachLiveSource(token: LiveToken): LiveSource {
  const { module, control } = openLiveToken(token);
  const slots = new Map(module.slots.map((slot) => [slot.name, slot]));
  let lifetime: Lifetime | undefined;
  let calls: CallsInFlight | undefined;
  const attachment = attachControl(control, `live functions of '${module.path}'`, {
    revoked: () => lifetime?.revokeQuietly(),
    callsInFlight: () => calls?.whenReturned(),
  });
  return {
    path: module.path,
    tablePointer: module.tablePointer,
    slot(name, size) {
      const slot = slots.get(name);
      if (slot !== undefined && size > slot.size) {
        throw new LoadError(
          "Incompatible",
          "Cannot bind static: the library that was shared binds fewer bytes",
          {
            path: module.path,
            symbol: name,
            size,
            range: [0, slot.size + 1],
            hint: "bind it with the type that the shared library has, or bind the larger type before share()",
          },
        );
      }
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
