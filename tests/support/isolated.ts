/**
 * Runs tests of machine code in processes of their own, so that one that crashes
 * is one failed test and the others still run.
 */
import { fromFileUrl } from "@std/path";
import { LEAK_CHECKS } from "./deno_version.ts";

/**
 * Whether such tests run in this process. `SMF_IN_PROCESS=1` asks for it where a
 * program that Deno starts would run on another processor than Deno itself.
 */
export const IN_PROCESS: boolean = Deno.env.get("SMF_IN_PROCESS") === "1";

type Work = (context: Deno.TestContext) => void | Promise<void>;

/** Wraps the function of a test so that `deno test` runs it again, alone, in a child. */
export function isolated(work: Work): Work {
  if (!IN_PROCESS) return ({ name, origin }) => runAlone(name, origin);
  return async (context) => {
    await work(context);
    await memoryGone();
  };
}

/**
 * Waits until the memory of modules that had a lease is gone: it goes by a timer, at a later turn of the event loop,
 * which may come after the test if that is quick.
 */
export function memoryGone(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** Runs one test of a file in a child. Fails as it does, or by the signal that ended it. */
export async function runAlone(name: string, origin: string): Promise<void> {
  const { code, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "--allow-all", "--no-check", ...LEAK_CHECKS],
      ...[`--filter=/^${escaped(name)}$/`, fromFileUrl(origin)],
    ],
    env: { NO_COLOR: "1", SMF_IN_PROCESS: "1" },
  }).output();
  const text = new TextDecoder();
  const output = `${text.decode(stdout)}${text.decode(stderr)}`;
  if (signal !== null) throw new Error(`the test ended its process by ${signal}\n${output}`);
  // A filter that finds nothing passes.
  if (code !== 0 || !/\b1 passed\b/.test(output)) throw new Error(output);
}

/** Escapes a name for a regular expression of Rust's. */
function escaped(name: string): string {
  return name.replace(/[^\p{L}\p{N}_ ]/gu, (character) => character <= "\x7f" ? `\\${character}` : character);
}
