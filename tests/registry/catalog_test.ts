import { assertEquals, assertStrictEquals } from "@std/assert";
import { Catalog } from "../../src/registry/catalog.ts";
import { ModuleRegistry } from "../../mod.ts";
import { assertLoadError, TemporaryDirectory } from "../support/testing.ts";
import { INT, version } from "../support/versions.ts";

const answering = (answer: number) => version({ functions: { answer } });

Deno.test("the key of a file is its real path, whatever leads to it", () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("a.smf");
  const catalog = new Catalog();
  const key = Deno.realPathSync(path);
  assertEquals(catalog.keyOf(path), key);
  assertEquals(catalog.keyOf(directory.join("../" + directory.path.split(/[/\\]/).at(-1) + "/a.smf")), key);
});

Deno.test("the key is found without blocking, too", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("a.smf");
  const catalog = new Catalog();
  assertEquals(await catalog.keyOfAsync(path), catalog.keyOf(path));
});

Deno.test("a file that was never there has no key", async () => {
  using directory = new TemporaryDirectory();
  const catalog = new Catalog();
  assertLoadError(() => catalog.keyOf(directory.join("none.smf")), "Io");
  assertEquals(await catalog.keyOfAsync(directory.join("none.smf")).catch(({ kind }) => kind), "Io");
  assertEquals(catalog.find(directory.join("none.smf")), undefined);
});

Deno.test("a name that was given for bytes is a key of its own, without a file", () => {
  const catalog = new Catalog();
  assertEquals(catalog.addName("m"), "m");
  assertEquals([catalog.isNamed("m"), catalog.isNamed("n")], [true, false]);
});

Deno.test("a module is found by path, URL and link, also when its file is gone", () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("a.smf", answering(1));
  const link = directory.join("link.smf");
  if (Deno.build.os !== "windows") Deno.symlinkSync(path, link);
  using registry = new ModuleRegistry();
  const first = registry.load(path);
  const paths: (string | URL)[] = Deno.build.os === "windows"
    ? [path]
    : [path, link, new URL(`file://${path}`)];
  for (const other of paths) assertEquals(registry.load(other).codeMemory, first.codeMemory);
  Deno.removeSync(path);
  assertEquals(registry.versions(path).length, 1);
  assertEquals(registry.unload(path), true);
  assertEquals(registry.unload(path), false);
});

Deno.test({
  name: "a link that is led to another file reloads the module that was loaded through it",
  ignore: Deno.build.os === "windows",
  fn() {
    using directory = new TemporaryDirectory();
    const [one, two] = [directory.file("1.smf", answering(1)), directory.file("2.smf", answering(2))];
    const link = directory.join("current.smf");
    Deno.symlinkSync(one, link);
    using registry = new ModuleRegistry();
    using live = registry.open(link, { answer: INT });
    Deno.removeSync(link);
    Deno.symlinkSync(two, link);
    assertEquals(registry.reload(link).version, 2);
    assertEquals(live.symbols.answer(), 2);
  },
});

Deno.test("unloading drops the versions that were kept", () => {
  using registry = new ModuleRegistry({ keepVersions: 5 });
  const first = registry.loadBytes("m", answering(1));
  registry.reload("m", { bytes: answering(2) });
  registry.unload("m");
  assertStrictEquals(registry.modules().length, 0);
  assertEquals(first.getFunction("answer", INT)!(), 1);
  assertLoadError(() => registry.rollback("m"), "Io");
});

Deno.test("unloading by force ends the handles on all versions, of this load only", () => {
  using registry = new ModuleRegistry({ keepVersions: 1 });
  const before = registry.loadBytes("m", answering(9)).getFunction("answer", INT)!;
  registry.unload("m");
  const answers = [registry.loadBytes("m", answering(1)).getFunction("answer", INT)!];
  for (const answer of [2, 3, 4]) {
    answers.push(registry.reload("m", { bytes: answering(answer) }).getFunction("answer", INT)!);
  }
  assertEquals(answers.map((call) => call()), [1, 2, 3, 4]);
  registry.unload("m", { force: true });
  for (const call of answers) assertLoadError(call, "Closed");
  assertEquals(before(), 9);
});
