/**
 * Chooses the exports of a module, marks them as roots, and orders them for its symbol table.
 */
import { LoadError } from "../errors/load_error.ts";
import { listNames } from "../errors/names.ts";
import { hashName } from "../smf/hash.ts";
import { isArchive } from "./elf/archive.ts";
import { SymbolPlace } from "./elf/symbols.ts";
import type { Marker } from "./gc.ts";
import { NameMatcher } from "../smf/glob.ts";
import { State } from "./globals.ts";
import type { Problems } from "./problems.ts";
import type { LinkInput, Resolution } from "./resolve.ts";

/** The options that name symbols. */
export interface LinkRequest {
  /** Undefined for the default: the names that inputs, rather than archive members, define. */
  readonly exports: NameMatcher | undefined;
  /** Further names that are exported if an input defines them; undefined without such a list. */
  readonly exportList: NameMatcher | undefined;
  /** Names that are exported besides. */
  readonly exportAlso: NameMatcher | undefined;
  /** Names that are not exported. */
  readonly hide: NameMatcher | undefined;
  readonly entry: string | undefined;
  /** Whether the module has no entry point if no input defines it. */
  readonly optionalEntry: boolean;
  readonly keep: NameMatcher;
}

/** Chooses the exports; marks them, the entry point, and everything that the options keep. */
export function chooseExports(
  resolution: Resolution,
  request: LinkRequest,
  marker: Marker,
  problems: Problems,
): { exported: Set<number>; entry: number | undefined } {
  const { exports, exportList } = request;
  const exported = exports === undefined && exportList === undefined
    ? defaultExports(resolution, problems)
    : matchingExports(resolution, exports ?? NO_NAMES, exportList ?? NO_NAMES, problems);
  if (request.exportAlso !== undefined) {
    for (const id of matchingExports(resolution, NO_NAMES, request.exportAlso, problems)) exported.add(id);
  }
  if (request.hide !== undefined) hideNames(resolution, exported, request.hide, request);
  for (const id of exported) marker.markGlobal(id, undefined);
  markKept(resolution, request.keep, marker, problems);
  if (request.entry === undefined) return { exported, entry: undefined };
  // The entry point has a number, because resolving required it.
  const entry = resolution.globals.names.find(request.entry);
  if (!resolution.globals.isDefined(entry)) {
    if (request.optionalEntry) return { exported, entry: undefined };
    problems.add(
      new LoadError("UndefinedSymbol", `Cannot link module: undefined entry point '${request.entry}'`, {
        symbol: request.entry,
        symbols: [request.entry],
        hint: "name a function that an input defines, or add the object that defines it",
      }),
    );
  } else {
    marker.markGlobal(entry, undefined);
  }
  return { exported, entry };
}

const UNDEFINED_EXPORTS =
  "add the object that defines them, or correct the names: those of C++ are mangled (nm FILE.o)";

const NO_NAMES = new NameMatcher([]);

/** Takes names out of the exports; an exact name beats a glob, whichever of the two lists has it. */
function hideNames(
  { globals }: Resolution,
  exported: Set<number>,
  hide: NameMatcher,
  { exports, exportAlso }: LinkRequest,
): void {
  for (const id of exported) {
    const name = globals.names.text(id);
    const isNamed = exports?.exact.has(name) === true || exportAlso?.exact.has(name) === true;
    if (hide.exact.has(name) || !isNamed && hide.matches(name)) exported.delete(id);
  }
}

function missing(problem: string, symbols: readonly string[], hint: string): LoadError {
  const message = `Cannot link module: ${problem} ${listNames(symbols)}`;
  return new LoadError("UndefinedSymbol", message, { symbols, hint });
}

/** Whether a name has an address, or is a thread-local variable with an address in each thread; constants have none. */
function hasAddress({ globals, objects }: Resolution, id: number): boolean {
  if (!globals.isDefined(id)) return false;
  if (globals.state(id) === State.COMMON) return true;
  return objects[globals.object(id)].sectionOf(globals.symbol(id)) !== undefined;
}

/** Whether a defined name is in code. */
export function isCode({ globals, objects }: Resolution, id: number): boolean {
  const target = globals.aliases.get(id)?.target ?? id;
  return globals.isDefined(target) &&
    objects[globals.object(target)]?.sectionOf(globals.symbol(target))?.isCode === true;
}

function defaultExports(resolution: Resolution, problems: Problems): Set<number> {
  const { globals, requests } = resolution;
  const exported = new Set<number>();
  // Objects that say what they want exported want nothing else.
  if (requests.exports.size > 0) {
    const undefinedNames: string[] = [];
    for (const name of requests.exports) {
      const id = globals.names.find(name);
      if (hasAddress(resolution, id)) exported.add(id);
      else if (!globals.isDefined(id)) undefinedNames.push(name);
    }
    if (undefinedNames.length > 0) {
      problems.add(missing("undefined exports", undefinedNames, UNDEFINED_EXPORTS));
    }
    return exported;
  }
  for (const object of resolution.objects) {
    if (!object.direct || object.excluded) continue;
    const { symbols } = object.elf;
    for (let i = symbols.firstGlobal; i < symbols.length; i++) {
      // A definition of this object counts, even if the link uses that of another.
      if (symbols.place(i) === SymbolPlace.UNDEFINED) continue;
      const id = object.globalOf(i);
      if (!globals.isHidden(id) && hasAddress(resolution, id)) exported.add(id);
    }
  }
  return exported;
}

function matchingExports(
  resolution: Resolution,
  matcher: NameMatcher,
  list: NameMatcher,
  problems: Problems,
): Set<number> {
  const { globals } = resolution;
  const exported = new Set<number>();
  const undefinedNames: string[] = [];
  for (const name of matcher.exact) {
    const id = globals.names.find(name);
    if (id === -1 || !globals.isDefined(id)) {
      undefinedNames.push(name);
    } else if (!hasAddress(resolution, id)) {
      problems.add(unexportable(name, "a constant", "export a function that returns it"));
    } else if (globals.isHidden(id)) {
      const hint = "declare it with default visibility, or compile without -fvisibility=hidden";
      problems.add(unexportable(name, "hidden", hint));
    } else {
      exported.add(id);
    }
  }
  if (undefinedNames.length > 0) {
    problems.add(missing("undefined exports", undefinedNames, UNDEFINED_EXPORTS));
  }
  if (matcher.globs.length + list.globs.length + list.exact.size === 0) return exported;
  for (const object of resolution.objects) {
    if (object.excluded) continue;
    for (const id of object.globals) {
      if (exported.has(id) || globals.object(id) !== object.index || globals.isHidden(id)) continue;
      if (!hasAddress(resolution, id)) continue;
      const name = globals.names.text(id);
      if (matcher.matches(name) || list.matches(name)) exported.add(id);
    }
  }
  return exported;
}

function unexportable(symbol: string, problem: string, hint: string): LoadError {
  return new LoadError("Unsupported", `Cannot export '${symbol}': it is ${problem}`, { symbol, hint });
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
      marker.markNamed(section);
    }
    for (const id of object.globals) {
      if (globals.object(id) !== object.index || !globals.isDefined(id)) continue;
      const name = globals.names.text(id);
      if (!keep.matches(name)) continue;
      found.add(name);
      marker.markGlobal(id, undefined);
    }
  }
  const unknown = [...keep.exact].filter((name) => !found.has(name));
  if (unknown.length > 0) {
    const problem = "the names to keep are neither symbols nor sections:";
    problems.add(missing(problem, unknown, "correct the names that the option `keep` (--keep) gives"));
  }
}

/** The error for a link that would make an empty module. */
export function nothingToLink(inputs: readonly LinkInput[], { exports }: LinkRequest): LoadError {
  const [problem, hint] = inputs.length === 0
    ? ["there are no inputs", "give at least one object file or static library"]
    : exports === undefined && inputs.some(({ bytes }) => !isArchive(bytes))
    ? [
      "its objects define nothing that can be exported",
      "give an object with a function or a variable of default visibility",
    ]
    : exports === undefined
    ? [
      "archives alone export nothing by default",
      "name the symbols to export: the option `exports`, --export NAME",
    ]
    : [
      "nothing is exported, kept or run at start",
      "export a symbol of the inputs (--export NAME), keep one, or name an entry point",
    ];
  return new LoadError("UndefinedSymbol", `Cannot link module: ${problem}`, { path: inputs[0]?.name, hint });
}

/** The most exports that are sorted: hash and position together stay integers below 2^53. */
const MOST_SORTED = 2 ** 21;

const encoder = new TextEncoder();

interface Named {
  readonly name: string;
}

/**
 * Sorts exports by the hashes of their names, ascending, and by the bytes of their names where
 * hashes are equal. In this order a reader sees in passing that no two have one name, and can search
 * the table itself. More than 2^21 exports keep their order.
 */
export function sortedByHash<Export extends Named>(exports: readonly Export[]): Export[] {
  if (exports.length > MOST_SORTED) return [...exports];
  // Numbers are sorted natively, many times faster than with a comparison function.
  const keys = new Float64Array(exports.length);
  exports.forEach(({ name }, position) => keys[position] = hashName(name) * MOST_SORTED + position);
  keys.sort();
  const hashAt = (index: number): number => Math.floor(keys[index] / MOST_SORTED);
  const sorted = exports.map((_, index) => exports[keys[index] - hashAt(index) * MOST_SORTED]);
  for (let first = 0, end = 1; first < sorted.length; first = end++) {
    while (end < sorted.length && hashAt(end) === hashAt(first)) end++;
    if (end - first === 1) continue;
    sorted.slice(first, end).sort(compareNames).forEach((symbol, i) => sorted[first + i] = symbol);
  }
  return sorted;
}

/** Compares names by their UTF-8 bytes, whose order is not that of UTF-16 code units. */
function compareNames(a: Named, b: Named): number {
  const left = encoder.encode(a.name), right = encoder.encode(b.name);
  for (let i = 0; i < left.length && i < right.length; i++) {
    if (left[i] !== right[i]) return left[i] - right[i];
  }
  return left.length - right.length;
}
