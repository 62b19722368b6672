/** Draws particles as text. */

import type { CharArray } from "@simple/loader";
import type { particle } from "./particles.ts";

/** A particle as a view shows it; it has `heat` since the second version. */
export interface Particle extends Pick<particle, "x" | "y" | "vx" | "vy">, Partial<Pick<particle, "heat">> {
  readonly name: CharArray;
}

const WIDTH = 60;
const HEIGHT = 12;

/** Draws the box: hot particles as `#`, others as `o`. */
export function draw(particles: readonly Particle[]): string {
  const rows = Array.from({ length: HEIGHT }, () => Array<string>(WIDTH).fill(" "));
  for (const { x, y, heat = 0 } of particles) {
    const row = Math.min(HEIGHT - 1, Math.floor((1 - y) * HEIGHT));
    const column = Math.min(WIDTH - 1, Math.floor(x * WIDTH));
    rows[row][column] = heat > 0.5 ? "#" : "o";
  }
  const edge = `+${"-".repeat(WIDTH)}+`;
  return [edge, ...rows.map((row) => `|${row.join("")}|`), edge].join("\n");
}
