/** A Worker that attaches itself to a control block and then carries out orders. */
import { Attachment } from "../../../src/module/share/attachment.ts";

/** The orders that the Worker carries out. */
export type Order =
  | { readonly kind: "attach"; readonly control: SharedArrayBuffer }
  | { readonly kind: "leave" }
  /** Does not return to its event loop until the word is not 0. */
  | { readonly kind: "busy"; readonly word: SharedArrayBuffer }
  | { readonly kind: "in flight"; readonly count: number }
  | { readonly kind: "close" }
  | { readonly kind: "throw" };

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(message: unknown): void;
  close(): void;
};
let attachment: Attachment | undefined;

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case "attach": {
      const result = Attachment.attach(data.control, {
        revoked: () => attachment?.leave(),
        callsInFlight: () => undefined,
      });
      if (result instanceof Attachment) attachment = result;
      scope.postMessage(result instanceof Attachment ? "attached" : result);
      break;
    }
    case "leave":
      attachment?.leave();
      scope.postMessage("left");
      break;
    case "busy": {
      const word = new Int32Array(data.word);
      scope.postMessage("busy");
      while (Atomics.load(word, 0) === 0);
      break;
    }
    case "in flight":
      attachment?.setInFlight(data.count);
      scope.postMessage("counted");
      break;
    case "close":
      scope.close();
      break;
    case "throw":
      throw new Error("uncaught, as the test wants it");
  }
};
