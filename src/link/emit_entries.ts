/**
 * Writes the list of a hot module's entries.
 */
import type { SmfBuilder } from "../smf/builder.ts";
import { ENTRIES_SECTION, entriesBytes } from "../smf/entries.ts";
import { SectionType } from "../smf/enums.ts";
import type { Entries } from "./entries.ts";

/**
 * Adds the section that lists the entries which are not exported, and says where the slots of calls are.
 *
 * @param indexes Their indexes in the symbol table, by their numbers.
 * @param callSlots The addresses of the slots of calls.
 */
export function addEntries(
  builder: SmfBuilder,
  entries: Entries | undefined,
  indexes: readonly number[],
  callSlots: { readonly start: number; readonly end: number },
): void {
  if (entries === undefined) return;
  const listed = entries.list.flatMap(({ index, file }) => {
    const symbol = indexes[index];
    return symbol === undefined ? [] : [{ symbol, file }];
  }).sort((a, b) => a.symbol - b.symbol);
  builder.section({
    name: ENTRIES_SECTION,
    type: SectionType.Entries,
    bytes: entriesBytes(listed, callSlots),
  });
}
