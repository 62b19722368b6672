/** Prints versions of generated programs as C. */

import {
  type SourceFunction,
  type Target,
  targetOf,
  typeText,
  type Variable,
  variableOf,
  type Version,
} from "./model.ts";

/** The text of one file of a version. */
export interface SourceText {
  readonly path: string;
  readonly text: string;
}

/** The result of a function for a variable that it does not have. */
export const NOTHING = -77;

const PRELUDE = `struct node { long value; struct node *next; };
#define VARIABLE(lvalue) do { if (write) (lvalue) = value; return (int)(lvalue); } while (0)
#define ARGUMENTS int slot, int part, int write, int value
enum { NOTHING = ${NOTHING} };`;

/** The name of the function through which the variables of a file are reached, by its place in the link. */
export function accessName(version: Version, file: string): string {
  return `access_${version.files.indexOf(file)}`;
}

/** The number of a variable for the function of its file. */
export function slotOf(version: Version, variable: Variable): number {
  return version.variables.indexOf(variable);
}

/** Prints all files. */
export function print(version: Version): SourceText[] {
  return version.files.map((path) => ({ path, text: printFile(version, path) }));
}

function printFile(version: Version, file: string): string {
  const own = version.variables.filter((variable) => variable.file === file);
  const outer = own.filter(({ inside }) => inside === undefined);
  const functions = version.functions.filter((each) => each.file === file);
  const foreign = new Set(own.flatMap((variable) => {
    const target = targetOf(variable);
    const other = target && variableOf(version, target.id);
    return other !== undefined && other.file !== file ? [other] : [];
  }));
  const structs = new Set(
    [...own, ...foreign].flatMap((each) => each.shape.kind === "struct" ? [`${typeText(each)};`] : []),
  );
  const lines = [PRELUDE, ...structs, ...Array.from(foreign, (each) => `extern ${declarator(each)};`)];
  // Tentative definitions, so that each can have the address of each.
  for (const each of outer) {
    lines.push(`${each.storage === "static" ? "static" : "extern"} ${declarator(each)};`);
  }
  for (const each of outer) lines.push(`${definition(version, each)};`);
  const localsOf = (function_: SourceFunction) => own.filter(({ inside }) => inside === function_);
  for (const each of functions) lines.push(functionText(version, each, localsOf(each)));
  lines.push(`int ${accessName(version, file)}(ARGUMENTS) {`, "  switch (slot) {");
  for (const each of outer) lines.push(access(version, each));
  for (const each of functions) {
    const locals = localsOf(each);
    for (const local of locals) lines.push(`    case ${slotOf(version, local)}:`);
    if (locals.length > 0) lines.push(`      return ${each.name}(slot, part, write, value);`);
  }
  lines.push("  }", "  return NOTHING;", "}", "");
  return lines.join("\n");
}

function functionText(
  version: Version,
  { name, isStatic, isInline }: SourceFunction,
  locals: Variable[],
): string {
  const plain = locals.filter(({ block }) => block === undefined);
  const inBlocks = locals.filter(({ block }) => block !== undefined);
  return [
    `${isInline ? "" : "__attribute__((noinline)) "}${isStatic ? "static " : ""}int ${name}(ARGUMENTS) {`,
    ...plain.map((each) => `  ${definition(version, each)};`),
    "  switch (slot) {",
    ...plain.map((each) => access(version, each)),
    "  }",
    ...inBlocks.flatMap((each) => [
      "  {",
      `  ${definition(version, each)};`,
      "  switch (slot) {",
      access(version, each),
      "  }",
      "  }",
    ]),
    "  return NOTHING;",
    "}",
  ].join("\n");
}

function access(version: Version, variable: Variable): string {
  const { name, shape } = variable;
  const start = `    case ${slotOf(version, variable)}:`;
  switch (shape.kind) {
    case "number":
      return `${start} VARIABLE(${name});`;
    case "flag":
      return `${start} if (write) ${name} = ${shape.other}; return ${name};`;
    case "array":
      return `${start} VARIABLE(${name}[part]);`;
    case "struct": {
      const cases = shape.fields.map((field, index) =>
        `      case ${index}: VARIABLE(${name}.${field.name});`
      );
      return [`${start} switch (part) {`, ...cases, "      }", "      break;"].join("\n");
    }
    case "pointer":
      // A compiler would make a constant of a pointer that nobody writes.
      return shape.isConst
        ? `${start} return (int)*${name};`
        : `${start} if (write) ${name} += write - 1; return (int)*${name};`;
    case "node":
      return `${start} if (part == 1) return (int)${name}.next->value; VARIABLE(${name}.value);`;
  }
}

function declarator(variable: Variable): string {
  const { name, shape } = variable;
  switch (shape.kind) {
    case "number":
      return `${shape.of} ${name}`;
    case "flag":
      return `int ${name}`;
    case "array":
      return `${shape.of} ${name}[${shape.length}]`;
    case "struct":
      return `struct ${shape.tag} ${name}`;
    case "pointer":
      return `${typeText(variable)}${name}`;
    case "node":
      return `struct node ${name}`;
  }
}

function definition(version: Version, variable: Variable): string {
  const { storage, inside, shape, initial, isInitialised } = variable;
  const start = `${storage === "static" || inside !== undefined ? "static " : ""}${declarator(variable)}`;
  const target = targetOf(variable);
  if (target !== undefined) {
    return shape.kind === "node"
      ? `${start} = { ${initial[0]}, &${variableOf(version, target.id).name} }`
      : `${start} = ${addressText(version, target)}`;
  }
  if (!isInitialised) return start;
  return shape.kind === "array" || shape.kind === "struct"
    ? `${start} = { ${initial.join(", ")} }`
    : `${start} = ${initial[0]}`;
}

function addressText(version: Version, { id, part }: Target): string {
  const { name, shape } = variableOf(version, id);
  if (shape.kind === "array") return `&${name}[${part}]`;
  if (shape.kind === "struct") return `&${name}.${shape.fields[part].name}`;
  return shape.kind === "node" ? `&${name}.value` : `&${name}`;
}
