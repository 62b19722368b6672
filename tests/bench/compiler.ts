/**
 * Runs the C compiler of the machine, if it has one.
 */

/** The object file and the shared library of one source. */
export interface Compiled extends Disposable {
  /** The object file's bytes. */
  readonly object: Uint8Array<ArrayBuffer>;
  /** Path of a shared library made of the same object. */
  readonly library: string;
}

/** Compiles C; undefined if there is no compiler. */
export function compile(
  source: string,
  flags: readonly string[] = ["-O2"],
): Promise<Compiled | undefined> {
  return build("source.c", source, flags);
}

/** Assembles; undefined if there is no compiler. */
export function assemble(source: string): Promise<Compiled | undefined> {
  return build("source.s", source, []);
}

async function build(file: string, source: string, flags: readonly string[]): Promise<Compiled | undefined> {
  using stack = new DisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "smf-c-" });
  stack.defer(() => Deno.removeSync(directory, { recursive: true }));
  try {
    await Deno.writeTextFile(`${directory}/${file}`, source);
    const run = async (...args: string[]): Promise<void> => {
      const { success, stderr } = await new Deno.Command("cc", { args, cwd: directory }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
    };
    await run(...flags, "-fPIC", "-c", file, "-o", "source.o");
    await run("-shared", "source.o", "-o", "source.so");
    const object = await Deno.readFile(`${directory}/source.o`);
    const owned = stack.move();
    return { object, library: `${directory}/source.so`, [Symbol.dispose]: () => owned.dispose() };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
