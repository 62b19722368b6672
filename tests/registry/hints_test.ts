// Errors whose place knows a better next step than their kind.
import { assertMatch } from "@std/assert";
import { integrityOf, ModuleRegistry, type WatchEvent } from "../../mod.ts";
import { SectionType, SymbolType } from "../../src/smf/mod.ts";
import { assertLoadError, checkLoadError, hostBuilder, TemporaryDirectory } from "../support/testing.ts";
import { INT, version } from "../support/versions.ts";

const answering = (answer: number) => version({ functions: { answer } });
const CALLBACK = { imports: { callback: { parameters: [], result: "i32", callback: () => 5 } } } as const;
/** A version that calls back into this isolate. */
const BOUND = version({ functions: { answer: "callback" } });

Deno.test("a registry that was disposed: create another", () => {
  const registry = new ModuleRegistry();
  registry[Symbol.dispose]();
  assertLoadError(() => registry.load("m"), "Closed", {
    hint: "create another ModuleRegistry, and dispose of it after its last use",
  });
});

Deno.test("a registry that a resolver disposed of: not in a resolver", () => {
  const registry: ModuleRegistry = new ModuleRegistry({ resolver: () => (registry[Symbol.dispose](), null) });
  const bytes = version({ functions: { one: "x", other: "y" } });
  assertLoadError(() => registry.loadBytes("m", bytes), "Closed", {
    hint: "dispose of the registry when all loads have ended, and not in a resolver",
  });
});

Deno.test("a module that is not loaded: load it", () => {
  using registry = new ModuleRegistry();
  assertLoadError(() => registry.versions("m"), "Io", {
    hint: "load the module first, with the same path or name; modules() lists what is loaded",
  });
});

Deno.test("an unchecked version of a checked module: give an integrity", () => {
  using registry = new ModuleRegistry();
  const bytes = answering(1);
  registry.loadBytes("m", bytes, { integrity: integrityOf(bytes) });
  assertLoadError(() => registry.reload("m", { bytes }), "IntegrityMismatch", {
    hint:
      "pass the option `integrity` to reload (reloadAll and watch take none); smf hash FILE prints the string",
  });
});

Deno.test("no version to go back to: keep more, or reload the older file", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  assertLoadError(() => registry.rollback("m"), "Incompatible", {
    hint: "create the registry with a larger `keepVersions`, or reload with the bytes of the older file",
  });
});

Deno.test("a reload inside a reload: wait, or name both", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  const migrate = () => void registry.reload("m", { bytes: answering(3) });
  assertLoadError(() => registry.reload("m", { bytes: answering(2), migrate }), "Busy", {
    hint: "reload after migrate or verify has returned, or name both modules in one reloadAll",
  });
});

Deno.test("a module that migrate unloads: load it again", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  const migrate = () => void registry.unload("m");
  assertLoadError(() => registry.reload("m", { bytes: answering(2), migrate }), "Closed", {
    hint: "load the module again; do not unload it in migrate or verify",
  });
});

Deno.test("verify that returns false: have it say why", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  assertLoadError(() => registry.reload("m", { bytes: answering(2), verify: () => false }), "Incompatible", {
    hint: "find out why `verify` returned false; let it throw an error that says so",
  });
});

Deno.test("a static that ends outside the module: bind its own type", () => {
  using registry = new ModuleRegistry();
  const builder = hostBuilder();
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(4096) });
  builder.symbol({ name: "last", type: SymbolType.Data, value: 4095 });
  registry.loadBytes("m", builder.build());
  const error = assertLoadError(() => registry.open("m", { last: { type: "u64" } }), "Incompatible", {
    hint: "bind the static with the type that the module gives it; smf nm FILE lists sizes",
  });
  assertMatch(error.message, /^Cannot bind static: it ends outside the module \(/);
});

Deno.test("a version for this isolate only, of a module that others call: build another", async () => {
  await using registry = new ModuleRegistry(CALLBACK);
  registry.loadBytes("m", answering(1));
  registry.open("m", { answer: INT }).share();
  assertLoadError(() => registry.reload("m", { bytes: BOUND }), "Incompatible", {
    hint: "build a version that needs nothing of this isolate, or load it under another name",
  });
});

Deno.test("live functions for this isolate only: load in each Worker", () => {
  using registry = new ModuleRegistry(CALLBACK);
  registry.loadBytes("m", BOUND);
  using live = registry.open("m", { answer: INT });
  assertLoadError(() => live.share(), "Unsupported", {
    hint: "share a version that needs nothing of this isolate, or load the module in each Worker",
  });
});

Deno.test("a module from bytes has no file to watch: reload by hand", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  assertLoadError(() => registry.watch({ paths: ["m"] }), "Io", {
    hint: "load the module from a file, or call reload with its new bytes",
  });
});

Deno.test("a watched module that was unloaded: load it again", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("m.smf", answering(1));
  using registry = new ModuleRegistry();
  registry.load(path);
  const events = registry.watch({ debounce: 5, force: true });
  registry.unload(path);
  Deno.writeFileSync(path, answering(2));
  const { value } = await events.next();
  await events.return();
  const event = value as WatchEvent & { kind: "failed" };
  checkLoadError(event.error, "Closed", { hint: "load the module again: the watch goes on with it" });
});
