/** A Worker of the pool: attaches to live functions and works through ranges. */
import { LiveLibrary, type LiveToken } from "@simple/loader/attach";
import { PRIMES } from "./definitions.ts";

const worker = self as unknown as {
  onmessage(event: MessageEvent<LiveToken | readonly [from: number, to: number] | "end">): void;
  postMessage(message: unknown): void;
  close(): void;
};
let primes: LiveLibrary<typeof PRIMES> | undefined;

worker.onmessage = ({ data }) => {
  if (data === "end") {
    primes?.close();
    worker.close();
  } else if ("kind" in data) {
    primes = LiveLibrary.attach(data, PRIMES);
    worker.postMessage("ready");
  } else {
    const { primes_between, version } = primes!.symbols;
    worker.postMessage({ count: primes_between(...data), version: version() });
  }
};
