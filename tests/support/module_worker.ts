/** A Worker that attaches to modules and live functions and calls them. */
import {
  LiveLibrary,
  type LiveToken,
  LoadedModule,
  LoadError,
  type ModuleToken,
} from "../../src/module/share/mod.ts";

/** The orders of the Worker, which answers each with one message. */
export type ModuleOrder =
  | { readonly kind: "attach"; readonly token: ModuleToken }
  | { readonly kind: "attach live"; readonly token: LiveToken }
  /** Calls once. */
  | { readonly kind: "call"; readonly value?: number }
  /** Calls without a pause until a call throws; answers the error's kind and the number of calls. */
  | { readonly kind: "call until it throws" }
  /** Calls until a call throws, with a turn of the event loop after each batch. */
  | { readonly kind: "call in batches until it throws"; readonly batch: number }
  /** Calls without a pause until the word is not 0. */
  | { readonly kind: "call until"; readonly word: SharedArrayBuffer }
  | { readonly kind: "nap"; readonly microseconds: number }
  | { readonly kind: "begin nap"; readonly microseconds: number }
  | { readonly kind: "total" }
  | { readonly kind: "address" }
  | { readonly kind: "share" }
  | { readonly kind: "close" }
  | { readonly kind: "end" }
  | { readonly kind: "throw" };

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ModuleOrder>) => void;
  postMessage(message: unknown): void;
  close(): void;
};
const NAMES = {
  answer: { parameters: [], result: "i32" },
  total: { type: "i64" },
  nap: { parameters: ["u32"], result: "i32", nonblocking: true, optional: true },
} as const;

let module: LoadedModule | LiveLibrary<typeof NAMES> | undefined;
let symbols: Deno.StaticForeignLibraryInterface<typeof NAMES>;

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

async function run(order: ModuleOrder): Promise<unknown> {
  switch (order.kind) {
    case "attach":
      module = LoadedModule.attach(order.token, { callPath: "fast" });
      symbols = module.bind(NAMES).symbols;
      return "attached";
    case "attach live":
      module = LiveLibrary.attach(order.token, NAMES);
      symbols = module.symbols;
      return "attached";
    case "call":
      return symbols.answer();
    case "call until it throws":
    case "call in batches until it throws": {
      scope.postMessage("calling");
      const batch = order.kind === "call until it throws" ? Infinity : order.batch;
      for (let calls = 0;; calls++) {
        try {
          symbols.answer();
        } catch (error) {
          return { kind: (error as LoadError).kind, calls };
        }
        if (calls % batch === 0) await turn();
      }
    }
    case "call until": {
      scope.postMessage("calling");
      const word = new Int32Array(order.word);
      let calls = 0;
      while (Atomics.load(word, 0) === 0) {
        symbols.answer();
        calls++;
      }
      return calls;
    }
    case "nap":
      return await symbols.nap!(order.microseconds);
    case "begin nap":
      void symbols.nap!(order.microseconds);
      return "sleeping";
    case "total":
      return symbols.total;
    case "address":
      return (module as LoadedModule).codeMemory.address;
    case "share":
      return module!.share();
    case "close":
      module!.close();
      return "closed";
    case "end":
      scope.postMessage("ended");
      scope.close();
      return undefined;
    case "throw":
      setTimeout(() => {
        throw new Error("uncaught, as the test wants it");
      });
      return "thrown";
  }
}

scope.onmessage = async ({ data }) => {
  try {
    scope.postMessage(await run(data));
  } catch (error) {
    scope.postMessage(error instanceof LoadError ? { kind: error.kind } : String(error));
  }
};
