/**
 * Compares definitions that a person wrote with the types of the module's exports, to the sign.
 */
import { declarationOf } from "../declaration.ts";
import type { Types } from "../layout.ts";
import type { NativeValue } from "../native.ts";
import { exportDefinition, type TypedExport } from "./definitions.ts";
import type { WrittenDefinition, WrittenType } from "./read_definitions.ts";

/** A definition that does not agree with the module. */
export interface DefinitionDifference {
  /** The name of the export. */
  readonly name: string;
  /** Such as `parameter 2 is f64, the file says i32`. */
  readonly problem: string;
  /** The declaration of the export; undefined if there is no such export. */
  readonly declaration: string | undefined;
}

/** The outcome of a comparison. */
export interface DefinitionComparison {
  /** The number of definitions that were compared. */
  readonly compared: number;
  /** The differences, in the order of the file. */
  readonly differences: readonly DefinitionDifference[];
}

/**
 * Compares definitions with exports. Literals that define no export at all are those of another module, and
 * are left out.
 */
export function compareDefinitions(
  types: Types,
  exports: readonly TypedExport[],
  written: readonly WrittenDefinition[],
): DefinitionComparison {
  const byName = new Map(exports.map((item) => [item.name, item]));
  const groups = new Set(written.filter(({ name }) => byName.has(name)).map(({ group }) => group));
  const own = written.filter(({ group }) => groups.has(group));
  const differences = own.flatMap((definition): DefinitionDifference[] => {
    const item = byName.get(definition.name);
    if (item === undefined) {
      if (definition.optional) return [];
      return [{ name: definition.name, problem: "the module does not export it", declaration: undefined }];
    }
    if (item.type === undefined) return [];
    const declaration = declarationOf(types, item.type, item.name, { parameterNames: true });
    return problemsOf(types, item, definition).map((problem) => ({ name: item.name, problem, declaration }));
  });
  return { compared: own.length, differences };
}

function problemsOf(types: Types, item: TypedExport, written: WrittenDefinition): string[] {
  const isFunction = written.parameters !== undefined;
  if (isFunction !== (item.kind === "function")) {
    return [`it is a ${item.kind}, the file defines a ${isFunction ? "function" : "variable"}`];
  }
  const definition = exportDefinition(types, item);
  if ("reason" in definition) return [`it cannot be called: ${definition.reason}`];
  if ("type" in definition) {
    // By the type "pointer" every variable can be had as its address.
    return written.type === "pointer" ? [] : problemOf("it", definition.type, written.type);
  }
  const parameters = written.parameters ?? [];
  const count = definition.parameters.length;
  if (parameters.length !== count) {
    return [
      `it has ${count} ${count === 1 ? "parameter" : "parameters"}, the file says ${parameters.length}`,
    ];
  }
  return [
    ...definition.parameters.flatMap((type, index) =>
      problemOf(`parameter ${index + 1}`, type, parameters[index])
    ),
    // A result may be left unread.
    ...(written.type === "void" ? [] : problemOf("its result", definition.result, written.type)),
  ];
}

function problemOf(subject: string, own: NativeValue | "void", written: WrittenType | undefined): string[] {
  return agree(own, written) ? [] : [`${subject} is ${typeText(own)}, the file says ${typeText(written)}`];
}

/** Other spellings of the same type. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  i64: ["isize"],
  u64: ["usize"],
  pointer: ["buffer", "function", "usize", "u64"],
  function: ["pointer", "usize", "u64"],
};

/** Whether a written type is the module's own; an expression may be any. */
function agree(own: NativeValue | "void", written: WrittenType | undefined): boolean {
  if (written === undefined) return true;
  if (typeof own === "string") {
    return own === written || (typeof written === "string" && SAME[own]?.includes(written) === true);
  }
  return typeof written === "object" && written.struct.length === own.struct.length &&
    own.struct.every((field, index) => agree(field, written.struct[index]));
}

function typeText(type: WrittenType | NativeValue | undefined): string {
  if (type === undefined) return "?";
  return typeof type === "string" ? type : `{ struct: [${type.struct.map(typeText).join(", ")}] }`;
}
