/**
 * The linker's own GOT: slots that hold the addresses of symbols, and the start from which code of
 * the medium and large models counts.
 *
 * Most references to a GOT slot are left to the loader, which has a GOT of its own, and can redirect
 * an imported variable there at a reload. Slots are made here for PLT stubs, for variables in homes,
 * for calls of a hot module, and for references that no relocation of an SMF file expresses.
 */
import type { GotUse } from "./arch/arch.ts";
import type { LinkObject, OutputSection } from "./input.ts";

const SLOT_SIZE = 8;

/** A slot, and the symbol whose address it holds. */
export interface GotSlot {
  /** The name number, or -1 for a local symbol. */
  readonly id: number;
  /** The object and symbol of a local symbol, and the distance from it; undefined for a name. */
  readonly local:
    | { readonly object: LinkObject; readonly symbol: number; readonly addend: number }
    | undefined;
  /** Set by the layout, like `offset`. */
  output: OutputSection | undefined;
  offset: number;
}

/** The slots of a module, each once. */
export class GotSlots implements Iterable<GotSlot> {
  readonly #names: Map<number, GotSlot> = new Map();
  readonly #locals: Map<string, GotSlot> = new Map();
  /** Slots that only calls of a hot module read. */
  readonly #calls: GotSlot[] = [];
  #needsStart = false;
  /** The output section; undefined before the layout, and if nothing refers to it. */
  output: OutputSection | undefined;

  /** Notes a reference that counts from the start, and to the slot of a symbol if it goes through one. */
  note(use: GotUse, object: LinkObject, symbol: number): void {
    this.#needsStart = true;
    if (use === "slot" || use === "page") this.needOf(object, symbol);
  }

  /** Returns the slot of a symbol, or of a place at a distance from a local symbol, which is made if there is none. */
  needOf(object: LinkObject, symbol: number, addend = 0): GotSlot {
    const id = object.globalOf(symbol);
    if (id !== -1) return this.need(id);
    let slot = this.get(object, symbol, addend);
    if (slot === undefined) {
      slot = { id, local: { object, symbol, addend }, output: undefined, offset: 0 };
      this.#locals.set(keyOf(object, symbol, addend), slot);
    }
    return slot;
  }

  /** Returns the slot of a name, which is made if there is none. */
  need(id: number): GotSlot {
    let slot = this.#names.get(id);
    if (slot === undefined) {
      this.#names.set(id, slot = { id, local: undefined, output: undefined, offset: 0 });
    }
    return slot;
  }

  /** Makes the slot that calls of a function read; nobody compares the address in it. */
  addCall(object: LinkObject, symbol: number): GotSlot {
    const id = object.globalOf(symbol);
    const local = id === -1 ? { object, symbol, addend: 0 } : undefined;
    const slot = { id, local, output: undefined, offset: 0 };
    this.#calls.push(slot);
    return slot;
  }

  /** The addresses of the slots of calls, which are adjacent; known after the layout. */
  get callSlots(): { readonly start: number; readonly end: number } {
    const [first] = this.#calls;
    if (first === undefined) return { start: 0, end: 0 };
    const start = first.output!.address + first.offset;
    return { start, end: start + this.#calls.length * SLOT_SIZE };
  }

  /** Returns the slot of a name; undefined if it has none. */
  named(id: number): GotSlot | undefined {
    return this.#names.get(id);
  }

  /** Returns the slot of a symbol, or of a place at a distance from a local symbol; undefined if it has none. */
  get(object: LinkObject, symbol: number, addend = 0): GotSlot | undefined {
    const id = object.globalOf(symbol);
    return id === -1 ? this.#locals.get(keyOf(object, symbol, addend)) : this.#names.get(id);
  }

  /** Makes room for every slot in the section that `got` returns. */
  place(got: () => OutputSection): void {
    if (this.#needsStart) this.output = got();
    for (const slot of this) {
      slot.output = this.output = got();
      slot.offset = slot.output.reserve(SLOT_SIZE, SLOT_SIZE);
    }
  }

  *[Symbol.iterator](): Generator<GotSlot> {
    yield* this.#names.values();
    yield* this.#locals.values();
    yield* this.#calls;
  }
}

function keyOf(object: LinkObject, symbol: number, addend: number): string {
  return `${object.index}:${symbol}:${addend}`;
}
