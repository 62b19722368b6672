// Calls a module's `add` by the path that permissions allow, and prints which; then asks for the fast one.
import { LoadError, ModuleLoader } from "../../../mod.ts";
import { warm } from "../../support/modules.ts";

const [file] = Deno.args;
const ADD = { parameters: ["i64", "i64"], result: "i64" } as const;

using module = new ModuleLoader().load(file);
const add = module.getFunction("add", ADD);
const result = Number(warm(() => add?.(40n, 2n)));
let asked: string;
try {
  using fast = new ModuleLoader({ callPath: "fast" }).load(file);
  fast.getFunction("add", ADD);
  asked = fast.callPaths()[0].path;
} catch (error) {
  if (!(error instanceof LoadError)) throw error;
  asked = error.kind;
}
console.log(
  JSON.stringify({ result, path: module.callPaths()[0].path, reason: module.fallbackReason, asked }),
);
