/**
 * What `smf inspect` tells of a file, as text.
 */
import type { Inspection, InspectionData } from "../analysis/inspect.ts";
import type { Style } from "../terminal/style.ts";
import { printable, table } from "../terminal/table.ts";

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** The lines, without the contents of sections. */
export function inspectionLines({ data }: Inspection, partly: boolean, style: Style): string[] {
  const parts: [title: string, lines: string[]][] = [
    ["header", partly ? [] : headerLines(data)],
    ["sections", sectionLines(data)],
    ["symbols", symbolLines(data)],
    ["relocations", relocationLines(data)],
    ["imports", partly ? [] : data.imports.map((name) => printable(name))],
    ["image", partly ? [] : imageLines(data)],
  ];
  return parts.filter(([, lines]) => lines.length > 0).flatMap(([title, lines], index) => [
    ...(index === 0 ? [] : [""]),
    style.heading(title),
    ...lines.map((line) => `  ${line}`),
  ]);
}

/** The header's fields as people call them. */
function headerLines({ header }: InspectionData): string[] {
  const rows = Object.entries(header).flatMap(([name, value]) => {
    if (value === null || name === "moduleHashChecked") return [];
    const label = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    const isPlace = /offset|entryPoint/i.test(name);
    const text = name === "moduleHash"
      ? `${hex(value as bigint)}${header.moduleHashChecked === true ? ", checked" : ""}`
      : typeof value === "bigint" || (isPlace && typeof value === "number")
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

function symbolLines({ symbols }: InspectionData): string[] {
  if (symbols.length === 0) return [];
  return table([
    ["value", "size", "type", "binding", "section", "name"],
    ...symbols.map(({ name, type, binding, defined, section, value, size }) => [
      defined ? hex(value) : "-",
      `${size}`,
      type,
      binding,
      defined ? printable(section ?? "-") : "imported",
      printable(name),
    ]),
  ], ["right", "right"]);
}

function relocationLines({ relocations }: InspectionData): string[] {
  if (relocations.length === 0) return [];
  return table([
    ["offset", "type", "addend", "symbol"],
    ...relocations.map((
      { offset, type, symbol, addend },
    ) => [hex(offset), type, `${addend}`, printable(symbol)]),
  ], ["right", "left", "right"]);
}

function imageLines({ image }: InspectionData): string[] {
  if (image === undefined) return [];
  const { pageSize, size, alignment, gotSlots, pltStubs, regions } = image;
  const end = (offset: number, length: number): string => `${hex(offset)}..${hex(offset + length)}`;
  return [
    `${size} bytes aligned to ${alignment}, pages of ${pageSize}, GOT ${gotSlots}, PLT ${pltStubs}`,
    ...table(regions.flatMap(({ protection, offset, length, parts }) => [
      [protection, end(offset, length), ""],
      ...parts.map((part) => ["", end(part.offset, part.length), printable(part.name)]),
    ])),
  ];
}
