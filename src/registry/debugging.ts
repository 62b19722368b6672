/**
 * The debug information of a registry's modules, for debuggers: each version is registered for as long as it is in
 * memory.
 */
import { attempt, ignore } from "../errors/load_error.ts";
import { readCompanion } from "../load/file/debug.ts";
import { keptHome, type LoadedImage } from "../load/loader.ts";
import type { ModuleVersion } from "../module/version.ts";
import { companionSections } from "../observe/companion.ts";
import { writeSymbolFile } from "../observe/symbol_file.ts";
import { DEBUGGERS_LISTEN, registerSymbolFile } from "../os/debuggers.ts";

const registrations = new WeakMap<LoadedImage, Disposable>();

/**
 * Tells debuggers of a version, before any of its code runs, until its memory is freed.
 *
 * Platforms: Linux; nothing happens elsewhere.
 *
 * @param file The path of its file; undefined for bytes.
 */
export function tellDebuggers(version: ModuleVersion, file: string | undefined): void {
  if (!DEBUGGERS_LISTEN) return;
  register(version.image, file);
  version.own({ [Symbol.dispose]: () => registrations.get(version.image)?.[Symbol.dispose]() });
}

/** Tells debuggers where the variables of a version are whose code was led to those of earlier versions. */
export function tellDebuggersOfHomes(version: ModuleVersion, file: string | undefined): void {
  const { image } = version;
  const known = registrations.get(image);
  if (known === undefined || image.homeAddresses === undefined) return;
  // The new file first: the last one to go takes the library that debuggers watch with it.
  register(image, file);
  known[Symbol.dispose]();
}

function register(image: LoadedImage, file: string | undefined): void {
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
  const symbolFile = attempt(ignore, () => writeSymbolFile(inMemory, debugOf(image, file))) ??
    writeSymbolFile(inMemory, new Map());
  registrations.set(image, registerSymbolFile(symbolFile));
}

/** The debug information of a version; nothing if it has none. */
function debugOf(image: LoadedImage, file: string | undefined): ReadonlyMap<string, Uint8Array> {
  const debug = image.debug?.read();
  if (debug?.link === undefined) return debug?.sections ?? new Map();
  const companion = file === undefined ? undefined : readCompanion(file, debug.link);
  return companion === undefined ? new Map() : companionSections(companion);
}
