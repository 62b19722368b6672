/**
 * Thread-local variables ("ELF Handling For Thread-Local Storage").
 *
 * They become one section, the initial image of every thread's TLS block. Code finds the block
 * through GOT slots:
 *
 * | slot | bytes | holds | model |
 * |---|---|---|---|
 * | `pair` | 16 | module id, offset in the block | general dynamic |
 * | `module` | 16 | module id, 0 | local dynamic |
 * | `descriptor` | 16 | resolver, its argument | TLS descriptors |
 * | `static` | 8 | offset from the thread pointer | initial exec |
 */
import { RelocationType } from "../smf/enums.ts";
import { SectionFlag } from "../os/elf.ts";
import type { TlsSlotKind } from "./arch/arch.ts";
import type { InputSection, LinkObject, OutputSection } from "./input.ts";
import { type DynamicRelocations, Target } from "./dynamic_relocations.ts";

const SLOT_SIZES: Readonly<Record<TlsSlotKind, number>> = { pair: 16, module: 16, descriptor: 16, static: 8 };

/** Whether a section holds thread-local variables. */
export function isThreadLocal(section: InputSection): boolean {
  return (section.elf.flags & SectionFlag.TLS) !== 0;
}

/** A GOT slot, and the variable that it is for. */
export interface TlsSlot {
  readonly kind: TlsSlotKind;
  readonly object: LinkObject;
  readonly symbol: number;
  readonly addend: number;
  /** Set by the layout, like `offset`. */
  output: OutputSection | undefined;
  offset: number;
}

/** The TLS slots that a module needs, each once. */
export class TlsSlots implements Iterable<TlsSlot> {
  readonly #slots: Map<string, TlsSlot> = new Map();

  /** Notes that something refers to a slot. */
  need(kind: TlsSlotKind, object: LinkObject, symbol: number, addend: number): void {
    const key = keyOf(kind, object, symbol, addend);
    if (this.#slots.has(key)) return;
    this.#slots.set(key, { kind, object, symbol, addend, output: undefined, offset: 0 });
  }

  /** Returns a slot that was noted with {@linkcode TlsSlots.need}. */
  get(kind: TlsSlotKind, object: LinkObject, symbol: number, addend: number): TlsSlot {
    return this.#slots.get(keyOf(kind, object, symbol, addend))!;
  }

  /** Makes room for every slot in the section that `output` returns. */
  place(output: () => OutputSection): void {
    for (const slot of this) {
      slot.output = output();
      slot.offset = slot.output.reserve(SLOT_SIZES[slot.kind], SLOT_SIZES[slot.kind]);
    }
  }

  [Symbol.iterator](): Iterator<TlsSlot> {
    return this.#slots.values();
  }
}

function keyOf(kind: TlsSlotKind, object: LinkObject, symbol: number, addend: number): string {
  if (kind === "module") return kind;
  const id = object.globalOf(symbol);
  return `${kind} ${id === -1 ? `${object.index}:${symbol}` : id} ${addend}`;
}

/**
 * Adds the relocations that fill a slot when the module is loaded.
 *
 * @param variable The offset in the block for a variable of this module; the name number of an imported one.
 * @returns the word to write 8 bytes into the slot, if it is known at link time; else 0.
 */
export function addTlsRelocations(
  dynamic: DynamicRelocations,
  { kind, addend, output, offset }: TlsSlot,
  variable: { readonly base: OutputSection; readonly offset: number } | number,
): number {
  const at = output!.address + offset;
  const here = typeof variable === "object";
  const target = here ? Target.section(variable.base.index) : Target.global(variable);
  const within = here ? variable.offset + addend : addend;
  switch (kind) {
    case "pair":
      dynamic.add(at, target, RelocationType.TlsModule64, 0);
      if (here) return within;
      dynamic.add(at + 8, target, RelocationType.TlsOffset64, within);
      return 0;
    case "module":
      dynamic.add(at, target, RelocationType.TlsModule64, 0);
      return 0;
    case "descriptor":
      dynamic.add(at, target, RelocationType.TlsDescriptor, within);
      return 0;
    case "static":
      dynamic.add(at, target, RelocationType.TlsStatic64, within);
      return 0;
  }
}
