/** Crashes behind adapters, by every call path; prints the errors. */
import { LoadError, ModuleRegistry } from "../../../mod.ts";
import { sample } from "../../support/modules.ts";

const errors: string[] = [];
for (const callPath of ["auto", "fast", "pointer"] as const) {
  for (const captureErrno of [false, true]) {
    using registry = new ModuleRegistry({ onCrash: "throw" });
    const module = registry.loadBytes("sample", sample());
    // It reads a byte at its argument.
    const first = module.getFunction(
      "first",
      { parameters: ["u64"], result: "cstring", integers: "number", captureErrno },
      { callPath },
    )!;
    try {
      for (let round = 0; round < 12; round++) first(16);
    } catch (error) {
      errors.push(error instanceof LoadError ? `${error.kind} ${error.data.signal}` : String(error));
    }
    module.endQuarantine();
  }
}
console.log(JSON.stringify(errors));
