/** Calls through adapters where `new Function` is forbidden. */
import { ModuleLoader } from "../../../mod.ts";
import { sample, warm } from "../../support/modules.ts";
import { isCodeFromStringsForbidden } from "../../support/process_state.ts";

const forbidden = isCodeFromStringsForbidden();
using module = new ModuleLoader().loadBytes(sample());
const { add64, pair } = module.bind({
  add64: { parameters: ["i64", "i64"], result: "i64", integers: "number" },
  pair: { parameters: ["i64", "i64"], result: { struct: ["i64", "i64"] }, resultBuffer: "reused" },
}).symbols;
const errorOf = (call: () => unknown): Error => {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("no error");
};
const sum = warm(() => add64(2, 3));
const beyond = errorOf(() => add64(Number.MAX_SAFE_INTEGER, 1));
const refused = errorOf(() => add64(0.5, 1));
warm(() => pair(1n, 2n));
const words = new BigInt64Array(pair(7n, 8n).buffer);
const results = [sum, String(beyond.cause), refused.name, words.join()];
console.log(JSON.stringify({ forbidden, path: module.callPaths()[0].path, results }));
