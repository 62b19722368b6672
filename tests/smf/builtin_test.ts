import { assert, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors.ts";
import { builtinModule } from "../../src/smf/builtin.ts";

Deno.test("a built-in module is found with the functions that it must have", () => {
  const { createHash } = builtinModule<{ createHash: unknown }>("node:crypto", ["createHash"]);
  assert(typeof createHash === "function");
});

Deno.test("a module that is not built in is Unsupported, by name", () => {
  const error = assertThrows(() => builtinModule("node:no_such_module", []), LoadError);
  assert(error.kind === "Unsupported");
  assertStringIncludes(error.message, "node:no_such_module");
});

Deno.test("a function that it lacks is Unsupported, by name", () => {
  const error = assertThrows(
    () => builtinModule<{ noSuchFunction: unknown }>("node:crypto", ["noSuchFunction"]),
    LoadError,
  );
  assert(error.kind === "Unsupported");
  assertStringIncludes(error.message, "noSuchFunction");
});
