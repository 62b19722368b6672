/**
 * What a module shows to others, and the roots that follow from it.
 */
import { LoadError } from "../errors.ts";
import { SectionFlag, SectionIndex, SymbolKind } from "../os/elf.ts";
import type { Marker } from "./gc.ts";
import type { NameMatcher } from "../smf/glob.ts";
import { State } from "./globals.ts";
import type { Problems } from "./problems.ts";
import type { Resolution } from "./resolve.ts";

/** What the options ask for. */
export interface LinkRequest {
  /** Undefined: the default. */
  readonly exports: NameMatcher | undefined;
  readonly entry: string | undefined;
  readonly keep: NameMatcher;
}

/** Chooses what is exported and reaches it, the entry point, and what is to be kept. */
export function chooseExports(
  resolution: Resolution,
  request: LinkRequest,
  marker: Marker,
  problems: Problems,
): { exported: Set<number>; entry: number | undefined } {
  const exported = request.exports === undefined
    ? defaultExports(resolution)
    : matchingExports(resolution, request.exports, problems);
  for (const id of exported) marker.markGlobal(id, undefined);
  markKept(resolution, request.keep, marker, problems);
  if (request.entry === undefined) return { exported, entry: undefined };
  // Resolving has asked for it, so that it has a number.
  const entry = resolution.globals.names.find(request.entry);
  if (!resolution.globals.isDefined(entry)) {
    problems.add(missing([request.entry], "the entry point is defined nowhere"));
  } else {
    marker.markGlobal(entry, undefined);
  }
  return { exported, entry };
}

function missing(symbols: readonly string[], reason: string): LoadError {
  return new LoadError("UndefinedSymbol", `Cannot link: ${reason}: ${symbols.join(", ")}`, { symbols });
}

/** A name that has an address of its own: constants, and what has none yet, cannot be exported. */
function hasPlace({ globals, objects }: Resolution, id: number): boolean {
  if (!globals.isDefined(id)) return false;
  if (globals.state(id) === State.COMMON) return true;
  const object = objects[globals.object(id)];
  const symbol = globals.symbol(id);
  const section = object.sectionOf(symbol);
  return section !== undefined && (section.elf.flags & SectionFlag.TLS) === 0 &&
    object.elf.symbols.kind(symbol) !== SymbolKind.TLS;
}

function defaultExports(resolution: Resolution): Set<number> {
  const { globals } = resolution;
  const exported = new Set<number>();
  for (const object of resolution.objects) {
    if (!object.direct) continue;
    const { symbols } = object.elf;
    for (let i = symbols.firstGlobal; i < symbols.length; i++) {
      // What the object defines, even if another's definition of the name won.
      if (symbols.section(i) === SectionIndex.UNDEF) continue;
      const id = object.globalOf(i);
      if (!globals.isHidden(id) && hasPlace(resolution, id)) exported.add(id);
    }
  }
  return exported;
}

function matchingExports(resolution: Resolution, matcher: NameMatcher, problems: Problems): Set<number> {
  const { globals } = resolution;
  const exported = new Set<number>();
  const undefinedNames: string[] = [];
  for (const name of matcher.exact) {
    const id = globals.names.find(name);
    if (id === -1 || !globals.isDefined(id)) undefinedNames.push(name);
    else if (!hasPlace(resolution, id)) problems.add(unexportable(name, "a constant or thread-local"));
    else if (globals.isHidden(id)) problems.add(unexportable(name, "hidden"));
    else exported.add(id);
  }
  if (undefinedNames.length > 0) problems.add(missing(undefinedNames, "exported names are defined nowhere"));
  if (matcher.globs.length === 0) return exported;
  for (const object of resolution.objects) {
    for (const id of object.globals) {
      if (exported.has(id) || globals.object(id) !== object.index || globals.isHidden(id)) continue;
      if (hasPlace(resolution, id) && matcher.matches(globals.names.text(id))) exported.add(id);
    }
  }
  return exported;
}

function unexportable(symbol: string, what: string): LoadError {
  return new LoadError("Unsupported", `Cannot link: '${symbol}' is ${what}, so it cannot be exported`, {
    symbol,
  });
}

function markKept(
  { globals, objects }: Resolution,
  keep: NameMatcher,
  marker: Marker,
  problems: Problems,
): void {
  if (keep.exact.size === 0 && keep.globs.length === 0) return;
  const found = new Set<string>();
  for (const object of objects) {
    for (const section of object.sections) {
      if (section === undefined || section.discarded || !keep.matches(section.name)) continue;
      found.add(section.name);
      marker.markSection(section);
    }
    for (const id of object.globals) {
      if (globals.object(id) !== object.index || !globals.isDefined(id)) continue;
      const name = globals.names.text(id);
      if (!keep.matches(name)) continue;
      found.add(name);
      marker.markGlobal(id, undefined);
    }
  }
  const lost = [...keep.exact].filter((name) => !found.has(name));
  if (lost.length > 0) problems.add(missing(lost, "names to keep are neither symbols nor sections"));
}
