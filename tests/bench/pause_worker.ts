/** A Worker that calls a live function continuously, and records the longest time between two calls. */
import { LiveLibrary, type LiveToken } from "../../mod.ts";

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<{ token: LiveToken; words: SharedArrayBuffer }>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = async ({ data: { token, words } }) => {
  using live = LiveLibrary.attach(token, { answer: { parameters: [], result: "i32" } });
  const { answer } = live.symbols;
  // Word 0 is set to stop, word 1 to record pauses.
  const flags = new Int32Array(words);
  const pauses: number[] = [];
  scope.postMessage("calling");
  while (Atomics.load(flags, 0) === 0) {
    let longest = 0;
    const end = performance.now() + 5;
    for (let last = performance.now(); last < end;) {
      answer();
      const now = performance.now();
      if (now - last > longest) longest = now - last;
      last = now;
    }
    if (Atomics.load(flags, 1) !== 0) pauses.push(longest);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  scope.postMessage(pauses);
};
