/**
 * Standard output and standard error as a program in a pipe uses them.
 */
import { type Output, UsageError } from "./command.ts";

/** Whoever read standard output has gone; nobody wants the rest. */
export class ClosedOutput extends Error {
  override name = "ClosedOutput";
}

/** Characters that are held back, so that a listing is few writes. */
const HELD = 65_536;

/** The process's own output. Whoever uses it flushes it at the end. */
export class StandardOutput implements Required<Output> {
  readonly terminals = { print: Deno.stdout.isTerminal(), complain: Deno.stderr.isTerminal() };
  #held = "";

  print = (line: string): void => {
    this.#held += `${line}\n`;
    if (this.#held.length > HELD) this.flush();
  };

  complain = (line: string): void => {
    // In the order in which it happened, where both go to one place.
    this.flush();
    try {
      writeAll(Deno.stderr, `${line}\n`);
    } catch {
      // Nobody hears it.
    }
  };

  flush = (): void => {
    const text = this.#held;
    this.#held = "";
    try {
      writeAll(Deno.stdout, text);
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) {
        throw new ClosedOutput("Cannot write: standard output is closed", { cause: error });
      }
      throw new UsageError(`standard output: Cannot write: ${(error as Error).message}`);
    }
  };
}

function writeAll(target: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += target.writeSync(bytes.subarray(at));
}
