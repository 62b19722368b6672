/**
 * The rules by which one version of a module can follow another, as pure
 * functions of two files. Reloads apply them to the exports in use; commands can
 * predict from the files alone what a reload would do.
 */

import { type ImagePlan, isAddress } from "./plan.ts";
import { isCompilerMade } from "./symbol_names.ts";
import { SymbolType } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";

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
  if (symbol === undefined || !isAddress(symbol.type) || plan.isThreadLocal(symbol.value)) return undefined;
  const kind = symbol.type === SymbolType.Function ? "function" : "data";
  return { kind, index: symbol.index, size: symbol.size, room: plan.size - plan.place(symbol.value, 0) };
}

/** Whether a module exports a thread-local variable of that name. */
export function exportsThreadLocal({ file, plan }: PlannedFile, name: string): boolean {
  if (plan.threadLocals === undefined) return false;
  const symbol = file.symbols.findExport(name);
  return symbol !== undefined && isAddress(symbol.type) && plan.isThreadLocal(symbol.value);
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
export function* variablesOf({ file: { symbols }, plan }: PlannedFile): Iterable<number> {
  for (let index = 0; index < symbols.length; index++) {
    if (symbols.type(index) !== SymbolType.Data || symbols.size(index) === 0 || !symbols.isDefined(index)) {
      continue;
    }
    const place = plan.place(symbols.value(index), symbols.size(index));
    if (place < plan.data.offset || place >= plan.data.offset + plan.data.length) continue;
    if (!isCompilerMade(symbols.name(index))) yield index;
  }
}

/** The indices of the functions that a file defines. */
export function* functionsOf({ symbols }: SmfFile): Iterable<number> {
  for (let index = 0; index < symbols.length; index++) {
    if (symbols.type(index) === SymbolType.Function && symbols.isDefined(index)) yield index;
  }
}
