/**
 * A game loop on the terminal: C moves the particles, JavaScript draws them. Start it under `smf dev`, in this
 * folder, and change particles.c while it runs:
 *
 *     deno run -A ../../src/cli/main.ts dev game.ts
 *
 * In a pipe it prints a line every half second.
 */

import { ModuleRegistry } from "@simple/loader";
import { draw, type Particle } from "./drawing.ts";
import { definitions } from "./particles.ts";

/** Seconds of the game in a step of C, and milliseconds between two pictures. */
const STEP = 1 / 240, FRAME = 1000 / 30;

const registry = new ModuleRegistry();
const live = registry.open(new URL(".smf/particles.smf", import.meta.url), definitions);
const { symbols } = live;
const particles = live.view<Particle[]>("particles");

function status(): string {
  const all = particles.value;
  const height = all.reduce((sum, { y }) => sum + y, 0) / all.length;
  const hot = all.filter(({ heat = 0 }) => heat > 0.5).length;
  return `${symbols.elapsed.toFixed(2)} s, mean height ${height.toFixed(2)}, ${hot} hot, the first is '${
    all[0].name.text
  }'`;
}

const onTerminal = Deno.stdout.isTerminal();
const write = (text: string): void => void Deno.stdout.writeSync(new TextEncoder().encode(text));
let isOver = false;

/** Moves the particles by the time that has passed, in steps of one length, and shows them. */
async function play(): Promise<void> {
  // Nothing has moved yet; after a reload this is not run again.
  symbols.scatter(7);
  particles.value[0].name.text = "me";
  let before = performance.now(), owed = 0, pictures = 0;
  while (!isOver) {
    const now = performance.now();
    // Whoever looks at another window for a while does not want all of it.
    owed += Math.min((now - before) / 1000, 0.25);
    before = now;
    for (; owed >= STEP; owed -= STEP) symbols.step(STEP);
    if (onTerminal) write(`\x1b[H${draw(particles.value)}\n${status()}\x1b[K\n`);
    else if (pictures++ % 15 === 0) console.log(status());
    await new Promise((resolve) => setTimeout(resolve, FRAME));
  }
}

if (onTerminal) {
  write("\x1b[2J\x1b[?25l"); // an empty screen without a cursor
  Deno.addSignalListener("SIGINT", () => isOver = true);
}
await play();
write("\x1b[?25h");
Deno.exit();
