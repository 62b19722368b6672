/**
 * Puts adapters in front of functions.
 */

import { errnoLocation } from "../../os/errno.ts";
import { type CallFunction, pointerCall } from "../../os/pointer.ts";
import type { BindRequest } from "../path.ts";
import type { StubTarget } from "../stub/library.ts";
import { type Adaptation, adaptationOf, NO_STRINGS } from "./adaptation.ts";
import { AdaptedCell, reusedArray } from "./adapted_cell.ts";
import { openAdapters } from "./block.ts";
import { capturingCall, portableCall } from "./portable_call.ts";
import { ADAPTER_SYSTEM } from "./system.ts";

/** A function that V8 is to be led to. */
export interface FastRequest extends StubTarget {
  /** The function's own name, which errors mention. */
  readonly name: string;
  /** Present if an adapter is needed, which {@linkcode AdaptedCell.adaptation} has. */
  readonly adapted: AdaptedCell | undefined;
}

/**
 * Makes the adapters that are needed, and returns the target of each fast call: the function or its adapter.
 *
 * Safety: as for {@linkcode openAdapters}.
 *
 * @param owned Gets the adapters.
 * @throws {LoadError} `OutOfMemory`, `PermissionDenied`.
 */
export function adaptTargets(
  requests: readonly FastRequest[],
  owned: DisposableStack,
): readonly StubTarget[] {
  const codes = requests.flatMap(({ address, adapted }) => {
    if (adapted === undefined) return [];
    return [ADAPTER_SYSTEM!.write(adapted.adaptation.adapter!.plan, { address, ...adapted.places })];
  });
  if (codes.length === 0) return requests;
  const { addresses } = owned.use(openAdapters(codes));
  let next = 0;
  return requests.map(({ address, definition, adapted }) =>
    adapted === undefined
      ? { address, definition }
      : { address: addresses[next++], definition: adapted.adaptation.adapter!.definition }
  );
}

/** A function whose values are converted. */
export interface AdaptedRequest {
  /** The function's own name, which errors mention. */
  readonly name: string;
  readonly adaptation: Adaptation;
  /** Present if an adapter converts them. */
  readonly cell: AdaptedCell | undefined;
  /** The target of the long way: the function, or the adapter that stores `errno`, once it is made. */
  long: StubTarget;
}

/** The conversions of a function; undefined if Deno does them all. */
export function adaptedRequest({ name, address, definition }: BindRequest): AdaptedRequest | undefined {
  const adaptation = adaptationOf(definition);
  if (adaptation === undefined) return undefined;
  const cell = adaptation.adapter === undefined ? undefined : new AdaptedCell(adaptation, name);
  return { name, adaptation, cell, long: { address, definition: adaptation.plain } };
}

/** The fast call that serves a request: of its adapter, of the long way's target, or of the function itself. */
export function fastRequest(request: BindRequest, adapted: AdaptedRequest | undefined): FastRequest {
  const { name, address } = request;
  // Only a definition that Deno knows has no adaptation.
  if (adapted === undefined) {
    return { name, address, definition: request.definition as Deno.ForeignFunction, adapted };
  }
  const { long, cell, adaptation } = adapted;
  return cell === undefined
    ? { name, ...long, adapted: undefined }
    : { name, address, definition: adaptation.plain, adapted: cell };
}

/**
 * Makes the adapters that store `errno`.
 *
 * Safety, errors: as for {@linkcode adaptTargets}.
 */
export function openCapturing(
  requests: readonly (AdaptedRequest | undefined)[],
  owned: () => DisposableStack,
): void {
  const capturing = requests.filter((request): request is AdaptedRequest =>
    request?.adaptation.capturing !== undefined
  );
  if (capturing.length === 0) return;
  const { addresses } = owned().use(openAdapters(capturing.map(({ adaptation, cell, long }) => {
    const places = cell?.places ??
      { beyond: 0n, strings: NO_STRINGS, errno: { location: errnoLocation(), word: undefined } };
    return ADAPTER_SYSTEM!.write(adaptation.capturing!.plan, { address: long.address, ...places });
  })));
  capturing.forEach((request, index) => {
    request.long = { address: addresses[index], definition: request.adaptation.capturing!.definition };
  });
}

/**
 * The long way: a call with values that JavaScript converts.
 *
 * @param direct A call of {@linkcode AdaptedRequest.long}, if it is not to be made by its address.
 */
export function convertedCall(
  { name, adaptation, cell, long }: AdaptedRequest,
  direct?: CallFunction,
): CallFunction {
  const call = direct ?? pointerCall(long.address, long.definition);
  return portableCall(
    adaptation.capturing === undefined ? call : capturingCall(call, adaptation, cell?.errno),
    cell ?? { name, adaptation, reused: reusedArray(adaptation) },
  );
}
