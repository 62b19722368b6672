/**
 * Tries each part of the package once, on versions of Deno that the tests do not run on:
 *
 *     deno run --allow-all --no-lock --config .ci/smoke.json .ci/smoke.ts [--without-zstd]
 *
 * With `--without-zstd` this version of Deno must lack zstd, and the error must say so.
 */
import { runProgram } from "@simple/loader/cli";
import { integrityOf, linkObjects, LoadError, ModuleLoader, ModuleRegistry } from "@simple/loader";

const ADD = { parameters: ["i64", "i64"], result: "i64" } as const;
const ANSWER = { answer: { parameters: [], result: "i32" } } as const;

function fixture(name: string): Uint8Array {
  return Deno.readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
}

function same(actual: unknown, expected: unknown, what: string): void {
  const [left, right] = [actual, expected].map(String);
  if (left !== right) throw new Error(`${what}: ${left}, not ${right}`);
  console.log(`${what}: ${left}`);
}

/** The zstd of this version: what a compressed module answers, or the kind of the error. */
function compressed(): string {
  try {
    using module = new ModuleLoader().loadBytes(fixture("zstd.smf"));
    return `${module.exports().length} exports`;
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    console.log(error.message);
    return /this runtime does not have zstd/.test(error.message) ? error.kind : error.message;
  }
}

async function smoke(): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "smoke_" });
  const path = `${folder}/counter.smf`;
  try {
    Deno.writeFileSync(path, fixture("counter_v1.smf"));
    await using registry = new ModuleRegistry();

    using math = registry.loadBytes("math", fixture("mylib.smf"));
    for (const callPath of ["fast", "pointer"] as const) {
      same(math.bind({ add: ADD }, { callPath }).symbols.add(2n, 3n), 5n, `a call, ${callPath}`);
    }
    const later = math.bind({ add: { ...ADD, nonblocking: true } }).symbols;
    same(await later.add(2n, 3n), 5n, "a call on another thread");

    const inputs = [{ name: "arith.o", bytes: fixture("c/arith.o") }];
    using linked = registry.loadBytes("linked", linkObjects(inputs, { exports: ["add_i32"] }).bytes);
    const add = linked.getFunction("add_i32", { parameters: ["i32", "i32"], result: "i32" })!;
    same(add(20, 22), 42, "a module that was just linked");

    using live = registry.open(path, ANSWER);
    same(live.symbols.answer(), 41, "version 1");
    const watching = registry.watch({ state: "carry" });
    const event = watching.next();
    const newer = `${folder}/newer`;
    // The watch has to begin before the file changes.
    await new Promise((resolve) => setTimeout(resolve, 500));
    Deno.writeFileSync(newer, fixture("counter_v2.smf"));
    Deno.renameSync(newer, path);
    same((await event).value?.kind, "reloaded", "a watch");
    await watching.return();
    same(live.symbols.answer(), 42, "version 2");

    const worker = new Worker(new URL("./smoke_worker.ts", import.meta.url), { type: "module" });
    const answered = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
    worker.postMessage(math.share());
    same(await answered, 5n, "a call in a Worker");
    worker.terminate();

    const integrity = integrityOf(fixture("mylib.smf"));
    using checked = registry.load(new URL("../fixtures/mylib.smf", import.meta.url), { integrity });
    same(checked.exports().length > 0, true, "a module that is checked");

    const lines: string[] = [];
    const output = { print: (line: string) => lines.push(line), complain: console.error };
    const code = await runProgram(["inspect", "--json", "--hex", "--section", "code", path], output);
    const [contents] = code === 0 ? JSON.parse(lines.join("")).contents : [];
    same(contents?.slice(0, 12), "b82a000000c3", "the command");

    same(compressed(), Deno.args.includes("--without-zstd") ? "Unsupported" : "3 exports", "zstd");
    console.log(`Deno ${Deno.version.deno} does it all`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

await smoke();
