/**
 * PLT stubs of imports, and of functions that a reload switches: code that jumps to the address in a
 * GOT slot. All calls of an imported function go to its stub, at a distance that the linker knows, so
 * that the loader has one word to fill instead of one relocation for each call.
 *
 * Only calls go through a stub. The function's address, in data and in code, stays the one that the
 * loader gives to everybody.
 */
import { RecordSize } from "../os/elf.ts";
import type { LinkArch } from "./arch/arch.ts";
import type { GotSlot, GotSlots } from "./got.ts";
import type { LinkObject, Location, OutputSection } from "./input.ts";

/** The output section of the stubs. */
const STUB_SECTION = ".plt";

export const STUB_SIZE = 16;

/** The stub of an imported function. `at` is set by the layout. */
export interface PltStub {
  readonly slot: GotSlot;
  at?: Location;
}

/** The stubs of a module, by name number. */
export class PltStubs implements Iterable<PltStub> {
  readonly #stubs: Map<number, PltStub> = new Map();
  /** The stubs of entries of a hot module, by the entries' numbers. */
  readonly #entries: Map<number, PltStub> = new Map();
  readonly #required: Set<number> = new Set();
  /** The number of calls from which a stub makes the module smaller. */
  readonly #fewest: number;

  constructor({ hasFixedPages, pltStub }: LinkArch) {
    // A stub costs itself, its slot, and the relocations that the loader applies to both.
    const relocations = 1 + (hasFixedPages ? 0 : pltStub.references.length);
    this.#fewest = Math.floor((STUB_SIZE + 8) / RecordSize.RELA) + relocations + 1;
  }

  /** Notes a reference to a stub that no relocation of an SMF file expresses. */
  require(id: number): void {
    this.#required.add(id);
  }

  /** Makes the stub of an imported function, if it is required or saves space. */
  add(id: number, calls: number, got: GotSlots): void {
    if (calls >= this.#fewest || this.#required.has(id)) this.#stubs.set(id, { slot: got.need(id) });
  }

  /** Returns the stub of a name; undefined if it has none. */
  stub(id: number): Location | undefined {
    return this.#stubs.get(id)?.at;
  }

  /** Makes the stub of a function of this module that a reload switches, and its slot, if there is none. */
  addEntry(index: number, object: LinkObject, symbol: number, got: GotSlots): void {
    if (!this.#entries.has(index)) this.#entries.set(index, { slot: got.addCall(object, symbol) });
  }

  /** Returns the stub of an entry; undefined if nothing calls it. */
  ofEntry(index: number): PltStub | undefined {
    return this.#entries.get(index);
  }

  /** Makes room for every stub in the section that `code` returns. */
  place(code: (name: string) => OutputSection): void {
    for (const stub of this) {
      const output = code(STUB_SECTION);
      stub.at = { output, offset: output.reserve(STUB_SIZE, STUB_SIZE) };
    }
  }

  *[Symbol.iterator](): Generator<PltStub> {
    yield* this.#stubs.values();
    yield* this.#entries.values();
  }
}
