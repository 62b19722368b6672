/**
 * The rules by which one version of a module can follow another, as pure
 * functions of two files. Reloads apply them to the exports in use; commands can
 * predict from the files alone what a reload would do.
 */

import { type ImagePlan, isAddress } from "./plan.ts";
import { SymbolType } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";
import type { SymbolTable } from "../smf/symbol.ts";

/** A file with the plan of its image. */
export interface PlannedFile {
  readonly file: SmfFile;
  readonly plan: ImagePlan;
}

/** The kind of an export, which may not change from version to version while the export is in use. */
export type ExportKind = "function" | "data";

/** An export that has an address. */
export interface ExportPlace {
  readonly kind: ExportKind;
  /** The symbol's index in the symbol table. */
  readonly index: number;
  /** Its size in bytes; 0 if the file does not say. */
  readonly size: number;
  /** Bytes from the export to the end of the image. */
  readonly room: number;
}

/** Finds the export of a name; undefined if there is none that has an address. */
export function exportPlace({ file, plan }: PlannedFile, name: string): ExportPlace | undefined {
  const symbol = file.symbols.findExport(name);
  if (symbol === undefined || !isAddress(symbol.type)) return undefined;
  const kind = symbol.type === SymbolType.Function ? "function" : "data";
  return { kind, index: symbol.index, size: symbol.size, room: plan.size - plan.place(symbol.value, 0) };
}

/** How a version fits the use of a name: it has the export, lacks it, or has something else of that name. */
export type Fit = "fits" | "missing" | "changed";

/**
 * Compares the use of a name with a version's export of that name.
 *
 * @param use The kind that is expected, and the bytes that are read and written there.
 * @param found The version's export of that name.
 */
export function fitOf(
  use: { readonly kind: ExportKind; readonly size: number },
  found: { readonly kind: ExportKind; readonly room: number } | undefined,
): Fit {
  if (found === undefined) return "missing";
  return found.kind === use.kind && found.room >= use.size ? "fits" : "changed";
}

/** How strict a reload is: with `allow` a version may lack exports that are in use. */
export type Compatibility = "strict" | "allow";

/** Whether a reload is refused because of a name in use. */
export function isRefused(fit: Fit, compatibility: Compatibility): boolean {
  return fit === "changed" || (fit === "missing" && compatibility === "strict");
}

/** A variable of a new version: the variable of the old version that gives it its value, or why none does. */
export type VariableMatch =
  & {
    /** The index in the new version's symbol table. */
    readonly index: number;
    readonly name: string;
  }
  & ({
    /** The index in the old version's symbol table. */
    readonly before: number;
    readonly reason?: undefined;
  } | {
    readonly before?: undefined;
    /** The reason, for messages: "its size was 4, is 8". */
    readonly reason: string;
  });

/** The symbols of two versions by name, without names that several symbols of a version share. */
export class VersionPair {
  readonly previous: PlannedFile;
  readonly candidate: PlannedFile;
  readonly before: ReadonlyMap<string, number>;
  readonly after: ReadonlyMap<string, number>;

  constructor(previous: PlannedFile, candidate: PlannedFile) {
    this.previous = previous;
    this.candidate = candidate;
    this.before = uniqueNames(previous.file.symbols);
    this.after = uniqueNames(candidate.file.symbols);
  }

  /** Matches every variable of the candidate by name, size, type and version. */
  *variables(): Iterable<VariableMatch> {
    const { symbols } = this.candidate.file;
    for (const index of variablesOf(this.candidate)) {
      const name = symbols.name(index);
      const before = this.before.get(name);
      if (!this.after.has(name)) yield { index, name, reason: "its name is not unique" };
      else if (before === undefined) {
        yield { index, name, reason: "the old version has no variable of this name" };
      } else {
        const reason = this.#mismatch(before, index);
        yield reason === undefined ? { index, name, before } : { index, name, reason };
      }
    }
  }

  #mismatch(before: number, after: number): string | undefined {
    const { symbols: old } = this.previous.file;
    const { symbols: now } = this.candidate.file;
    const [was, is] = [old.size(before), now.size(after)];
    if (was !== is) return `its size was ${was}, is ${is}`;
    if (old.type(before) !== now.type(after) || old.typeId(before) !== now.typeId(after)) {
      return "its type has changed";
    }
    const [from, to] = [old.version(before), now.version(after)];
    if (from !== to) return `its version was ${from}, is ${to}`;
    return undefined;
  }
}

/** The indices of the writable variables of an image. */
export function* variablesOf({ file: { symbols }, plan }: PlannedFile): Iterable<number> {
  for (let index = 0; index < symbols.length; index++) {
    if (symbols.type(index) !== SymbolType.Data || symbols.size(index) === 0 || !symbols.isDefined(index)) {
      continue;
    }
    const place = plan.place(symbols.value(index), symbols.size(index));
    if (place >= plan.data.offset && place < plan.data.offset + plan.data.length) yield index;
  }
}

/** The defined symbols by name, without names that several symbols share. */
function uniqueNames(symbols: SymbolTable): Map<string, number> {
  const unique = new Map<string, number>();
  const shared = new Set<string>();
  for (let index = 0; index < symbols.length; index++) {
    if (!symbols.isDefined(index) || !isAddress(symbols.type(index))) continue;
    const name = symbols.name(index);
    if (unique.has(name)) shared.add(name);
    unique.set(name, index);
  }
  for (const name of shared) unique.delete(name);
  return unique;
}
