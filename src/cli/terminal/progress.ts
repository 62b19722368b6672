/**
 * How far a command is, as a bar on the last line of a terminal.
 */
import type { Output } from "./command.ts";

/** Milliseconds after which progress is shown. */
const DELAY = 1000;
/** Milliseconds between two pictures. */
const INTERVAL = 100;
/** The characters of a bar. */
const WIDTH = 24;

/**
 * Shows the current step of a command that takes longer than a second, and the part that is done if it is known.
 * Writes to a terminal only; disposing removes what is shown.
 */
export class Progress implements Disposable {
  readonly #output: Output;
  readonly #start = performance.now();
  /** When the first picture is due, in milliseconds of `performance.now`. */
  #first: number;
  /** When the next picture of the same step is due. */
  #next: number;
  #step = "";
  #part: number | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(output: Output, delay: number = DELAY) {
    this.#output = output;
    this.#first = this.#next = this.isShown ? this.#start + delay : Infinity;
  }

  /** Whether there is a terminal to show it on. */
  get isShown(): boolean {
    return this.#output.terminals?.complain === true && this.#output.draw !== undefined;
  }

  /**
   * Tells the step that runs, and how far the whole work is.
   *
   * @param part From 0 to 1; undefined if it is not known.
   */
  show(step: string, part?: number): void {
    // The next step may be one that reports nothing until its end.
    if (step !== this.#step) this.#next = this.#first;
    this.#step = step;
    this.#part = part;
    this.#drawIfDue();
  }

  /** Shows the time that passes while the command waits for others. */
  startClock(): void {
    if (this.isShown) this.#timer = setInterval(() => this.#drawIfDue(), INTERVAL);
  }

  #drawIfDue(): void {
    const now = performance.now();
    if (now < this.#next) return;
    this.#next = now + INTERVAL;
    const text = `${this.#step}, ${((now - this.#start) / 1000).toFixed(1)} s`;
    this.#output.draw!(this.#part === undefined ? text : `${bar(this.#part)} ${text}`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#first = this.#next = Infinity;
    this.#output.draw?.("");
  }
}

/** A bar for a part from 0 to 1, with percents. */
function bar(part: number): string {
  const full = Math.round(Math.min(1, part) * WIDTH);
  const percent = `${Math.floor(Math.min(1, part) * 100)}`.padStart(3);
  return `[${"#".repeat(full)}${"-".repeat(WIDTH - full)}] ${percent} %`;
}
