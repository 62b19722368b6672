/**
 * The tables of functions that unwinding needs (`.pdata`), in parts: each describes one section of code, stays or goes
 * with it, and lies in the order of the code, since readers search the table.
 */
import { RecordSize, SectionFlag } from "../../os/elf.ts";
import type { InputBytes } from "../elf/bytes.ts";
import type { ElfSection } from "../elf/symbols.ts";
import { malformed } from "../problems.ts";
import { FUNCTION_ENTRY_SIZE, isFunctionTable } from "../section_names.ts";
import type { CoffSymbols } from "./symbols.ts";

/**
 * Splits the tables of an object; further parts come behind all other sections.
 *
 * @param file The object, with the tables of the model.
 * @param model The model's symbol indexes, by index in the file.
 */
export function splitFunctionTables(
  { view, name: path }: InputBytes,
  sections: readonly ElfSection[],
  { list }: CoffSymbols,
  model: Int32Array,
): ElfSection[] {
  const all = [...sections];
  if (!sections.some(({ name }) => isFunctionTable(name))) return all;
  const sectionOf = new Map(list.map(({ index, section }) => [model[index], section]));
  for (const table of sections) {
    if (!isFunctionTable(table.name) || (table.flags & SectionFlag.ALLOC) === 0 || table.size === 0) continue;
    const broken = (problem: string, offset: number) =>
      malformed(path, problem, { section: table.name, offset });
    if (table.size % FUNCTION_ENTRY_SIZE !== 0) throw broken("the table of functions has another size", 0);
    const parts: ElfSection[] = [];
    let record = 0;
    for (let entry = 0; entry < table.size; entry += FUNCTION_ENTRY_SIZE) {
      const first = record;
      let described = 0;
      for (; record < table.relaCount; record++) {
        const at = table.relaOffset + record * RecordSize.RELA;
        const place = view.getUint32(at, true);
        if (place < entry) throw broken("relocations are not in the order of their places", place);
        if (place >= entry + FUNCTION_ENTRY_SIZE) break;
        if (place === entry) described = sectionOf.get(view.getUint32(at + 12, true)) ?? 0;
      }
      if (described <= 0) throw broken("an entry of the table of functions names no function", entry);
      const last = parts.at(-1);
      if (last?.link === described) {
        parts[parts.length - 1] = {
          ...last,
          size: last.size + FUNCTION_ENTRY_SIZE,
          relaCount: last.relaCount + record - first,
        };
        continue;
      }
      parts.push({
        ...table,
        flags: table.flags | SectionFlag.LINK_ORDER,
        link: described,
        offset: table.offset + entry,
        size: FUNCTION_ENTRY_SIZE,
        alignment: Math.min(table.alignment, 4),
        relaOffset: table.relaOffset + first * RecordSize.RELA,
        relaCount: record - first,
      });
      // Places count from the start of the part.
    }
    let start = 0;
    parts.forEach((part, position) => {
      for (let i = 0; i < part.relaCount; i++) {
        const at = part.relaOffset + i * RecordSize.RELA;
        view.setUint32(at, view.getUint32(at, true) - start, true);
      }
      start += part.size;
      const index = position === 0 ? table.index : all.length;
      if (position === 0) all[index] = { ...part, index };
      else all.push({ ...part, index });
    });
  }
  return all;
}
