/**
 * The files by which `smf dev` tells the program how a module was built.
 */
import type { BuiltModule } from "../../build/build.ts";
import { replaceFile } from "../../build/files.ts";
import type { DevModule } from "./modules.ts";
import type { BuildNote } from "./notes.ts";

/** Writes how a module was built, before the module. */
export function writeNote(module: DevModule, built: BuiltModule, changed: number): void {
  const { compile: compiled, link: linked } = built.milliseconds;
  const note: BuildNote = { changed, compiled, linked };
  replaceFile(module.note, json(note));
  writeFacts(module, built);
}

/** Writes the result of a build. */
export function writeFacts(
  module: DevModule,
  { map, runs, dependencies, absentHeaders, milliseconds }: BuiltModule,
): void {
  replaceFile(factsPath(module), json({ map, runs, dependencies, absentHeaders, milliseconds }));
}

/** The file with the result of a build. */
export function factsPath({ note }: DevModule): string {
  return note.replace(/note$/, "built.json");
}

/** A value as the bytes of a JSON file. */
export function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}
