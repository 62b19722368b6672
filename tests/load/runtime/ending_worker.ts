/** Attaches a module and registers a function for the end of this thread. */
import { LoadedModule, type ModuleToken } from "../../../mod.ts";

const worker = self as unknown as Worker;
let module: LoadedModule | undefined;

worker.onmessage = async ({ data }: MessageEvent<ModuleToken | number>) => {
  if (typeof data !== "number") {
    module = LoadedModule.attach(data);
    return worker.postMessage("attached");
  }
  if (data < 0) {
    await module!.closeAsync();
    return worker.postMessage("closed");
  }
  const number = { parameters: ["i64"], result: "i32" } as const;
  const { at_thread_end, set_key } = module!.bind({ at_thread_end: number, set_key: number }).symbols;
  at_thread_end(BigInt(data));
  set_key(BigInt(data + 100));
  worker.postMessage("registered");
};
