/**
 * Finds where the source text declares variables: in which file, and in which functions around them.
 */
import { At, Tag } from "./constants.ts";
import type { DwarfObject } from "./object.ts";
import { EVERYWHERE, PlaceList } from "./places.ts";
import { isFunction, mayHoldCode } from "./scopes.ts";
import { partsOf } from "./pieces.ts";
import { originOf } from "./translate.ts";
import type { Entry, Unit } from "./unit.ts";
import { walkEntries } from "./walk.ts";

/** The place of a variable in the source text. */
export interface VariableScope {
  readonly file: string;
  /** The names of the functions around it, the outermost first. */
  readonly functions: readonly string[];
  readonly name: string;
  /** The part of it that is at the address, `.sum`; empty if that is all of it. */
  readonly part: string;
  /** Whether it, or the part, is stored as it is declared. */
  readonly isWhole: boolean;
}

/** Returns the source file of each unit, relative to the folder that the compiler ran in if it is inside. */
export function sourceFiles(object: DwarfObject): Map<Unit, string> {
  const files = new Map<Unit, string>();
  for (const unit of object.units) {
    const root = unit.signature === undefined ? unit.root() : undefined;
    if (root !== undefined) {
      files.set(unit, relative(object.name(root), object.name(root, At.compilationFolder)));
    }
  }
  return files;
}

function relative(file: string, folder: string): string {
  return folder !== "" && file.startsWith(`${folder}/`) ? file.slice(folder.length + 1) : file;
}

/** Whether names in a unit's language are known by its file: C, C++ and assembly, not Rust, whose paths are. */
export function hasFileScope(unit: Unit): boolean {
  return FILE_LANGUAGES.has(unit.root()?.value(At.language) ?? 0);
}

/** DW_LANG_*: C89, C, C++, C99, C++03, C++11, C11, C++14, C17, C++17 and Mips_Assembler. */
const FILE_LANGUAGES: ReadonlySet<number> = new Set([
  ...[0x01, 0x02, 0x04, 0x0c, 0x19, 0x1a, 0x1d, 0x21, 0x2b, 0x2c, 0x8001],
]);

/** Finds the variables at addresses. */
export function variableScopes(
  object: DwarfObject,
  files: ReadonlyMap<Unit, string>,
  addresses: ReadonlySet<number>,
): Map<number, VariableScope> {
  const found = new Map<number, VariableScope>();
  const isIndexed = object.hasIndexed(addresses);
  const words = new Map<number, readonly number[]>();
  for (const [unit, file] of files) {
    let list = words.get(unit.section);
    if (list === undefined) words.set(unit.section, list = object.placesOf(unit.section, addresses));
    const places = isIndexed ? EVERYWHERE : new PlaceList(list, unit.start);
    const functions: (string | undefined)[] = [];
    walkEntries(unit, {
      isDone: () => !places.isBefore(unit.end),
      enter(start, abbreviation, behind) {
        places.moveTo(start);
        const { tag, hasChildren } = abbreviation;
        if (places.isBefore(behind)) {
          places.moveTo(behind);
          if (tag === Tag.variable && abbreviation.spec(At.location) !== undefined) {
            const entry = unit.entry(start)!;
            const places = placesOf(object, entry).filter(({ address }) => addresses.has(address));
            if (places.length > 0) {
              const name = object.name(originOf(object, entry));
              const around = functions.filter((each) => each !== undefined);
              for (const { address, ...rest } of places) {
                found.set(address, { file, functions: around, name, ...rest });
              }
            }
          }
        }
        const isEntered = hasChildren && mayHoldCode(tag) &&
          (isIndexed || places.isBefore(unit.endOf(start)));
        if (!isEntered) return false;
        functions.push(isFunction(tag) ? object.name(originOf(object, unit.entry(start)!)) : undefined);
        return true;
      },
      leave: () => void functions.pop(),
    });
  }
  return found;
}

/** The addresses of a variable, which may have been taken apart. */
function placesOf(
  object: DwarfObject,
  entry: Entry,
): readonly (Pick<VariableScope, "part" | "isWhole"> & { readonly address: number })[] {
  const parts = partsOf(object, entry);
  if (parts.length > 0) {
    return parts.map(({ address, path }) => ({ address, part: path ?? "", isWhole: path !== undefined }));
  }
  const storage = object.storage(entry);
  return storage === undefined ? [] : [{ part: "", ...storage }];
}
