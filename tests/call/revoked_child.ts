/** Binds, revokes the permission for native code, and calls. */
import { LoadError, ModuleLoader } from "../../mod.ts";
import { sample, warm } from "../support/modules.ts";

const ADD = { parameters: ["i32", "i32"], result: "i32" } as const;
const module = new ModuleLoader().loadBytes(sample());
const fast = module.getFunction("add32", ADD, { callPath: "fast" })!;
const inUse = module.getFunction("add32", ADD)!;
const unused = module.getFunction("add64", { parameters: ["i64", "i64"], result: "i64" })!;
warm(() => inUse(1, 2));
await Deno.permissions.revoke({ name: "ffi" });

function result(call: () => unknown): unknown {
  try {
    return Number(call());
  } catch (error) {
    return error instanceof LoadError ? [error.kind, error.data?.symbol, error.hint] : String(error);
  }
}

console.log(JSON.stringify({
  fast: result(() => fast(2, 3)),
  inUse: result(() => inUse(2, 3)),
  unused: result(() => warm(() => unused(2n, 3n))),
}));
module.close();
