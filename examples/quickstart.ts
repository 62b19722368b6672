/**
 * Loads modules, calls them, links them with each other, and reloads one.
 *
 *     deno run --allow-ffi --allow-read examples/quickstart.ts
 */

import { ModuleRegistry } from "@simple/loader";
import { fromFileUrl } from "@std/path";

const fixture = (name: string): URL => new URL(`../fixtures/${name}`, import.meta.url);

using registry = new ModuleRegistry();

// A library: a symbol and its signature give a typed JavaScript function.
const mylib = registry.load(fixture("mylib.smf"));
const add = mylib.getFunction("add", { parameters: ["i64", "i64"], result: "i64" });
if (add === null) throw new Error("mylib.smf exports no add");
console.log(`Loaded ${fromFileUrl(fixture("mylib.smf"))}: ${mylib.exports().length} exports`);
console.log(`2 + 3 = ${add(2n, 3n)} (${mylib.callPaths()[0].path} path)`);

// A program: its header names the entry point.
const program = registry.load(fixture("main.sme"));
const main = program.entryPoint({ parameters: [], result: "i32" });
console.log(`Exit code: ${main?.()}`);

// A variable of the module: native code changes it, JavaScript reads it.
const { symbols: data } = registry.load(fixture("data.smf")).bind({
  increment: { parameters: [], result: "i64" },
  counter: { type: "i64" },
});
data.increment();
data.increment();
console.log(`The module's counter: ${data.counter}`);

// An import: importer.smf calls a function that provider.smf exports.
registry.load(fixture("provider.smf"));
const importer = registry.load(fixture("importer.smf"));
const twice = importer.getFunction("scaled_twice", { parameters: ["i64"], result: "i64" });
for (const { name, from } of importer.imports()) {
  console.log(`scaled_twice(5) = ${twice?.(5n)}, calling '${name}' of ${from}`);
}

// A reload: new code takes the old one's place; who holds a function of the old version keeps that.
const answer = { parameters: [], result: "i32" } as const;
const before = registry.loadBytes("counter", Deno.readFileSync(fixture("counter_v1.smf")));
const old = before.getFunction("answer", answer);
const live = registry.open("counter", { answer });
const after = registry.reload("counter", { bytes: Deno.readFileSync(fixture("counter_v2.smf")) });
console.log(
  `Version ${before.version} answers ${old?.()}, version ${after.version} answers ${live.symbols.answer()}`,
);

// Closing ends a module; a call afterwards is an exception, not a crash.
mylib.close();
try {
  add(2n, 3n);
} catch (error) {
  console.log(`After close: ${(error as Error).message}`);
}
