/**
 * Replaces files in one step.
 */

/** The bytes of a file, or parts of them in order. */
export type FileBytes = Uint8Array | Iterable<Uint8Array>;

/**
 * Writes a temporary file and renames it to `path`: a reader sees either the
 * old file or all of the new one, and modules loaded from the old one are not
 * affected. A device or a pipe, such as `/dev/null`, is written to and stays.
 *
 * If it cannot be written, throws what Deno throws, and the old file stays.
 */
export function replaceFile(path: string, bytes: FileBytes): void {
  if (isDevice(path)) return write(path, bytes, { write: true });
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  using undo = new DisposableStack();
  undo.defer(() => removeIfPossible(temporary));
  write(temporary, bytes, { write: true, createNew: true });
  Deno.renameSync(temporary, path);
  undo.move();
}

function write(path: string, bytes: FileBytes, options: Deno.OpenOptions): void {
  // Deno.writeFileSync would copy the bytes first.
  using file = Deno.openSync(path, options);
  for (const part of bytes instanceof Uint8Array ? [bytes] : bytes) {
    for (let done = 0; done < part.length;) done += file.writeSync(part.subarray(done));
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
