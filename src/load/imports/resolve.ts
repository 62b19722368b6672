/**
 * Resolves imports: each undefined symbol is looked up in the sources in order,
 * the first answer counts, and all symbols without one are reported together.
 */

import { stepForMissing } from "../../os/missing_names.ts";
import { LoadError } from "../../errors/load_error.ts";
import { didYouMean, listNames, NameSearch } from "../../errors/names.ts";
import { Binding, SymbolType } from "../../smf/enums.ts";
import type { SmfFile } from "../../smf/file.ts";
import type { Trace } from "../trace.ts";
import { splitVersion } from "./symbol_version.ts";

/** Identifies one version of a module to the providers that it imports from; compared by reference. */
export interface ModuleIdentity {
  /** Names the module in messages: `module '/a/b.smf'`. */
  readonly description: string;
  /** Hears what becomes of it. */
  readonly trace?: Trace;
}

/** A module, library or callback that must outlive the modules that import from it. */
export interface Provider {
  /** Names the provider in messages: `module '/a/b.smf'`, `library 'libm.so.6'`. */
  readonly description: string;
  /** Keeps the provider alive for `importer` until the result is disposed of. */
  hold(importer: ModuleIdentity): Disposable;
}

/** The words of an importer that hold the address of a variable that it imports. */
export interface DataReferences {
  /** Whether all of them can be changed; code that refers to the variable directly cannot. */
  readonly canFollow: boolean;
  /** Prepares to change the address. */
  prepare(from: bigint, to: bigint): PreparedPatch;
}

/** A prepared change, which cannot fail any more. */
export interface PreparedPatch {
  commit(): void;
  /** Releases what the preparation acquired, committed or not. */
  release(): void;
}

/** A source's answer for one name. */
export interface FoundImport {
  /** The address. That of a variable may change until the importer is linked. */
  readonly address: bigint;
  /** Names the source in messages and in {@linkcode ImportRecord.from}. */
  readonly from: string;
  /** Held for as long as the importer is loaded. */
  readonly provider?: Provider;
  /** Marks the export as in use until the result is disposed of. */
  readonly claim?: () => Disposable;
  /** For a variable: called once the importer is linked, with the words that hold the variable's address. */
  readonly onLinked?: (references: DataReferences) => void;
  /** For a thread-local variable: the libraries among which the system's dynamic linker finds it. */
  readonly libraries?: readonly string[];
  /** For a thread-local variable: its name in those libraries, if it has another one there. */
  readonly nameThere?: string;
  /** Whether the symbol works in this isolate only, as a JavaScript callback does. */
  readonly isIsolateLocal?: IsolateQuestion;
}

/** @param asked The objects that were asked already and answer no; ends the recursion where modules import from each other. */
export type IsolateQuestion = (asked: Set<unknown>) => boolean;

/** A source of addresses for undefined symbols. */
export interface ImportSource {
  /** Whether the source itself understands names with a version. */
  readonly hasVersions?: boolean;
  /** @param wantsFunction Whether the importer calls the symbol; undefined if the file does not say. */
  find(name: string, wantsFunction: boolean | undefined): FoundImport | undefined;
  /** As `find`, for a thread-local variable, which has no address; a source without the method has none. */
  findThreadLocal?(name: string): FoundImport | undefined;
  /** The names that the source defines, to suggest one for an undefined symbol. */
  names?(): Iterable<string>;
}

/** Where one import of a module was found. */
export interface ImportRecord {
  /** The undefined symbol's name. */
  readonly name: string;
  /** Its address; 0 for a thread-local variable and for a weak symbol that no source defines. */
  readonly address: bigint;
  /** The source, such as `module '/a/b.smf'`; `nobody` for a weak symbol that no source defines. */
  readonly from: string;
}

/** The addresses of one module's imports, and a hold on every provider. */
export interface ResolvedImports extends Disposable {
  readonly records: readonly ImportRecord[];
  /** In the order of the symbols that were asked for. */
  readonly addresses: BigUint64Array<ArrayBuffer>;
  /** {@linkcode FoundImport.onLinked} of the variables, by position. */
  readonly onLinked: ReadonlyMap<number, (references: DataReferences) => void>;
  /** {@linkcode FoundImport.libraries} and {@linkcode FoundImport.nameThere} of the import at a position. */
  threadLocal(position: number): { readonly libraries: readonly string[]; readonly nameThere?: string };
  /** The name of an import that works in this isolate only, if there is one. */
  isolateLocalImport(asked: Set<unknown>): string | undefined;
  /** Updates the addresses of variables. Later changes reach the importer through {@linkcode DataReferences}. */
  settle(): void;
}

const NO_LIBRARIES = { libraries: [] } as const;

/** Shared by the many modules that import nothing. */
const NO_IMPORTS: ResolvedImports = {
  records: [],
  addresses: new BigUint64Array(0),
  onLinked: new Map(),
  threadLocal: () => NO_LIBRARIES,
  isolateLocalImport: () => undefined,
  settle: () => {},
  [Symbol.dispose]: () => {},
};

/**
 * Finds an address for each of a file's undefined symbols.
 *
 * @param symbols The indices of these symbols.
 * @param importer Passed to the providers that are held.
 * @param threadLocals Those of the symbols that are thread-local variables.
 * @throws {LoadError} `UndefinedSymbol`, listing every name that no source defines.
 */
export function resolveImports(
  file: SmfFile,
  symbols: readonly number[],
  sources: readonly ImportSource[],
  importer: ModuleIdentity,
  threadLocals: ReadonlySet<number> = new Set(),
): ResolvedImports {
  if (symbols.length === 0) return NO_IMPORTS;
  const addresses = new BigUint64Array(symbols.length);
  const records: ImportRecord[] = [];
  const missing: string[] = [];
  const providers = new Set<Provider>();
  const variables = new Map<number, FoundImport>();
  const inLibraries = new Map<number, ReturnType<ResolvedImports["threadLocal"]>>();
  const questions = new Map<IsolateQuestion, string>();
  using holding = new DisposableStack();
  // Not a closure: the result would then keep the sources, which lead to all modules of a registry.
  for (let position = 0; position < symbols.length; position++) {
    const symbol = symbols[position];
    const name = file.symbols.name(symbol);
    const found = threadLocals.has(symbol)
      ? findThreadLocal(name, sources)
      : findImport(name, wantsFunction(file.symbols.type(symbol)), sources);
    if (found !== undefined) {
      const { address, from, provider, claim, onLinked, libraries, nameThere, isIsolateLocal } = found;
      addresses[position] = address;
      records.push({ name, address: addresses[position], from });
      // Held at once: the next source may run code that closes or replaces this provider.
      if (provider !== undefined && !providers.has(provider)) holding.use(provider.hold(importer));
      if (provider !== undefined) providers.add(provider);
      if (claim !== undefined) holding.use(claim());
      if (onLinked !== undefined) variables.set(position, found);
      if (libraries !== undefined) inLibraries.set(position, { libraries, ...(nameThere && { nameThere }) });
      if (isIsolateLocal !== undefined && !questions.has(isIsolateLocal)) questions.set(isIsolateLocal, name);
    } else if (file.symbols.binding(symbol) === Binding.Weak) {
      records.push({ name, address: 0n, from: "nobody" });
    } else {
      missing.push(name);
    }
  }
  if (missing.length > 0) {
    const ofThreads = symbols.filter((symbol) => threadLocals.has(symbol))
      .map((symbol) => file.symbols.name(symbol));
    if (missing.every((name) => ofThreads.includes(name))) throw undefinedThreadLocals(missing, importer);
    throw undefinedSymbols(missing, sources, importer);
  }
  const holds = holding.move();
  if (importer.trace !== undefined) {
    for (const record of records) importer.trace({ kind: "resolve", ...record });
  }
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
    onLinked: new Map([...variables].map(([position, { onLinked }]) => [position, onLinked!])),
    threadLocal: (position) => inLibraries.get(position) ?? NO_LIBRARIES,
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
  const { base } = splitVersion(name);
  for (const source of sources) {
    let found = source.find(name, wanted);
    // Only libraries of the host have versions; any other source answers for all of them.
    if (found === undefined && base !== name && source.hasVersions !== true) {
      found = source.find(base, wanted);
    }
    if (found !== undefined) return found;
  }
  return undefined;
}

function findThreadLocal(name: string, sources: readonly ImportSource[]): FoundImport | undefined {
  for (const source of sources) {
    const found = source.findThreadLocal?.(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function wantsFunction(type: number): boolean | undefined {
  return type === SymbolType.None ? undefined : type === SymbolType.Function;
}

/** One error for all undefined symbols, each with the nearest name that is defined. */
function undefinedSymbols(
  names: readonly string[],
  sources: readonly ImportSource[],
  importer: ModuleIdentity,
): LoadError {
  const known = new NameSearch(sources.flatMap((source) => [...source.names?.() ?? []]));
  const listed = listNames(names, (name) => didYouMean(known.nearest(name)));
  const noun = names.length === 1 ? "undefined symbol" : "undefined symbols";
  return new LoadError(
    "UndefinedSymbol",
    `Cannot resolve imports of ${importer.description}: ${noun} ${listed}`,
    { symbols: names, hint: stepForMissing(names) },
  );
}

/** One error for thread-local variables that no library of the host defines. */
export function undefinedThreadLocals(names: readonly string[], importer: ModuleIdentity): LoadError {
  const noun = names.length === 1 ? "thread-local variable" : "thread-local variables";
  const listed = names.map((name) => `'${name}'`).join(", ");
  return new LoadError(
    "UndefinedSymbol",
    `Cannot resolve imports of ${importer.description}: undefined ${noun} ${listed}`,
    {
      symbols: names,
      hint: "load the module that exports it first, or name the host library that defines it " +
        "(the option `libraries`, --library)",
    },
  );
}

/** The error of a provider that is asked for a hold after its end. */
export function closedProvider({ description }: Provider): LoadError {
  return new LoadError("Closed", `Cannot use ${description}: it was closed`, {
    hint: "load the module with a registry that is open: this one ended while the module was loaded",
  });
}

/**
 * Resolves a module's undefined symbols: returns the address of `name`, or
 * `null` or `undefined` if it knows none.
 *
 * Safety: the address is used as it is. It must be that of a function or a
 * variable of the type that the module expects, for as long as the module is
 * loaded.
 *
 * @example
 * ```ts ignore
 * const resolver: ImportResolver = (name) => name === "answer" ? 0x7f00_0000_1000n : null;
 * ```
 */
export type ImportResolver = (name: string) => bigint | null | undefined;

/** The user's resolver as a source. */
export function resolverSource(resolver: ImportResolver): ImportSource {
  return {
    find(name) {
      const address = resolver(name);
      if (address === null || address === undefined) return undefined;
      if (typeof address !== "bigint" || BigInt.asUintN(64, address) !== address) {
        throw new TypeError(
          `Cannot use resolver's answer for '${name}': it is not a 64-bit address (bigint)`,
        );
      }
      return { address, from: "resolver" };
    },
  };
}
