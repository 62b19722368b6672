/**
 * Ifuncs (GNU's STT_GNU_IFUNC), functions that are chosen when the module is loaded: the symbol
 * leads to a resolver, which returns the address of the function.
 *
 * Each ifunc becomes a stub that jumps through a GOT slot. The stub is the function's address for
 * all references, so there is only one, and it is known at link time. The loader runs the resolver
 * and stores the address that it returns in the slot.
 */
import { RelocationType } from "../smf/enums.ts";
import type { LinkArch } from "./arch/arch.ts";
import type { LinkObject, Location, OutputSection } from "./input.ts";
import { type DynamicRelocations, Target } from "./dynamic_relocations.ts";

/** The output section that holds the stubs. */
const STUB_SECTION = ".iplt";

/** The size of a stub, and of the function that it stands for. */
export const STUB_SIZE = 16;

/** One ifunc. Its stub and slot are set by the layout. */
export interface Ifunc {
  readonly object: LinkObject;
  readonly symbol: number;
  stub?: Location;
  slot?: Location;
}

/** The ifuncs of a link, each once, however many names it has. */
export class IfuncSlots implements Iterable<Ifunc> {
  readonly #functions: Map<string, Ifunc> = new Map();

  /** Notes that something refers to an ifunc. */
  need(object: LinkObject, symbol: number): void {
    const key = keyOf(object, symbol);
    if (!this.#functions.has(key)) this.#functions.set(key, { object, symbol });
  }

  /** Returns the stub of an ifunc; undefined if nothing refers to it. */
  stub(object: LinkObject, symbol: number): Location | undefined {
    return this.#functions.get(keyOf(object, symbol))?.stub;
  }

  /** Makes room for all stubs and slots in the sections that the callbacks return. */
  place(code: (name: string) => OutputSection, got: () => OutputSection): void {
    for (const ifunc of this) {
      const [stubs, slots] = [code(STUB_SECTION), got()];
      ifunc.stub = { output: stubs, offset: stubs.reserve(STUB_SIZE, STUB_SIZE) };
      ifunc.slot = { output: slots, offset: slots.reserve(8, 8) };
    }
  }

  [Symbol.iterator](): Iterator<Ifunc> {
    return this.#functions.values();
  }
}

function keyOf({ index, elf: { symbols } }: LinkObject, symbol: number): string {
  return `${index}:${symbols.section(symbol)}:${symbols.value(symbol)}`;
}

/** Writes the machine code of a stub. */
export function writeStub(arch: LinkArch, bytes: Uint8Array, at: number): void {
  bytes.set(arch.pltStub.bytes, at);
}

/** Adds the relocations that lead from a stub to its slot, and from the slot to the resolver. */
export function addIfuncRelocations(
  arch: LinkArch,
  dynamic: DynamicRelocations,
  { stub, slot }: Ifunc,
  resolver: Location,
): void {
  const target = Target.section(slot!.output.index);
  for (const [at, type, addend] of arch.pltStub.references) {
    dynamic.add(stub!.output.address + stub!.offset + at, target, type, slot!.offset + addend);
  }
  const address = slot!.output.address + slot!.offset;
  dynamic.add(address, Target.section(resolver.output.index), RelocationType.Indirect64, resolver.offset);
}
