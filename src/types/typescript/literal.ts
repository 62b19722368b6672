/**
 * Literals, laid out as `deno fmt` lays them out in lines of 80 characters.
 */

/** A piece of code, a list of literals, or an object whose keys are written already. */
export type Literal =
  | string
  | { readonly list: readonly Literal[] }
  | { readonly entries: readonly (readonly [key: string, value: Literal])[] };

/** The width of lines that `deno fmt` has by default. */
export const LINE_WIDTH = 80;

/** Writes lines of `before`, the literal and `after`; each nesting adds two spaces. */
export function literalLines(indent: string, before: string, literal: Literal, after: string): string[] {
  const line = `${indent}${before}${oneLine(literal)}${after}`;
  if (line.length <= LINE_WIDTH || typeof literal === "string") return [line];
  const inner = `${indent}  `;
  if ("list" in literal) {
    if (literal.list.length === 0) return [line];
    return [
      `${indent}${before}[`,
      ...literal.list.flatMap((item) => literalLines(inner, "", item, ",")),
      `${indent}]${after}`,
    ];
  }
  if (literal.entries.length === 0) return [line];
  return [
    `${indent}${before}{`,
    ...literal.entries.flatMap(([key, value]) => literalLines(inner, `${key}: `, value, ",")),
    `${indent}}${after}`,
  ];
}

function oneLine(literal: Literal): string {
  if (typeof literal === "string") return literal;
  if ("list" in literal) return `[${literal.list.map(oneLine).join(", ")}]`;
  if (literal.entries.length === 0) return "{}";
  return `{ ${literal.entries.map(([key, value]) => `${key}: ${oneLine(value)}`).join(", ")} }`;
}
