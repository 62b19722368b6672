/**
 * Writes adapters. The steps are the same on all processors; the instructions are not.
 *
 * ```text
 * frame + 16 …   the adapter's parameters on the stack
 * frame          the caller's frame pointer, return address
 *                the address of errno
 *                the adapter's parameters in registers
 *                copies of structs
 * stack …        the function's parameters on the stack
 * ```
 *
 * All parameters are stored first, so none is overwritten by a move.
 */

import { accesses, type CallPlan, type Move, orderedMoves } from "./call_plan.ts";
import type { Piece } from "./convention.ts";
import type { Place } from "./places.ts";
import type { AdapterCode, AdapterTarget } from "./signature.ts";

/** A place in memory. */
export interface Memory {
  readonly base: number;
  /** In bytes. */
  readonly distance: number;
}

/** The instructions that every processor has, with registers as it numbers them. */
export interface Assembler {
  /** The instructions that were written. */
  readonly bytes: Uint8Array;
  /** Loads 1, 2, 4 or 8 bytes; the rest of the register becomes 0. */
  load(register: number, memory: Memory, size: number): void;
  /** Stores 1, 2, 4 or 8 bytes. */
  store(register: number, memory: Memory, size: number): void;
  /** Loads a floating-point number of 4 or 8 bytes. */
  loadFloat(register: number, memory: Memory, size: number): void;
  /** Stores a floating-point number of 4 or 8 bytes. */
  storeFloat(register: number, memory: Memory, size: number): void;
  constant(register: number, value: bigint): void;
  /** A constant of 32 bits; the rest of the register becomes 0. */
  small(register: number, value: number): void;
  /** Puts the address of memory into a register. */
  address(register: number, memory: Memory): void;
  /** Converts the double in memory to an integer. */
  doubleToInteger(register: number, memory: Memory): void;
  /** Shifts right, without a sign. */
  shiftRight(register: number, bits: number): void;
  call(register: number): void;
}

/** The registers of a convention, as instructions number them. */
export interface AdapterRegisters {
  /** The integers among the parameters, in their order. */
  readonly parameters: readonly number[];
  /** The integers among the results, in their order. */
  readonly results: readonly number[];
  readonly stack: number;
  readonly frame: number;
  /** Two registers that pass no parameters, and that a function may overwrite. */
  readonly base: number;
  readonly spare: number;
}

/** Writes one adapter; each processor has its own. */
export abstract class AdapterWriter<Code extends Assembler> {
  protected readonly code: Code;
  protected readonly target: AdapterTarget;
  readonly #plan: CallPlan;
  readonly #registers: AdapterRegisters;

  constructor(code: Code, registers: AdapterRegisters, plan: CallPlan, target: AdapterTarget) {
    this.code = code;
    this.#registers = registers;
    this.#plan = plan;
    this.target = target;
  }

  /** Writes the instructions in front, which make the frame. */
  protected abstract begin(frameBytes: number): void;
  /** Writes the instructions at the end, which return. */
  protected abstract end(): void;
  /** Makes the offset of a string its address; 0 becomes the null pointer. */
  protected abstract offsetToAddress(register: number): void;
  /** Shifts a register left, and puts bytes of memory into the lower end. */
  protected abstract append(register: number, memory: Memory, size: number): void;
  /** Makes the integer result a double. */
  protected abstract numberResult(signed: boolean): void;
  /** Copies the string result, up to its NUL, as far as it is ASCII. */
  protected abstract stringResult(): void;
  /** Does what a convention asks for right before the call; `floats` registers pass floating-point numbers. */
  protected beforeCall(_floats: number): void {}

  write(): AdapterCode {
    const { code } = this;
    const { incoming, moves, frameBytes, floats, result, returned } = this.#plan;
    const { base } = this.#registers;
    const { address, errno } = this.target;
    this.begin(frameBytes);
    incoming.forEach((place, index) => this.#spill(place, index));
    if (errno !== undefined) this.#clearErrno(errno.location);
    for (const move of orderedMoves(moves)) this.#move(move);
    code.constant(base, address);
    this.beforeCall(floats);
    code.call(base);
    if (errno !== undefined) this.#storeErrno(errno.word);
    if (result.kind === "number") this.numberResult(result.signed);
    else if (result.kind === "string") this.stringResult();
    else if (returned !== undefined) this.#storeResult(returned);
    this.end();
    return { bytes: code.bytes, frameBytes };
  }

  #slot(index: number): Memory {
    const { stackBytes, copyBytes } = this.#plan;
    return { base: this.#registers.stack, distance: stackBytes + copyBytes + 8 * index };
  }

  get #errnoSlot(): Memory {
    return this.#slot(this.#plan.incoming.length);
  }

  /** The place of a parameter of the adapter, once all are in memory. */
  #parameter(index: number): Memory {
    const place = this.#plan.incoming[index];
    return place.in === "stack"
      ? { base: this.#registers.frame, distance: 16 + place.at }
      : this.#slot(index);
  }

  #spill(place: Place, index: number): void {
    if (place.in === "integer") this.code.store(this.#registers.parameters[place.at], this.#slot(index), 8);
    else if (place.in === "float") this.code.storeFloat(place.at, this.#slot(index), 8);
  }

  #move(move: Move): void {
    const { code } = this;
    const { stack } = this.#registers;
    const from = this.#parameter(move.from);
    switch (move.how) {
      case "word":
        if (move.to.in === "float") return code.loadFloat(move.to.at, from, 8);
        return this.#deliver(move.to, (register) => code.load(register, from, 8));
      case "number":
        return this.#deliver(move.to, (register) => code.doubleToInteger(register, from));
      case "string":
        return this.#deliver(move.to, (register) => {
          code.load(register, from, 4);
          this.offsetToAddress(register);
        });
      case "piece":
        return this.#loadPiece(from, move.piece);
      case "stack":
        return this.#copy(from, { base: stack, distance: move.to.at }, move.size);
      case "copy": {
        const copy = { base: stack, distance: this.#plan.stackBytes + move.copyAt };
        this.#copy(from, copy, move.size);
        return this.#deliver(move.to, (register) => code.address(register, copy));
      }
    }
  }

  /** Gives an integer to the function. */
  #deliver(to: Place, load: (register: number) => void): void {
    const { parameters, stack, spare } = this.#registers;
    if (to.in === "integer") return load(parameters[to.at]);
    load(spare);
    this.code.store(spare, { base: stack, distance: to.at }, 8);
  }

  /** Loads a piece of the struct whose address is at `from`: no byte behind it, which may not be readable. */
  #loadPiece(from: Memory, piece: Piece): void {
    const { code } = this;
    const { base, parameters } = this.#registers;
    code.load(base, from, 8);
    if (piece.in === "float") return code.loadFloat(piece.at, { base, distance: piece.offset }, piece.size);
    const register = parameters[piece.at];
    accesses(piece.size).reverse().forEach(({ offset, size }, index) => {
      const part = { base, distance: piece.offset + offset };
      if (index === 0) code.load(register, part, size);
      else this.append(register, part, size);
    });
  }

  /** Copies the struct whose address is at `from`. */
  #copy(from: Memory, to: Memory, total: number): void {
    const { code } = this;
    const { base, spare } = this.#registers;
    code.load(base, from, 8);
    for (const { offset, size } of accesses(total)) {
      code.load(spare, { base, distance: offset }, size);
      code.store(spare, { base: to.base, distance: to.distance + offset }, size);
    }
  }

  #storeResult({ pieces, to }: NonNullable<CallPlan["returned"]>): void {
    const { code } = this;
    const { base, results } = this.#registers;
    code.load(base, this.#parameter(to), 8);
    for (const piece of pieces) {
      if (piece.in === "float") {
        code.storeFloat(piece.at, { base, distance: piece.offset }, piece.size);
        continue;
      }
      const register = results[piece.at];
      for (const { offset, size } of accesses(piece.size)) {
        code.store(register, { base, distance: piece.offset + offset }, size);
        if (size < 8) code.shiftRight(register, 8 * size);
      }
    }
  }

  #clearErrno(location: bigint): void {
    const { code } = this;
    const { base, spare, results: [found] } = this.#registers;
    code.constant(base, location);
    code.call(base);
    code.store(found, this.#errnoSlot, 8);
    code.small(spare, 0);
    code.store(spare, { base: found, distance: 0 }, 4);
  }

  /** Stores `errno` in a word; without one, where the last parameter points. */
  #storeErrno(word: bigint | undefined): void {
    const { code } = this;
    const { base, spare } = this.#registers;
    code.load(spare, this.#errnoSlot, 8);
    code.load(spare, { base: spare, distance: 0 }, 4);
    if (word === undefined) code.load(base, this.#parameter(this.#plan.incoming.length - 1), 8);
    else code.constant(base, word);
    code.store(spare, { base, distance: 0 }, 4);
  }
}
