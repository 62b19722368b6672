/**
 * The modules that `smf dev` keeps built, as the program sees them: which they are, and which one is that of a call of
 * `cc`.
 */
import type { KeptModule, MissingModule, WantedModule } from "../../registry/development.ts";
import { INTERVAL, type KeptCall, type Manifest, type WatchedFile } from "./notes.ts";

/** Milliseconds that the parent is given to read a program that Deno has started again. */
const PATIENCE = 3000;

const EMPTY: Manifest = { files: [], calls: [] };

/** The modules, and when their files change. */
export class KeptModules {
  readonly #path: string;
  readonly #restarts: boolean;
  readonly #stamps = new Map<string, string>();
  readonly #listeners = new Map<string, Set<() => boolean>>();
  #manifest = EMPTY;
  #stamp = "";

  /**
   * @param path The file with the manifest.
   * @param restarts Whether Deno starts the program again by itself.
   */
  constructor(path: string, restarts: boolean) {
    this.#path = path;
    this.#restarts = restarts;
    this.#read();
    // The program loads what is there now.
    this.changed();
  }

  get files(): readonly WatchedFile[] {
    return this.#manifest.files;
  }

  /** The files that have changed since the last look. */
  changed(): WatchedFile[] {
    this.#read();
    return this.files.filter(({ path }) => {
      const stamp = stampOf(path);
      if (stamp === (this.#stamps.get(path) ?? "")) return false;
      this.#stamps.set(path, stamp);
      return stamp !== "";
    });
  }

  /** Tells those who wait for it that a module was reloaded. */
  reloaded(path: string): void {
    const listeners = this.#listeners.get(path);
    for (const listener of listeners ?? []) if (!listener()) listeners!.delete(listener);
  }

  /** Finds the module for a call, and waits until it is built. */
  async find(wanted: WantedModule): Promise<KeptModule | MissingModule> {
    let call = this.#callOf(wanted);
    const deadline = Date.now() + (this.#restarts ? PATIENCE : 0);
    while (call === undefined && Date.now() < deadline) {
      await sleep();
      this.#read();
      call = this.#callOf(wanted);
    }
    if (call === undefined) return this.#missing(wanted);
    const { path } = call;
    while (stampOf(path) === "") await sleep();
    // The program is about to load this version of the file.
    this.#stamps.set(path, stampOf(path));
    const { facts } = this.files.find((file) => file.path === path)!;
    return {
      path,
      facts: () => JSON.parse(Deno.readTextFileSync(facts)),
      onReload: (listener) => {
        const listeners = this.#listeners.get(path) ?? new Set();
        this.#listeners.set(path, listeners.add(listener));
      },
    };
  }

  #callOf({ sources, options, folder }: WantedModule): KeptCall | undefined {
    return this.#manifest.calls.find((call) =>
      call.sources === sources && call.options === options && call.folder === folder
    );
  }

  #missing({ sources, options }: WantedModule): MissingModule {
    const others = this.#manifest.calls.filter((call) => call.sources === sources).map(({ options }) =>
      options
    );
    const problem = others.length > 0
      ? `smf dev has built ${shown(sources)} with other options: ${others.join(" or ")}, not ${options}`
      : `smf dev has not found this call of cc() in the text of the program, for ${shown(sources)}`;
    return { problem, hint: HINT };
  }

  #read(): void {
    const stamp = stampOf(this.#path);
    if (stamp === this.#stamp) return;
    this.#manifest = stamp === "" ? EMPTY : JSON.parse(Deno.readTextFileSync(this.#path));
    this.#stamp = stamp;
  }
}

const HINT =
  "write the sources and options of cc() as constants, in a module that the program imports and that " +
  "imports cc, by other modules of the program, too; or list the module in smf.json and load its file (smf dev --help)";

/** The sources of a call, short enough for a message. */
function shown(sources: string): string {
  return sources.length > 100 ? `${sources.slice(0, 100)}…` : sources;
}

function sleep(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, INTERVAL));
}

/** Identifies the contents of a file as far as the system tells; empty if there is none. */
function stampOf(path: string): string {
  try {
    const { mtime, size, ino } = Deno.statSync(path);
    return `${mtime?.getTime()} ${size} ${ino}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
