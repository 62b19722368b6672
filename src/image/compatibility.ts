/**
 * The rules by which one version of a module can follow another, as pure
 * functions of two files. Reloads apply them to the exports in use; commands can
 * predict from the files alone what a reload would do.
 */

import { isInside } from "./arrange.ts";
import { type ImagePlan, isAddress } from "./plan.ts";
import { isCompilerMade } from "./symbol_names.ts";
import { SymbolType } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";
import { SYMBOL_WORDS } from "../smf/symbol.ts";

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
export function exportPlace(planned: PlannedFile, name: string): ExportPlace | undefined {
  return exportPlaceAt(planned, planned.file.symbols.exportOf(name));
}

/**
 * The place of an export; undefined if it has no address.
 *
 * @param index Its symbol's index; -1 if there is none.
 */
export function exportPlaceAt(
  { file: { symbols }, plan }: PlannedFile,
  index: number,
): ExportPlace | undefined {
  if (index < 0 || !isAddress(symbols.type(index)) || plan.isThreadLocal(symbols.value(index))) {
    return undefined;
  }
  const kind = symbols.type(index) === SymbolType.Function ? "function" : "data";
  const room = plan.size - plan.place(symbols.value(index), 0);
  return { kind, index, size: symbols.size(index), room };
}

/** Whether a module exports a thread-local variable of that name. */
export function exportsThreadLocal({ file: { symbols }, plan }: PlannedFile, name: string): boolean {
  if (plan.threadLocals === undefined) return false;
  const index = symbols.exportOf(name);
  return index >= 0 && isAddress(symbols.type(index)) && plan.isThreadLocal(symbols.value(index));
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

/** The indices of the writable variables of an image, without those that hold nothing of the program's. */
export function* variablesOf(planned: PlannedFile): Iterable<number> {
  const { symbols } = planned.file;
  for (const index of symbolsOfType(symbols, SymbolType.Data)) {
    if (isInData(planned, index) && !isCompilerMade(symbols.name(index))) yield index;
  }
}

/** The indices of the symbols of one type: most others are functions, and there may be many. */
export function symbolsOfType({ words, step, length, typeBase }: SmfFile["symbols"], type: number): number[] {
  const stored = type - typeBase, found: number[] = [];
  for (let index = 0, at = SYMBOL_WORDS.kind; index < length; index++, at += step) {
    if ((words[at] & 0xff) === stored) found.push(index);
  }
  return found;
}

/** Whether a symbol is of data in the group of variables. */
export function isInData({ file: { symbols }, plan }: PlannedFile, index: number): boolean {
  return symbols.type(index) === SymbolType.Data && symbols.size(index) > 0 && symbols.isDefined(index) &&
    isInside(plan.data, plan.place(symbols.value(index), symbols.size(index)));
}

/** Whether a symbol is a thread-local variable. */
export function isThreadLocal({ file: { symbols }, plan }: PlannedFile, index: number): boolean {
  return plan.threadLocals !== undefined && symbols.type(index) === SymbolType.Data &&
    symbols.size(index) > 0 && symbols.isDefined(index) && plan.isThreadLocal(symbols.value(index));
}

/** The indices of the functions that a file defines. */
export function* functionsOf({ symbols }: SmfFile): Iterable<number> {
  for (let index = 0; index < symbols.length; index++) {
    if (symbols.type(index) === SymbolType.Function && symbols.isDefined(index)) yield index;
  }
}
