/**
 * Finds where the source text declares variables: in which file, and in which functions around them.
 */
import { At, Tag } from "./constants.ts";
import type { DwarfObject } from "./object.ts";
import { EVERYWHERE, PlaceList } from "./places.ts";
import { isFunction, mayHoldCode } from "./scopes.ts";
import { originOf } from "./translate.ts";
import type { Unit } from "./unit.ts";
import { walkEntries } from "./walk.ts";

/** The place of a variable in the source text. */
export interface VariableScope {
  readonly file: string;
  /** The names of the functions around it, the outermost first. */
  readonly functions: readonly string[];
  readonly name: string;
  /** Whether it is stored as it is declared. */
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
            const storage = object.storage(entry);
            if (storage !== undefined && addresses.has(storage.address)) {
              const name = object.name(originOf(object, entry));
              const around = functions.filter((each) => each !== undefined);
              found.set(storage.address, { file, functions: around, name, isWhole: storage.isWhole });
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
