/**
 * Who answers for an undefined name: every source is asked in order, the
 * first answer counts, and all names that nobody answers are reported at once.
 */

import { levenshteinDistance } from "@std/text/levenshtein-distance";
import { LoadError } from "../../errors.ts";
import { Binding, SymbolType } from "../../smf/enums.ts";
import type { SmfFile } from "../../smf/file.ts";

/** A module that imports; told apart by identity. */
export interface ModuleIdentity {
  /** For people: `module '/a/b.smf'`. */
  readonly description: string;
}

/** Something that must outlive the modules that import from it. */
export interface Provider {
  /** For people: `module '/a/b.smf'`, `library 'libm.so.6'`. */
  readonly description: string;
  /** Keeps it alive for `importer` until disposed. */
  hold(importer: ModuleIdentity): Disposable;
}

/** The words of an importer that hold the address of a variable that it imports. */
export interface DataReferences {
  /** Whether all of them can be changed; code that refers to the variable directly cannot. */
  readonly canFollow: boolean;
  /** Gets ready to change the address. */
  prepare(from: bigint, to: bigint): PreparedPatch;
}

/** A change that cannot fail any more. */
export interface PreparedPatch {
  commit(): void;
  /** Ends what it took to get ready, committed or not. */
  release(): void;
}

/** An answer for one name. */
export interface FoundImport {
  /** Of a variable, it may be another one once the importer holds the provider. */
  readonly address: bigint;
  /** Who answered, for people. */
  readonly from: string;
  /** What must live as long as the importer does. */
  readonly provider?: Provider;
  /** Marks the answer as in use until disposed. */
  readonly claim?: () => Disposable;
  /** Told, once the importer is linked, where it holds the address of this variable. */
  readonly follow?: (references: DataReferences) => void;
  /** The shared library of the host that has it, by a name that the system finds it by. */
  readonly library?: string;
  /** Whether it works in this isolate only, as a JavaScript callback does: not if only what was asked already does. */
  readonly isIsolateLocal?: IsolateQuestion;
}

/** @param asked Keeps modules that import from each other from asking each other for ever. */
export type IsolateQuestion = (asked: Set<unknown>) => boolean;

/** One party that may answer for names. */
export interface ImportSource {
  /** @param wantsFunction whether the importer calls it; undefined if the file does not say. */
  find(name: string, wantsFunction: boolean | undefined): FoundImport | undefined;
  /** Names that it could answer, for suggestions when nobody answers. */
  names?(): Iterable<string>;
}

/** Where one import of a module was found. */
export interface ImportRecord {
  /** The undefined symbol's name. */
  readonly name: string;
  /** Its address; 0 for a weak one that nobody answered. */
  readonly address: bigint;
  /** Who answered, for people, such as `module '/a/b.smf'`; `nobody` for a weak one that is 0. */
  readonly from: string;
}

/** The imports of one module, each with its address, and a hold on all who answered. */
export interface ResolvedImports extends Disposable {
  readonly records: readonly ImportRecord[];
  /** In the order that was asked for. */
  readonly addresses: BigUint64Array<ArrayBuffer>;
  /** Those who want to know where the importer holds an address, by position. */
  readonly followers: ReadonlyMap<number, (references: DataReferences) => void>;
  /** The shared library of the host that has the import at a position. */
  libraryOf(position: number): string | undefined;
  /** The name of an import that works in this isolate only, if there is one. */
  isolateLocalImport(asked: Set<unknown>): string | undefined;
  /** Takes the addresses of variables as they are now; after this their modules change them in place. */
  settle(): void;
}

/** Of the many modules that import nothing. */
const NO_IMPORTS: ResolvedImports = {
  records: [],
  addresses: new BigUint64Array(0),
  followers: new Map(),
  libraryOf: () => undefined,
  isolateLocalImport: () => undefined,
  settle: () => {},
  [Symbol.dispose]: () => {},
};

/**
 * Finds an address for each of a file's undefined symbols.
 *
 * @param symbols Their indices.
 * @param importer Given to those who are held.
 * @throws {LoadError} `UndefinedSymbol`, listing every name that nobody answers.
 */
export function resolveImports(
  file: SmfFile,
  symbols: readonly number[],
  sources: readonly ImportSource[],
  importer: ModuleIdentity,
): ResolvedImports {
  if (symbols.length === 0) return NO_IMPORTS;
  const addresses = new BigUint64Array(symbols.length);
  const records: ImportRecord[] = [];
  const missing: string[] = [];
  const providers = new Set<Provider>();
  const variables = new Map<number, FoundImport>();
  const libraries = new Map<number, string>();
  const questions = new Map<IsolateQuestion, string>();
  using holding = new DisposableStack();
  symbols.forEach((symbol, position) => {
    const name = file.symbols.name(symbol);
    const found = findImport(name, wantsFunction(file.symbols.type(symbol)), sources);
    if (found !== undefined) {
      const { address, from, provider, claim, follow, library, isIsolateLocal } = found;
      addresses[position] = address;
      records.push({ name, address: addresses[position], from });
      // At once: whoever answers next may run code that closes or replaces this one.
      if (provider !== undefined && !providers.has(provider)) holding.use(provider.hold(importer));
      if (provider !== undefined) providers.add(provider);
      if (claim !== undefined) holding.use(claim());
      if (follow !== undefined) variables.set(position, found);
      if (library !== undefined) libraries.set(position, library);
      if (isIsolateLocal !== undefined && !questions.has(isIsolateLocal)) questions.set(isIsolateLocal, name);
    } else if (file.symbols.binding(symbol) === Binding.Weak) {
      records.push({ name, address: 0n, from: "nobody" });
    } else {
      missing.push(name);
    }
  });
  if (missing.length > 0) throw undefinedSymbols(missing, sources, importer);
  const holds = holding.move();
  const settle = (): void => {
    for (const [position, { address }] of variables) {
      addresses[position] = address;
      records[position] = { ...records[position], address };
    }
  };
  return {
    get records() {
      settle();
      return records;
    },
    addresses,
    followers: new Map([...variables].map(([position, { follow }]) => [position, follow!])),
    libraryOf: (position) => libraries.get(position),
    isolateLocalImport(asked) {
      for (const [question, name] of questions) if (question(asked)) return name;
      return undefined;
    },
    settle,
    [Symbol.dispose](): void {
      holds.dispose();
    },
  };
}

function findImport(
  name: string,
  wanted: boolean | undefined,
  sources: readonly ImportSource[],
): FoundImport | undefined {
  for (const source of sources) {
    const found = source.find(name, wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

function wantsFunction(type: number): boolean | undefined {
  return type === SymbolType.None ? undefined : type === SymbolType.Function;
}

/** All of them in one error, each with a name that it may have meant. */
function undefinedSymbols(
  names: readonly string[],
  sources: readonly ImportSource[],
  importer: ModuleIdentity,
): LoadError {
  const known = new Set(sources.flatMap((source) => [...source.names?.() ?? []]));
  const listed = names.map((name) => {
    const near = nearestName(name, known);
    return near === undefined ? `'${name}'` : `'${name}' (did you mean '${near}'?)`;
  }).join(", ");
  return new LoadError(
    "UndefinedSymbol",
    `Cannot resolve imports of ${importer.description}: nobody defines ${listed}`,
    {
      symbols: names,
    },
  );
}

/** How many letters may differ, as a share of the name's length. */
const NEAR = 1 / 3;

function nearestName(name: string, known: ReadonlySet<string>): string | undefined {
  let nearest: string | undefined;
  let limit = Math.floor(name.length * NEAR);
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) > limit) continue;
    const distance = levenshteinDistance(name, candidate);
    if (distance > limit) continue;
    nearest = candidate;
    limit = distance - 1;
  }
  return nearest;
}

/**
 * Answers a module's undefined names: the address of `name`, or `null` or
 * `undefined` if it has none.
 *
 * @example
 * ```ts ignore
 * const resolver: ImportResolver = (name) => name === "answer" ? 0x7f00_0000_1000n : null;
 * ```
 */
export type ImportResolver = (name: string) => bigint | null | undefined;

/** A resolver that the user gave, as a source. */
export function resolverSource(resolver: ImportResolver): ImportSource {
  return {
    find(name) {
      const address = resolver(name);
      if (address === null || address === undefined) return undefined;
      if (typeof address !== "bigint" || BigInt.asUintN(64, address) !== address) {
        throw new TypeError(`Cannot use resolver's answer for '${name}': expected an address as a bigint`);
      }
      return { address, from: "resolver" };
    },
  };
}
