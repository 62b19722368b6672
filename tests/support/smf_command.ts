// The smf program, in this process and as a person starts it.
import { fromFileUrl } from "@std/path";
import { runProgram } from "../../src/cli/main.ts";
import type { Output } from "../../src/cli/main.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** What a run of the program left. */
export interface Run {
  readonly code: number;
  readonly out: string[];
  readonly err: string[];
}

/** Runs the program in this process. */
export async function smf(...args: string[]): Promise<Run> {
  return await smfOn({}, ...args);
}

/** As {@linkcode smf}, with a terminal or without. */
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

/** How a child process is started. */
export interface ProcessOptions {
  /** Default: to read. */
  readonly permissions?: readonly string[];
  readonly stdin?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** The command line of the program as a child process. */
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

/** Runs the program as a person does. */
export async function smfProcess(args: readonly string[], options: ProcessOptions = {}): Promise<Run> {
  const io = {
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  } as const;
  const child = smfCommand(args, options, io).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    // A program that refuses its arguments does not read.
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
