/**
 * Squarified treemaps: rectangles whose areas are as given, as square as possible, that fill a rectangle
 * (Bruls, Huizing and van Wijk, "Squarified Treemaps", 2000).
 *
 * | symbol | meaning                                             |
 * | ------ | --------------------------------------------------- |
 * | `w`    | the shorter side of what is left of the rectangle   |
 * | `s`    | the sum of the areas in the row that is being laid  |
 * | `r+`   | the largest of them                                 |
 * | `r-`   | the smallest of them                                |
 *
 * The worst ratio of a row's sides is `max(w² r+ / s², s² / (w² r-))`; the next area joins the row if that makes
 * it no worse.
 */

/** A rectangle. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Lays out rectangles, one for each area, in their order.
 *
 * @param areas Positive, in descending order, in any unit: they are scaled to fill the rectangle.
 */
export function treemap(areas: readonly number[], { x, y, width, height }: Rectangle): Rectangle[] {
  const total = areas.reduce((sum, area) => sum + area, 0);
  const scale = width * height / total;
  const laid: Rectangle[] = [];
  for (let first = 0; first < areas.length;) {
    const w = Math.min(width, height);
    let s = 0, end = first, worst = Infinity;
    for (; end < areas.length; end++) {
      const next = s + areas[end] * scale;
      const ratio = worstRatio(w, next, areas[first] * scale, areas[end] * scale);
      if (ratio > worst) break;
      s = next;
      worst = ratio;
    }
    const thickness = s / w;
    let along = 0;
    for (const area of areas.slice(first, end)) {
      const length = area * scale / thickness;
      laid.push(
        width >= height
          ? { x, y: y + along, width: thickness, height: length }
          : { x: x + along, y, width: length, height: thickness },
      );
      along += length;
    }
    if (width >= height) [x, width] = [x + thickness, width - thickness];
    else [y, height] = [y + thickness, height - thickness];
    first = end;
  }
  return laid;
}

function worstRatio(w: number, s: number, largest: number, smallest: number): number {
  return Math.max(w * w * largest / (s * s), s * s / (w * w * smallest));
}
