/**
 * Runs the call benchmark's loops in other programs: Bun with `bun:ffi`, Node with koffi.
 */
import { CALL_CASES } from "./call_cases.ts";

const PROGRAMS = {
  bun: { command: "bun", script: "foreign/bun_calls.js" },
  koffi: { command: "node", script: "foreign/koffi_calls.cjs" },
} as const;

/** Nanoseconds per call, by case; undefined, with a reason in `skipped`, if the program is not installed. */
export async function foreignCalls(
  program: keyof typeof PROGRAMS,
  library: string,
  skipped: string[],
): Promise<Record<string, number> | undefined> {
  const { command, script } = PROGRAMS[program];
  const path = new URL(script, import.meta.url).pathname;
  const cases = CALL_CASES.map(({ name, symbol, definition, parameters }) => ({
    name,
    symbol,
    definition,
    parameters,
  }));
  try {
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args: [path, JSON.stringify({ library, cases })],
      env: program === "koffi" ? { NODE_PATH: await globalModules() } : {},
    }).output();
    if (code === 0) return JSON.parse(new TextDecoder().decode(stdout));
    const [reason] = new TextDecoder().decode(stderr).split("\n").filter((line) => /Error/.test(line));
    skipped.push(`${program}: ${reason ?? `exit code ${code}`}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    skipped.push(`${program}: ${command} is not installed`);
  }
  return undefined;
}

async function globalModules(): Promise<string> {
  const { stdout } = await new Deno.Command("npm", { args: ["root", "--global"] }).output();
  return new TextDecoder().decode(stdout).trim();
}
