// A folder of source files that a test writes.

/** Writes and removes files of a folder, by their paths in it. */
export class SourceFolder {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  write(name: string, text: string): void {
    const path = `${this.folder}/${name}`;
    Deno.mkdirSync(path.replace(/[^/]*$/, ""), { recursive: true });
    Deno.writeTextFileSync(path, text);
  }

  remove(name: string): void {
    Deno.removeSync(`${this.folder}/${name}`, { recursive: true });
  }
}
