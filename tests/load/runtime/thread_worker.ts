/** Attaches a module and calls it once for each message. */
import { LoadedModule, type ModuleToken } from "../../../mod.ts";

const FUNCTIONS = {
  next: { parameters: [], result: "i32" },
  in_thread: { parameters: ["i64"], result: "i64", nonblocking: true },
} as const;

const worker = self as unknown as Worker & { close(): void };
let module: LoadedModule | undefined;

worker.onmessage = async ({ data }: MessageEvent<ModuleToken | number>) => {
  if (typeof data !== "number") {
    module = LoadedModule.attach(data);
    return worker.postMessage("attached");
  }
  if (data < 0) {
    await module!.closeAsync();
    worker.postMessage("closed");
    return worker.close();
  }
  const { next, in_thread } = module!.bind(FUNCTIONS).symbols;
  const thread = in_thread(BigInt(data));
  let last = 0;
  for (let count = 0; count < data; count++) last = next();
  worker.postMessage([last, await thread]);
};
