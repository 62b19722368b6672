// Modules linked from the objects of fixtures/types, and the declarations of their names.
import { linkObjects, type LinkOptions } from "../../src/link/linker.ts";
import { type ParsedSmf, parseSmf } from "../../src/smf/file.ts";
import type { ModuleTypes } from "../../src/smf/types.ts";

const FOLDER = new URL("../../fixtures/types/", import.meta.url);

/** The bytes of a file of fixtures/types. */
export function typesFixture(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(name, FOLDER));
}

/** A module of one object of fixtures/types. */
export function linkedFixture(name: string, options: LinkOptions = {}): ParsedSmf {
  return parseSmf(linkObjects([{ name, bytes: typesFixture(name) }], options).bytes);
}

/** The types of a file that has some. */
export function typesIn(file: ParsedSmf): ModuleTypes {
  const types = file.types();
  if (types === undefined) throw new Error("the module has no types");
  return types;
}

/** The declarations of all that has a type, sorted; sections' own symbols aside. */
export function declarationsIn(file: ParsedSmf): string[] {
  const types = typesIn(file);
  return [...file.symbols].filter(({ name }) => !name.startsWith(".")).flatMap((symbol) => {
    const type = types.of(symbol);
    return type === undefined ? [] : [types.declaration(symbol.name, type)];
  }).sort();
}
