/**
 * Files as commands read and write them.
 */
import { MAX_FILE_SIZE } from "../../load/file/source.ts";
import { type Output, UsageError } from "./command.ts";

/** What stands for standard input in place of a path. */
const STDIN = "-";

/** How a file is called in messages. */
export function fileName(path: string): string {
  return path === STDIN ? "standard input" : path;
}

/** Reads a file, or standard input for `-`, or fails as a usage error does. */
export function readInput(path: string): Uint8Array {
  try {
    if (path === STDIN) return readStandardInput();
    const { size } = Deno.statSync(path);
    if (size > MAX_FILE_SIZE) throw new RangeError(`the file has more than ${MAX_FILE_SIZE} bytes`);
    return Deno.readFileSync(path);
  } catch (error) {
    throw new UsageError(`${fileName(path)}: Cannot read: ${(error as Error).message}`);
  }
}

/** As much at once as a pipe usually holds. */
const CHUNK = 65_536;

function readStandardInput(): Uint8Array {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const chunk = new Uint8Array(CHUNK);
  for (let count = Deno.stdin.readSync(chunk); count !== null; count = Deno.stdin.readSync(chunk)) {
    chunks.push(chunk.slice(0, count));
    length += count;
    if (length > MAX_FILE_SIZE) throw new RangeError(`there are more than ${MAX_FILE_SIZE} bytes`);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of chunks) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * Writes a file beside its place and moves it there, so that nobody ever sees
 * half of it and what is loaded from the old one stays whole.
 */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    Deno.writeFileSync(temporary, bytes, { createNew: true });
    Deno.renameSync(temporary, path);
  } catch (error) {
    try {
      Deno.removeSync(temporary);
    } catch {
      // It was never made.
    }
    throw new UsageError(`${path}: Cannot write: ${(error as Error).message}`);
  }
}

/** Milliseconds after which somebody who waits is told what for. */
const PATIENCE = 1000;

/** Tells a person who waits what takes long; nothing while all goes quickly, or into a file. */
export class Progress {
  readonly #output: Output;
  readonly #start: number;
  readonly #patience: number;

  constructor(output: Output, patience: number = PATIENCE) {
    this.#output = output;
    this.#patience = patience;
    this.#start = performance.now();
  }

  /** What begins now. */
  step(what: string): void {
    const passed = performance.now() - this.#start;
    if (this.#output.terminals?.complain !== true || passed < this.#patience) return;
    this.#output.complain(`after ${(passed / 1000).toFixed(1)} s: ${what}`);
  }
}
