/**
 * Runs programs as modules: calls main in a first version, reloads with carried state, calls main
 * again. Each program's output goes to a file; a line on standard error says which has ended. So if
 * a program ends the process, the parent knows which one it was.
 */
import { ModuleRegistry } from "../../mod.ts";
import { argumentVector } from "../../src/os/c_strings.ts";
import { ARGUMENTS } from "./build.ts";

/** A program, its versions, and the file for its output. */
export interface Job {
  readonly modules: readonly string[];
  readonly output: string;
}

const LIBRARIES = ["libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6"];

/** Descriptors and buffers of the C library that the modules use. */
const libc = Deno.dlopen("libc.so.6", {
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  dup: { parameters: ["i32"], result: "i32" },
  dup2: { parameters: ["i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  fflush: { parameters: ["pointer"], result: "i32" },
});
const [O_WRONLY, O_CREAT, O_APPEND] = [1, 0o100, 0o2000];

/** Leads standard output to a file while `work` runs. */
function withOutputTo(path: string, work: () => void): void {
  const { open, dup, dup2, close, fflush } = libc.symbols;
  const file = open(new TextEncoder().encode(`${path}\0`), O_WRONLY | O_CREAT | O_APPEND, 0o600);
  const saved = dup(1);
  dup2(file, 1);
  close(file);
  try {
    work();
  } finally {
    fflush(null);
    dup2(saved, 1);
    close(saved);
  }
}

function runJob({ modules, output }: Job): void {
  using stack = new DisposableStack();
  const registry = stack.use(new ModuleRegistry({ libraries: LIBRARIES }));
  modules.forEach((path, version) => {
    const bytes = Deno.readFileSync(path);
    const module = stack.use(
      version === 0
        ? registry.loadBytes("program", bytes)
        : registry.reload("program", { bytes, state: "carry" }),
    );
    const main = module.entryPoint({ parameters: ["i32", "buffer"], result: "i32" }, { types: "ignore" })!;
    let code = 0;
    withOutputTo(output, () => code = main(ARGUMENTS.length, argumentVector(ARGUMENTS)) & 255);
    Deno.writeTextFileSync(output, `\n[${code}]\n`, { append: true });
  });
}

for (const job of JSON.parse(Deno.readTextFileSync(Deno.args[0])) as Job[]) {
  let ended: Record<string, string> = {};
  try {
    runJob(job);
  } catch (error) {
    ended = { error: String(error) };
  }
  console.error(`\nended ${JSON.stringify(ended)}`);
}
