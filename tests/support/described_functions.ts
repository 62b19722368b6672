// The functions of modules for Windows that unwinders know.
import type { ParsedSmf } from "../../src/smf/file.ts";

/** The names, among some, of the functions that the table of functions (`.pdata`) of a module describes. */
export function describedFunctions(file: ParsedSmf, names: readonly string[]): string[] {
  const table = file.sections.find(({ name }) => name === ".pdata")!;
  const view = new DataView(file.contents(table).slice().buffer);
  const described = new Set(
    Array.from({ length: view.byteLength / 12 }, (_, index) => view.getUint32(12 * index, true)),
  );
  const { symbols } = file;
  const known = [...symbols].filter(({ value }) => described.has(value)).map(({ name }) => name);
  return names.filter((name) => known.includes(name));
}
