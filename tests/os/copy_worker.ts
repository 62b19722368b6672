/** A Worker that makes stub libraries of its own when a message asks for them. */
import { answering } from "../support/modules.ts";
import type * as Package from "../../mod.ts";

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<{ package: string; first: number; count: number }>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = async ({ data }) => {
  const { ModuleLoader } = await import(data.package) as typeof Package;
  const results: number[] = [];
  for (let index = 0; index < data.count; index++) {
    using module = new ModuleLoader({ callPath: "fast" }).loadBytes(answering(data.first + index));
    results.push(module.getFunction("value", { parameters: [], result: "i32" })!());
    results.push(module.callPaths()[0].path === "fast" ? 1 : 0);
  }
  scope.postMessage(results);
};
