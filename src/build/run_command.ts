/**
 * Runs programs: compilers, to compile or to tell their version.
 */

/** The outcome of a program that ran to its end. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  /** The text that it printed to standard error. */
  readonly output: string;
  readonly milliseconds: number;
}

/**
 * Runs a program to its end; it reads nothing from standard input.
 *
 * @param folder Its current folder. Default: that of this process.
 * @returns undefined if there is no such program.
 * @throws {Deno.errors.NotCapable} without the permission to run it.
 */
export async function runCommand(
  [program, ...args]: readonly string[],
  { folder, signal }: { readonly folder?: string; readonly signal?: AbortSignal } = {},
): Promise<CommandResult | undefined> {
  const start = performance.now();
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args,
      stdin: "null",
      ...(folder !== undefined && { cwd: folder }),
      ...(signal !== undefined && { signal }),
    }).output();
    const text = new TextDecoder();
    return {
      code,
      stdout: text.decode(stdout),
      output: text.decode(stderr),
      milliseconds: performance.now() - start,
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
