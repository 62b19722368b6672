// Runs debuggers over a child that loads a module, or a shared library of the same source.
import { fromFileUrl } from "@std/path";
import { compile, hasCommand, testWithCompilers } from "../support/compilers.ts";
import { lineOf } from "../support/debug_sources.ts";
import { linkObjects } from "../../src/link/linker.ts";

const CHILD = fromFileUrl(new URL("child.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** The arguments with which Deno runs the child. */
const childArguments = (...args: string[]): string[] => [
  "run",
  "-A",
  "--no-check",
  "--unstable-raw-imports",
  "--config",
  CONFIG,
  CHILD,
  ...args,
];

/** The command line of the child. */
const childCommand = (...args: string[]): string[] => [Deno.execPath(), ...childArguments(...args)];

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
  { source = SOURCE, flags = ["-O0"], name = "deep", compiler = "gcc" } = {},
): Promise<void> {
  Deno.writeTextFileSync(`${folder}/deep.c`, source);
  await compile(compiler, ["-g", ...flags, "-fPIC", "-c", "deep.c", "-o", "deep.o"], folder);
  const object = { name: "deep.o", bytes: Deno.readFileSync(`${folder}/deep.o`) };
  Deno.writeFileSync(`${folder}/${name}.smf`, linkObjects([object], { reloadable: true }).bytes);
  await compile(compiler, ["-shared", "deep.o", "-o", `${name}.so`], folder);
}

/** Makes `deep`, and `second`, a version with other code some lines below. */
export async function buildVersions(folder: string, { compiler = "gcc" } = {}): Promise<void> {
  const source = `\n\n\n${SOURCE.replace("n * 3", "n * 5")}`;
  await build(folder, { name: "second", source, compiler });
  await build(folder, { compiler });
}

/** What gdb is told, from a stop within the function that calls itself up to its end. */
export const ORDERS_IN_DEEP: readonly string[] = [
  "bt 3",
  "info locals",
  "print depth_reached",
  "next",
  "print depth_reached",
  "finish",
];

/** The condition of that stop, as gdb's `break` takes it. */
export const STOP_IN_DEEP: string = `deep.c:${lineOf("depth_reached =", SOURCE)} if n == 2`;

/** The values that gdb has printed. */
export function valuesIn(text: string): string[] {
  return text.match(/^(?:local = |\$\d+ = |Value returned).*$/gm) ?? [];
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

/** Runs gdb, which starts `smf`. */
export function gdbOfCommand(folder: string, list: readonly string[], ...args: string[]): Promise<string> {
  const main = fromFileUrl(new URL("../../src/cli/main.ts", import.meta.url));
  const deno = [Deno.execPath(), "run", "-A", "--no-check", "--config", CONFIG, main];
  return debug("gdb", [...GDB, ...commands(list), "--args", ...deno, ...args], folder);
}

/** Runs the child under valgrind, as the guide says. */
export function valgrind(folder: string, ...args: string[]): Promise<string> {
  const [deno, run, ...rest] = childCommand(...args);
  const own = ["--smc-check=all-non-file", "--undef-value-errors=no"];
  return debug("valgrind", [...own, deno, run, "--v8-flags=--jitless", ...rest], folder);
}

/**
 * Runs lldb on a process that runs already. lldb 14 forgets the modules that it has found while it attached, unless it
 * knew the program before.
 */
export function lldbOn(folder: string, process: number, list: readonly string[]): Promise<string> {
  const orders = [`process attach -p ${process}`, ...list].flatMap((one) => ["-o", one]);
  return debug("lldb", ["-x", "-b", ...orders, "--", Deno.readLinkSync(`/proc/${process}/exe`)], folder);
}

/** Runs lldb, which starts the child. */
export function lldb(folder: string, list: readonly string[], ...args: string[]): Promise<string> {
  const orders = list.flatMap((one) => ["-o", one]);
  return debug("lldb", ["-x", "-b", ...orders, "--", ...childCommand(...args)], folder);
}

/** The script that starts Deno for AArch64 in an emulator (CONTRIBUTING.md, lanes). */
export const AARCH64_LANE: string | undefined = Deno.env.get("LANE_AARCH64");

/** The command of a gdb that knows AArch64; undefined if there is none. */
export const GDB_FOR_AARCH64: string | undefined = ["gdb-multiarch", "gdb"].find((command) =>
  hasCommand(command) &&
  new Deno.Command(command, { args: ["-nx", "-batch", "-ex", "set architecture aarch64"] }).outputSync()
      .stderr.length === 0
);

/** Runs the child in the emulator for AArch64, which waits for gdb, and gdb on the emulator's stub. */
export async function gdbOnStub(
  folder: string,
  list: readonly string[],
  ...args: string[]
): Promise<{ text: string; output: string }> {
  const socket = `${folder}/${crypto.randomUUID()}`;
  const child = new Deno.Command(AARCH64_LANE!, {
    args: childArguments(...args),
    cwd: folder,
    // The emulator's own `-g`, which a script in front of it lets through.
    env: { QEMU_GDB: socket, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(300_000),
  }).spawn();
  const ended = child.output();
  const isThere = () => [...Deno.readDirSync(folder)].some(({ name }) => socket.endsWith(name));
  let hasEnded = false;
  const whenEnded = ended.then(() => hasEnded = true);
  while (!hasEnded && !isThere()) await new Promise((resolve) => setTimeout(resolve, 50));
  const text = hasEnded
    ? ""
    : await debug(GDB_FOR_AARCH64!, [...GDB, ...commands([`target remote ${socket}`, ...list])], folder);
  await whenEnded;
  const { stdout, stderr } = await ended;
  const decoder = new TextDecoder();
  return { text, output: decoder.decode(stdout) + decoder.decode(stderr) };
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
  debugger_: "gdb" | "lldb" | "valgrind",
  name: string,
  work: (folder: string) => Promise<void>,
): void {
  testWithCompilers(["gcc", debugger_], `${debugger_}: ${name}`, work);
}
