// The host's compilers, for tests that compare with the output of compilers and linker.
import { findThreads } from "../../src/load/runtime/threads.ts";
import { isolated } from "./isolated.ts";
import { canRun } from "./real_archives.ts";

/** Runs a compiler in a folder; returns its output. */
export async function compile(command: string, args: string[], folder?: string): Promise<string> {
  const options = folder === undefined ? {} : { cwd: folder };
  const { success, stdout, stderr } = await new Deno.Command(command, { args, ...options }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${command} ${args.join(" ")}\n${text.decode(stderr)}`);
  return text.decode(stdout);
}

/** The answers of {@linkcode hasCommand}: a run of the tests asks each command once. */
const answers = new Map<string, boolean>();

/** Whether a compiler or tool can be started. */
export function hasCommand(command: string): boolean {
  let answer = answers.get(command);
  if (answer === undefined) answers.set(command, answer = starts(command));
  return answer;
}

function starts(command: string): boolean {
  try {
    const question = command === "zig" ? "version" : "--version";
    return new Deno.Command(command, { args: [question], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Rust's compiler, with the standard libraries for other targets if SMF_RUSTC_CROSS names one that has them. */
export const RUSTC: string = Deno.env.get("SMF_RUSTC_CROSS") ?? "rustc";

/** Whether {@linkcode RUSTC} has the standard library of a target. */
export function hasRustTarget(target: string): boolean {
  if (!hasCommand(RUSTC)) return false;
  const args = ["--print", "target-libdir", "--target", target];
  const { success, stdout } = new Deno.Command(RUSTC, { args, stderr: "null" }).outputSync();
  if (!success) return false;
  try {
    const folder = new TextDecoder().decode(stdout).trim();
    return [...Deno.readDirSync(folder)].some(({ name }) => /^libstd-.*\.rlib$/.test(name));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether `cc` makes objects that can be loaded here: on Linux, for this processor. */
export function compilesForHere(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    // In an emulator the compiler may make objects for another processor.
    const { stdout } = new Deno.Command("cc", { args: ["-dumpmachine"] }).outputSync();
    return new TextDecoder().decode(stdout).startsWith(Deno.build.arch);
  } catch {
    return false;
  }
}

/** Whether this system tells where threads are: emulators tell where they are themselves. */
const tellsThreads = (): boolean => findThreads([{ address: 0x1234_5678_9000n, size: 16 }]) !== undefined;

/** Like {@linkcode testWithCompilers}, for tests that need to know where threads are. */
export function testOfThreads(
  commands: readonly string[],
  name: string,
  work: (folder: string) => void | Promise<void>,
): void {
  if (!canRun || tellsThreads()) return testWithCompilers(commands, name, work);
  Deno.test.ignore(`${name} (SKIPPED: this system does not tell where threads are)`, () => {});
}

/** Registers a test that runs in a child and gets a temporary folder; skipped, and says so, where a command is missing. */
export function testWithCompilers(
  commands: readonly string[],
  name: string,
  work: (folder: string) => void | Promise<void>,
  options: Pick<Deno.TestDefinition, "sanitizeResources"> = {},
): void {
  const runs = canRun && commands.every(hasCommand);
  Deno.test({
    name: runs ? name : `${name} (SKIPPED: needs ${commands.join(" and ")} on Linux x86-64)`,
    ignore: !runs,
    ...options,
    fn: isolated(async () => {
      const folder = Deno.makeTempDirSync();
      try {
        await work(folder);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    }),
  });
}

/**
 * Registers a test of what a compiler makes, for any processor: nothing of it runs. Skipped, and says so, where the
 * compiler or a tool is missing.
 *
 * @param compiler The command with its first options, such as a target.
 * @param work Gets a temporary folder, and compiles in it with further options.
 * @param tools Other commands that the test needs.
 */
export function testOutputOf(
  compiler: string,
  name: string,
  work: (folder: string, compileThere: (...args: string[]) => Promise<string>) => void | Promise<void>,
  tools: readonly string[] = [],
): void {
  const [command, ...first] = compiler.split(" ");
  const missing = [command, ...tools].filter((each) => !hasCommand(each));
  Deno.test({
    name: missing.length === 0 ? name : `${name} (SKIPPED: needs ${missing.join(", ")})`,
    ignore: missing.length > 0,
    async fn() {
      const folder = Deno.makeTempDirSync();
      try {
        await work(folder, (...args) => compile(command, [...first, ...args], folder));
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}
