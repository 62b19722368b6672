/**
 * Functions that are chosen when the module is loaded (GNU's STT_GNU_IFUNC):
 * the symbol leads to a resolver, which answers with the function's address.
 *
 * Each becomes a stub that jumps through a GOT slot, and the stub is the
 * function's address for everybody, so that there is one and it is known now.
 * The loader runs the resolver and writes its answer into the slot.
 */
import { RelocationType } from "../smf/enums.ts";
import type { LinkArch } from "./arch/arch.ts";
import type { LinkObject, OutputSection, Place } from "./input.ts";
import { type DynamicRelocations, Target } from "./dynamic_relocations.ts";

/** The section of the stubs. */
const STUBS = ".iplt";

const STUB_SIZE = 16;

/** Where the parts of one are, once they are placed. */
export interface Ifunc {
  readonly object: LinkObject;
  readonly symbol: number;
  stub?: Place;
  slot?: Place;
}

/** All of a link, each once, whatever its names are. */
export class IfuncSlots implements Iterable<Ifunc> {
  readonly #functions: Map<string, Ifunc> = new Map();

  /** Notes that something refers to one. */
  need(object: LinkObject, symbol: number): void {
    const key = keyOf(object, symbol);
    if (!this.#functions.has(key)) this.#functions.set(key, { object, symbol });
  }

  /** Where the stub of one is; undefined if nothing refers to it. */
  stub(object: LinkObject, symbol: number): Place | undefined {
    return this.#functions.get(keyOf(object, symbol))?.stub;
  }

  /** Gives stubs and slots their places in sections that are asked for by name. */
  place(code: (name: string) => OutputSection, got: () => OutputSection): void {
    for (const chosen of this) {
      const [stubs, slots] = [code(STUBS), got()];
      chosen.stub = { output: stubs, offset: stubs.reserve(STUB_SIZE, STUB_SIZE) };
      chosen.slot = { output: slots, offset: slots.reserve(8, 8) };
    }
  }

  [Symbol.iterator](): Iterator<Ifunc> {
    return this.#functions.values();
  }
}

function keyOf({ index, elf: { symbols } }: LinkObject, symbol: number): string {
  return `${index}:${symbols.section(symbol)}:${symbols.value(symbol)}`;
}

/** Writes a stub. */
export function writeStub(arch: LinkArch, bytes: Uint8Array, at: number): void {
  bytes.set(arch.slotJump.bytes, at);
}

/** Leaves to the loader what leads from a stub to its slot, and from the slot to the resolver. */
export function keepIfunc(
  arch: LinkArch,
  kept: DynamicRelocations,
  { stub, slot }: Ifunc,
  resolver: Place,
): void {
  const target = Target.section(slot!.output.index);
  for (const [at, type, addend] of arch.slotJump.references) {
    kept.add(stub!.output.address + stub!.offset + at, target, type, slot!.offset + addend);
  }
  const address = slot!.output.address + slot!.offset;
  kept.add(address, Target.section(resolver.output.index), RelocationType.Indirect64, resolver.offset);
}
