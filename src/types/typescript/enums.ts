/**
 * Enumerations as constant objects.
 */
import { declarationOf } from "../declaration.ts";
import type { Types } from "../layout.ts";
import type { EnumType } from "../model.ts";
import { LINE_WIDTH, literalLines } from "./literal.ts";
import { commentCode, propertyKey } from "./names.ts";

/** Writes an enumeration and the type of its values. */
export function enumLines(types: Types, id: number, type: EnumType, name: string): string[] {
  const values = new Map<string, string>();
  const rounded: string[] = [];
  for (const enumerator of type.enumerators) {
    const value: number | bigint = enumerator.value;
    if (typeof value === "number" && !Number.isSafeInteger(value)) rounded.push(enumerator.name);
    else if (!values.has(enumerator.name)) values.set(enumerator.name, valueCode(value));
  }
  const entries = [...values].map(([key, value]) => [propertyKey(key), value] as const);
  return [
    `/** ${commentCode(declarationOf(types, id, "", { parameterNames: true }))}. */`,
    ...literalLines("", `export const ${name} = `, { entries }, " as const;"),
    ...rounded.map((missing) => `// ${commentCode(missing)}: the module does not keep its value exactly.`),
    `/** A value of {@linkcode ${name}}. */`,
    ...(entries.length === 0 ? [`export type ${name} = never;`] : typeLines(name)),
  ];
}

/** Writes a value: a number, or a bigint where a number would be rounded. */
function valueCode(value: number | bigint): string {
  if (typeof value === "number") return `${value}`;
  const isExact = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
  return isExact ? `${value}` : `${value}n`;
}

function typeLines(name: string): string[] {
  const line = `export type ${name} = (typeof ${name})[keyof typeof ${name}];`;
  return line.length <= LINE_WIDTH
    ? [line]
    : [`export type ${name} =`, `  (typeof ${name})[keyof typeof ${name}];`];
}
