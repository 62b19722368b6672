import { assertEquals } from "@std/assert";
import { ModuleLoader } from "../../mod.ts";
import { nativeTest, sample } from "../support/modules.ts";
import { assertLoadError } from "../support/testing.ts";

nativeTest("missing symbols are all named, and the next step is to correct the names", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const definition = { parameters: [], result: "i32" } as const;
  const error = assertLoadError(
    () => module.bind({ add32: definition, missing: definition, absent: { type: "i64" } }),
    "UndefinedSymbol",
  );
  assertEquals(error.data.symbols, ["missing", "absent"]);
  assertEquals(
    error.hint,
    "correct the name (smf nm FILE lists the module's symbols), " +
      "or define it with `optional: true` if it may be missing",
  );
});
