/**
 * Formats what `smf inspect` shows at first: a screenful of a module's header, sections and largest parts.
 */
import type { Inspection } from "../analysis/inspect.ts";
import type { LinkedSizes, Sized, Sizes } from "../analysis/sizes.ts";
import { shownSize } from "../../os/inspection.ts";
import type { Writer } from "../terminal/style.ts";
import { printable, table } from "../terminal/table.ts";

/** The most rows of one list: all lists together fit on a screen. */
const MOST_FUNCTIONS = 8, MOST_OTHERS = 5, MOST_SECTIONS = 8, MOST_IMPORTS = 8;

/** Formats a module's summary. */
export function summaryLines(
  { data }: Inspection,
  sizes: Sizes,
  linked: LinkedSizes | undefined,
  { style, named }: Writer,
): string[] {
  const { header, sections, symbols, relocations, imports, libraries, homes, image } = data;
  const isOn = (flag: string): boolean => `${header.flags}`.split(/\W+/).includes(flag);
  const facts = [
    `${header.platform} ${header.arch}`,
    ...(header.cpu === "any" || header.cpu === undefined ? [] : [`${header.cpu}`]),
    `${header.layout}`,
    bytes(header.size as number),
    ...(isOn("Reloadable") ? ["reloadable"] : []),
    ...(header.entryPoint === null ? [] : ["a program"]),
  ];
  const loaded = image === undefined ? [] : [
    `${bytes(image.size)} in memory${image.isLow ? ", in the low 2 GiB" : ""}`,
  ];
  const parts: [title: string, lines: string[]][] = [
    ["module", [facts.join(", "), ...loaded]],
    [
      "sections",
      listed(
        sections.map(({ name, index, type, virtualSize }) => [
          bytes(virtualSize),
          type,
          name === "" ? `#${index}` : printable(name),
        ]),
        MOST_SECTIONS,
      ),
    ],
    [`functions, of ${bytes(sizes.code)} of code`, sized(sizes.functions, MOST_FUNCTIONS, sizes.code, named)],
    [
      `variables and constants, of ${bytes(sizes.data)} of data`,
      sized(sizes.variables, MOST_OTHERS, sizes.data, named),
    ],
    ["code by source", sized(sizes.sources ?? [], MOST_OTHERS, sizes.code, printable)],
    ["objects and members", sized(linked?.objects ?? [], MOST_OTHERS, sizes.code + sizes.data, printable)],
    ["archives", sized(linked?.archives ?? [], MOST_OTHERS, sizes.code + sizes.data, printable)],
    ["imports", imports.length === 0 ? [] : [shortList(imports, named)]],
    ["libraries", libraries.length === 0 ? [] : [shortList(libraries, printable)]],
  ];
  const counts = [
    count(symbols.length, "symbol"),
    count(relocations.length, "relocation"),
    ...(homes.length === 0 ? [] : [count(homes.length, "home")]),
  ];
  const lines = parts.filter(([, lines]) => lines.length > 0).flatMap(([title, lines]) => [
    style.heading(title),
    ...lines.map((line) => `  ${line}`),
  ]);
  const more = sizes.sources === undefined && linked === undefined
    ? "; sizes by object need debug information (-g) or --map"
    : "";
  return [...lines, style.faint(`${counts.join(", ")}: --all shows everything${more}`)];
}

/** A number of bytes, short. */
function bytes(size: number): string {
  return shownSize(size).text;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Rows as a table, and how many more there are. */
function listed(rows: readonly string[][], most: number): string[] {
  const lines = table(rows.slice(0, most), ["right"]);
  const rest = rows.length - most;
  return rest > 0 ? [...lines, `… ${rest} more`] : lines;
}

/** Things by size, with their share of the whole. */
function sized(
  list: readonly Sized[],
  most: number,
  whole: number,
  named: (text: string) => string,
): string[] {
  return listed(
    list.map((
      { name, size },
    ) => [bytes(size), `${(100 * size / Math.max(1, whole)).toFixed(1)}%`, named(name)]),
    most,
  );
}

function shortList(names: readonly string[], named: (text: string) => string): string {
  const rest = names.length - MOST_IMPORTS;
  return names.slice(0, MOST_IMPORTS).map(named).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
