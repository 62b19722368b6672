/**
 * Definitions of a module's functions and variables as TypeScript.
 */
import { declarationOf } from "../declaration.ts";
import { bareType, type Types } from "../layout.ts";
import { type NativeFunction, nativeFunction, nativeValue, type NativeWord } from "../native.ts";
import { type Literal, literalLines } from "./literal.ts";
import { commentCode, commentText, propertyKey } from "./names.ts";
import { nativeLiteral } from "./native_literal.ts";
import type { DeclaredTypes } from "./reached.ts";

/** A function or a variable that a module exports. */
export interface TypedExport {
  /** The name. */
  readonly name: string;
  /** Whether it is a function or a variable. */
  readonly kind: "function" | "variable";
  /** The number of its type; undefined if the module does not know it. */
  readonly type: number | undefined;
}

/** The input of a generated module. */
export interface TypeScriptInput {
  /** The name of the native module in comments. */
  readonly moduleName: string;
  /** Types by number. */
  readonly types: Types;
  /** Returns the hash of a type's layout. */
  readonly layoutHash: (type: number) => string | undefined;
  /** The functions and variables; the result does not depend on their order. */
  readonly exports: readonly TypedExport[];
  /** Whether structs are declared, too, to which only fields of structs point. */
  readonly allStructs: boolean;
  /** Whether the pointers that a function takes are buffers. */
  readonly takesBuffers: (name: string) => boolean;
}

/** The definition of an export, or the reason why it has none. */
export type ExportDefinition = NativeFunction | { readonly type: NativeWord } | { readonly reason: string };

/** Returns the definition of an export, or the reason why it has none. */
export function exportDefinition(types: Types, { kind, type }: TypedExport): ExportDefinition {
  if (type === undefined) return { reason: "the module does not know its type" };
  const bare = types[bareType(types, type)];
  if (kind === "variable") {
    const value = nativeValue(types, type);
    // By the type "pointer" Deno gives the address of the variable itself.
    const isWord = typeof value === "string" && value !== "function";
    return { type: isWord ? value : "pointer" };
  }
  return bare?.kind === "function" ? nativeFunction(types, bare) : { reason: "its type is not a function's" };
}

/** Writes the list of exports without a definition, as no block or one. */
export function leftOutLines(types: Types, exports: readonly TypedExport[]): string[][] {
  const lines = exports.flatMap((item) => {
    const definition = exportDefinition(types, item);
    return "reason" in definition
      ? [`//   ${commentText(declarationText(types, item))}: ${commentText(definition.reason)}`]
      : [];
  });
  return lines.length === 0 ? [] : [["// Left out, because they cannot be called by definitions:", ...lines]];
}

/** Writes the constant with all definitions. */
export function definitionLines(
  input: TypeScriptInput,
  exports: readonly TypedExport[],
  names: DeclaredTypes,
): string[] {
  const { types } = input;
  const lines = exports.flatMap((item) => {
    const definition = exportDefinition(types, item);
    if ("reason" in definition) return [];
    const note = "type" in definition && definition.type === "pointer" ? ": its address" : "";
    return [
      `  /** ${commentCode(declarationText(types, item))}${note} */`,
      ...literalLines(
        "  ",
        `${propertyKey(item.name)}: `,
        definitionLiteral(input, item, definition, names),
        ",",
      ),
    ];
  });
  const head = `/** Definitions of what ${
    commentText(input.moduleName)
  } exports, for \`open\` and \`bind\`. */`;
  return lines.length === 0
    ? [head, "export const definitions = {} as const;"]
    : [head, "export const definitions = {", ...lines, "} as const;"];
}

function definitionLiteral(
  { types, takesBuffers }: TypeScriptInput,
  { name, type }: TypedExport,
  definition: Exclude<ExportDefinition, { readonly reason: string }>,
  names: DeclaredTypes,
): Literal {
  if ("type" in definition) return { entries: [["type", `"${definition.type}"`]] };
  const signature = types[bareType(types, type!)];
  if (signature?.kind !== "function") return { entries: [] };
  const buffers = takesBuffers(name);
  /** Structs by value are the types of their classes. */
  const literal = (value: NativeFunction["result"], id: number): Literal => {
    const className = names.get(bareType(types, id));
    return typeof value === "object" && className !== undefined ? `${className}.type` : nativeLiteral(value);
  };
  const parameters = definition.parameters.map((value, index) =>
    buffers && value === "pointer" ? `"buffer"` : literal(value, signature.parameters[index].type)
  );
  return {
    entries: [["parameters", { list: parameters }], ["result", literal(definition.result, signature.result)]],
  };
}

function declarationText(types: Types, { name, type }: TypedExport): string {
  return type === undefined ? name : declarationOf(types, type, name, { parameterNames: true });
}
