/**
 * Enumerations as constant objects.
 */
import { declarationOf } from "../declaration.ts";
import type { Types } from "../layout.ts";
import type { EnumType } from "../model.ts";
import { LINE_WIDTH, literalLines } from "./literal.ts";
import { commentCode, propertyKey } from "./names.ts";
import { scalarOf } from "./scalars.ts";

/** Writes an enumeration and the type of its values. */
export function enumLines(types: Types, id: number, type: EnumType, name: string): string[] {
  const values = new Map<string, string>();
  // Calls and accessors give values of 64 bits as bigints, the small ones too.
  const isWide = scalarOf(types, id)?.type === "bigint" ||
    type.enumerators.some(({ value }) => typeof value === "bigint");
  for (const { name, value } of type.enumerators) {
    if (!values.has(name)) values.set(name, isWide ? `${value}n` : `${value}`);
  }
  const entries = [...values].map(([key, value]) => [propertyKey(key), value] as const);
  return [
    `/** ${commentCode(declarationOf(types, id, "", { parameterNames: true }))}. */`,
    ...literalLines("", `export const ${name} = `, { entries }, " as const;"),
    `/** A value of {@linkcode ${name}}. */`,
    ...(entries.length === 0 ? [`export type ${name} = never;`] : typeLines(name)),
  ];
}

function typeLines(name: string): string[] {
  const line = `export type ${name} = (typeof ${name})[keyof typeof ${name}];`;
  return line.length <= LINE_WIDTH
    ? [line]
    : [`export type ${name} =`, `  (typeof ${name})[keyof typeof ${name}];`];
}
