import { assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import { ANSWER, answering, importing, isMapped, nativeTest, turn } from "../support/modules.ts";
import { assertLoadError } from "../support/testing.ts";

nativeTest("close under an importer is Busy, names it and the next step; the importer still works", () => {
  using registry = new ModuleRegistry();
  const provider = registry.loadBytes("provider", answering(3));
  const importer = registry.loadBytes("importer", importing("value"));
  const error = assertLoadError(() => provider.close(), "Busy");
  assertStringIncludes(error.message, "importer");
  assertStringIncludes(error.hint, "close the modules that import from it first");
  assertEquals(provider.isOpen, true);
  assertEquals(provider.holders().length, 1);
  assertStringIncludes(provider.holders()[0], "importer");
  assertEquals(importer.getFunction("ask", ANSWER)?.(), 4);
  importer.close();
  assertEquals(provider.holders(), []);
  provider.close();
});

nativeTest("unload by force under an importer keeps the memory for the importer", () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator });
  const { address } = registry.loadBytes("provider", answering(3)).codeMemory;
  const importer = registry.loadBytes("importer", importing("value"));
  const ask = importer.getFunction("ask", ANSWER)!;
  assertEquals(registry.unload("provider", { force: true }), true);
  assertEquals(isMapped(address), true);
  assertEquals(ask(), 4);
  importer.close();
  assertEquals(allocator.live.size, 0);
});

nativeTest("a lease keeps the memory after close, until it is disposed", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(answering(12));
  const lease = module.addressOf("value")!;
  const raw = new Deno.UnsafeFnPointer(
    Deno.UnsafePointer.create(lease.address) as Deno.PointerObject<never>,
    ANSWER,
  );
  module.close();
  await turn();
  assertEquals(allocator.live.size, 1);
  assertEquals(raw.call(), 12);
  assertEquals(module.holders().length, 1);
  lease[Symbol.dispose]();
  lease[Symbol.dispose]();
  await turn();
  assertEquals(allocator.live.size, 0);
  assertEquals(module.holders(), []);
});

nativeTest("one of two leases is enough to keep the memory", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(answering(12));
  const [first, second] = [module.addressOf("value")!, module.addressOf("value")!];
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  module.close();
  await turn();
  assertEquals(allocator.live.size, 1);
  second[Symbol.dispose]();
  await turn();
  assertEquals(allocator.live.size, 0);
});

nativeTest("a provider that cannot be freed does not disturb its importer's end", () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator });
  const provider = registry.loadBytes("provider", answering(3));
  const importer = registry.loadBytes("importer", importing("value"));
  registry.unload("provider", { force: true });
  const importerMemory = importer.codeMemory.address;
  const providerMemory = [...allocator.live][0];
  allocator.refuseNext = providerMemory;
  importer.close();
  assertEquals([isMapped(importerMemory), allocator.live.has(providerMemory)], [false, false]);
  assertEquals(allocator.refuseNext, undefined, "freeing was refused once, and tried again");
  importer.close();
  provider.close();
  assertEquals(allocator.live.size, 0);
});
