import { assertEquals } from "@std/assert";
import { toFileUrl } from "@std/path";
import { type LoadErrorKind, ModuleRegistry } from "../../mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import {
  ANSWER,
  answering,
  build,
  importing,
  isMapped,
  nativeTest,
  ROUTINES,
  turn,
} from "../support/modules.ts";
import { RegistryDirectory, value } from "../support/registries.ts";
import { assertLoadError } from "../support/testing.ts";

nativeTest(
  "an importer calls the newest version of what it imports, without a reload of its own",
  async () => {
    const allocator = new FailingAllocator();
    {
      using registry = new ModuleRegistry({ allocator, keepVersions: 0 });
      const old = registry.loadBytes("provider", answering(3));
      const importer = registry.loadBytes("importer", importing("value"));
      const ask = importer.getFunction("ask", ANSWER)!;
      const fresh = registry.reload("provider", { bytes: answering(7) });
      assertEquals([ask(), value(old), value(fresh)], [8, 3, 7]);
      const { address } = old.codeMemory;
      await old.closeAsync();
      assertEquals([isMapped(address), ask()], [false, 8]);
    }
    await turn();
    assertEquals(allocator.live.size, 0);
  },
);

nativeTest("a reload that lacks a function that others import is refused, and changes nothing", () => {
  using place = new RegistryDirectory();
  const { registry } = place;
  const provider = registry.loadBytes("provider", answering(3));
  const importer = registry.loadBytes("importer", importing("value"));
  const error = assertLoadError(
    () => registry.reload("provider", { bytes: answering(4, "other") }),
    "Incompatible",
  );
  assertEquals(error.data.symbols, ["value"]);
  assertEquals([value(importer, "ask"), value(provider), provider.isOpen], [4, 3, true]);
});

nativeTest("a function that nobody imports any more may go at a reload", () => {
  using place = new RegistryDirectory();
  const { registry } = place;
  registry.loadBytes("provider", answering(3));
  registry.loadBytes("importer", importing("value")).close();
  const fresh = registry.reload("provider", { bytes: answering(4, "other") });
  assertEquals(value(fresh, "other"), 4);
});

nativeTest("a function that only a failed load wanted may go at a reload", () => {
  using place = new RegistryDirectory();
  const { registry } = place;
  registry.loadBytes("provider", answering(3));
  const bytes = build({
    routines: {
      f: { hex: "ff 25 00 00 00 00 ff 25 00 00 00 00", refersByGot: { 2: "value", 8: "missing" } },
    },
  });
  assertLoadError(() => registry.loadBytes("importer", bytes), "UndefinedSymbol");
  const fresh = registry.reload("provider", { bytes: answering(4, "other") });
  assertEquals(value(fresh, "other"), 4);
});

nativeTest("a reload does not import from the version that it replaces", () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(1));
  place.registry.load(path);
  place.write("a.smf", importing("value"));
  assertLoadError(() => place.registry.reload(path), "UndefinedSymbol");
});

nativeTest("reload picks up the changed file; old handles stay with the old version", () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(1));
  const old = place.registry.load(path);
  const kept = old.getFunction("value", ANSWER)!;
  place.write("a.smf", answering(2));
  const fresh = place.registry.reload(path);
  assertEquals([old.version, fresh.version], [1, 2]);
  assertEquals([kept(), value(old), value(fresh)], [1, 1, 2]);
  assertEquals(place.registry.load(path).codeMemory, fresh.codeMemory);
  assertEquals(place.registry.reload(toFileUrl(path)).version, 3);
  old.close();
  assertEquals(place.registry.modules(), [path]);
  assertEquals(value(fresh), 2);
});

nativeTest("reload of a module that is not loaded loads it", () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(1));
  assertEquals([value(place.registry.reload(path)), place.registry.modules()], [1, [path]]);
});

nativeTest("a reload that fails leaves everything as it was", () => {
  using place = new RegistryDirectory();
  const path = place.write("a.smf", answering(1));
  const module = place.registry.load(path);
  const failures: [Uint8Array | null, LoadErrorKind][] = [
    [new Uint8Array(10), "InvalidFormat"],
    [answering(2).subarray(0, 120), "InvalidFormat"],
    [importing("nobody"), "UndefinedSymbol"],
    [build({ routines: ROUTINES, init: [0x10n] }), "InvalidFormat"],
    [null, "Io"],
  ];
  for (const [bytes, kind] of failures) {
    if (bytes === null) Deno.removeSync(path);
    else place.write("a.smf", bytes);
    assertLoadError(() => place.registry.reload(path), kind);
    assertEquals(place.registry.modules(), [path]);
    assertEquals([value(module), module.isOpen], [1, true]);
    assertEquals(place.registry.load(path).codeMemory, module.codeMemory);
    assertEquals(place.allocator.live.size, 1);
  }
  place.write("a.smf", answering(2));
  assertEquals([value(place.registry.reload(path)), value(module)], [2, 1]);
});
