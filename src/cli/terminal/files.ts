/**
 * Reading and replacing files, and progress messages.
 */
import { MAX_FILE_SIZE } from "../../load/file/source.ts";
import { type Output, UsageError } from "./command.ts";

/** The path that means standard input. */
const STDIN = "-";

/** A file's name in messages. */
export function fileName(path: string): string {
  return path === STDIN ? "standard input" : path;
}

/**
 * Reads a file, or standard input for `-`.
 *
 * @throws {UsageError} if it cannot be read or is larger than a module may be.
 */
export function readInput(path: string): Uint8Array {
  try {
    if (path === STDIN) return readStandardInput();
    const { size } = Deno.statSync(path);
    if (size > MAX_FILE_SIZE) throw new RangeError(`it has more than ${MAX_FILE_SIZE} bytes`);
    return Deno.readFileSync(path);
  } catch (error) {
    throw new UsageError(`${fileName(path)}: Cannot read the file: ${(error as Error).message}`);
  }
}

/** The usual capacity of a pipe, in bytes. */
const CHUNK = 65_536;

function readStandardInput(): Uint8Array {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const chunk = new Uint8Array(CHUNK);
  for (let count = Deno.stdin.readSync(chunk); count !== null; count = Deno.stdin.readSync(chunk)) {
    chunks.push(chunk.slice(0, count));
    length += count;
    if (length > MAX_FILE_SIZE) throw new RangeError(`it has more than ${MAX_FILE_SIZE} bytes`);
  }
  const input = new Uint8Array(length);
  let offset = 0;
  for (const part of chunks) {
    input.set(part, offset);
    offset += part.length;
  }
  return input;
}

/**
 * Writes a temporary file and renames it to `path`: a reader sees either the
 * old file or all of the new one, and modules loaded from the old one are not
 * affected. A device or a pipe, such as `/dev/null`, is written to and stays.
 *
 * @throws {UsageError} if it cannot be written; the old file stays then.
 */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    if (isDevice(path)) return Deno.writeFileSync(path, bytes);
    using undo = new DisposableStack();
    undo.defer(() => removeIfPossible(temporary));
    Deno.writeFileSync(temporary, bytes, { createNew: true });
    Deno.renameSync(temporary, path);
    undo.move();
  } catch (error) {
    throw new UsageError(`${path}: Cannot write the file: ${(error as Error).message}`);
  }
}

/** Whether a path leads to something that is neither a file nor a folder. */
function isDevice(path: string): boolean {
  try {
    const { isFile, isDirectory } = Deno.statSync(path);
    return !isFile && !isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function removeIfPossible(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It may not exist; the error that is reported is the one of writing.
  }
}

/** Milliseconds after which progress is shown. */
const DELAY = 1000;

/** Shows the current step at a terminal once a command has taken a while; prints nothing elsewhere. */
export class Progress {
  readonly #output: Output;
  readonly #start: number;
  readonly #delay: number;

  constructor(output: Output, delay: number = DELAY) {
    this.#output = output;
    this.#delay = delay;
    this.#start = performance.now();
  }

  /** Announces the step that begins. */
  step(name: string): void {
    const elapsed = performance.now() - this.#start;
    if (this.#output.terminals?.complain !== true || elapsed < this.#delay) return;
    this.#output.complain(`after ${(elapsed / 1000).toFixed(1)} s: ${name}`);
  }
}
