import { assertEquals } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import { ANSWER, answering, importing, nativeTest, sample, turn } from "../support/modules.ts";
import { assertLoadError, assertLoadErrorLater } from "../support/testing.ts";

const WAIT = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;

nativeTest("closeAsync revokes at once and settles when the nonblocking calls have returned", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(sample());
  const wait = module.getFunction("wait", WAIT)!;
  const add = module.getFunction("add32", { parameters: ["i32", "i32"], result: "i32" })!;
  const flags = [new Int32Array(1), new Int32Array(1)];
  const results = flags.map((flag) => wait(flag));
  let closed = false;
  const closing = module.closeAsync().then(() => closed = true);
  assertLoadError(() => add(1, 2), "Closed");
  assertEquals(module.isOpen, false);
  await turn();
  Atomics.store(flags[0], 0, 1);
  assertEquals(await results[0], 1);
  await turn();
  assertEquals([closed, allocator.live.size], [false, 1], "one call is still inside");
  Atomics.store(flags[1], 0, 2);
  assertEquals(await results[1], 2);
  await closing;
  assertEquals(allocator.live.size, 0);
});

nativeTest("`await using` waits for a nonblocking call", async () => {
  const allocator = new FailingAllocator();
  const flag = new Int32Array(1);
  let result: Promise<number>;
  {
    await using module = new ModuleLoader({ allocator }).loadBytes(sample());
    result = module.getFunction("wait", WAIT)!(flag);
    setTimeout(() => Atomics.store(flag, 0, 4), 5);
  }
  assertEquals(allocator.live.size, 0);
  assertEquals(await result, 4);
});

nativeTest("closeAsync under an importer settles when the importer is gone", async () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator });
  const provider = registry.loadBytes("provider", answering(3));
  const value = provider.getFunction("value", ANSWER)!;
  const importer = registry.loadBytes("importer", importing("value"));
  const ask = importer.getFunction("ask", ANSWER)!;
  let closed = false;
  const closing = provider.closeAsync().then(() => closed = true);
  assertLoadError(() => value(), "Closed");
  await turn();
  assertEquals(closed, false);
  assertEquals(ask(), 4, "native code goes on reaching what it imported");
  importer.close();
  await closing;
  assertEquals(allocator.live.size, 0);
});

nativeTest("closeAsync waits for a lease", async () => {
  const module = new ModuleLoader().loadBytes(answering(12));
  const lease = module.addressOf("value")!;
  let closed = false;
  const closing = module.closeAsync().then(() => closed = true);
  await turn();
  assertEquals(closed, false);
  lease[Symbol.dispose]();
  await closing;
});

nativeTest("freeing that fails can be tried again by closeAsync", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(answering(1));
  allocator.refuse = 1;
  await assertLoadErrorLater(() => module.closeAsync(), "OutOfMemory");
  assertEquals(allocator.live.size, 1);
  await module.closeAsync();
  assertEquals(allocator.live.size, 0);
});

nativeTest("freeing that fails after a nonblocking call rejects closeAsync, never the call", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(sample());
  const flag = new Int32Array(1);
  const result = module.getFunction("wait", WAIT)!(flag);
  const closing = module.closeAsync();
  allocator.refuse = 1;
  Atomics.store(flag, 0, 6);
  assertEquals(await result, 6);
  await assertLoadErrorLater(() => closing, "OutOfMemory");
  await module.closeAsync();
  assertEquals(allocator.live.size, 0);
});
