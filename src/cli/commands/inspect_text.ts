/**
 * Formats the contents of a module as the text of `smf inspect`.
 */
import { hex } from "../../errors/load_error.ts";
import type { Inspection, InspectionData } from "../analysis/inspect.ts";
import { readableName } from "../../image/symbol_names.ts";
import type { Writer } from "../terminal/style.ts";
import { printable, table } from "../terminal/table.ts";

/**
 * Formats everything but the sections' contents.
 *
 * @param isPartial Whether only some of the sections are shown: the parts that concern the whole file are left out.
 */
export function inspectionLines(
  { data }: Inspection,
  isPartial: boolean,
  { style, named }: Writer,
): string[] {
  const parts: [title: string, lines: string[]][] = [
    ["header", isPartial ? [] : headerLines(data)],
    ["sections", sectionLines(data)],
    ["symbols", symbolLines(data, named)],
    ["relocations", relocationLines(data, named)],
    ["imports", isPartial ? [] : data.imports.map((name) => named(name))],
    ["libraries", isPartial ? [] : data.libraries.map((name) => printable(name))],
    ["homes", homeLines(data, named)],
    ["entries", entryLines(data, named)],
    ["image", isPartial ? [] : imageLines(data)],
  ];
  return parts.filter(([, lines]) => lines.length > 0).flatMap(([title, lines], index) => [
    ...(index === 0 ? [] : [""]),
    style.heading(title),
    ...lines.map((line) => `  ${line}`),
  ]);
}

/** Formats the header's fields; their names are split into words. */
function headerLines({ header }: InspectionData): string[] {
  const rows = Object.entries(header).flatMap(([name, value]) => {
    if (value === null || name === "moduleHashChecked") return [];
    const label = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    const isOffset = /offset|entryPoint/i.test(name);
    const text = name === "moduleHash"
      ? `${hex(value as bigint)}${header.moduleHashChecked === true ? ", checked" : ""}`
      : typeof value === "bigint" || (isOffset && typeof value === "number")
      ? hex(value)
      : `${value}`;
    return [[label, text]];
  });
  return table(rows);
}

function sectionLines({ sections }: InspectionData): string[] {
  return table([
    ["index", "name", "type", "flags", "offset", "size", "virtual", "align", "image"],
    ...sections.map((section) => [
      `${section.index}`,
      printable(section.name),
      section.type,
      section.flags,
      hex(section.offset),
      `${section.size}`,
      `${section.virtualSize}`,
      `${section.alignment}`,
      section.imageOffset === undefined ? "-" : hex(section.imageOffset),
    ]),
  ], ["right", "left", "left", "left", "right", "right", "right", "right", "right"]);
}

function symbolLines({ symbols }: InspectionData, named: Writer["named"]): string[] {
  if (symbols.length === 0) return [];
  return table([
    ["value", "size", "type", "binding", "section", "name"],
    ...symbols.map(({ name, type, binding, defined, section, value, size }) => [
      defined ? hex(value) : "-",
      `${size}`,
      type,
      binding,
      defined ? printable(section ?? "-") : "imported",
      named(readableName(name)),
    ]),
  ], ["right", "right"]);
}

function relocationLines({ relocations }: InspectionData, named: Writer["named"]): string[] {
  if (relocations.length === 0) return [];
  return table([
    ["offset", "type", "addend", "symbol"],
    ...relocations.map((
      { offset, type, symbol, addend },
    ) => [hex(offset), type, `${addend}`, named(readableName(symbol))]),
  ], ["right", "left", "right"]);
}

function homeLines({ homes }: InspectionData, named: Writer["named"]): string[] {
  if (homes.length === 0) return [];
  return table([
    ["offset", "size", "align", "variables"],
    ...homes.map(({ offset, size, alignment, variables }) => [
      hex(offset),
      `${size}`,
      `${alignment}`,
      variables.map((name) => named(readableName(name))).join(", "),
    ]),
  ], ["right", "right", "right"]);
}

function entryLines({ entries }: InspectionData, named: Writer["named"]): string[] {
  if (entries === null || entries.length === 0) return [];
  return table([
    ["function", "file"],
    ...entries.map(({ name, file }) => [named(name), printable(file)]),
  ], ["left", "left"]);
}

function imageLines({ image }: InspectionData): string[] {
  if (image === undefined) return [];
  const { pageSize, size, alignment, gotSlots, pltStubs, isLow, regions } = image;
  const range = (offset: number, length: number): string => `${hex(offset)}..${hex(offset + length)}`;
  return [
    `${size} bytes aligned to ${alignment}, pages of ${pageSize}, GOT ${gotSlots}, PLT ${pltStubs}` +
    (isLow ? ", in the low 2 GiB" : ""),
    ...table(regions.flatMap(({ protection, offset, length, parts }) => [
      [protection, range(offset, length), ""],
      ...parts.map((part) => ["", range(part.offset, part.length), printable(part.name)]),
    ])),
  ];
}
