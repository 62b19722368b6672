import { assert, assertEquals, assertThrows } from "@std/assert";
import { LiveLibrary, ModuleRegistry } from "../../../mod.ts";
import { SectionType, SymbolType } from "../../../src/smf/mod.ts";
import { assertLoadError, checkLoadError, hostBuilder } from "../../support/testing.ts";
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

Deno.test("attaching binds every export, and lists the names that are missing", async () => {
  await using registry = loaded();
  const token = structuredClone(registry.open("m", ANSWER).share());
  const error = assertLoadError(
    () => LiveLibrary.attach(token, { answer: INT, nothing: INT }),
    "UndefinedSymbol",
  );
  assertEquals(error.data.symbols, ["nothing"]);
  using attached = LiveLibrary.attach(token, {
    mine: { ...INT, name: "answer" },
    other: INT,
    total: { type: "i64" },
  });
  const { symbols } = attached;
  assertEquals([symbols.mine(), symbols.other(), symbols.total], [1, 101, 1n]);
  registry.reload("m", { bytes: answering(2) });
  assertEquals([symbols.mine(), symbols.other(), symbols.total], [2, 102, 2n]);
});

/** Two functions, of which no library of the owner opens `spare`. */
const twoFunctions = (answer: number, spare: number) => version({ functions: { answer, spare } });

Deno.test("an export that only an attached library uses follows reloads, and may not go missing", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", twoFunctions(1, 10));
  const token = structuredClone(registry.open("m", ANSWER).share());
  using attached = LiveLibrary.attach(token, { spare: INT });
  assertEquals(attached.symbols.spare(), 10);
  registry.reload("m", { bytes: twoFunctions(2, 20) });
  assertEquals(attached.symbols.spare(), 20);
  const only = version({ functions: { answer: 3 } });
  const error = assertLoadError(() => registry.reload("m", { bytes: only }), "Incompatible");
  assertEquals(error.data.symbols, ["spare"]);
  assertEquals(attached.symbols.spare(), 20);
});

Deno.test("an export that no isolate uses may go missing, and is gone for older tokens", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", twoFunctions(1, 10));
  const library = registry.open("m", ANSWER);
  const token = structuredClone(library.share());
  registry.reload("m", { bytes: version({ functions: { answer: 2 } }) });
  const attach = (from = token) => LiveLibrary.attach(from, { spare: INT });
  const error = assertLoadError(() => attach(), "UndefinedSymbol", { symbol: "spare" });
  assert(error.hint.startsWith("post a new token"), error.hint);
  // It comes back, perhaps as something else: only a new token has it.
  registry.reload("m", { bytes: twoFunctions(3, 30) });
  assertLoadError(() => attach(), "UndefinedSymbol");
  using attached = attach(structuredClone(library.share()));
  assertEquals(attached.symbols.spare(), 30);
});

Deno.test("a reload that fails leaves unused exports to attached libraries", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", twoFunctions(1, 10));
  const token = structuredClone(registry.open("m", ANSWER).share());
  const bytes = version({ functions: { answer: 2 } });
  assertLoadError(() => registry.reload("m", { bytes, verify: () => false }), "Incompatible");
  using attached = LiveLibrary.attach(token, { spare: INT });
  assertEquals(attached.symbols.spare(), 10);
});

Deno.test("an export that an isolate claims while a reload verifies is in use", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", twoFunctions(1, 10));
  const token = structuredClone(registry.open("m", ANSWER).share());
  let attached: LiveLibrary<{ spare: typeof INT }> | undefined;
  const verify = () => void (attached = LiveLibrary.attach(token, { spare: INT }));
  const bytes = version({ functions: { answer: 2 } });
  assertLoadError(() => registry.reload("m", { bytes, verify }), "Incompatible");
  assertEquals(attached!.symbols.spare(), 10);
  attached!.close();
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
  await using registry = new ModuleRegistry();
  // The file does not say how large the variable is, and four bytes are left.
  const builder = hostBuilder();
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(4096) });
  builder.symbol({ name: "last", type: SymbolType.Data, value: 4092 });
  registry.loadBytes("m", builder.build());
  const token = structuredClone(registry.open("m", { last: { type: "i16" } }).share());
  LiveLibrary.attach(token, { last: { type: "i32" } }).close();
  const error = assertLoadError(
    () => LiveLibrary.attach(token, { last: { type: "i64" } }),
    "Incompatible",
    { symbol: "last", size: 8, range: [0, 5] },
  );
  assert(error.hint.startsWith("bind it with the type that the shared library has"), error.hint);
});
