/**
 * Symbols of this module that are not exported but have a slot in the loader's GOT.
 */
import { Target } from "./dynamic_relocations.ts";
import type { Location, OutputSection } from "./input.ts";

/** A symbol that a relocation to a GOT slot names. */
export interface GotSymbol extends Location {
  readonly name: string;
}

/** The symbols, one for each address. */
export class GotSymbols {
  readonly list: GotSymbol[] = [];
  readonly #byAddress: Map<number, number> = new Map();

  /** Returns the target of a relocation to the slot of an address; `name` is the symbol's if it is new. */
  target(output: OutputSection, offset: number, name: () => string): number {
    const address = output.address + offset;
    let index = this.#byAddress.get(address);
    if (index === undefined) {
      index = this.list.push({ name: name(), output, offset }) - 1;
      this.#byAddress.set(address, index);
    }
    return Target.got(index);
  }
}
