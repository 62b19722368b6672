/**
 * Reports of benchmarks: the ratio to a peer at each size, and the growth with the size.
 */

/** The measurement at one size. */
export interface Point {
  readonly size: number;
  /** The median over the rounds, for this package. */
  readonly ours: number;
  /** The median for the peer on the same work, if there is a peer. */
  readonly peer?: number | undefined;
  /** Median over the rounds of ours / peer. */
  readonly ratio?: number | undefined;
  /** The largest acceptable ratio; for a series without peer, the largest acceptable value. */
  readonly goal?: number | undefined;
}

/** Measurements of one operation at several sizes. */
export interface Series {
  readonly name: string;
  /** The things that {@linkcode Point.size} counts. */
  readonly per: string;
  readonly unit: "ns" | "µs" | "ms" | "bytes" | "mappings" | "times";
  /** The name of the peer. */
  readonly peer?: string;
  readonly points: readonly Point[];
}

/** The result of a benchmark. */
export interface Report {
  /** The title, which is also the name of the chart's file. */
  readonly title: string;
  readonly series: readonly Series[];
  /** The measurements that were not possible, with reasons. */
  readonly skipped: readonly string[];
}

/** Aligns cells in columns, the first to the left, the others to the right. */
export function columns(cells: readonly (readonly string[])[]): string[] {
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join(
      "  ",
    )
  );
}

/**
 * The growth with the size: the slope of the least-squares line through the points
 * on a log–log chart. 1 is linear, 0 is flat; undefined for fewer than two sizes.
 */
export function slope(
  points: readonly { readonly size: number; readonly value: number }[],
): number | undefined {
  if (points.length < 2 || points.some(({ value }) => value <= 0)) return undefined;
  const xs = points.map(({ size }) => Math.log(size)), ys = points.map(({ value }) => Math.log(value));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x0 = mean(xs), y0 = mean(ys);
  const over = xs.reduce((sum, x, index) => sum + (x - x0) * (ys[index] - y0), 0);
  return over / xs.reduce((sum, x) => sum + (x - x0) ** 2, 0);
}

function digits(value: number | undefined, places?: number): string {
  if (value === undefined) return "–";
  if (places !== undefined) return value.toFixed(places);
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(3);
}

/** The slopes of a series, for this package and for the peer. */
function slopes({ points }: Series): { ours: number | undefined; peer: number | undefined } {
  const withPeer = points.filter(({ peer }) => peer !== undefined);
  return {
    ours: slope(points.map(({ size, ours }) => ({ size, value: ours }))),
    peer: slope(withPeer.map(({ size, peer }) => ({ size, value: peer! }))),
  };
}

/** Formats a report as text. */
export function table({ title, series, skipped }: Report): string {
  const lines = [title];
  for (const one of series) {
    const { ours, peer } = slopes(one);
    const header = [`  ${one.name}`, one.per, `ours (${one.unit})`, one.peer ?? "peer", "ratio", "goal", ""];
    const rows = one.points.map((point) => {
      const judged = one.peer === undefined ? point.ours : point.ratio;
      const verdict = point.goal === undefined || judged === undefined
        ? ""
        : judged <= point.goal
        ? "met"
        : "MISSED";
      return [
        "",
        point.size.toLocaleString("en"),
        digits(point.ours),
        digits(point.peer),
        digits(point.ratio, 2),
        digits(point.goal, 2),
        verdict,
      ];
    });
    lines.push(...columns([header, ...rows]));
    if (ours !== undefined) {
      lines.push(`    slope ${ours.toFixed(2)}${peer === undefined ? "" : `, peer ${peer.toFixed(2)}`}`);
    }
  }
  for (const reason of skipped) lines.push(`  skipped ${reason}`);
  return lines.join("\n");
}

const COLOURS = ["#1b6ca8", "#c8553d", "#2e8b57", "#8e44ad", "#b8860b", "#008b8b", "#555555", "#d81b60"];

/** Draws a log–log chart, as SVG, of all series with at least two sizes: this package solid, the peer dashed. */
export function chart({ title, series }: Report): string {
  const lines = series.filter(({ points }) => points.length > 1).flatMap((one, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const { ours, peer } = slopes(one);
    const line = (label: string, growth: number | undefined, dash: string, values: [number, number][]) =>
      values.length < 2 ? [] : [{ label: `${label}, slope ${digits(growth, 2)}`, dash, colour, values }];
    return [
      ...line(`${one.name} (${one.unit})`, ours, "", one.points.map(({ size, ours }) => [size, ours])),
      ...line(
        `  ${one.peer}`,
        peer,
        "5 4",
        one.points.flatMap(({ size, peer }) => peer === undefined ? [] : [[size, peer] as [number, number]]),
      ),
    ];
  });
  const width = 860, height = 60 + Math.max(360, 20 * lines.length), plot = { x: 70, y: 40, w: 460, h: 300 };
  const decades = (values: readonly number[]): [number, number] => {
    const low = Math.floor(Math.log10(Math.min(...values))),
      high = Math.ceil(Math.log10(Math.max(...values)));
    return [low, Math.max(high, low + 1)];
  };
  const positive = lines.flatMap(({ values }) => values).filter(([, value]) => value > 0);
  if (positive.length === 0) return "";
  const [x0, x1] = decades(positive.map(([size]) => size)),
    [y0, y1] = decades(positive.map(([, value]) => value));
  const x = (size: number) => plot.x + plot.w * (Math.log10(size) - x0) / (x1 - x0);
  const y = (value: number) => plot.y + plot.h * (1 - (Math.log10(value) - y0) / (y1 - y0));
  const text = (at: number, top: number, words: string, more = "") =>
    `<text x="${at.toFixed(1)}" y="${top.toFixed(1)}"${more}>${
      words.replace(/[&<>]/g, (letter) => `&#${letter.charCodeAt(0)};`)
    }</text>`;
  const rule = (a: number, b: number, c: number, d: number) =>
    `<path d="M${a.toFixed(1)} ${b.toFixed(1)}L${c.toFixed(1)} ${d.toFixed(1)}" stroke="#ddd"/>`;
  const grid: string[] = [];
  for (let power = x0; power <= x1; power++) {
    grid.push(rule(x(10 ** power), plot.y, x(10 ** power), plot.y + plot.h));
    grid.push(text(x(10 ** power), plot.y + plot.h + 18, `10^${power}`, ' text-anchor="middle"'));
  }
  for (let power = y0; power <= y1; power++) {
    grid.push(rule(plot.x, y(10 ** power), plot.x + plot.w, y(10 ** power)));
    grid.push(text(plot.x - 8, y(10 ** power) + 4, `10^${power}`, ' text-anchor="end"'));
  }
  const drawn = lines.map(({ label, dash, colour, values }, index) => {
    const path = values.map(([size, value], at) =>
      `${at === 0 ? "M" : "L"}${x(size).toFixed(1)} ${y(value).toFixed(1)}`
    );
    const stroke = ` stroke="${colour}" stroke-width="1.8" fill="none"${
      dash === "" ? "" : ` stroke-dasharray="${dash}"`
    }`;
    const top = plot.y + 12 + 20 * index;
    return `<path d="${path.join("")}"${stroke}/><path d="M545 ${top - 4}h22"${stroke}/>${
      text(574, top, label)
    }`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${text(plot.x, 22, title, ' font-size="15"')}
${grid.join("\n")}
${drawn.join("\n")}
${text(plot.x + plot.w / 2, plot.y + plot.h + 38, series[0].per, ' text-anchor="middle"')}
</svg>
`;
}
