/**
 * Where the source texts of objects declare the variables that are local to them.
 */
import { LoadError } from "../errors/load_error.ts";
import { DwarfObject, type Shared } from "../types/dwarf/object.ts";
import {
  hasFileScope,
  sourceFiles,
  type VariableScope,
  variableScopes,
} from "../types/dwarf/variable_scopes.ts";
import { type AddressReadings, Wanted } from "./address_readings.ts";
import { SymbolValues } from "./debug_relocations.ts";
import { debugSections, hasDebugInfo } from "./debug_sections.ts";
import { TINYCC_COMMENT } from "./elf/variable_sections.ts";
import type { LinkObject } from "./input.ts";
import type { Locator } from "./locate.ts";

/** A variable of an object that no other object can name. */
export interface LocalVariable {
  readonly symbol: number;
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly address: number;
}

/** The known facts of an object's source text. */
export interface Source {
  /** The file; empty if it does not matter, undefined if it is not known. */
  readonly file: string | undefined;
  readonly scopes: ReadonlyMap<number, VariableScope>;
  /** Whether a byte may stand for a larger variable that is only ever one of two values. */
  readonly mayShrink: boolean;
}

/** The facts with the numbers of addresses in place of addresses. */
type KnownSource = Omit<Source, "scopes"> & {
  readonly scopes: readonly (readonly [address: number, scope: VariableScope])[];
};

/** The facts that earlier links have read. */
export type SourceCache = AddressReadings<KnownSource>;

/**
 * Reads where an object's source text declares variables. Without debug information the object stands for the file.
 *
 * @param cache What earlier links have read.
 */
export function sourceOf(
  object: LinkObject,
  variables: readonly LocalVariable[],
  locator: Locator,
  shared: Shared,
  cache?: SourceCache,
): Source {
  if (!hasDebugInfo(object)) return undescribed(object);
  const wanted = new Wanted();
  for (const { symbol, address } of variables) wanted.add(symbol, address);
  const known = cache?.find(object, wanted, locator);
  if (known !== undefined) return { ...known, scopes: wanted.byAddress(known.scopes) };
  const values = new SymbolValues(object, locator);
  try {
    const dwarf = new DwarfObject(debugSections(object, values), shared);
    const files = sourceFiles(dwarf);
    const scopes = variableScopes(dwarf, files, new Set(wanted.addresses.keys()));
    const distinct = new Set(files.values());
    // Names of other languages are paths, like Rust's.
    const file = ![...files.keys()].some(hasFileScope)
      ? ""
      : distinct.size === 1
      ? [...distinct][0]
      : undefined;
    if (!values.dependsOnLayout) {
      cache?.keep(object, wanted, locator, { file, scopes: wanted.byNumber(scopes), mayShrink: false });
    }
    return { file, scopes, mayShrink: false };
  } catch (error) {
    if (error instanceof LoadError) return undescribed(object);
    throw error;
  }
}

function undescribed(object: LinkObject): Source {
  return { file: object.name, scopes: new Map(), mayShrink: !keepsWhole(object) };
}

/**
 * Whether compilers that shrink no variables have compiled an object, gcc and TinyCC, by the texts that they leave in
 * the section `.comment`.
 */
function keepsWhole({ elf }: LinkObject): boolean {
  const comments = elf.sections.filter(({ name }) => name === ".comment").flatMap(({ offset, size }) =>
    new TextDecoder().decode(elf.file.bytes.subarray(offset, offset + size)).split("\0")
  );
  return comments.length > 0 &&
    comments.every((text) => text === "" || text.startsWith("GCC: ") || text === TINYCC_COMMENT);
}
