import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import { ANSWER, answering, importing, nativeTest, sample, turn } from "../support/modules.ts";
import { assertLoadErrorLater, value } from "../support/registries.ts";
import { assertLoadError } from "../support/testing.ts";

nativeTest("disposing ends every module, the last loaded first", () => {
  const allocator = new FailingAllocator();
  const registry = new ModuleRegistry({ allocator });
  const modules = [
    registry.loadBytes("provider", answering(1)),
    registry.loadBytes("importer", importing("value")),
    registry.loadBytes("plain", answering(2)),
  ];
  const addresses = modules.map((module) => module.codeMemory.address).reverse();
  const kept = modules[0].getFunction("value", ANSWER)!;
  registry[Symbol.dispose]();
  const freed = allocator.freed.map(({ address }) => address).filter((address) =>
    addresses.includes(address)
  );
  assertEquals([freed, allocator.live.size], [addresses, 0]);
  assertEquals(modules.map((module) => module.isOpen), [false, false, false]);
  assertLoadError(() => kept(), "Closed");
  for (const module of modules) module.close();
  registry[Symbol.dispose]();
});

nativeTest("disposing ends versions that were unloaded or replaced but are still held", () => {
  const allocator = new FailingAllocator();
  const registry = new ModuleRegistry({ allocator });
  const held = registry.loadBytes("m", answering(1));
  registry.unload("m");
  registry.loadBytes("m", answering(2));
  registry[Symbol.dispose]();
  assertEquals([held.isOpen, allocator.live.size], [false, 0]);
});

nativeTest("disposing with a nonblocking call in flight is Busy and changes nothing", async () => {
  const allocator = new FailingAllocator();
  const registry = new ModuleRegistry({ allocator });
  const other = registry.loadBytes("other", answering(5));
  const module = registry.loadBytes("m", sample());
  const flag = new Int32Array(1);
  const wait = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;
  const result = module.getFunction("wait", wait)!(flag);
  assertLoadError(() => registry[Symbol.dispose](), "Busy");
  assertEquals([value(other), registry.modules()], [5, ["other", "m"]]);
  Atomics.store(flag, 0, 3);
  assertEquals(await result, 3);
  registry[Symbol.dispose]();
  assertEquals(allocator.live.size, 0);
});

nativeTest("`await using` on a registry waits for nonblocking calls", async () => {
  const allocator = new FailingAllocator();
  const flag = new Int32Array(1);
  let result: Promise<number>;
  {
    await using registry = new ModuleRegistry({ allocator });
    registry.loadBytes("other", answering(5));
    const wait = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;
    result = registry.loadBytes("m", sample()).getFunction("wait", wait)!(flag);
    setTimeout(() => Atomics.store(flag, 0, 8), 5);
  }
  assertEquals(allocator.live.size, 0);
  assertEquals(await result, 8);
});

nativeTest(
  "`await using` on a registry waits for modules that were unloaded by force and are still running",
  async () => {
    const allocator = new FailingAllocator();
    const flag = new Int32Array(1);
    let result: Promise<number>;
    {
      await using registry = new ModuleRegistry({ allocator });
      const wait = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;
      result = registry.loadBytes("m", sample()).getFunction("wait", wait)!(flag);
      registry.unload("m", { force: true });
      assertEquals(allocator.live.size, 1);
      setTimeout(() => Atomics.store(flag, 0, 8), 5);
    }
    assertEquals(allocator.live.size, 0);
    assertEquals(await result, 8);
  },
);

nativeTest(
  "`await using` on a registry does not wait for leases; memory under a lease is freed with it",
  async () => {
    const allocator = new FailingAllocator();
    const registry = new ModuleRegistry({ allocator });
    const provider = registry.loadBytes("provider", answering(5));
    const importer = registry.loadBytes("importer", importing("value", "ask"));
    registry.loadBytes("other", answering(1));
    const leases = [importer.addressOf("ask")!, importer.addressOf("ask")!];
    await registry[Symbol.asyncDispose]();
    assertEquals([provider.isOpen, importer.isOpen], [false, false]);
    assertEquals(allocator.live.size > 0, true, "the importer, and what it imports from");
    const raw = new Deno.UnsafeFnPointer(
      Deno.UnsafePointer.create(leases[0].address) as Deno.PointerObject<never>,
      ANSWER,
    );
    assertEquals(raw.call(), 6);
    leases[0][Symbol.dispose]();
    await registry[Symbol.asyncDispose]();
    leases[1][Symbol.dispose]();
    await turn();
    assertEquals(allocator.live.size, 0);
  },
);

nativeTest("`await using` on a registry waits for calls even if leases are held", async () => {
  const allocator = new FailingAllocator();
  const registry = new ModuleRegistry({ allocator });
  const flag = new Int32Array(1);
  const module = registry.loadBytes("m", sample());
  using _lease = module.addressOf("wait")!;
  const wait = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;
  const result = module.getFunction("wait", wait)!(flag);
  let disposed = false;
  const disposing = registry[Symbol.asyncDispose]().then(() => disposed = true);
  await turn();
  await turn();
  assertEquals(disposed, false);
  Atomics.store(flag, 0, 8);
  assertEquals(await result, 8);
  await disposing;
  // The module, and the trampolines, through which the leased address leads.
  assertEquals(allocator.live.size, 2);
  _lease[Symbol.dispose]();
  await turn();
  assertEquals(allocator.live.size, 0);
});

nativeTest("a disposed registry refuses everything with Closed", async () => {
  const registry = new ModuleRegistry();
  registry[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
  assertLoadError(() => registry.load("a.smf"), "Closed");
  assertLoadError(() => registry.loadBytes("a", answering(1)), "Closed");
  assertLoadError(() => registry.unload("a"), "Closed");
  assertLoadError(() => registry.reload("a"), "Closed");
  assertLoadError(() => registry.resolveSymbol("a"), "Closed");
  await assertLoadErrorLater(registry.loadAsync("a.smf"), "Closed");
  assertEquals(registry.modules(), []);
});

nativeTest(
  "if the system refuses to free memory at disposal the other modules end, and disposing again succeeds",
  () => {
    const allocator = new FailingAllocator();
    const registry = new ModuleRegistry({ allocator });
    for (const name of ["a", "b", "c"]) registry.loadBytes(name, answering(1));
    allocator.refuse = 1;
    assertLoadError(() => registry[Symbol.dispose](), "OutOfMemory");
    assertEquals(allocator.live.size, 1, "only the one that was refused is left");
    registry[Symbol.dispose]();
    assertEquals(allocator.live.size, 0);
  },
);

nativeTest(
  "if the system refuses to free memory at asynchronous disposal, disposing again succeeds",
  async () => {
    const allocator = new FailingAllocator();
    const registry = new ModuleRegistry({ allocator });
    for (const name of ["a", "b", "c"]) registry.loadBytes(name, answering(1));
    allocator.refuse = 1;
    await assertLoadErrorLater(registry[Symbol.asyncDispose](), "OutOfMemory");
    assertEquals(allocator.live.size, 1);
    await registry[Symbol.asyncDispose]();
    assertEquals(allocator.live.size, 0);
  },
);

Deno.test("making and disposing a registry opens nothing", () => {
  const registry = new ModuleRegistry();
  registry[Symbol.dispose]();
});
