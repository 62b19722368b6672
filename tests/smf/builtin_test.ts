import { assert, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { builtinModule } from "../../src/smf/builtin.ts";

Deno.test("a built-in module with the required functions is found", () => {
  const { createHash } = builtinModule<{ createHash: unknown }>("node:crypto", ["createHash"]);
  assert(typeof createHash === "function");
});

Deno.test("a missing module is Unsupported, with its name", () => {
  const error = assertThrows(() => builtinModule("node:no_such_module", []), LoadError);
  assert(error.kind === "Unsupported");
  assertStringIncludes(error.message, "node:no_such_module");
});

Deno.test("a missing function is Unsupported, with its name", () => {
  const error = assertThrows(
    () => builtinModule<{ noSuchFunction: unknown }>("node:crypto", ["noSuchFunction"]),
    LoadError,
  );
  assert(error.kind === "Unsupported");
  assertStringIncludes(error.message, "noSuchFunction");
});

Deno.test("the hint of a missing module is about the runtime", () => {
  const error = assertThrows(() => builtinModule("node:no_such_module", []), LoadError);
  assertStringIncludes(error.hint, "runtime");
});
