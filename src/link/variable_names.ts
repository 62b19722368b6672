/**
 * The names of a reloadable module's variables that are local to a source file: each says where the variable is
 * declared, so that a reload can take equal names for one variable. Names of compilers do not: two files may have
 * one each, and the numbers in them change with the text around.
 *
 * | declared | the compiler's name | here |
 * |---|---|---|
 * | in file `a.c` | `n` | `n@a.c` |
 * | in function `f` of it | `n.0`, `f.n` | `f.n@a.c` |
 * | in C++ | `_ZL1n`, `_ZZL1fvE1n` | the same, and `@a.cpp` |
 * | a field of `n`, which LLVM stores by itself | `n.0` | `n.field@a.c` |
 * | nobody knows where, or several of one name | `n.0`, `n` | the same, `@`, the object and the hash of its bytes |
 *
 * The hash tells that an object has not changed: then its numbers mean what they meant.
 * A module of one object leaves the file out. Without debug information the object stands for its source file.
 */
import { SymbolKind } from "../os/elf.ts";
import { AbbreviationPool } from "../types/dwarf/abbrev_table.ts";
import type { Shared } from "../types/dwarf/object.ts";
import type { VariableScope } from "../types/dwarf/variable_scopes.ts";
import { TextPool } from "../types/text_pool.ts";
import { CRT_OBJECT_NAME } from "./crt_object.ts";
import { hashInputs } from "./input_hash.ts";
import { NO_HOME } from "./homes.ts";
import type { LinkObject } from "./input.ts";
import { Found, type Locator } from "./locate.ts";
import type { Resolution } from "./resolve.ts";
import { type LocalVariable, type Source, type SourceCache, sourceOf } from "./variable_sources.ts";

/**
 * Finds the names of local variables in homes and of thread-local ones, by their symbols' indices in each object.
 *
 * @param cache What earlier links have read.
 */
export function variableNames(
  { objects }: Resolution,
  locator: Locator,
  cache?: SourceCache,
): ReadonlyMap<LinkObject, ReadonlyMap<number, string>> {
  const isAlone = objects.filter(({ name }) => name !== CRT_OBJECT_NAME).length === 1;
  const found: {
    object: LinkObject;
    own: Map<number, string>;
    variable: LocalVariable;
    identity: string | undefined;
  }[] = [];
  const names = new Map<LinkObject, Map<number, string>>();
  const shared: Shared = { texts: new TextPool(), abbreviations: new AbbreviationPool() };
  /** The address of the variable of each name; NaN if there are several. */
  const addresses = new Map<string, number>();
  for (const object of objects) {
    const variables = localVariables(object, locator);
    if (variables.length === 0) continue;
    const source = sourceOf(object, variables, locator, shared, cache), own = new Map<number, string>();
    names.set(object, own);
    for (const variable of variables) {
      const [identity, isCertain] = identityOf(variable, source, isAlone);
      found.push({ object, own, variable, identity: isCertain ? identity : undefined });
      const address = isCertain ? variable.address : NaN, other = addresses.get(identity);
      addresses.set(identity, other === undefined || other === address ? address : NaN);
    }
  }
  const hashes = new Map<LinkObject, string>();
  const hashOf = (object: LinkObject): string => {
    let hash = hashes.get(object);
    if (hash === undefined) {
      hashes.set(object, hash = hashInputs([object.elf.file]).toString(16).padStart(16, "0"));
    }
    return hash;
  };
  for (const { object, own, variable: { symbol, name, address }, identity } of found) {
    const isClear = identity !== undefined && addresses.get(identity) === address;
    own.set(symbol, isClear ? identity : `${name}@${isAlone ? "" : object.name}:${hashOf(object)}`);
  }
  return names;
}

function localVariables(object: LinkObject, locator: Locator): LocalVariable[] {
  const { symbols } = object.elf;
  const found: LocalVariable[] = [];
  for (let symbol = 1; symbol < symbols.length; symbol++) {
    const kind = symbols.kind(symbol), isThreadLocal = kind === SymbolKind.TLS;
    if (object.globalOf(symbol) !== -1 || kind !== SymbolKind.OBJECT && !isThreadLocal) continue;
    locator.symbol(object, symbol, 0);
    if (locator.found !== Found.DEFINED || locator.home === NO_HOME && !isThreadLocal) continue;
    const address = locator.output.address + locator.offset, name = symbols.name(symbol);
    if (!CLASS_TABLE.test(name)) found.push({ symbol, name, size: symbols.size(symbol), address });
  }
  return found;
}

/** Tables of C++ classes, which are no variables: a reload compares them in another way. */
const CLASS_TABLE = /^_ZT[VCTIS]/;
/** Rust's names, which are paths from the crate on. */
const PATH = /^_R|^_ZN.*17h[0-9a-f]{16}E/;

/** Returns a variable's name, and whether it is known to be the name that it has in the source text. */
function identityOf(
  { name, size, address }: LocalVariable,
  source: Source,
  isAlone: boolean,
): [name: string, isCertain: boolean] {
  const scope = source.scopes.get(address);
  const file = PATH.test(name) ? "" : scope?.file ?? source.file;
  const [text, isCertain] = sourceName(name, scope);
  const isWhole = scope?.isWhole ?? !(source.mayShrink && size === 1);
  return [
    isAlone || file === "" ? text : `${text}@${file}`,
    isCertain && isWhole && file !== undefined,
  ];
}

function sourceName(name: string, scope: VariableScope | undefined): [name: string, isCertain: boolean] {
  const part = scope?.part ?? "";
  // C has no dots in names: compilers add them.
  if (!name.includes(".")) return [name + part, true];
  // clang 14 leaves out the names of functions that it has inlined everywhere.
  const isWhole = scope !== undefined && scope.functions.every((each) => each !== "");
  if (isWhole && !name.startsWith("_Z")) {
    return [[...scope.functions, scope.name].join(".") + part, name.split(".").includes(scope.name)];
  }
  // LLVM numbers what is left of a variable once it has taken it apart: here, all of it.
  if (scope?.isWhole === true && (PATH.test(name) || part !== "")) {
    return [name.replace(/(?:\.\d+)+$/, "") + part, true];
  }
  // clang puts the function before, a number behind if there are several, and `b` behind what it has made one bit of.
  const plain = name.replace(/(?:\.\d+)+$/, "");
  // A variable that gcc has numbered takes no name from one outside of functions.
  return [plain.includes(".") ? plain : name, FUNCTION_BEFORE.test(name)];
}

const FUNCTION_BEFORE = /^[A-Za-z_$][\w$]*\.(?!b$)[A-Za-z_$][\w$]*$/;
