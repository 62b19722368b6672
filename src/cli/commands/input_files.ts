/**
 * The large libraries of a link, which are read in parts.
 */
import { isArchive } from "../../link/elf/archive.ts";
import { type InputSource, type PartialBytes, PartialInputs } from "../../link/partial_input.ts";
import { UsageError } from "../terminal/command.ts";
import { STDIN } from "../terminal/files.ts";

/** The size from which on a library is read in parts. */
const LARGE = 2 ** 18;

/** The files of a link that are read in parts. Only the one that was read last stays open, as there may be thousands. */
export class InputFiles implements Disposable {
  readonly #inputs = new PartialInputs();
  #last: { readonly path: string; readonly file: Deno.FsFile } | undefined;

  /** Opens a large archive; returns undefined for any other file, and for one that cannot be read. */
  open(path: string): PartialBytes | undefined {
    if (path === STDIN) return undefined;
    try {
      const { size, mtime, isFile } = Deno.statSync(path);
      if (!isFile || size < LARGE) return undefined;
      const source = new InputFile(size, mtime?.getTime(), path, (path) => this.#fileAt(path));
      const partial = this.#inputs.open(source);
      partial.load(0, 8);
      return isArchive(partial.bytes) ? partial : undefined;
    } catch {
      // Whoever reads it as a whole says why.
      return undefined;
    }
  }

  #fileAt(path: string): Deno.FsFile {
    if (this.#last?.path === path) return this.#last.file;
    this[Symbol.dispose]();
    const file = Deno.openSync(path);
    this.#last = { path, file };
    return file;
  }

  [Symbol.dispose](): void {
    this.#last?.file.close();
    this.#last = undefined;
  }
}

/** A file that must not change while it is linked. */
class InputFile implements InputSource {
  readonly size: number;
  readonly #modified: number | undefined;
  readonly #path: string;
  readonly #open: (path: string) => Deno.FsFile;
  #file: Deno.FsFile | undefined;

  constructor(size: number, modified: number | undefined, path: string, open: (path: string) => Deno.FsFile) {
    this.size = size;
    this.#modified = modified;
    this.#path = path;
    this.#open = open;
  }

  read(offset: number, into: Uint8Array): void {
    try {
      const file = this.#open(this.#path);
      if (file !== this.#file) this.#check(file);
      this.#file = file;
      file.seekSync(offset, Deno.SeekMode.Start);
      for (let done = 0; done < into.length;) {
        const count = file.readSync(into.subarray(done));
        if (count === null) throw new Error(CHANGED);
        done += count;
      }
    } catch (error) {
      throw new UsageError(`${this.#path}: Cannot read the file: ${(error as Error).message}`);
    }
  }

  #check(file: Deno.FsFile): void {
    const { size, mtime } = file.statSync();
    if (size !== this.size || mtime?.getTime() !== this.#modified) throw new Error(CHANGED);
  }
}

const CHANGED = "it changed while it was linked";
