/**
 * The parts of a candidate that nobody uses, because the variables of earlier versions stay; and the variables that
 * have no home, and so start with each version.
 */

import { HomePlaces } from "../../image/homes/places.ts";
import type { FreshVariable } from "../../image/typed_variables.ts";
import type { PlacedImage } from "../../load/loader.ts";
import { equalBytes } from "../../smf/equal.ts";
import { dataOf } from "../image_data.ts";

/** The objects that initialisers of a new version made for variables that stay where they are. */
export interface UnusedObjects {
  /** The variables of the new version whose own memory its initialisers wrote to, and that nobody uses. */
  readonly names: readonly string[];
  /** The bytes of all homes of the new version that nobody uses. */
  readonly bytes: number;
  /**
   * The bytes of memory that the new version added to the process: its image, the tables of its file, of which reports
   * of crashes have a copy, and its debug information if it was loaded from bytes. They stay until the module ends,
   * but for the code and the debug information of a version that is replaced (`replacedCode`). Constants that are
   * stored once with those of the version before do not count.
   */
  readonly addedBytes: number;
  /** How many threads its initialisers started for such variables: none of them ran, those of before go on. */
  readonly threads: number;
  /** The bytes of constants of the new version that are stored once with those of the version before. */
  readonly sharedBytes: number;
}

/**
 * Finds what the initialisers of a candidate made that nobody uses.
 *
 * @param kept The homes of the candidate that are kept elsewhere.
 * @param counts What is counted elsewhere.
 */
export function unusedObjects(
  candidate: PlacedImage,
  kept: readonly number[],
  counts: Pick<UnusedObjects, "threads" | "sharedBytes">,
): UnusedObjects {
  const { homes, plan: { data }, memory, initialData, file: { symbols } } = candidate;
  const places = HomePlaces.of(candidate);
  const now = dataOf(candidate);
  const names: string[] = [];
  let bytes = 0;
  const isWritten = initialData !== undefined && !isUnchangedData(now, initialData);
  for (const home of kept) {
    const { size } = homes[home];
    bytes += size;
    const start = places.place(home) - data.offset;
    if (!isWritten || isUnchanged(now, initialData, start, start + size)) continue;
    for (const index of places.variables[home]) names.push(symbols.name(index));
  }
  return { names, bytes, addedBytes: memory.size - counts.sharedBytes + tableBytes(candidate), ...counts };
}

/** The bytes of what the loader keeps of a file beside the image, copies for reports of crashes included. */
function tableBytes(
  { file: { symbols, relocations }, types, debug, initialData, crashReports }: PlacedImage,
): number {
  return (crashReports?.bytes ?? 0) + (debug?.size ?? 0) + symbols.source.bytes.byteLength +
    relocations.words.byteLength +
    (types?.facts.bytes?.byteLength ?? 0) + (initialData?.byteLength ?? 0);
}

/** Whether no variable at all has changed. */
function isUnchangedData(now: Uint8Array, initial: Uint8Array): boolean {
  const known = Math.min(now.length, initial.length);
  if (!equalBytes(now.subarray(0, known), initial.subarray(0, known))) return false;
  return isUnchanged(now, initial, known, now.length);
}

/** Whether bytes are what they were at first; behind the initial ones there were zeros. */
function isUnchanged(now: Uint8Array, initial: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (now[at] !== (at < initial.length ? initial[at] : 0)) return false;
  return true;
}

/**
 * Finds the variables of a candidate that have no home.
 *
 * @param reason Why its thread-local variables are its own; undefined if they are not.
 */
export function homelessVariables(candidate: PlacedImage, reason: string | undefined): FreshVariable[] {
  const { plain, threadLocal } = HomePlaces.of(candidate).shape.homeless;
  return [
    ...plain.map((name) => ({ name, reason: "it is in a section that cannot stay" })),
    ...(reason === undefined ? [] : threadLocal.map((name) => ({ name, reason }))),
  ];
}
