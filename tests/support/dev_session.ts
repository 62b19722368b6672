// Drives `smf dev` as a process: a project in a folder, its output line by line.
import { fromFileUrl } from "@std/path";
import { TextLineStream } from "../fuzz/lines.ts";
import { SourceFolder } from "./source_folder.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** Milliseconds after which a line that does not come is a failure. */
const PATIENCE = 60_000;

/** A running `smf dev`. */
export class DevSession implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #readers: Promise<void>[];
  readonly #wakes = new Set<() => void>();
  /** All lines so far, those of the program and those of compilers and `smf dev`. */
  readonly lines: string[] = [];

  /**
   * @param permissions Those of `smf dev` itself.
   * @param command The configuration and the program `smf`. Default: those of this clone.
   */
  constructor(
    folder: string,
    args: readonly string[],
    permissions: readonly string[] = ["--allow-all"],
    command: readonly string[] = ["--config", `${ROOT}/deno.json`, `${ROOT}/src/cli/main.ts`],
  ) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--no-prompt", ...permissions, ...command, "dev", ...args],
      cwd: folder,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#readers = [this.#child.stdout, this.#child.stderr].map((stream) => this.#read(stream));
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    const lines = stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    for await (const line of lines) {
      this.lines.push(line);
      for (const wake of this.#wakes) wake();
    }
  }

  /** Waits for a line that comes after the first `from` ones; its number. */
  async line(pattern: RegExp, from = 0): Promise<number> {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const index = this.lines.findIndex((line, index) => index >= from && pattern.test(line));
      if (index >= 0) return index;
      if (Date.now() > deadline) {
        throw new Error(`no line ${pattern} after line ${from}:\n${this.lines.join("\n")}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => wake(), 500);
        const wake = (): void => {
          clearTimeout(timer);
          this.#wakes.delete(wake);
          resolve();
        };
        this.#wakes.add(wake);
      });
    }
  }

  /** Interrupts it; its exit code. */
  async end(): Promise<number> {
    this.#child.kill("SIGINT");
    return await this.ended();
  }

  /** Waits for its end; its exit code. */
  async ended(): Promise<number> {
    await Promise.all(this.#readers);
    return (await this.#child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await Promise.all(this.#readers);
    await this.#child.status;
  }
}

/** A folder with a program that `smf dev` runs, and its native sources. */
export class DevFolder extends SourceFolder {
  /** Runs the program with the configuration of this clone. */
  dev(args: readonly string[] = ["app.ts"], permissions?: readonly string[]): DevSession {
    return new DevSession(this.folder, [`--config=${ROOT}/deno.json`, "--no-check", ...args], permissions);
  }
}
