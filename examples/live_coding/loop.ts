/**
 * Changes the code of a loop that never returns: `for (;;) step();` runs on a
 * thread of its own, and takes up each new version with its next step. Its state
 * stays where it is, in a variable and on the heap, and so does the pointer to a
 * function that it has stored there.
 *
 *     deno run --allow-ffi --allow-read --allow-write --allow-run=gcc examples/live_coding/loop.ts
 *
 * It needs gcc and Linux, and ends by itself after some seconds.
 */

import { linkObjects, ModuleRegistry } from "@simple/loader";
import { join } from "@std/path";

/** A ball that moves on a line; the body of `move` and the ball's look change from version to version. */
const source = (move: string, look: string) => `
  #include <stdlib.h>
  #include <unistd.h>
  struct ball { int at, speed, steps; int (*look)(void); };
  static struct ball *ball;
  static volatile int is_stopped;
  int look(void) { return '${look}'; }
  void move(struct ball *b) { ${move} }
  int step(void) { move(ball); ball->steps++; usleep(20000); return is_stopped; }
  int run(void) { ball = malloc(sizeof *ball); *ball = (struct ball){0, 1, 0, look}; for (;;) if (step()) return ball->steps; }
  int stop(void) { return is_stopped = 1; }
  int place(void) { return ball == 0 ? 0 : ball->at; }
  int shape(void) { return ball == 0 ? ' ' : ball->look(); }`;

const VERSIONS = [
  source("b->at += b->speed; if (b->at >= 40) b->at = 0;", "o"),
  source("b->at += b->speed; if (b->at <= 0 || b->at >= 40) b->speed = -b->speed;", "O"),
  source(
    "b->at += 3 * b->speed; if (b->at < 0 || b->at > 40) { b->speed = -b->speed; b->at += 3 * b->speed; }",
    "*",
  ),
];

const directory = Deno.makeTempDirSync({ prefix: "live_coding_" });

/** Compiles a version under the name that all versions have, so that -g tells the linker what gcc may know. */
async function build(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const [code, object] = ["ball.c", "ball.o"].map((name) => join(directory, name));
  Deno.writeTextFileSync(code, text);
  const flags = ["-O2", "-g", "-fPIC", "-ffunction-sections", "-fdata-sections"];
  const { success, stderr } = await new Deno.Command("gcc", { args: [...flags, "-c", code, "-o", object] })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { bytes } = linkObjects([{ name: object, bytes: Deno.readFileSync(object) }], { hot: true });
  return bytes as Uint8Array<ArrayBuffer>;
}

function hasCompiler(): boolean {
  try {
    return Deno.build.os === "linux" && new Deno.Command("gcc", { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function liveLoop(): Promise<void> {
  await using registry = new ModuleRegistry();
  using _first = registry.loadBytes("ball", await build(VERSIONS[0]));
  const integer = { parameters: [], result: "i32" } as const;
  using live = registry.open("ball", {
    run: { parameters: [], result: "i32", nonblocking: true },
    stop: integer,
    place: integer,
    shape: integer,
  });
  const { run, stop, place, shape } = live.symbols;
  const running = run();
  for (const [index, text] of VERSIONS.entries()) {
    if (index > 0) {
      const bytes = await build(text);
      const start = performance.now();
      registry.reload("ball", { bytes }).close();
      console.log(
        `  version ${index + 1} after ${(performance.now() - start).toFixed(1)} ms; nothing has returned`,
      );
    }
    for (let drawn = 0; drawn < 12; drawn++) {
      console.log(`${" ".repeat(Math.max(0, place()))}${String.fromCharCode(shape())}`);
      await wait(60);
    }
  }
  stop();
  console.log(`The loop ran ${await running} steps in ${VERSIONS.length} versions`);
}

try {
  if (hasCompiler()) await liveLoop();
  else console.log("There is no gcc for Linux here: nothing to show");
} finally {
  Deno.removeSync(directory, { recursive: true });
}
