/** Workers for tests: they take orders, answer, and end when they are disposed of. */
import type { Order } from "../module/share/control_worker.ts";

/** A Worker with a queue of answers. */
export class TestWorker<T = Order> implements Disposable {
  readonly #worker: Worker;
  readonly #answers: unknown[] = [];
  #wake: () => void = () => {};
  /** Settles with the message of an exception that the Worker did not catch. */
  readonly failed: Promise<string>;

  constructor(script = new URL("../module/share/control_worker.ts", import.meta.url)) {
    this.#worker = new Worker(script, { type: "module" });
    const { promise, resolve } = Promise.withResolvers<string>();
    this.failed = promise;
    this.#worker.onmessage = ({ data }) => {
      this.#answers.push(data);
      this.#wake();
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      resolve(event.message);
      this.#wake();
    };
  }

  send(order: T): void {
    this.#worker.postMessage(order);
  }

  /** Waits for the next answer. */
  async answer(): Promise<unknown> {
    while (this.#answers.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.#answers.shift();
  }

  /** Sends an order and waits for the answer. */
  ask(order: T): Promise<unknown> {
    this.send(order);
    return this.answer();
  }

  terminate(): void {
    this.#worker.terminate();
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean, milliseconds = 20_000): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`still not true after ${milliseconds} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
}

/** Whether a promise settles within `after` milliseconds. */
export async function isSettled(promise: Promise<unknown>, after = 60): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pending = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(false), after));
  const settled = await Promise.race([promise.then(() => true, () => true), pending]);
  clearTimeout(timer);
  return settled;
}
