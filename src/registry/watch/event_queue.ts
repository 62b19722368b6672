/**
 * The events of a watch between the watch and its consumer.
 */

import type { WatchEvent } from "./options.ts";

/** Events that wait for the consumer. */
export class EventQueue {
  readonly #events: WatchEvent[] = [];
  #ended = false;
  #wake: () => void = () => {};

  push(event: WatchEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *drain(): AsyncGenerator<WatchEvent, void, void> {
    while (true) {
      while (this.#events.length > 0) yield this.#events.shift()!;
      if (this.#ended) return;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
