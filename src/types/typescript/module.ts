/**
 * Writes a TypeScript module of a native module's types: definitions of its functions and variables,
 * enumerations, and classes for its structs.
 */
import { definitionLines, leftOutLines, type TypeScriptInput } from "./definitions.ts";
import { enumLines } from "./enums.ts";
import { isRecord } from "../kinds.ts";
import { type Helper, HELPERS, helperTexts } from "./helpers.ts";
import { commentText, Scope } from "./names.ts";
import { declaredTypes } from "./reached.ts";
import { recordLines } from "./records.ts";

/** The first line of each module that {@linkcode typeScriptModule} writes, up to the module's name. */
export const WRITTEN_BY = "// Written by `smf types";

/** Writes the module. */
export function typeScriptModule(input: TypeScriptInput): string {
  const { types, moduleName } = input;
  const exports = [...input.exports].sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  const scope = new Scope(Object.keys(HELPERS));
  const roots = exports.flatMap(({ type }) => type === undefined ? [] : [type]);
  const declared = declaredTypes(types, { roots, followFields: input.allStructs }, scope);
  const helpers = new Set<Helper>();
  const blocks = [
    [`${WRITTEN_BY} ${commentText(moduleName)}\`: change nothing here, run it again.`],
    ...[...declared].map(([id, name]) => {
      const type = types[id]!;
      if (type.kind === "enum") return enumLines(types, id, type, name);
      const context = { types, declared, helpers, layoutHash: input.layoutHash };
      return isRecord(type) ? recordLines(context, id, type) : [];
    }),
    ...leftOutLines(types, exports),
    definitionLines(input, exports, declared),
    [
      "/** The functions and variables that these definitions bind. */",
      "export type Symbols = Deno.StaticForeignLibraryInterface<typeof definitions>;",
    ],
    ...helperTexts(helpers).map((text) => [text]),
  ];
  return blocks.map((lines) => `${lines.join("\n")}\n`).join("\n");
}
