/**
 * Plays a score with strings of native code, sample by sample into an array.
 */

import { ModuleRegistry } from "@simple/loader";

/** Samples of a second. */
export const RATE = 44_100;

/** How the strings are built: they ring, or a hand lies on them. */
export type Touch = "open" | "muted";

/** A note: when it begins, in seconds, which string, and how many half-tones above the A of 440 Hz. */
export interface Note {
  readonly at: number;
  readonly string: number;
  readonly tone: number;
}

/** The frequency of a tone, in Hz. */
export function frequencyOf(tone: number): number {
  return 440 * 2 ** (tone / 12);
}

const DEFINITIONS = {
  pluck: { parameters: ["u32", "f32", "f32"], result: "void" },
  render: { parameters: ["buffer", "u32"], result: "void" },
} as const;

/** Eight strings. */
export class Synthesizer implements Disposable {
  readonly #registry = new ModuleRegistry();
  readonly #strings;

  /** @throws {Deno.errors.NotFound} if the strings are not built for this system. */
  constructor() {
    using _first = this.#registry.loadBytes("strings", built("open"));
    this.#strings = this.#registry.open("strings", DEFINITIONS);
  }

  /** Changes the code that lets the strings ring. They go on from where they are. */
  touch(how: Touch): void {
    this.#registry.reload("strings", { bytes: built(how), state: "keep" }).close();
  }

  /** The next seconds of sound, with notes that begin meanwhile; their times count from here. */
  play(seconds: number, notes: readonly Note[] = []): Int16Array<ArrayBuffer> {
    const { pluck, render } = this.#strings.symbols;
    const samples = new Int16Array(seconds * RATE);
    let from = 0;
    const renderUntil = (to: number) => {
      if (to > from) render(new Uint8Array(samples.buffer, 2 * from, 2 * (to - from)), to - from);
      from = to;
    };
    for (const { at, string, tone } of notes.toSorted((a, b) => a.at - b.at)) {
      renderUntil(Math.round(at * RATE));
      pluck(string, RATE / frequencyOf(tone), 0.4);
    }
    renderUntil(samples.length);
    return samples;
  }

  [Symbol.dispose](): void {
    this.#registry[Symbol.dispose]();
  }
}

function built(touch: Touch): Uint8Array {
  const target = `${Deno.build.os}-${Deno.build.arch}`;
  return Deno.readFileSync(new URL(`${target}/${touch}.smf`, import.meta.url));
}
