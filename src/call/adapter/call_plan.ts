/**
 * Plans the moves of an adapter: from the places where V8 puts values to those where the function looks for them.
 */

import { alignUp } from "../../smf/offsets.ts";
import type { Convention, Piece } from "./convention.ts";
import { type Place, Places } from "./places.ts";
import type { AdapterResult, AdapterSignature } from "./signature.ts";

/** A move into a register or onto the stack; `from` is a parameter of the adapter by its position. */
export type Move =
  /** All 64 bits. */
  | { readonly how: "word"; readonly from: number; readonly to: Place }
  /** A double becomes an integer. */
  | { readonly how: "number"; readonly from: number; readonly to: Place }
  /** The offset of a string becomes its address. */
  | { readonly how: "string"; readonly from: number; readonly to: Place }
  /** Bytes of the struct at an address. */
  | { readonly how: "piece"; readonly from: number; readonly piece: Piece }
  /** The struct at an address is copied to the stack's arguments. */
  | { readonly how: "stack"; readonly from: number; readonly size: number; readonly to: Place }
  /** The struct at an address is copied to the frame, and the copy's address moves. */
  | {
    readonly how: "copy";
    readonly from: number;
    readonly size: number;
    /** The copy's place among the frame's copies, in bytes. */
    readonly copyAt: number;
    readonly to: Place;
  };

/** The plan of an adapter's call. */
export interface CallPlan {
  /** Where the adapter's parameters come. */
  readonly incoming: readonly Place[];
  readonly moves: readonly Move[];
  /** The bytes of arguments on the stack. */
  readonly stackBytes: number;
  /** The bytes of copies in the frame. */
  readonly copyBytes: number;
  /**
   * The size of the stack frame below the saved frame pointer, in bytes: a multiple of 16 with room for arguments,
   * copies, the adapter's parameters and the address of `errno`.
   */
  readonly frameBytes: number;
  /** The number of registers for floating-point numbers that pass arguments. */
  readonly floats: number;
  readonly result: AdapterResult;
  /** The parts of a struct that is returned in registers, and the parameter that says where it goes. */
  readonly returned: { readonly pieces: readonly Piece[]; readonly to: number } | undefined;
}

/** The most bytes of a frame: less than a page, so that a call steps over no page of the stack, and short immediates do. */
const MOST_FRAME_BYTES = 4000;
/** The alignment of the stack, and of what is put there. */
const ALIGNMENT = 16;

/** Plans a call; undefined if it needs a larger frame than adapters make. */
export function planCall(
  { parameters, result, errnoParameter }: AdapterSignature,
  convention: Convention,
): CallPlan | undefined {
  const outer = new Places(convention.registers);
  const incoming = parameters.map((parameter) =>
    outer.word(
      parameter.kind === "number" || (parameter.kind === "word" && parameter.class === "float")
        ? "float"
        : "integer",
    )
  );
  const inner = new Places(convention.registers);
  const moves: Move[] = [];
  let copyBytes = 0;
  let returned: CallPlan["returned"];
  if (result.kind === "struct") {
    const from = incoming.push(outer.word("integer")) - 1;
    const way = convention.return(result.leaves);
    if (way !== "memory") returned = { pieces: way, to: from };
    else if (convention.resultAddress === undefined) {
      moves.push({ how: "word", from, to: inner.word("integer") });
    } else moves.push({ how: "word", from, to: { in: "integer", at: convention.resultAddress } });
  }
  parameters.forEach((parameter, from) => {
    if (parameter.kind === "word") {
      return moves.push({ how: "word", from, to: inner.word(parameter.class) });
    }
    if (parameter.kind !== "struct") {
      return moves.push({ how: parameter.kind, from, to: inner.word("integer") });
    }
    const { leaves } = parameter;
    const { size } = leaves;
    const way = convention.pass(leaves, inner);
    if (way === "stack") return moves.push({ how: "stack", from, size, to: inner.stack(size) });
    if (way === "copy") {
      moves.push({ how: "copy", from, size, copyAt: copyBytes, to: inner.word("integer") });
      return copyBytes += alignUp(size, ALIGNMENT);
    }
    for (const piece of way) moves.push({ how: "piece", from, piece });
  });
  if (errnoParameter) incoming.push(outer.word("integer"));
  const stackBytes = alignUp(inner.stackBytes, ALIGNMENT);
  if (stackBytes + copyBytes + 8 * incoming.length > MOST_FRAME_BYTES) return undefined;
  // Callers' arguments on the stack are reached from the frame pointer, by an immediate as well.
  if (outer.stackBytes > MOST_FRAME_BYTES) return undefined;
  const frameBytes = alignUp(stackBytes + copyBytes + 8 * (incoming.length + 1), ALIGNMENT);
  return { incoming, moves, stackBytes, copyBytes, frameBytes, floats: inner.floats, result, returned };
}

/** The moves in the order in which no register is needed again after it was filled. */
export function orderedMoves(moves: readonly Move[]): Move[] {
  const rank = (move: Move): number => {
    if (move.how === "stack") return 0;
    const place = move.how === "piece" ? move.piece.in : move.to.in;
    return place === "stack" ? 0 : place === "float" ? 1 : 2;
  };
  return moves.toSorted((a, b) => rank(a) - rank(b));
}

/** The sizes of the accesses that cover so many bytes: 8, then 4, 2 and 1 for the rest. */
export function accesses(size: number): { readonly offset: number; readonly size: number }[] {
  const found: { offset: number; size: number }[] = [];
  for (let offset = 0; offset < size;) {
    const left = size - offset;
    const step = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    found.push({ offset, size: step });
    offset += step;
  }
  return found;
}
