/**
 * The exports, entries and writable variables of one object, whose types a module keeps.
 */
import { SymbolKind } from "../os/elf.ts";
import { SectionType } from "../smf/enums.ts";
import type { Roots } from "../types/dwarf/collect.ts";
import { Wanted } from "./address_readings.ts";
import type { Entries } from "./entries.ts";
import type { LinkObject } from "./input.ts";
import { Found, type Locator } from "./locate.ts";
import type { Resolution } from "./resolve.ts";

/** The parts of a link that decide on roots. */
export interface RootsInput {
  readonly resolution: Resolution;
  readonly locator: Locator;
  /** The name numbers of exports. */
  readonly exported: ReadonlySet<number>;
  /** The functions that reloads switch; undefined if the module is not hot. */
  readonly entries: Entries | undefined;
  /** Whether a reload may keep thread-local variables, too. */
  readonly isReloadable: boolean;
}

/** Finds the roots of an object once all addresses are known; those that a reader may find by name have the mark 1. */
export function typeRoots(
  { resolution, locator, exported, entries, isReloadable }: RootsInput,
  object: LinkObject,
): Wanted {
  const roots = new Wanted();
  const { symbols } = object.elf;
  const { globals } = resolution;
  for (let i = 1; i < symbols.length; i++) {
    const kind = symbols.kind(i);
    const id = object.globalOf(i);
    const isThreadLocal = kind === SymbolKind.TLS;
    if (isThreadLocal && !isReloadable || kind === SymbolKind.SECTION || kind === SymbolKind.FILE) continue;
    if (
      id === -1
        ? !isThreadLocal && kind !== SymbolKind.OBJECT && entries?.ofLocal(object, i) === undefined
        : globals.object(id) !== object.index || globals.symbol(id) !== i
    ) {
      continue;
    }
    if (id === -1) locator.symbol(object, i, 0);
    else if (globals.isDefined(id)) locator.global(id);
    else continue;
    if (locator.found !== Found.DEFINED) continue;
    const { output, offset } = locator;
    const isEntry = (id === -1 ? entries?.ofLocal(object, i) : entries?.ofName(id)) !== undefined;
    const isExported = !isThreadLocal && (id !== -1 && exported.has(id) || isEntry);
    if (
      !isExported && !isThreadLocal && output.type !== SectionType.Data && output.type !== SectionType.Bss
    ) continue;
    roots.add(i, output.address + offset, isExported ? 1 : 0);
  }
  return roots;
}

/** The roots as a reader of types looks for them. */
export function wantedRoots({ elf: { symbols } }: LinkObject, { addresses, list }: Wanted): Roots {
  const all = [...addresses.keys()], byName = new Map<string, number>();
  for (let at = 0; at < list.length; at += 3) {
    if (list[at + 2] === 1) byName.set(symbols.name(list[at]), all[list[at + 1]]);
  }
  return { addresses: new Set(all), byName };
}
