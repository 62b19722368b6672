/**
 * Entries of the table of functions (`.pdata`) for functions that the linker makes itself: a function that calls others
 * has to be described, or exceptions and walks over the stack end at it.
 */
import { SectionFlag } from "../os/elf.ts";
import { COFF_TYPES } from "./arch/x86_64_coff.ts";
import type { CrtWriter } from "./crt_writer.ts";
import { FUNCTION_ENTRY_SIZE, FUNCTION_TABLE } from "./section_names.ts";

/** IMAGE_REL_AMD64_ADDR32NB. */
const FROM_IMAGE = COFF_TYPES + 3;

/**
 * Describes a function.
 *
 * @param section The section that holds the function, and nothing else.
 * @param size The bytes of the function.
 * @param unwind Its unwind data (UNWIND_INFO).
 */
export function addFunctionEntry(
  writer: CrtWriter,
  name: string,
  section: number,
  size: number,
  unwind: readonly number[],
): void {
  const data = writer.section({
    name: `.xdata.${name}`,
    flags: SectionFlag.ALLOC,
    bytes: Uint8Array.from(unwind),
    alignment: 4,
  });
  const table = writer.section({
    name: FUNCTION_TABLE,
    flags: SectionFlag.ALLOC | SectionFlag.LINK_ORDER,
    bytes: new Uint8Array(FUNCTION_ENTRY_SIZE),
    alignment: 4,
    link: section,
  });
  const text = writer.sectionSymbol(section);
  writer.relocation(table, { offset: 0, symbol: text, type: FROM_IMAGE });
  writer.relocation(table, { offset: 4, symbol: text, type: FROM_IMAGE, addend: size });
  writer.relocation(table, { offset: 8, symbol: writer.sectionSymbol(data), type: FROM_IMAGE });
}
