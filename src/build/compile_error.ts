/**
 * The error of sources that do not compile.
 */

/** A run of a compiler that failed. */
export interface FailedSource {
  /** The source, as it was given. */
  readonly path: string;
  /** The command with its arguments. */
  readonly command: readonly string[];
  /** The exit code of the compiler. */
  readonly code: number;
  /** The text that the compiler printed, unchanged. */
  readonly output: string;
}

/**
 * Sources that do not compile. The message ends with the text that the compilers
 * printed; {@linkcode CompileError.failures} has it by source.
 *
 * @example
 * ```ts
 * import { CompileError } from "@simple/loader/build";
 * import { assertEquals } from "@std/assert";
 *
 * const failure = { path: "a.c", command: ["cc", "-c", "a.c"], code: 1, output: "a.c:1:5: error: …\n" };
 * assertEquals(new CompileError([failure]).message, "Cannot compile a.c: cc ends with exit code 1\na.c:1:5: error: …");
 * ```
 */
export class CompileError extends Error {
  /** Always `CompileError`. */
  override readonly name = "CompileError";
  readonly #failures: readonly FailedSource[];

  /** An error of one or more sources. */
  constructor(failures: readonly FailedSource[]) {
    super(
      failures.map(({ path, command, code, output }) =>
        `Cannot compile ${path}: ${command[0]} ends with exit code ${code}\n${output.trimEnd()}`
      ).join("\n"),
    );
    this.#failures = failures;
  }

  /** Every source that failed, in the order in which sources were given. */
  get failures(): readonly FailedSource[] {
    return this.#failures;
  }

  /** The text that the compilers printed, one behind the other. */
  get output(): string {
    return this.#failures.map(({ output }) => output).join("");
  }
}
