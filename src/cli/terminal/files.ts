/**
 * Reading and replacing files.
 */
import { MAX_FILE_SIZE } from "../../load/file/source.ts";
import { relative } from "../../os/path.ts";
import { type FileBytes, replaceFile as replaceInOneStep } from "../../os/replace_file.ts";
import { UsageError } from "./command.ts";

/** The path that means standard input. */
export const STDIN = "-";

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
 * Replaces a file in one step; a device or a pipe is written to and stays.
 *
 * @throws {UsageError} if it cannot be written; the old file stays then.
 */
export function replaceFile(path: string, bytes: FileBytes): void {
  try {
    replaceInOneStep(path, bytes);
  } catch (error) {
    throw new UsageError(`${path}: Cannot write the file: ${(error as Error).message}`);
  }
}

/** A path as a person writes it: from the current folder if it lies in that, which has to be readable. */
export function shownPath(path: string): string {
  if (Deno.permissions.querySync({ name: "read", path: "." }).state !== "granted") return path;
  const short = relative(Deno.cwd(), path);
  return short.startsWith("..") || short === "" ? path : short;
}

/** Whether there is a file at a path. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
