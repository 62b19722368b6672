/**
 * The debug information of a registry's modules, for debuggers: each version is registered for as long as it is in
 * memory.
 */
import { attempt, ignore } from "../errors/load_error.ts";
import { readCompanion } from "../load/file/debug.ts";
import { keptHome, type LoadedImage } from "../load/loader.ts";
import type { ModuleVersion } from "../module/version.ts";
import { guardCode } from "../load/runtime/crash_guard.ts";
import { writeGuardFile } from "../observe/guard_file.ts";
import { companionSections } from "../observe/companion.ts";
import { writeSymbolFile } from "../observe/symbol_file.ts";
import { DEBUGGERS_LISTEN, registerSymbolFile, type SymbolRegistration } from "../os/debuggers.ts";

const registrations = new WeakMap<LoadedImage, SymbolRegistration>();

/**
 * Tells debuggers of a version, before any of its code runs, until its memory is freed.
 *
 * Platforms: Linux; nothing happens elsewhere.
 *
 * @param file The path of its file; undefined for bytes.
 */
export function tellDebuggers(version: ModuleVersion, file: string | undefined): void {
  if (!DEBUGGERS_LISTEN) return;
  registrations.set(version.image, registerSymbolFile(symbolFileOf(version.image, file)));
  version.own({ [Symbol.dispose]: () => registrations.get(version.image)?.[Symbol.dispose]() });
}

/** Tells debuggers where the variables of a version are whose code was led to those of earlier versions. */
export function tellDebuggersOfHomes(version: ModuleVersion, file: string | undefined): void {
  const { image } = version;
  const known = registrations.get(image);
  if (known === undefined || image.homeAddresses === undefined) return;
  known.replace(symbolFileOf(image, file));
}

/** Tells debuggers of the guards in front of functions, until the result is disposed of. */
export function tellDebuggersOfGuards(): Disposable {
  return registerSymbolFile(writeGuardFile(Deno.build.arch, guardCode()));
}

/** Tells debuggers that the code of a version has gone. */
export function withdrawFromDebuggers(image: LoadedImage): void {
  registrations.get(image)?.[Symbol.dispose]();
  registrations.delete(image);
}

function symbolFileOf(image: LoadedImage, file: string | undefined): Uint8Array<ArrayBuffer> {
  const { memory, plan } = image;
  const at = (offset: number): bigint | undefined => {
    const place = plan.place(offset, 0);
    return place === -1 ? undefined : memory.address + BigInt(place);
  };
  const inMemory = {
    file: image.file,
    sections: plan.sections.map(({ section, offset }) => ({
      section,
      address: memory.address + BigInt(offset),
    })),
    addressOf: (offset: number) => keptHome(image, offset)?.address ?? at(offset),
  };
  // Debug information that is damaged counts as none: functions have their names still.
  return attempt(ignore, () => writeSymbolFile(inMemory, debugOf(image, file))) ??
    writeSymbolFile(inMemory, new Map());
}

/** The debug information of a version; nothing if it has none. */
function debugOf(image: LoadedImage, file: string | undefined): ReadonlyMap<string, Uint8Array> {
  const debug = image.debug?.read();
  if (debug?.link === undefined) return debug?.sections ?? new Map();
  const companion = file === undefined ? undefined : readCompanion(file, debug.link);
  return companion === undefined ? new Map() : companionSections(companion);
}
