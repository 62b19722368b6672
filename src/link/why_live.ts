/**
 * Answers why sections are in a module: the chain of references from each back to a root, as garbage collection
 * found it. The first reference that reached a section counts, so a chain has no circle.
 */
import type { NameMatcher } from "../smf/glob.ts";
import type { InputSection, LinkObject } from "./input.ts";
import type { MapLive, MapLiveStep } from "./map.ts";
import type { Resolution } from "./resolve.ts";

/** The first reference that reached a section. */
interface Reached {
  /** The section with the reference; undefined if none has one: the section is a root, or an option names it. */
  readonly from: InputSection | undefined;
  /** The symbol that the reference, or the option, names. */
  readonly symbol: string | undefined;
}

/** Notes what reached each section first. */
export class LiveReasons {
  readonly #reached: Map<InputSection, Reached> = new Map();
  /** The section whose references are followed. */
  from: InputSection | undefined;
  /** The symbol that the reference, or the option, names. */
  symbol: (() => string) | undefined;

  /** Notes that what is set reached a section, unless something reached it before. */
  note(section: InputSection, from: InputSection | undefined = this.from): void {
    if (this.#reached.has(section)) return;
    this.#reached.set(section, { from, symbol: from === this.from ? this.symbol?.() : undefined });
  }

  /** The chain of a section, from itself to a root. */
  chain(section: InputSection): { readonly steps: MapLiveStep[]; readonly root: Reached } {
    const steps: MapLiveStep[] = [];
    for (let at = section;;) {
      const reached = this.#reached.get(at)!;
      const place = { object: at.object.name, section: at.name };
      steps.push(reached.symbol === undefined ? place : { ...place, symbol: reached.symbol });
      if (reached.from === undefined) return { steps, root: reached };
      at = reached.from;
    }
  }
}

/** The names that options make roots. */
export interface RootNames {
  readonly exported: ReadonlySet<number>;
  readonly entry: number | undefined;
}

/** Explains each section that a name or glob matches, by its own name or by that of a symbol in it. */
export function explainLive(
  names: NameMatcher,
  resolution: Resolution,
  reasons: LiveReasons,
  roots: RootNames,
): MapLive[] {
  const found: MapLive[] = [];
  for (const object of resolution.objects) {
    const named = sectionsOfSymbols(object, names);
    for (const section of object.sections) {
      if (section === undefined || !names.matches(section.name) && !named.has(section)) continue;
      const place = { object: object.name, section: section.name };
      const isReached = section.live || section.merge?.live.includes(1) === true;
      if (!isReached) {
        found.push({ ...place, chain: [], reason: section.discarded ? "duplicate" : "unreachable" });
        continue;
      }
      const { steps, root: { symbol } } = reasons.chain(section);
      found.push({ ...place, chain: steps, reason: reasonOf(symbol, resolution, roots) });
    }
  }
  return found;
}

function reasonOf(
  symbol: string | undefined,
  { globals: { names } }: Resolution,
  { exported, entry }: RootNames,
): MapLive["reason"] {
  if (symbol === undefined) return "root";
  const id = names.find(symbol);
  return id === entry ? "entry point" : exported.has(id) ? "exported" : "option";
}

function sectionsOfSymbols(
  { elf: { symbols }, sections }: LinkObject,
  names: NameMatcher,
): Set<InputSection> {
  const found = new Set<InputSection>();
  for (let symbol = 1; symbol < symbols.length; symbol++) {
    const index = symbols.section(symbol);
    const section = index === -1 ? undefined : sections[index];
    if (section !== undefined && names.matches(symbols.name(symbol))) found.add(section);
  }
  return found;
}
