/**
 * The program that `smf dev` runs: a child process with the user's own flags, this terminal, and the part of `smf dev`
 * that reloads modules.
 */
import { LoadError } from "../../errors/load_error.ts";
import { basename } from "../../os/path.ts";
import { neededPermissions } from "./arguments.ts";
import type { ClientSettings } from "./notes.ts";

/**
 * The module with the part of `smf dev` in the program. The path leads over the package's root, which is as far from
 * this file as from the published bundle that has its code; the source is published, too.
 */
const CLIENT = new URL("../../../src/cli/dev/client.ts", import.meta.url);

/** The program to start, and the settings of the part of `smf dev` in it. */
export interface ProgramCommand {
  readonly flags: readonly string[];
  readonly program: string;
  readonly args: readonly string[];
  /** The folders and files that the program reads to reload modules. */
  readonly readable: readonly string[];
  readonly client: ClientSettings;
  /** The file to write for Deno to run before the program. */
  readonly preload: string;
}

/** A program that runs, or has ended. */
export class Program {
  readonly #child: Deno.ChildProcess;
  #isRunning = true;
  /** Resolves when it has ended, with a phrase about how, and the signal that has ended it. */
  readonly ended: Promise<{ readonly how: string; readonly signal: Deno.Signal | null }>;

  /**
   * Starts the program.
   *
   * @throws {LoadError} `PermissionDenied`.
   */
  constructor({ flags, program, args, readable, client, preload }: ProgramCommand) {
    const lines = [
      "// Written by smf dev, which removes it at its end.",
      `import { reloadChangedModules } from ${JSON.stringify(CLIENT.href)};`,
      `reloadChangedModules(${JSON.stringify(client)});`,
    ];
    Deno.writeTextFileSync(preload, `${lines.join("\n")}\n`);
    this.#child = new Deno.Command(denoCommand(), {
      args: [
        "run",
        ...flags,
        ...neededPermissions(flags, readable),
        `--preload=${preload}`,
        program,
        ...args,
      ],
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    this.ended = this.#child.status.then(({ code, signal }) => {
      this.#isRunning = false;
      const name = basename(program);
      const how = signal === null ? `${name} ended with exit code ${code}` : `${name} was ended by ${signal}`;
      return { how, signal };
    });
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Ends the program, and waits until it has ended. */
  async end(): Promise<void> {
    if (!this.#isRunning) return;
    try {
      this.#child.kill("SIGTERM");
    } catch (error) {
      // It has just ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
    // A program may hear SIGTERM and go on.
    const killer = setTimeout(() => this.#isRunning && this.#child.kill("SIGKILL"), 2000);
    await this.ended;
    clearTimeout(killer);
  }
}

/** The command that starts Deno: this one, or `deno` where permissions name that. */
export function denoCommand(): string {
  const commands = [Deno.execPath(), "deno"];
  const allowed = commands.find((command) =>
    Deno.permissions.querySync({ name: "run", command }).state === "granted"
  );
  if (allowed !== undefined) return allowed;
  throw new LoadError("PermissionDenied", "Cannot start program: it needs --allow-run=deno");
}
