/**
 * The places of parameters, which the conventions of all processors give out in the order of the parameters.
 */

import { alignUp } from "../../smf/offsets.ts";

/** A register by its number among those that pass such values, or bytes among the arguments on the stack. */
export interface Place {
  readonly in: "integer" | "float" | "stack";
  /** The register's number; on the stack, bytes from the stack pointer at the call. */
  readonly at: number;
}

/** The registers that pass parameters. */
export interface ParameterRegisters {
  readonly integers: number;
  readonly floats: number;
  /**
   * Whether the parameter at each position takes the register of that number, of either kind: the Windows x64
   * convention.
   */
  readonly byPosition: boolean;
}

const SLOT = 8;

/** Gives out places. */
export class Places {
  readonly #registers: ParameterRegisters;
  #integers = 0;
  #floats = 0;
  #stackEnd: number;

  constructor(registers: ParameterRegisters) {
    this.#registers = registers;
    // The stack has room for the parameters in registers, too.
    this.#stackEnd = registers.byPosition ? SLOT * registers.integers : 0;
  }

  /** The bytes of the stack that are given out. */
  get stackBytes(): number {
    return this.#stackEnd;
  }

  /** The number of registers for floating-point numbers that are given out. */
  get floats(): number {
    return this.#floats;
  }

  /** Whether so many registers are left. */
  hasRegisters(integers: number, floats: number): boolean {
    return this.#integers + integers <= this.#registers.integers &&
      this.#floats + floats <= this.#registers.floats;
  }

  /** The place of a word. */
  word(kind: "integer" | "float"): Place {
    const isInteger = kind === "integer";
    if (!this.hasRegisters(isInteger ? 1 : 0, isInteger ? 0 : 1)) return this.stack(SLOT);
    const at = isInteger ? this.#integers++ : this.#floats++;
    if (this.#registers.byPosition) this.#integers = this.#floats = at + 1;
    return { in: kind, at };
  }

  /** A place on the stack. */
  stack(size: number): Place {
    const at = this.#stackEnd;
    this.#stackEnd += alignUp(size, SLOT);
    return { in: "stack", at };
  }

  /** Leaves the registers of a kind that are not given out yet unused. */
  skip(kind: "integer" | "float"): void {
    if (kind === "integer") this.#integers = this.#registers.integers;
    else this.#floats = this.#registers.floats;
  }
}
