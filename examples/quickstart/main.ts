/**
 * Loads modules, calls them, links them with each other, and reloads one.
 *
 *     deno run --allow-ffi --allow-read examples/quickstart/main.ts
 *
 * The modules come from the C files in examples/quickstart.
 */

import { ModuleRegistry } from "@simple/loader";

const target = `${Deno.build.os}-${Deno.build.arch}`;
const build = (name: string): URL => new URL(`./${target}/${name}.smf`, import.meta.url);

function main(): void {
  using registry = new ModuleRegistry();

  // Loads a library; a symbol and its signature make a typed JavaScript function.
  const calc = registry.loadBytes("calc", Deno.readFileSync(build("calc_v1")));
  const add = calc.getFunction("add", { parameters: ["i64", "i64"], result: "i64" });
  if (add === null) throw new Error("calc exports no add");
  console.log(`Loaded calc: it exports ${calc.exports().map(({ name }) => name).join(", ")}`);
  console.log(`2 + 3 = ${add(2n, 3n)} (${calc.callPaths()[0].path} path)`);

  // Loads a program; its header has the entry point.
  const program = registry.load(build("program"));
  const start = program.entryPoint({ parameters: [], result: "i32" });
  console.log(`The program's exit code: ${start?.()}`);

  // Loads a module with an import: twice.smf calls a function that calc exports.
  const twice = registry.load(build("twice"));
  const { symbols } = twice.bind({ twice: { parameters: ["i64"], result: "i64" } });
  for (const { name, from } of twice.imports()) {
    console.log(`twice(21) = ${symbols.twice(21n)}, by '${name}' of ${from}`);
  }

  // Live symbols follow reloads: the same functions run the new code, and variables keep their values.
  const live = registry.open("calc", {
    version: { parameters: [], result: "i32" },
    calls: { type: "i64" },
  });
  const { version } = live.symbols;
  console.log(`Version ${version()} was called ${live.symbols.calls} times`);
  registry.reload("calc", { bytes: Deno.readFileSync(build("calc_v2")), state: "carry" });
  console.log(
    `Version ${version()} goes on from ${live.symbols.calls}; twice(21) = ${symbols.twice(21n)} still`,
  );

  // A function of the replaced version still runs the old code.
  console.log(`The old version still adds: 2 + 2 = ${add(2n, 2n)}`);

  // A call after close throws; it does not crash.
  twice.close();
  try {
    symbols.twice(21n);
  } catch (error) {
    console.log(`After close: ${(error as Error).message}`);
  }
}

if (["linux-x86_64", "linux-aarch64", "windows-x86_64"].includes(target)) main();
else console.log(`There are no modules for ${target} in examples/quickstart`);
