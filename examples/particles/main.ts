/**
 * Draws structs of a C module as text, through a view of the module's own memory.
 * While it runs, a reload adds a field to the struct; the particles stay where they are.
 *
 *     deno run --allow-ffi --allow-read examples/particles/main.ts
 *
 * The modules come from examples/particles/particles.c, compiled with -g, so that
 * they know their types: nothing here repeats a signature. `particles.ts`, by which
 * TypeScript knows them too, is what `smf types` writes. `game.ts` is a game loop for
 * `smf dev`, in which you change the source yourself.
 */

import { ModuleRegistry } from "@simple/loader";
import { draw, type Particle } from "./drawing.ts";
import type { Symbols } from "./particles.ts";

const target = `${Deno.build.os}-${Deno.build.arch}`;
const version = (number: number): Uint8Array =>
  Deno.readFileSync(new URL(`./${target}/particles_v${number}.smf`, import.meta.url));

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function main(): Promise<void> {
  using registry = new ModuleRegistry();
  registry.loadBytes("particles", version(1));
  using live = registry.open("particles");
  const symbols = live.symbols as unknown as Symbols;
  const { scatter, step } = symbols;
  // The same object over all versions; its `value` is an accessor for each struct of the current one.
  const particles = live.view<Particle[]>("particles");

  const run = async (frames: number): Promise<void> => {
    for (let frame = 0; frame < frames; frame++) {
      let bounces = 0;
      for (let part = 0; part < 10; part++) bounces += step(0.01);
      console.log(`${draw(particles.value)}\nafter ${symbols.elapsed.toFixed(1)} s, ${bounces} bounces`);
      await wait(60);
    }
  };

  scatter(7);
  // Writing works, too: native code goes on from here.
  const [first] = particles.value;
  first.name.text = "me";
  first.y = 0.95;
  await run(5);

  const before = particles.value.map(({ x, y }) => ({ x, y }));
  // The new struct has another layout: fields keep their values by their names.
  const { carried } = registry.reload("particles", { bytes: version(2), state: "carry" });
  for (const { name, changes } of carried?.converted ?? []) {
    console.log(`reloaded: ${name}: ${changes.join(", ")}`);
  }
  const moved = particles.value.filter(({ x, y }, index) => x !== before[index].x || y !== before[index].y);
  console.log(`${moved.length} of ${before.length} particles moved, and they have a heat now`);
  await run(5);

  const hottest = particles.value.reduce((hot, next) => next.heat! > hot.heat! ? next : hot);
  console.log(`the hottest is ${hottest.name.text}, at ${hottest.x.toFixed(2)}, ${hottest.y.toFixed(2)}`);
  if (moved.length > 0 || particles.value[0].name.text !== "me") throw new Error("the state was lost");
}

await main();
