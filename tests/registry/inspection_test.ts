import { assert, assertEquals, assertMatch } from "@std/assert";
import { LiveLibrary, LoadedModule, ModuleRegistry } from "../../mod.ts";
import { INT, version } from "../support/versions.ts";
import { until } from "../support/workers.ts";

const many = version({ functions: Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`f${n}`, n])) });
const answering = (answer: number) => version({ functions: { answer } });

/** What `console.log` prints. */
const printed = (value: unknown): string => Deno.inspect(value, { colors: false });

Deno.test("a registry tells its modules, versions, holders and memory", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("provider", version({ functions: { value: 1 } }));
  const importer = registry.loadBytes("importer", version({ functions: { ask: "value" } }));
  registry.loadBytes("answer", answering(1));
  registry.reload("answer", { bytes: answering(2) });
  const { modules, ended, size } = registry.inspect();
  assertEquals(modules.map(({ path }) => path), ["provider", "importer", "answer"]);
  const [[provider], [{ address }], answers] = modules.map(({ versions }) => versions);
  assertEquals(provider.holders, ["module 'importer'"]);
  assertEquals(address, importer.codeMemory.address);
  assertEquals(
    answers.map(({ version, current, state }) => [version, current, state]),
    [[1, false, "open"], [2, true, "open"]],
  );
  assertEquals(ended, []);
  assertEquals(size, modules.flatMap(({ versions }) => versions).reduce((sum, { size }) => sum + size, 0));
  // All sizes are printed alike.
  assertEquals(
    Deno.inspect(registry.inspect()).match(/\bsize: .*/gm)!.filter((line) => !/ KiB,?$/.test(line)),
    [],
  );
});

Deno.test("a version that was replaced is listed for as long as something holds it, without a number", async () => {
  await using registry = new ModuleRegistry({ keepVersions: 0 });
  using lease = registry.loadBytes("answer", answering(1)).addressOf("answer");
  registry.reload("answer", { bytes: answering(2) });
  const [{ versions }] = registry.inspect().modules;
  assertEquals(versions.map(({ version, current }) => [version, current]), [[undefined, false], [2, true]]);
  assert(lease!.address !== 0n);
});

Deno.test("a module that was unloaded is listed as ended until nothing holds its memory", async () => {
  using registry = new ModuleRegistry();
  const lease = registry.loadBytes("answer", answering(1)).addressOf("answer")!;
  registry.unload("answer", { force: true });
  const { modules, ended: [{ version, state, holders }] } = registry.inspect();
  assertEquals([modules, version, state], [[], undefined, "revoked"]);
  assertEquals(holders, ["a lease on the address of 'answer'"]);
  assertMatch(printed(registry), /\(ended\).*revoked.*held by a lease/s);
  lease[Symbol.dispose]();
  await until(() => registry.inspect().ended.length === 0);
  assertEquals(registry.inspect(), { modules: [], ended: [], size: 0 });
});

Deno.test("what console.log prints of a registry is a line for each version", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("answer", answering(1));
  registry.reload("answer", { bytes: answering(2) });
  assertMatch(printed(registry), /version 1: open, [\d.]+ KiB at 0x[\da-f]+,\n/);
  assertMatch(printed(registry), /version 2 \(current\): open, /);
  assertMatch(printed(registry.inspect()), /address: 0x[\da-f]+,\s+size: [\d.]+ KiB/);
});

Deno.test("console.log of modules and live libraries says what they are, also once they are closed", () => {
  using registry = new ModuleRegistry();
  const module = registry.loadBytes("many", many);
  const library = registry.open("many", { f0: INT });
  assertMatch(printed(module), /^LoadedModule \{\s+path: "many",\s+version: 1,\s+isOpen: true,/);
  assertMatch(printed(module), /"f0",.*… 4 more/s);
  assertEquals(printed(library), 'LiveLibrary { path: "many", isOpen: true, symbols: [ "f0" ] }');
  library.close();
  module.close();
  assertMatch(printed(module), /isOpen: false/);
  assertMatch(printed(library), /isOpen: false/);
});

Deno.test("prototypes print, and the inspection is not among a module's properties", () => {
  for (const { prototype } of [ModuleRegistry, LoadedModule, LiveLibrary]) printed(prototype);
  using registry = new ModuleRegistry();
  assertEquals(Object.keys(registry.loadBytes("answer", answering(1))), ["carried"]);
});

Deno.test("a registry that was disposed of prints as empty", () => {
  const registry = new ModuleRegistry();
  registry.loadBytes("answer", answering(1));
  registry[Symbol.dispose]();
  assertEquals(registry.inspect().modules, []);
  assertEquals(printed(registry), "ModuleRegistry { memory: 0 bytes }");
});
