// Runs the smf command, in this process or as a child process.
import { fromFileUrl } from "@std/path";
import { runProgram } from "../../src/cli/main.ts";
import type { Output } from "../../src/cli/main.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** The outcome of a run. */
export interface Run {
  readonly code: number;
  readonly out: string[];
  readonly err: string[];
}

/** Runs the command in this process. */
export async function smf(...args: string[]): Promise<Run> {
  return await smfOn({}, ...args);
}

/** Like {@linkcode smf}, with or without a terminal. */
export async function smfOn(options: Pick<Output, "terminals">, ...args: string[]): Promise<Run> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runProgram(args, {
    print: (line) => out.push(line),
    complain: (line) => err.push(line),
    ...options,
  });
  return { code, out, err };
}

/** Options of a child process. */
export interface ProcessOptions {
  /** @default `--allow-read` */
  readonly permissions?: readonly string[];
  readonly stdin?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** The command as a child process that is not started yet. */
export function smfCommand(
  args: readonly string[],
  { permissions = ["--allow-read"], env = {} }: ProcessOptions = {},
  io: Pick<Deno.CommandOptions, "stdin" | "stdout" | "stderr"> = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", ...permissions, "src/cli/main.ts", ...args],
    cwd: ROOT,
    env: { ...env },
    ...io,
  });
}

/** Runs the command as a child process. */
export async function smfProcess(args: readonly string[], options: ProcessOptions = {}): Promise<Run> {
  const io = {
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  } as const;
  const child = smfCommand(args, options, io).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    // A command that refuses its arguments does not read its input.
    await writer.write(options.stdin).catch(() => {});
    await writer.close().catch(() => {});
  }
  const { code, stdout, stderr } = await child.output();
  return { code, out: linesOf(stdout), err: linesOf(stderr) };
}

function linesOf(bytes: Uint8Array): string[] {
  const text = new TextDecoder().decode(bytes).replaceAll("\r\n", "\n");
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}
