import { assert, assertEquals, assertThrows } from "@std/assert";
import { LiveLibrary, ModuleRegistry } from "../../../mod.ts";
import { assertLoadError, checkLoadError } from "../../support/testing.ts";
import { INT, version } from "../../support/versions.ts";

const ANSWER = { answer: INT } as const;

function answering(value: number): Uint8Array {
  return version({ functions: { answer: value, other: value + 100 }, data: { total: [BigInt(value)] } });
}

/** A registry with `answer` returning 1. */
function loaded(options: ConstructorParameters<typeof ModuleRegistry>[0] = {}): ModuleRegistry {
  const registry = new ModuleRegistry(options);
  registry.loadBytes("m", answering(1));
  return registry;
}

Deno.test("attaching binds only names that the library has bound, and lists the missing ones", async () => {
  await using registry = loaded();
  const token = structuredClone(registry.open("m", ANSWER).share());
  const error = assertLoadError(
    () => LiveLibrary.attach(token, { answer: INT, other: INT }),
    "UndefinedSymbol",
  );
  assertEquals(error.data.symbols, ["other"]);
  using attached = LiveLibrary.attach(token, { mine: { ...INT, name: "answer" } });
  assertEquals(attached.symbols.mine(), 1);
  registry.reload("m", { bytes: answering(2) });
  assertEquals(attached.symbols.mine(), 2);
});

Deno.test("attached functions keep their names in use when the library that shared them is closed", async () => {
  await using registry = loaded();
  const library = registry.open("m", ANSWER);
  const token = structuredClone(library.share());
  using attached = LiveLibrary.attach(token, ANSWER);
  library.close();
  assertLoadError(
    () => registry.reload("m", { bytes: version({ functions: { unrelated: 2 } }) }),
    "Incompatible",
  );
  assertEquals(attached.symbols.answer(), 1);
});

Deno.test("an attached library learns at its next turn that the module is closed", async () => {
  const registry = loaded();
  const token = structuredClone(registry.open("m", ANSWER).share());
  const attached = LiveLibrary.attach(token, ANSWER);
  const ended = registry[Symbol.asyncDispose]();
  assertEquals(attached.symbols.answer(), 1, "until then the memory is there");
  await ended;
  assertLoadError(() => attached.symbols.answer(), "Closed");
  checkLoadError(assertThrows(() => LiveLibrary.attach(token, ANSWER)), "Closed");
});

Deno.test("attaching a static that is larger than the shared one is Incompatible, with a next step", async () => {
  await using registry = loaded();
  const token = structuredClone(registry.open("m", { total: { type: "i32" } }).share());
  const error = assertLoadError(
    () => LiveLibrary.attach(token, { total: { type: "i64" } }),
    "Incompatible",
    { symbol: "total", size: 8, range: [0, 5] },
  );
  assert(error.hint.startsWith("bind it with the type that the shared library has"), error.hint);
});
