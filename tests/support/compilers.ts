// The host's compilers, for tests that compare with the output of compilers and linker.
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
