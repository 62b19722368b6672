/**
 * The data that `smf dev` passes to the program that it runs: which modules to reload, and how a module was built.
 */
import type { OnCrash } from "../../call/guard.ts";
import type { WantedModule } from "../../registry/development.ts";
import type { ReloadTime } from "../terminal/at.ts";
import type { ProblemFormat } from "../terminal/problem_format.ts";
import type { State } from "../terminal/state.ts";

/** A module that the program may have loaded. */
export interface WatchedFile {
  readonly name: string;
  /** The module's file, absolute and without links on the way. */
  readonly path: string;
  /** The file with its {@linkcode BuildNote}, written before the module's. */
  readonly note: string;
  /** The file with the result of its build without the bytes, as JSON. */
  readonly facts: string;
}

/** A call of `cc` that the parent has found, and the module that it keeps built for it. */
export interface KeptCall extends WantedModule {
  /** The module's file. */
  readonly path: string;
}

/** The modules that the parent keeps built. It writes them to a file whenever they change. */
export interface Manifest {
  readonly files: readonly WatchedFile[];
  readonly calls: readonly KeptCall[];
}

/** The settings of the program's part. */
export interface ClientSettings {
  /** The file with the {@linkcode Manifest}. */
  readonly manifest: string;
  /** Whether Deno starts the program again by itself when it changes, before the parent has read it anew. */
  readonly restarts: boolean;
  readonly state: State;
  readonly when: ReloadTime;
  readonly format: ProblemFormat | undefined;
  /** The default of the program's registries: whether a crash is an exception here. */
  readonly onCrash: OnCrash;
}

/** How the module in a file came to be; times in milliseconds. */
export interface BuildNote {
  /** When the change of a source was noticed, since 1970. */
  readonly changed: number;
  readonly compiled: number;
  readonly linked: number;
}

/** Milliseconds between two looks at the files. */
export const INTERVAL = 20;

/** Rounds milliseconds for display: three digits, or none behind the point. */
export function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
