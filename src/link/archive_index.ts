/**
 * The symbol indexes of a link's archives, as one: which member of which archive defines a name.
 */
import { grown } from "../types/growing.ts";

/**
 * For each name number the archive and the member that defines it; the first wins. Two typed arrays, since the index of
 * a large library has tens of thousands of names.
 */
export class ArchiveIndex {
  #archives: Int32Array = new Int32Array(1024).fill(-1);
  #headers: Float64Array = new Float64Array(1024);

  add(id: number, archive: number, header: number): void {
    while (id >= this.#archives.length) {
      const length = this.#archives.length;
      this.#archives = grown(this.#archives).fill(-1, length);
      this.#headers = grown(this.#headers);
    }
    if (this.#archives[id] !== -1) return;
    this.#archives[id] = archive;
    this.#headers[id] = header;
  }

  has(id: number): boolean {
    return id < this.#archives.length && this.#archives[id] !== -1;
  }

  archive(id: number): number {
    return this.#archives[id];
  }

  header(id: number): number {
    return this.#headers[id];
  }

  /** Identifies the member, to remember which ones are loaded. */
  key(id: number): string {
    return `${this.#archives[id]}:${this.#headers[id]}`;
  }
}
