/**
 * Formats the types of a module as the text of `smf inspect --types`.
 */
import type { ListedType, TypeListing } from "../analysis/list_types.ts";
import type { Writer } from "../terminal/style.ts";
import { printable, table } from "../terminal/table.ts";

/** Formats all types and what has which. */
export function typeLines({ types, typed }: TypeListing, { style, named }: Writer): string[] {
  const symbols = table(typed.map(({ type, declaration }) => [`#${type}`, named(declaration)]), [
    "right",
  ]);
  const details = types.flatMap((type) => detailLines(type));
  return [
    style.heading("functions and variables"),
    ...symbols.map((line) => `  ${line}`),
    "",
    style.heading("types"),
    ...table(
      [
        ["number", "size", "layout", "type"],
        ...types.map(({ id, size, layoutHash, declaration }) => [
          `#${id}`,
          `${size ?? "-"}`,
          layoutHash ?? "-",
          printable(declaration),
        ]),
      ],
      ["right", "right"],
    ).map((line) => `  ${line}`),
    ...(details.length === 0 ? [] : ["", style.heading("fields and values")]),
    ...details.map((line) => `  ${line}`),
  ];
}

/** Formats the fields of a struct, or the values of an enumeration. */
function detailLines({ id, declaration, fields, bases = [], enumerators }: ListedType): string[] {
  if (fields === undefined && enumerators === undefined) return [];
  const rows = [
    ...bases.map((base) => [`${base.offset ?? "virtual"}`, `#${base.type}`, printable(base.declaration)]),
    ...(fields ?? []).map(({ offset, bits, type, declaration }) => [
      bits === undefined ? `${offset}` : `${offset}.${bits[0]}`,
      `#${type}`,
      printable(declaration),
    ]),
    ...(enumerators ?? []).map(({ name, value }) => [`${value}`, "", printable(name)]),
  ];
  return [`#${id} ${printable(declaration)}`, ...table(rows, ["right"]).map((line) => `  ${line}`)];
}
