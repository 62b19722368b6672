/**
 * Changes a C function while a loop calls it. The loop never stops, the next
 * call runs the new code, and the counter in the module's data keeps its value. A
 * version that crashes is taken back, with the line that did it on the screen.
 *
 *     deno run --allow-ffi --allow-read --allow-write --allow-run=gcc examples/live_coding/main.ts
 *
 * Without gcc, or on a system that cannot load its objects, it alternates between
 * two prebuilt versions. It ends by itself after some seconds.
 */

import { linkObjects, LoadError, ModuleRegistry } from "@simple/loader";
import { fromFileUrl, join } from "@std/path";

const directory = Deno.makeTempDirSync({ prefix: "live_coding_" });
const path = join(directory, "wave.smf");

/** Whether a crash can be an exception here. */
const CAN_CRASH = Deno.build.os !== "darwin";

/** States of a program that somebody edits; one has a syntax error, another one uses a null pointer. */
const SOURCES = [
  "return ++count % width;",
  "return width - 1 - ++count % width;",
  "return ++count % width",
  "long *volatile shift = 0; return (++count + *shift) % width;",
  "long at = ++count % (2 * width); return at < width ? at : 2 * width - 1 - at;",
].map((body) => `long count; long step(long width) { ${body} }`);

/** Compiles and links a source, and renames the module into place; returns gcc's error, if any. */
async function build(source: string): Promise<string | undefined> {
  const [code, object, fresh] = ["wave.c", "wave.o", "wave.new"].map((name) => join(directory, name));
  Deno.writeTextFileSync(code, source);
  const { success, stderr } = await new Deno.Command("gcc", {
    args: ["-O2", "-g", "-fPIC", "-c", code, "-o", object],
  }).output();
  if (!success) return new TextDecoder().decode(stderr).split("\n").find((line) => line.includes("error"));
  // Unwind tables say exactly what is on the stack in a crash.
  const options = { reloadable: true, unwind: true };
  const { bytes } = linkObjects([{ name: object, bytes: Deno.readFileSync(object) }], options);
  Deno.writeFileSync(fresh, bytes);
  Deno.renameSync(fresh, path);
  return undefined;
}

function hasCompiler(): boolean {
  try {
    return Deno.build.os === "linux" && new Deno.Command("gcc", { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Draws until it is told to stop; knows nothing of versions. */
async function loop(draw: () => string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    console.log(draw());
    await wait(80);
  }
}

async function liveCoding(): Promise<void> {
  console.log(`$ gcc: ${SOURCES[0]}`);
  const problem = await build(SOURCES[0]);
  if (problem !== undefined) throw new Error(problem);
  await using registry = new ModuleRegistry({ onCrash: CAN_CRASH ? "throw" : "end" });
  using wave = registry.open(path, {
    step: { parameters: ["i64"], result: "i64" },
    count: { type: "i64" },
  });
  const stop = new AbortController();
  const { step } = wave.symbols;
  const draw = (): string => {
    try {
      const at = Number(step(24n));
      return `${" ".repeat(at)}*${" ".repeat(24 - at)}count ${wave.symbols.count}`;
    } catch (error) {
      if (!(error instanceof LoadError) || error.kind !== "Crashed") throw error;
      const { version } = registry.rollback(path, { state: "carry" });
      const text = error.message.replaceAll(directory, ".");
      return `  ${text.replace(/ \(file .*/, "")}\n  version ${version} runs again`;
    }
  };
  const running = loop(draw, stop.signal);
  const watching = (async () => {
    for await (const event of registry.watch({ state: "carry", debounce: 20, signal: stop.signal })) {
      if (event.kind === "reloaded") {
        const names = event.carried?.carried.join(", ");
        console.log(
          `  version ${event.version} after ${event.milliseconds.toFixed(1)} ms, carried: ${names}`,
        );
      } else if (event.kind === "failed") {
        console.log(`  the old version keeps running: ${event.error}`);
      }
    }
  })();
  for (const source of SOURCES.slice(1)) {
    if (!CAN_CRASH && source.includes("shift")) continue;
    await wait(700);
    console.log(`$ gcc: ${source}`);
    const problem = await build(source);
    if (problem !== undefined) console.log(`  ${problem.replace(directory, ".")}`);
  }
  await wait(700);
  stop.abort();
  await Promise.all([running, watching]);
}

/** Alternates between the two prebuilt versions of examples/quickstart/calc.c. */
async function alternating(target: string): Promise<void> {
  console.log("No C compiler for this system: calc_v1.smf and calc_v2.smf of examples/quickstart take turns");
  const versions = [1, 2].map((number) =>
    Deno.readFileSync(
      fromFileUrl(new URL(`../quickstart/${target}/calc_v${number}.smf`, import.meta.url)),
    )
  );
  using registry = new ModuleRegistry();
  registry.loadBytes("calc", versions[0]);
  using calc = registry.open("calc", {
    add: { parameters: ["i64", "i64"], result: "i64" },
    version: { parameters: [], result: "i32" },
    calls: { type: "i64" },
  });
  const { symbols } = calc;
  const stop = new AbortController();
  const running = loop(() => {
    symbols.add(1n, 1n);
    return `version ${symbols.version()} of the code, call ${symbols.calls}`;
  }, stop.signal);
  for (let turn = 1; turn <= 4; turn++) {
    await wait(500);
    const { version } = registry.reload("calc", { bytes: versions[turn % 2], state: "carry" });
    console.log(`  reload ${version - 1}`);
  }
  await wait(300);
  stop.abort();
  await running;
}

const target = `${Deno.build.os}-${Deno.build.arch}`;
try {
  if (hasCompiler()) await liveCoding();
  else if (["linux-x86_64", "linux-aarch64", "windows-x86_64"].includes(target)) await alternating(target);
  else console.log("Neither a C compiler nor compiled versions for this system: nothing to show");
} finally {
  Deno.removeSync(directory, { recursive: true });
}
