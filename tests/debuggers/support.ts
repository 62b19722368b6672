// Runs debuggers over a child that loads a module, or a shared library of the same source.
import { fromFileUrl } from "@std/path";
import { compile, hasCommand, testWithCompilers } from "../support/compilers.ts";
import { linkObjects } from "../../src/link/linker.ts";

const CHILD = fromFileUrl(new URL("child.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** The command line of the child. */
const childCommand = (...args: string[]): string[] => [
  Deno.execPath(),
  "run",
  "-A",
  "--no-check",
  "--unstable-raw-imports",
  "--config",
  CONFIG,
  CHILD,
  ...args,
];

/** A function that calls itself, with a variable, a local one, and a function that calls it. */
export const SOURCE = `#include <unistd.h>
static int depth_reached;
static int calls;
__attribute__((noinline)) int inner(int n) {
  int local = n * 3;
  depth_reached = local;
  if (n == 0) { usleep(2000); return local; }
  return inner(n - 1) + local;
}
int outer(int n) {
  calls++;
  return inner(n) + 1;
}
`;

/** Compiles a source; makes a module and a shared library of the object. */
export async function build(
  folder: string,
  { source = SOURCE, flags = ["-O0"], name = "deep" } = {},
): Promise<void> {
  Deno.writeTextFileSync(`${folder}/deep.c`, source);
  await compile("gcc", ["-g", ...flags, "-fPIC", "-c", "deep.c", "-o", "deep.o"], folder);
  const object = { name: "deep.o", bytes: Deno.readFileSync(`${folder}/deep.o`) };
  Deno.writeFileSync(`${folder}/${name}.smf`, linkObjects([object], { reloadable: true }).bytes);
  await compile("gcc", ["-shared", "deep.o", "-o", `${name}.so`], folder);
}

/** Runs a debugger; returns all that it printed. */
async function debug(command: string, args: readonly string[], folder: string): Promise<string> {
  const { DEBUGINFOD_URLS: _, ...env } = Deno.env.toObject();
  const { stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd: folder,
    clearEnv: true,
    env: { ...env, NO_COLOR: "1" },
    signal: AbortSignal.timeout(120_000),
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

const GDB = ["-q", "-nx", "-batch"];
/** What a breakpoint in code that is not there yet takes. */
const SETTINGS = ["set pagination off", "set breakpoint pending on", "set debuginfod enabled off"];
const commands = (list: readonly string[]): string[] => [...SETTINGS, ...list].flatMap((one) => ["-ex", one]);

/** Runs gdb, which starts the child. */
export function gdb(folder: string, list: readonly string[], ...args: string[]): Promise<string> {
  return debug("gdb", [...GDB, ...commands(list), "--args", ...childCommand(...args)], folder);
}

/** Runs gdb on a process that runs already. */
export function gdbOn(folder: string, process: number, list: readonly string[]): Promise<string> {
  return debug("gdb", [...GDB, "-p", String(process), ...commands(list)], folder);
}

/** Runs lldb, which starts the child. */
export function lldb(folder: string, list: readonly string[], ...args: string[]): Promise<string> {
  const orders = list.flatMap((one) => ["-o", one]);
  return debug("lldb", ["-x", "-b", ...orders, "--", ...childCommand(...args)], folder);
}

/** The lines of a debugger that are about the source, with each address alike. */
export function sourceLines(text: string): string[] {
  return text.split("\n").filter((line) =>
    /deep\.c/.test(line) && !/pending|^Located|^Current|^Make/.test(line)
  )
    .map((line) =>
      line.replaceAll(/0x[0-9a-f]+/g, "ADDRESS").replaceAll(/ (?:JIT\(ADDRESS\)|deep\.so)`/g, " CODE`")
    );
}

/** A child that runs beside the test: it prints its process number, and ends with its standard input. */
export class RunningChild implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(folder: string, ...args: string[]) {
    const [command, ...rest] = childCommand(...args);
    this.#process = new Deno.Command(command, { args: rest, cwd: folder, stdin: "piped", stdout: "piped" })
      .spawn();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Waits until the child has printed a line. */
  async line(): Promise<string> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`the child has ended: ${this.#rest}`);
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stdin.close();
    await this.#process.status;
    await this.#lines.cancel();
  }
}

/** Whether processes may be attached to: only those of the same user, and only as the system's settings say. */
export const MAY_ATTACH: boolean = hasCommand("gdb") && mayAttach();

function mayAttach(): boolean {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/yama/ptrace_scope").trim() === "0" || Deno.uid() === 0;
  } catch {
    return true;
  }
}

/** Registers a test that takes a compiler and a debugger. */
export function debuggerTest(
  debugger_: "gdb" | "lldb",
  name: string,
  work: (folder: string) => Promise<void>,
): void {
  testWithCompilers(["gcc", debugger_], `${debugger_}: ${name}`, work);
}
