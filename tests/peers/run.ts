/**
 * Starts a program that a script linked: a module in this process, its providers first; everything else as it is.
 *
 * Arguments: the program, then its own arguments.
 */
import { MAGIC } from "../../src/smf/layout.ts";
import { runProgram } from "../../src/cli/main.ts";
import { PROVIDERS_FILE } from "./trial.ts";

const [file, ...args] = Deno.args;

/** The modules that a module imports from, those that they import from before them. */
function providersOf(path: string, seen = new Set<string>()): string[] {
  let list: string;
  try {
    list = Deno.readTextFileSync(`${path}${PROVIDERS_FILE}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return list.split("\n").filter((provider) => !seen.has(provider)).flatMap((provider) => {
    seen.add(provider);
    return [...providersOf(provider, seen), provider];
  });
}

if (new TextDecoder("latin1").decode(Deno.readFileSync(file).subarray(0, 4)) === MAGIC) {
  const providers = providersOf(Deno.realPathSync(file)).flatMap((path) => ["--with", path]);
  Deno.exit(await runProgram(["run", ...providers, file, "--", ...args]));
}
const { code } = await new Deno.Command(file, {
  args,
  stdin: "inherit",
  stdout: "inherit",
  stderr: "inherit",
})
  .spawn().status;
Deno.exit(code);
