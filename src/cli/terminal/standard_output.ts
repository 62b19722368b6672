/**
 * Buffered standard output, and standard error, for a program that may be part of a pipeline.
 */
import { type Output, UsageError } from "./command.ts";

/** The reader of standard output has closed it: the rest of the output is not needed. */
export class ClosedOutput extends Error {
  override name = "ClosedOutput";
}

/** Characters that are buffered, so that a listing takes few writes. */
const BUFFER_SIZE = 65_536;

/** The output of this process; the caller flushes it at the end. */
export class StandardOutput implements Required<Omit<Output, "format">> {
  readonly terminals = { print: Deno.stdout.isTerminal(), complain: Deno.stderr.isTerminal() };
  #buffer = "";
  #isDrawn = false;

  print = (line: string): void => {
    this.#buffer += `${line}\n`;
    if (this.#buffer.length > BUFFER_SIZE) this.flush();
  };

  complain = (line: string): void => {
    // Keeps the order where both go to the same place.
    this.flush();
    this.draw("");
    writeError(`${line}\n`);
  };

  draw = (text: string): void => {
    if (text === "" && !this.#isDrawn) return;
    this.#isDrawn = text !== "";
    // To the first column, and erases the line (ECMA-48, EL). What is wider than the terminal could not be erased.
    writeError(`\r\x1b[2K${text.slice(0, columns() - 1)}`);
  };

  flush = (): void => {
    const text = this.#buffer;
    this.#buffer = "";
    if (text !== "") this.draw("");
    try {
      writeAll(Deno.stdout, text);
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) {
        throw new ClosedOutput("Cannot write to standard output: it is closed", { cause: error });
      }
      throw new UsageError(`Cannot write to standard output: ${(error as Error).message}`);
    }
  };
}

function writeError(text: string): void {
  try {
    writeAll(Deno.stderr, text);
  } catch {
    // Standard error is closed, and nothing else can be written to.
  }
}

/** The width of the terminal. */
function columns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}

function writeAll(target: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += target.writeSync(bytes.subarray(written));
}
