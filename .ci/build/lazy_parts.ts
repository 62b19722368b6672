/**
 * The parts of the library's bundle that few programs need, in functions that run when something of a part is
 * used first.
 *
 * At each start V8 reads what it has cached of a bundle's functions and classes, and runs what stands at the top
 * level of each module: twice as much for all modules as for those of a first load. A module cannot import
 * another synchronously at its first use, and `load` answers at once; a function can run its text then.
 */
import { type BundleNames, bundleNames } from "./bundle_names.ts";

/** A bundle with parts that wait. */
export interface DeferredBundle {
  readonly text: string;
  /**
   * Exports that are not functions, and the function that makes and returns them: that of their part, which the
   * bundle exports instead.
   */
  readonly later: ReadonlyMap<string, string>;
}

/** The modules that wait. */
interface Parts {
  /** The part of each module, or `undefined` if the module runs with the bundle. */
  readonly of: readonly (number | undefined)[];
  /** The part that declares a name. */
  readonly declaring: (name: string) => number | undefined;
  /** The names of each part that are used elsewhere. */
  readonly given: readonly Set<string>[];
}

/** Text in place of other text. */
interface Edit {
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

/**
 * Puts modules that wait into functions. Modules that stand side by side are one part. A name of a part is read
 * through its function everywhere else. Functions that a part exports are exported as before, and make it when
 * they are called first.
 *
 * Lines stay where they are, since the bundle has a map.
 *
 * @param hasRun Whether the text at an offset has run in the programs that the bundle is to be fast for.
 * @param atOnce Names whose exports are values when the bundle has been imported.
 */
export function deferParts(
  bundle: string,
  hasRun: (at: number) => boolean,
  atOnce: readonly string[],
): DeferredBundle {
  const names = bundleNames(bundle);
  const parts = partsOf(names, neededModules(names, hasRun, atOnce));
  const readings = readingsOf(names, parts);
  const { list, later } = exportsOf(names, parts);
  const edits = [...readings, ...functionsAround(names, parts)].sort((a, b) => a.at - b.at);
  let text = "", from = 0;
  for (const edit of edits) {
    text += bundle.slice(from, edit.at) + edit.text;
    from = edit.at + edit.length;
  }
  return { text: text + bundle.slice(from).replace(/^export \{[^}]*\};?/m, () => list), later };
}

/** Lets the names of parts be read through their functions by everything else. */
function readingsOf({ uses }: BundleNames, { of, declaring, given }: Parts): readonly Edit[] {
  return uses.flatMap(({ name, at, module, isShorthand, isConstructed, isSet }) => {
    const part = declaring(name);
    if (part === undefined || part === of[module]) return [];
    if (isSet) throw new Error(`another part sets ${name}`);
    given[part].add(name);
    const value = `${makerOf(part)}().${name}`;
    const text = isShorthand ? `${name}: ${value}` : isConstructed ? `(${value})` : value;
    return { at, length: name.length, text };
  });
}

/** Writes the list of exports, with functions in front that make their parts. */
function exportsOf(
  { exports, declarations }: BundleNames,
  { declaring, given }: Parts,
): { readonly list: string; readonly later: DeferredBundle["later"] } {
  const later = new Map<string, string>(), functions: string[] = [], exported: string[] = [];
  for (const [local, name] of exports) {
    const part = declaring(local);
    if (part !== undefined) {
      given[part].add(local);
      if (!declarations.get(local)!.isFunction) {
        later.set(name, makerOf(part));
        continue;
      }
      // The outer function has the name of the inner one, which it calls.
      functions.push(`function ${local}(...values) { return ${makerOf(part)}().${local}(...values); }`);
    }
    exported.push(local === name ? local : `${local} as ${name}`);
  }
  const all = [...exported, ...new Set(later.values())].join(", ");
  return { list: `${functions.join(" ")} export { ${all} };`, later };
}

/** Puts each part into a function that runs once and returns what is used elsewhere. */
function functionsAround({ starts, uses }: BundleNames, { of, given }: Parts): readonly Edit[] {
  const changing = new Set(uses.filter(({ isSet }) => isSet).map(({ name }) => name));
  const beforeModule = (module: number, text: string): Edit => ({
    at: Math.max(starts[module] - 1, 0),
    length: 0,
    text,
  });
  return given.flatMap((names, part) => {
    const maker = makerOf(part),
      values = [...names].map((name) => changing.has(name) ? `get ${name}() { return ${name}; }` : name);
    return [
      beforeModule(
        of.indexOf(part),
        ` var ${maker}_made; function ${maker}() { return ${maker}_made ??= ${maker}_run(); } function ${maker}_run() {`,
      ),
      beforeModule(of.lastIndexOf(part) + 1, ` return { ${values.join(", ")} }; }`),
    ];
  });
}

/** The function that makes a part. */
function makerOf(part: number): string {
  return `$part${part}`;
}

/**
 * The modules that run with the bundle: those whose exports are values at once, those that nobody would make, and
 * those that text of such modules has used when it ran.
 */
function neededModules(
  { starts, declarations, uses, exports }: BundleNames,
  hasRun: (at: number) => boolean,
  atOnce: readonly string[],
): ReadonlySet<number> {
  const moduleOf = (name: string): number => declarations.get(name)!.module;
  const used = new Set(
    uses.filter(({ name, module }) => moduleOf(name) !== module).map(({ name }) => moduleOf(name)),
  );
  const needed = new Set<number>();
  for (const [local, name] of exports) {
    used.add(moduleOf(local));
    if (atOnce.includes(name) && !declarations.get(local)!.isFunction) needed.add(moduleOf(local));
  }
  for (let module = 0; module < starts.length - 1; module++) if (!used.has(module)) needed.add(module);

  const ran = Map.groupBy(uses.filter(({ at }) => hasRun(at)), ({ module }) => module);
  // A set gives what is added to it while it is gone through.
  for (const module of needed) {
    for (const { name } of ran.get(module) ?? []) needed.add(moduleOf(name));
  }
  return needed;
}

function partsOf({ starts, declarations }: BundleNames, needed: ReadonlySet<number>): Parts {
  const of: (number | undefined)[] = [], given: Set<string>[] = [];
  for (let module = 0; module < starts.length - 1; module++) {
    const waits = !needed.has(module);
    if (waits && of.at(-1) === undefined) given.push(new Set());
    of.push(waits ? given.length - 1 : undefined);
  }
  return { of, given, declaring: (name) => of[declarations.get(name)!.module] };
}
