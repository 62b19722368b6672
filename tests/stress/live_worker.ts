/** A Worker that calls live functions in batches, and returns to its event loop after each. */
import { LiveLibrary, type LiveToken } from "../../mod.ts";
import { callBatch, LIVE, type Tally } from "./live_calls.ts";

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<{ token: LiveToken; stop: SharedArrayBuffer; batch: number }>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = async ({ data: { token, stop, batch } }) => {
  const tally: Tally = { calls: 0, wrong: 0, backwards: 0, last: 0, failed: "" };
  try {
    const { symbols } = LiveLibrary.attach(token, LIVE);
    scope.postMessage("attached");
    const word = new Int32Array(stop);
    while (Atomics.load(word, 0) === 0) {
      callBatch(symbols, batch, tally);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  } catch (error) {
    tally.failed = String(error);
  }
  scope.postMessage(tally);
};
