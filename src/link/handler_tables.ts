/**
 * The tables of types that exception handlers take (`.gcc_except_table`; Itanium C++ ABI, "Exception
 * Handling", level II). Code for fixed addresses holds the addresses of type descriptions there in 32
 * bits, which do not lead to those of another library:
 *
 * ```text
 * DW_EH_PE_udata4                      the address
 * DW_EH_PE_indirect, pcrel, sdata4     the distance to a word with the address
 * ```
 *
 * Both have four bytes, so the linker turns the first, where an import needs it, into the second, which
 * is that of code compiled with -fPIC. The words are GOT slots.
 */
import { RecordSize } from "../os/elf.ts";
import type { LinkArch } from "./arch/arch.ts";
import type { FrameSection } from "./eh_frame.ts";
import { signed64 } from "./elf/bytes.ts";
import type { GotSlots } from "./got.ts";
import type { InputSection } from "./input.ts";
import { isShortAddress } from "./thunks.ts";

const OMITTED = 0xff, ADDRESS = 0x03, INDIRECT_DISTANCE = 0x9b;
const ENTRY_SIZE = 4;

/** The changes to one section. */
interface Changes {
  /** The offsets of the bytes that say how the entries of a table are encoded. */
  readonly encodings: number[];
  /** The offsets of entries. */
  readonly entries: Set<number>;
}

/** The entries of a module's tables that go through GOT slots. */
export class HandlerTables {
  readonly #changes: Map<InputSection, Changes> = new Map();

  /** Finds the tables of the functions that are linked, and makes the slots. */
  add(
    frames: readonly FrameSection[],
    { rules }: LinkArch,
    got: GotSlots,
    isImport: (id: number) => boolean,
  ): void {
    for (const { section, records, relocations } of frames) {
      const { object, elf } = section;
      const { view } = object.elf.file;
      for (const record of records) {
        if (!record.live || record.cie === undefined) continue;
        for (let index = record.firstRelocation + 1; index < record.lastRelocation; index++) {
          const entry = elf.relaOffset + relocations[index] * RecordSize.RELA;
          const symbol = view.getUint32(entry + 12, true);
          const table = object.sectionOf(symbol);
          if (table === undefined || !table.live) continue;
          const start = object.elf.symbols.value(symbol) + signed64(view, entry + 16);
          this.#addTable(table, start, rules, got, isImport);
        }
      }
    }
  }

  #addTable(
    section: InputSection,
    start: number,
    rules: LinkArch["rules"],
    got: GotSlots,
    isImport: (id: number) => boolean,
  ): void {
    const bytes = section.bytes();
    if (bytes[start] !== OMITTED || bytes[start + 1] !== ADDRESS) return;
    let at = start + 2, distance = 0;
    for (let shift = 0;; shift += 7) {
      const byte = bytes[at++] ?? 0;
      distance += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    const end = at + distance;
    const { object, elf } = section;
    const { view } = object.elf.file;
    const entries: [place: number, symbol: number, addend: number][] = [];
    let hasImport = false;
    for (let index = 0; index < elf.relaCount; index++) {
      const relocation = elf.relaOffset + index * RecordSize.RELA;
      const place = view.getUint32(relocation, true);
      if (place < at || place >= end || (end - place) % ENTRY_SIZE !== 0) continue;
      const rule = rules.get(view.getUint32(relocation + 8, true));
      const symbol = view.getUint32(relocation + 12, true);
      const addend = signed64(view, relocation + 16);
      const id = object.globalOf(symbol);
      // Compilers describe a type at the start of its symbol.
      if (rule === undefined || !isShortAddress(rule) || id !== -1 && addend !== 0) return;
      entries.push([place, symbol, addend]);
      hasImport ||= id !== -1 && isImport(id);
    }
    if (!hasImport) return;
    let changes = this.#changes.get(section);
    if (changes === undefined) this.#changes.set(section, changes = { encodings: [], entries: new Set() });
    changes.encodings.push(start + 1);
    for (const [place, symbol, addend] of entries) {
      changes.entries.add(place);
      got.needOf(object, symbol, addend);
    }
  }

  /** Whether the entry at a place of a section goes through a slot. */
  has(section: InputSection, place: number): boolean {
    return this.#changes.size > 0 && this.#changes.get(section)?.entries.has(place) === true;
  }

  /** Changes the encodings of a section, which lies at an offset of the bytes. */
  encode(section: InputSection, bytes: Uint8Array): void {
    for (const at of this.#changes.get(section)?.encodings ?? []) {
      bytes[section.offset + at] = INDIRECT_DISTANCE;
    }
  }
}
