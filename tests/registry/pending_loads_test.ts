import { assert, assertEquals } from "@std/assert";
import { toFileUrl } from "@std/path";
import { LoadError, ModuleRegistry } from "../../mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import { answering, linkTest, nativeTest } from "../support/modules.ts";
import { RegistryDirectory, value } from "../support/registries.ts";

nativeTest("loadAsync gives the module that load gives", async () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(6));
  const later = await place.registry.loadAsync(toFileUrl(path));
  assertEquals(place.registry.load(path).codeMemory, later.codeMemory);
  assertEquals((await place.registry.loadAsync(path)).codeMemory, later.codeMemory);
  assertEquals(place.allocator.live.size, 1);
});

linkTest("concurrent loadAsync calls share one load, and each has a handle of its own", async () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(6));
  const link = `${place.directory}/link.smf`;
  Deno.symlinkSync(path, link);
  let allocations = 0;
  const allocate = place.allocator.allocate.bind(place.allocator);
  place.allocator.allocate = (...parameters) => {
    allocations++;
    return allocate(...parameters);
  };
  const modules = await Promise.all(
    [path, link, path, `${place.directory}/./a.smf`].map((spelling) => place.registry.loadAsync(spelling)),
  );
  assertEquals(allocations, 1);
  assertEquals(new Set(modules).size, 4);
  for (const module of modules.slice(0, 3)) module.close();
  assertEquals(value(modules[3]), 6);
});

nativeTest("the first of concurrent callers may close before the second sees its handle", async () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(6));
  const first = place.registry.loadAsync(path).then((module) => module.close());
  const second = await place.registry.loadAsync(path);
  await first;
  assertEquals(value(second), 6);
});

nativeTest("load while loadAsync is under way: one module, no memory left of the other load", async () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(6));
  const pending = place.registry.loadAsync(path);
  await Promise.resolve();
  const now = place.registry.load(path);
  const later = await pending;
  assertEquals(later.codeMemory, now.codeMemory);
  assertEquals(place.allocator.live.size, 1);
});

nativeTest(
  "concurrent callers of a load that fails all get the error, and the next load is a new one",
  async () => {
    using place = new RegistryDirectory();
    const path = place.write("a.smf", new Uint8Array(200));
    const results = await Promise.allSettled([
      place.registry.loadAsync(path),
      place.registry.loadAsync(path),
    ]);
    for (const result of results) {
      assert(result.status === "rejected" && result.reason instanceof LoadError);
      assertEquals([result.reason.kind, result.reason.data.path], ["InvalidFormat", path]);
    }
    place.write("a.smf", answering(2));
    assertEquals(value(await place.registry.loadAsync(path)), 2);
  },
);

linkTest("loadAsync follows a link to where it leads now", async () => {
  using place = new RegistryDirectory();
  const [one, two] = [place.write("one.smf", answering(1)), place.write("two.smf", answering(2))];
  const link = `${place.directory}/link.smf`;
  Deno.symlinkSync(one, link);
  assertEquals(value(await place.registry.loadAsync(link)), 1);
  Deno.removeSync(link);
  Deno.symlinkSync(two, link);
  assertEquals(value(place.registry.load(link)), 2);
  assertEquals(value(await place.registry.loadAsync(link)), 2);
  assertEquals(place.registry.modules(), [one, two]);
});

linkTest("loadAsync of a link that leads elsewhere now, without a load in between", async () => {
  using place = new RegistryDirectory();
  const [one, two] = [place.write("one.smf", answering(1)), place.write("two.smf", answering(2))];
  const link = `${place.directory}/link.smf`;
  Deno.symlinkSync(one, link);
  (await place.registry.loadAsync(link)).close();
  Deno.removeSync(link);
  Deno.symlinkSync(two, link);
  assertEquals(value(await place.registry.loadAsync(link)), 2);
  assertEquals(place.registry.modules(), [two]);
});

nativeTest(
  "loadAsync on a registry that is disposed meanwhile rejects with Closed, and nothing is left",
  async () => {
    const directory = Deno.makeTempDirSync();
    const path = `${directory}/a.smf`;
    Deno.writeFileSync(path, answering(1));
    for (let turns = 0; turns < 12; turns++) {
      const allocator = new FailingAllocator();
      const registry = new ModuleRegistry({ allocator });
      const pending = registry.loadAsync(path);
      const outcome = pending.then(() => "loaded", (error) => (error as LoadError).kind);
      for (let index = 0; index < turns; index++) await new Promise((resolve) => setTimeout(resolve, 0));
      registry[Symbol.dispose]();
      const seen = await outcome;
      assert(seen === "Closed" || seen === "loaded", seen);
      assertEquals(allocator.live.size, 0);
    }
    Deno.removeSync(directory, { recursive: true });
  },
);
