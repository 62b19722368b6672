import { assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import { ANSWER, answering, build, isMapped, nativeTest, sample, turn } from "../support/modules.ts";
import { assertLoadError, assertLoadErrorLater } from "../support/testing.ts";

const WAIT = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;
const CALL = { parameters: ["function", "i32"], result: "i32" } as const;
const CALLBACK = { parameters: ["i32"], result: "i32" } as const;

nativeTest("closing the only handle frees the memory at once", () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(sample());
  const { address } = module.codeMemory;
  assertEquals(isMapped(address), true);
  module.close();
  assertEquals(allocator.live.size, 0);
  assertEquals(module.isOpen, false);
});

nativeTest("closing twice does nothing the second time", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(sample());
  module.close();
  module.close();
  module[Symbol.dispose]();
  await module.closeAsync();
  assertEquals(allocator.freed.length, 1);
});

nativeTest("closing one handle twice does not count for the other", () => {
  using registry = new ModuleRegistry();
  const first = registry.loadBytes("m", answering(3));
  const second = registry.loadBytes("m", answering(3));
  first.close();
  first.close();
  assertEquals(second.getFunction("value", ANSWER)?.(), 3);
});

nativeTest("a closed handle throws Closed, another handle on the module works on", () => {
  using registry = new ModuleRegistry();
  const first = registry.loadBytes("m", answering(3));
  using second = registry.loadBytes("m", answering(3));
  const kept = first.getFunction("value", ANSWER)!;
  first.close();
  assertEquals(first.isOpen, false);
  assertEquals(second.isOpen, true);
  assertLoadError(() => first.getFunction("value", ANSWER), "Closed");
  assertLoadError(() => first.bind({ value: ANSWER }), "Closed");
  assertLoadError(() => first.addressOf("value"), "Closed");
  assertLoadError(() => first.entryPoint(ANSWER), "Closed");
  assertEquals(kept(), 3, "functions end with the module, not with the handle that made them");
  assertEquals(second.getFunction("value", ANSWER)?.(), 3);
});

nativeTest("closing the last handle ends the functions that the first one bound", () => {
  using registry = new ModuleRegistry();
  const first = registry.loadBytes("m", answering(3));
  const second = registry.loadBytes("m", answering(3));
  const kept = first.getFunction("value", ANSWER)!;
  first.close();
  second.close();
  assertLoadError(() => kept(), "Closed");
});

nativeTest("unload by force ends every handle and function", () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator });
  const first = registry.loadBytes("m", answering(3));
  const second = registry.loadBytes("m", answering(3));
  const value = second.getFunction("value", ANSWER)!;
  assertEquals(registry.unload("m", { force: true }), true);
  assertEquals([first.isOpen, second.isOpen, allocator.live.size], [false, false, 0]);
  assertLoadError(() => value(), "Closed");
  assertLoadError(() => second.getFunction("value", ANSWER), "Closed");
  first.close();
  second.close();
  assertEquals(allocator.freed.length, 1);
});

nativeTest("unload without force lets handles and functions work until the last handle closes", () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator });
  const module = registry.loadBytes("m", answering(3));
  const value = module.getFunction("value", ANSWER)!;
  assertEquals(registry.unload("m"), true);
  assertEquals(registry.modules(), []);
  assertEquals(value(), 3);
  assertEquals(module.getFunction("value", ANSWER)?.(), 3);
  module.close();
  assertLoadError(() => value(), "Closed");
  assertEquals(allocator.live.size, 0);
});

nativeTest("close with a nonblocking call in flight is Busy and changes nothing", async () => {
  const module = new ModuleLoader().loadBytes(sample());
  const wait = module.getFunction("wait", WAIT)!;
  const add = module.getFunction("add32", { parameters: ["i32", "i32"], result: "i32" })!;
  const flag = new Int32Array(1);
  const result = wait(flag);
  const error = assertLoadError(() => module.close(), "Busy");
  assertStringIncludes(error.message, "nonblocking call");
  assertEquals(module.holders(), ["a nonblocking call"]);
  assertEquals(module.isOpen, true);
  assertEquals(add(1, 2), 3);
  Atomics.store(flag, 0, 9);
  assertEquals(await result, 9);
  assertEquals(module.holders(), []);
  module.close();
  await assertLoadErrorLater(async () => await wait(flag), "Closed");
});

nativeTest("unload by force with a nonblocking call in flight frees after it", async () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator });
  const wait = registry.loadBytes("m", sample()).getFunction("wait", WAIT)!;
  const flag = new Int32Array(1);
  const result = wait(flag);
  assertEquals(registry.unload("m", { force: true }), true);
  assertEquals(allocator.live.size, 1);
  await assertLoadErrorLater(async () => await wait(flag), "Closed");
  Atomics.store(flag, 0, 7);
  assertEquals(await result, 7);
  await turn();
  assertEquals(allocator.live.size, 0);
});

nativeTest("close inside a callback: the frame finishes, the memory goes at the next turn", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(sample());
  const call = module.getFunction("call", CALL)!;
  using callback = disposable(
    new Deno.UnsafeCallback(CALLBACK, (value) => {
      module.close();
      assertLoadError(() => call(null, 1), "Closed");
      return value * 2;
    }),
  );
  assertEquals(call(callback.pointer, 21), 42);
  assertEquals(module.isOpen, false);
  assertEquals(allocator.live.size, 1, "the frame that returned to JavaScript was still inside");
  await turn();
  assertEquals(allocator.live.size, 0);
});

nativeTest("close in the inner of two nested callbacks waits for both frames", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(sample());
  const call = module.getFunction("call", CALL)!;
  using inner = disposable(
    new Deno.UnsafeCallback(CALLBACK, (value) => {
      module.close();
      return value + 1;
    }),
  );
  using outer = disposable(new Deno.UnsafeCallback(CALLBACK, (value) => call(inner.pointer, value) * 10));
  assertEquals(call(outer.pointer, 4), 50);
  assertEquals(allocator.live.size, 1);
  await turn();
  assertEquals(allocator.live.size, 0);
});

nativeTest("close inside a callback works on the pointer path too", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator, callPath: "pointer" }).loadBytes(sample());
  const call = module.getFunction("call", CALL)!;
  using callback = disposable(
    new Deno.UnsafeCallback(CALLBACK, (value) => {
      module.close();
      return value;
    }),
  );
  assertEquals(call(callback.pointer, 5), 5);
  assertEquals(allocator.live.size, 1);
  await turn();
  assertEquals(allocator.live.size, 0);
});

nativeTest(
  "closing a provider's last reason to stay inside the importer's callback waits a turn",
  async () => {
    const allocator = new FailingAllocator();
    using registry = new ModuleRegistry({ allocator });
    const provider = registry.loadBytes("provider", sample());
    const importer = registry.loadBytes(
      "importer",
      // jmp [rip + GOT]: the frame on the stack is the provider's
      build({ routines: { callThrough: { hex: "ff 25 00 00 00 00", refersByGot: { 2: "call" } } } }),
    );
    const addresses = [provider.codeMemory.address, importer.codeMemory.address];
    const call = importer.getFunction("callThrough", CALL)!;
    using callback = disposable(
      new Deno.UnsafeCallback(CALLBACK, (value) => {
        importer.close();
        registry.unload("provider", { force: true });
        return value;
      }),
    );
    assertEquals(call(callback.pointer, 5), 5);
    assertEquals(addresses.map(isMapped), [true, true]);
    await turn();
    await turn();
    assertEquals(allocator.live.size, 0);
  },
);

nativeTest("unload by force inside a callback waits a turn", async () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator });
  const call = registry.loadBytes("m", sample()).getFunction("call", CALL)!;
  using callback = disposable(
    new Deno.UnsafeCallback(CALLBACK, (value) => {
      registry.unload("m", { force: true });
      return value;
    }),
  );
  assertEquals(call(callback.pointer, 5), 5);
  assertEquals(allocator.live.size, 1);
  await turn();
  assertEquals(allocator.live.size, 0);
});

nativeTest("disposing a registry inside a callback waits a turn", async () => {
  const allocator = new FailingAllocator();
  const registry = new ModuleRegistry({ allocator });
  const call = registry.loadBytes("m", sample()).getFunction("call", CALL)!;
  using callback = disposable(
    new Deno.UnsafeCallback(CALLBACK, (value) => {
      registry[Symbol.dispose]();
      return value;
    }),
  );
  assertEquals(call(callback.pointer, 5), 5);
  assertEquals(allocator.live.size, 1);
  await turn();
  assertEquals(allocator.live.size, 0);
});

nativeTest("close reports memory that the system refuses to take back, closing again succeeds", () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(answering(1));
  const value = module.getFunction("value", ANSWER)!;
  allocator.refuse = 1;
  assertLoadError(() => module.close(), "OutOfMemory");
  assertLoadError(() => value(), "Closed");
  assertEquals(module.isOpen, false);
  assertEquals(allocator.live.size, 1);
  module.close();
  assertEquals(allocator.live.size, 0);
  module.close();
  assertEquals(allocator.freed.length, 1);
});

function disposable<D extends Deno.UnsafeCallbackDefinition>(
  callback: Deno.UnsafeCallback<D>,
): { readonly pointer: Deno.PointerObject<D> } & Disposable {
  return { pointer: callback.pointer, [Symbol.dispose]: () => callback.close() };
}
