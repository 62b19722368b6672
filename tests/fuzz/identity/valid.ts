/** Says which versions a compiler accepts. */

import { partsOf, type SourceFunction, targetOf, type Variable } from "./model.ts";

/** Whether a pointer may lead to a variable: its name is known in the whole file, and its type never changes. */
export function isTarget(variable: Variable): boolean {
  const { inside, shape } = variable;
  return inside === undefined && shape.kind !== "flag" && shape.kind !== "pointer" && partsOf(variable) > 0;
}

/** Whether no two functions collide. */
export function areFunctions(functions: readonly SourceFunction[]): boolean {
  const external = functions.filter(({ isStatic }) => !isStatic).map(({ name }) => name);
  // A static function hides an external one of the same name, which is legal in another file only.
  const local = functions.map(({ file, name }) => `${file}:${name}`);
  return areUnique(external) && areUnique(local);
}

/** Whether no two variables collide, and every pointer leads to one that its file can name. */
export function areVariables(variables: readonly Variable[], files: readonly string[]): boolean {
  const outer = variables.filter(({ inside }) => inside === undefined);
  const external = outer.filter(({ storage }) => storage !== "static").map(({ name }) => name);
  const names = variables.map(({ file, inside, block, name }) =>
    `${file}:${inside?.name ?? ""}:${block ?? ""}:${name}`
  );
  if (!areUnique(external) || !areUnique(names) || variables.some(({ file }) => !files.includes(file))) {
    return false;
  }
  return variables.every((variable) => {
    const target = targetOf(variable);
    if (target === undefined) return true;
    const other = variables.find(({ id }) => id === target.id);
    if (other === undefined || !isTarget(other) || target.part >= partsOf(other)) return false;
    if (variable.shape.kind === "node" && other.shape.kind !== "node") return false;
    if (other.file === variable.file) return true;
    const isHidden = outer.some(({ file, name }) => file === variable.file && name === other.name);
    return other.storage !== "static" && !isHidden;
  });
}

function areUnique(texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length;
}
