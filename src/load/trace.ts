/**
 * The steps that the package takes, as events for a listener. Where nobody listens, an event costs one comparison:
 * its facts are gathered only if it is heard.
 */

import type { TakenPath } from "../call/path.ts";

/** A step of a reload. */
export type ReloadStep = "check" | "keep" | "carry" | "verify" | "commit" | "drain";

/** The facts of an event, by its kind. */
export type TraceFacts =
  | {
    /** The tables of a file, or of bytes, were read and checked. */
    readonly kind: "read";
    /** The size of the file in bytes. */
    readonly size: number;
    /** Whether the folder `cache` had what the checks of this file have found before, so that they were left out. */
    readonly known: boolean;
    /** How long that took. */
    readonly milliseconds: number;
  }
  | {
    /** An undefined name was looked up. */
    readonly kind: "resolve";
    /** The name. */
    readonly name: string;
    /** Who answered: `module '/a/b.smf'`, `library 'libm.so.6'`; `nobody` for a weak name. */
    readonly from: string;
    /** The address; 0 for a weak name that nobody defines, and for a thread-local variable. */
    readonly address: bigint;
  }
  | {
    /** The module has its memory, and its sections are there. */
    readonly kind: "place";
    /** The start of its memory. */
    readonly address: bigint;
    /** The size of its memory in bytes. */
    readonly size: number;
    /** How long reading the sections took. */
    readonly milliseconds: number;
  }
  | {
    /** The relocations are applied, and the code is protected. None of it has run. */
    readonly kind: "relocate";
    /** The number of relocations. */
    readonly relocations: number;
    /** How long that took. */
    readonly milliseconds: number;
  }
  | {
    /** The initialisers have run. */
    readonly kind: "start";
    /** How long they took. */
    readonly milliseconds: number;
  }
  | {
    /** A function was bound; `promote`: after its first calls it has a fast one now. */
    readonly kind: "bind" | "promote";
    /** The function's name. */
    readonly name: string;
    /** The address that is called. */
    readonly address: bigint;
    /** The path that its calls take: with `bind`, after the first few. */
    readonly callPath: TakenPath;
  }
  | {
    /** A step of a reload or rollback to this version has succeeded. */
    readonly kind: "reload";
    /**
     * `check`: exports and signatures; `keep` or `carry`: variables; `verify`: the callbacks `migrate` and `verify`;
     * `commit`: the version serves; `drain`: the version before is let go.
     */
    readonly step: ReloadStep;
    /** How long it took. */
    readonly milliseconds: number;
  }
  | {
    /** Somebody keeps the version's memory from now on; `release`: not any more. */
    readonly kind: "hold" | "release";
    /** Who: `module '/a/b.smf'`, `a lease on the address of 'f'`. */
    readonly holder: string;
  }
  | {
    /** The version's memory is free, or, where others share its variables, the memory of its code. */
    readonly kind: "free";
    /** The size of that memory in bytes. */
    readonly size: number;
  }
  | {
    /** A watch noticed that the file may have changed; its own event follows when it has looked. */
    readonly kind: "watch";
  };

/** The kinds of events. */
export type TraceKind = TraceFacts["kind"];

/** Something that a registry did. */
export type TraceEvent = TraceFacts & {
  /** The module's path, or the name that was given for bytes. */
  readonly path: string;
  /** The version, which counts from 1. */
  readonly version: number;
};

/** Hears of one version; undefined where nobody listens. */
export type Trace = ((facts: TraceFacts) => void) | undefined;

/** The trace of one version. What the listener throws does not reach the operation: it is thrown at the next turn. */
export function traceFor(
  listener: ((event: TraceEvent) => void) | undefined,
  path: string,
  version: number,
): Trace {
  if (listener === undefined) return undefined;
  return (facts) => {
    try {
      listener({ path, version, ...facts });
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}

/** Measures the steps of one operation, if somebody listens. */
export class StepTimer {
  readonly #trace: Trace;
  #since: number;

  constructor(trace: Trace) {
    this.#trace = trace;
    this.#since = trace === undefined ? 0 : performance.now();
  }

  /** Tells of a step that ends now. */
  done(facts: (milliseconds: number) => TraceFacts): void {
    if (this.#trace === undefined) return;
    const now = performance.now();
    this.#trace(facts(now - this.#since));
    this.#since = performance.now();
  }

  /** Tells of a step of a reload that ends now. */
  reload(step: ReloadStep): void {
    this.done((milliseconds) => ({ kind: "reload", step, milliseconds }));
  }
}
