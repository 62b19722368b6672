/**
 * The picture of a module: one HTML page that needs nothing else, with the image to scale.
 */
import { hex } from "../../errors/load_error.ts";
import { shownSize } from "../../os/inspection.ts";
import type { ImageRegion } from "../analysis/inspect.ts";
import type { Block, Picture } from "../analysis/picture.ts";
import { type Rectangle, treemap } from "../analysis/treemap.ts";
import { printable } from "../terminal/table.ts";

/** The width of all drawings, in pixels of the page. */
const WIDTH = 960;
/** The heights of a bar, and of a map of functions or variables. */
const BAR = 48, MAP = 420;
/** The narrowest rectangle that has room for a label, and about how wide one letter is. */
const LABEL = 36, LETTER = 6.6;

const PROTECTIONS: Readonly<
  Record<ImageRegion["protection"], { readonly title: string; readonly kind: string }>
> = {
  "read-execute": { title: "Code", kind: "code" },
  "read-only": { title: "Constants", kind: "constants" },
  "read-write": { title: "Variables", kind: "variables" },
};

const STYLE =
  `body { font: 14px system-ui, sans-serif; margin: 2em auto; max-width: ${WIDTH}px; color: #1c1c1c;
  background: #fff; padding: 0 1em }
h1 { font-size: 1.6em } h2 { font-size: 1.2em; margin: 1.6em 0 .4em }
svg { display: block; width: 100%; height: auto; font-size: 11px }
rect { stroke: #fff; stroke-width: 1 }
.code { fill: #bcd7f5 } .constants { fill: #cfe8c6 } .variables { fill: #f8dcae } .gap { fill: #e8e8e8 }
.code-table { fill: #8fb8e6 } .constants-table { fill: #a5d196 } .variables-table { fill: #eec27a }
table { border-collapse: collapse } td, th { padding: .15em .8em .15em 0; text-align: left; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.bar { background: #bcd7f5; height: .8em; display: inline-block }
summary { cursor: pointer } code { word-break: break-all }`;

/** Writes the page. */
export function picturePage(file: string, picture: Picture): string {
  const { header, image, relocations, imports } = picture;
  const title = escaped(printable(file));
  const facts = [
    `${header.platform} ${header.arch}`,
    `${shownSize(header.size as number).text} in the file`,
    ...(image === undefined ? [] : [
      `${shownSize(image.size).text} in memory`,
      `GOT slots: ${image.gotSlots}`,
      `PLT stubs: ${image.pltStubs}`,
    ]),
  ];
  const parts = [
    `<h1>${title}</h1>`,
    `<p>${escaped(facts.join(", "))}</p>`,
    ...(image === undefined
      ? ["<p>It cannot be placed in memory: smf inspect says why.</p>"]
      : imageParts(image, picture.blocks)),
    heading("Relocations", relocations.reduce((sum, [, count]) => sum + count, 0)),
    relocationTable(relocations),
    heading("Imports", imports.reduce((sum, { names }) => sum + names.length, 0)),
    ...imports.map(({ by, names }) =>
      `<details><summary>${escaped(printable(by))} could answer for ${names.length}</summary><p><code>${
        names.map((name) => escaped(printable(name))).join(", ")
      }</code></p></details>`
    ),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>
${STYLE}
</style>
</head>
<body>
${parts.filter((part) => part !== "").join("\n")}
</body>
</html>
`;
}

function heading(title: string, count: number): string {
  return `<h2>${title}: ${count === 0 ? "none" : count}</h2>`;
}

function imageParts(image: NonNullable<Picture["image"]>, blocks: Picture["blocks"]): string[] {
  const regions = image.regions.toSorted((a, b) => a.offset - b.offset);
  const drawn = regions.map((region) => ({
    ...region,
    ...PROTECTIONS[region.protection],
    text: `${PROTECTIONS[region.protection].title} (${region.protection})`,
  }));
  return [
    "<h2>Image, to scale</h2>",
    bar(drawn.map(({ offset, length, kind, text }) => ({ offset, length, kind, text })), 0, image.size),
    ...drawn.flatMap(({ protection, offset, length, kind, title, parts }) => [
      `<h2>${title}: ${shownSize(length).text}</h2>`,
      bar(
        parts.map((part) => ({
          offset: part.offset,
          length: part.length,
          kind: part.name.startsWith("(") ? `${kind}-table` : kind,
          text: part.name,
        })),
        offset,
        length,
      ),
      map(blocks.get(protection) ?? [], kind),
    ]),
  ];
}

/** A part of a bar. */
interface Part {
  readonly offset: number;
  readonly length: number;
  readonly kind: string;
  readonly text: string;
}

/** Draws parts of a range of the image to scale; what no part covers is a gap. */
function bar(parts: readonly Part[], start: number, length: number): string {
  const scale = WIDTH / length;
  const rectangles = parts.map(({ offset, length, kind, text }) =>
    rectangle(
      { x: (offset - start) * scale, y: 0, width: length * scale, height: BAR },
      kind,
      text,
      `${text}: ${shownSize(length).text} at ${hex(offset)}`,
    )
  );
  return `<svg viewBox="0 0 ${WIDTH} ${BAR}" role="img"><rect class="gap" width="${WIDTH}" height="${BAR}"/>${
    rectangles.join("")
  }</svg>`;
}

/** Draws functions or variables by their sizes. */
function map(blocks: readonly Block[], kind: string): string {
  if (blocks.length === 0) return "";
  const areas = treemap(blocks.map(({ size }) => size), { x: 0, y: 0, width: WIDTH, height: MAP });
  const rectangles = blocks.map(({ name, size }, index) =>
    rectangle(areas[index], kind, name, `${name}: ${shownSize(size).text}`)
  );
  return `<svg viewBox="0 0 ${WIDTH} ${MAP}" role="img">${rectangles.join("")}</svg>`;
}

function rectangle({ x, y, width, height }: Rectangle, kind: string, label: string, title: string): string {
  const at = `x="${pixels(x)}" y="${pixels(y)}"`;
  const letters = Math.floor((width - 6) / LETTER);
  const shown = printable(label);
  const text = width < LABEL || height < 14
    ? ""
    : `<text x="${pixels(x + 4)}" y="${pixels(y + 13)}">${
      escaped(shown.length <= letters ? shown : `${shown.slice(0, letters - 1)}…`)
    }</text>`;
  return `<g><title>${escaped(printable(title))}</title><rect class="${kind}" ${at} width="${
    pixels(width)
  }" height="${pixels(height)}"/>${text}</g>`;
}

function relocationTable(relocations: Picture["relocations"]): string {
  if (relocations.length === 0) return "";
  const most = relocations[0][1];
  const rows = relocations.map(([kind, count]) =>
    `<tr><td>${escaped(kind)}</td><td class="number">${count}</td><td><span class="bar" style="width: ${
      pixels(Math.max(1, count / most * 400))
    }px"></span></td></tr>`
  );
  return `<table>${rows.join("")}</table>`;
}

function pixels(value: number): string {
  return `${Number(value.toFixed(2))}`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text that HTML shows as it is, in attributes, too. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}
