import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import {
  ANSWER,
  answering,
  build,
  importing,
  isMapped,
  nativeTest,
  type Routine,
  ROUTINES,
  sample,
  turn,
} from "../support/modules.ts";

const WAIT = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;
const CALL = { parameters: ["function", "i32"], result: "i32" } as const;
const CALLBACK = { parameters: ["i32"], result: "i32" } as const;

function assertKind(work: () => unknown, kind: LoadError["kind"]): LoadError {
  const error = assertThrows(work, LoadError);
  assertEquals(error.kind, kind, error.message);
  return error;
}

async function assertKindLater(work: () => Promise<unknown>, kind: LoadError["kind"]): Promise<void> {
  const error = await assertRejects(work, LoadError);
  assertEquals(error.kind, kind, error.message);
}

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

nativeTest("a closed handle throws Closed, another handle on the module goes on", () => {
  using registry = new ModuleRegistry();
  const first = registry.loadBytes("m", answering(3));
  using second = registry.loadBytes("m", answering(3));
  const kept = first.getFunction("value", ANSWER)!;
  first.close();
  assertEquals(first.isOpen, false);
  assertEquals(second.isOpen, true);
  assertKind(() => first.getFunction("value", ANSWER), "Closed");
  assertKind(() => first.bind({ value: ANSWER }), "Closed");
  assertKind(() => first.addressOf("value"), "Closed");
  assertKind(() => first.entryPoint(ANSWER), "Closed");
  assertEquals(kept(), 3, "functions end with the module, not with the handle that made them");
  assertEquals(second.getFunction("value", ANSWER)?.(), 3);
});

nativeTest("the last handle ends what the first one bound", () => {
  using registry = new ModuleRegistry();
  const first = registry.loadBytes("m", answering(3));
  const second = registry.loadBytes("m", answering(3));
  const kept = first.getFunction("value", ANSWER)!;
  first.close();
  second.close();
  assertKind(() => kept(), "Closed");
});

nativeTest("unload by force ends every handle and function", () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator });
  const first = registry.loadBytes("m", answering(3));
  const second = registry.loadBytes("m", answering(3));
  const value = second.getFunction("value", ANSWER)!;
  assertEquals(registry.unload("m", { force: true }), true);
  assertEquals([first.isOpen, second.isOpen, allocator.live.size], [false, false, 0]);
  assertKind(() => value(), "Closed");
  assertKind(() => second.getFunction("value", ANSWER), "Closed");
  first.close();
  second.close();
  assertEquals(allocator.freed.length, 1);
});

nativeTest("unload without force lets handles and functions go on until the last handle closes", () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator });
  const module = registry.loadBytes("m", answering(3));
  const value = module.getFunction("value", ANSWER)!;
  assertEquals(registry.unload("m"), true);
  assertEquals(registry.modules(), []);
  assertEquals(value(), 3);
  assertEquals(module.getFunction("value", ANSWER)?.(), 3);
  module.close();
  assertKind(() => value(), "Closed");
  assertEquals(allocator.live.size, 0);
});

nativeTest("close with a nonblocking call in flight is Busy and changes nothing", async () => {
  const module = new ModuleLoader().loadBytes(sample());
  const wait = module.getFunction("wait", WAIT)!;
  const add = module.getFunction("add32", { parameters: ["i32", "i32"], result: "i32" })!;
  const flag = new Int32Array(1);
  const result = wait(flag);
  const error = assertKind(() => module.close(), "Busy");
  assertStringIncludes(error.message, "nonblocking call");
  assertEquals(module.holders(), ["a nonblocking call"]);
  assertEquals(module.isOpen, true);
  assertEquals(add(1, 2), 3);
  Atomics.store(flag, 0, 9);
  assertEquals(await result, 9);
  assertEquals(module.holders(), []);
  module.close();
  await assertKindLater(async () => await wait(flag), "Closed");
});

nativeTest("closeAsync revokes at once and settles when the nonblocking calls have come back", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(sample());
  const wait = module.getFunction("wait", WAIT)!;
  const add = module.getFunction("add32", { parameters: ["i32", "i32"], result: "i32" })!;
  const flags = [new Int32Array(1), new Int32Array(1)];
  const results = flags.map((flag) => wait(flag));
  let closed = false;
  const closing = module.closeAsync().then(() => closed = true);
  assertKind(() => add(1, 2), "Closed");
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

nativeTest("unload by force with a nonblocking call in flight frees after it", async () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator });
  const wait = registry.loadBytes("m", sample()).getFunction("wait", WAIT)!;
  const flag = new Int32Array(1);
  const result = wait(flag);
  assertEquals(registry.unload("m", { force: true }), true);
  assertEquals(allocator.live.size, 1);
  await assertKindLater(async () => await wait(flag), "Closed");
  Atomics.store(flag, 0, 7);
  assertEquals(await result, 7);
  await turn();
  assertEquals(allocator.live.size, 0);
});

nativeTest("close under an importer is Busy and names it; afterwards the importer still works", () => {
  using registry = new ModuleRegistry();
  const provider = registry.loadBytes("provider", answering(3));
  const importer = registry.loadBytes("importer", importing("value"));
  const error = assertKind(() => provider.close(), "Busy");
  assertStringIncludes(error.message, "importer");
  assertEquals(provider.isOpen, true);
  assertEquals(provider.holders().length, 1);
  assertStringIncludes(provider.holders()[0], "importer");
  assertEquals(importer.getFunction("ask", ANSWER)?.(), 4);
  importer.close();
  assertEquals(provider.holders(), []);
  provider.close();
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
  assertKind(() => value(), "Closed");
  await turn();
  assertEquals(closed, false);
  assertEquals(ask(), 4, "native code goes on reaching what it imported");
  importer.close();
  await closing;
  assertEquals(allocator.live.size, 0);
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

nativeTest("close inside a callback: the frame finishes, the memory goes at the next turn", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(sample());
  const call = module.getFunction("call", CALL)!;
  using callback = disposable(
    new Deno.UnsafeCallback(CALLBACK, (value) => {
      module.close();
      assertKind(() => call(null, 1), "Closed");
      return value * 2;
    }),
  );
  assertEquals(call(callback.pointer, 21), 42);
  assertEquals(module.isOpen, false);
  assertEquals(allocator.live.size, 1, "the frame that came back to JavaScript was still inside");
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

nativeTest("memory that the system refuses to take back: close says so, closing again succeeds", () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(answering(1));
  const value = module.getFunction("value", ANSWER)!;
  allocator.refuse = 1;
  assertKind(() => module.close(), "OutOfMemory");
  assertKind(() => value(), "Closed");
  assertEquals(module.isOpen, false);
  assertEquals(allocator.live.size, 1);
  module.close();
  assertEquals(allocator.live.size, 0);
  module.close();
  assertEquals(allocator.freed.length, 1);
});

nativeTest("freeing that fails can be tried again by closeAsync", async () => {
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(answering(1));
  allocator.refuse = 1;
  await assertKindLater(() => module.closeAsync(), "OutOfMemory");
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
  await assertKindLater(() => closing, "OutOfMemory");
  await module.closeAsync();
  assertEquals(allocator.live.size, 0);
});

nativeTest("a provider that cannot be freed does not spoil its importer's end", () => {
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
  assertEquals(allocator.refuseNext, undefined, "it was refused once, and tried again");
  importer.close();
  provider.close();
  assertEquals(allocator.live.size, 0);
});

/** Counts in JavaScript's memory how often a finaliser ran. */
const COUNTING: Readonly<Record<string, Routine>> = {
  value: { hex: "b8 03 00 00 00 c3" },
  // mov rax, [rip + GOT]; inc qword [rax]; ret
  count: { hex: "48 8b 05 00 00 00 00 48 ff 00 c3", refersByGot: { 3: "counted" } },
  // mov rax, [rip + GOT]; shl qword [rax], 4; ret
  shift: { hex: "48 8b 05 00 00 00 00 48 c1 20 04 c3", refersByGot: { 3: "counted" } },
};

function counter(): { word: BigUint64Array<ArrayBuffer>; resolver: (name: string) => bigint | null } {
  const word = new BigUint64Array(1);
  const address = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(word)));
  return { word, resolver: (name) => name === "counted" ? address : null };
}

nativeTest(
  "initialisers run in order before the module is there, finalisers in reverse when it is freed",
  () => {
    const { word, resolver } = counter();
    const parts = { routines: COUNTING, importedData: ["counted"] };
    const module = new ModuleLoader().loadBytes(
      build({ ...parts, init: ["count", "shift", "count"], fini: ["shift", "count"] }),
      resolver,
    );
    assertEquals(word[0], 0x11n);
    module.close();
    assertEquals(word[0], 0x120n, "count first, then shift");
  },
);

nativeTest("finalisers run once, also when freeing has to be tried again", () => {
  const { word, resolver } = counter();
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(
    build({ routines: COUNTING, importedData: ["counted"], fini: ["count"] }),
    resolver,
  );
  allocator.refuse = 2;
  for (let round = 0; round < 3; round++) {
    try {
      module.close();
    } catch (error) {
      assert(error instanceof LoadError && error.kind === "OutOfMemory", `${error}`);
    }
    assertEquals(word[0], 1n);
  }
  assertEquals(allocator.live.size, 0);
});

nativeTest("finalisers wait until the memory can go", async () => {
  const { word, resolver } = counter();
  const module = new ModuleLoader().loadBytes(
    build({ routines: { ...COUNTING, ...ROUTINES }, importedData: ["counted"], fini: ["count"] }),
    resolver,
  );
  const flag = new Int32Array(1);
  const result = module.getFunction("wait", WAIT)!(flag);
  const closing = module.closeAsync();
  await turn();
  assertEquals(word[0], 0n);
  Atomics.store(flag, 0, 1);
  await result;
  await closing;
  assertEquals(word[0], 1n);
});

nativeTest("an initialiser that is no function of the module is refused, and nothing stays", () => {
  const { word, resolver } = counter();
  const allocator = new FailingAllocator();
  const bytes = build({ routines: COUNTING, importedData: ["counted"], init: [0x1234n], fini: ["count"] });
  assertKind(() => new ModuleLoader({ allocator }).loadBytes(bytes, resolver), "InvalidFormat");
  assertEquals(allocator.live.size, 0);
  assertEquals(word[0], 0n, "what was never initialised is not finalised");
});

nativeTest("a finaliser that is no function of the module is refused when it is loaded", () => {
  const { word, resolver } = counter();
  const allocator = new FailingAllocator();
  const bytes = build({ routines: COUNTING, importedData: ["counted"], init: ["count"], fini: [0x1234n] });
  assertKind(() => new ModuleLoader({ allocator }).loadBytes(bytes, resolver), "InvalidFormat");
  assertEquals(allocator.live.size, 0);
  assertEquals(word[0], 0n, "nothing of it ran");
});

nativeTest("unused entries of the arrays are skipped", () => {
  const { word, resolver } = counter();
  const module = new ModuleLoader().loadBytes(
    build({
      routines: COUNTING,
      importedData: ["counted"],
      init: [0xffff_ffff_ffff_ffffn, "count", 0n],
      fini: [0n, "count"],
    }),
    resolver,
  );
  assertEquals(word[0], 1n);
  module.close();
  assertEquals(word[0], 2n);
});

nativeTest("a finaliser that calls back finds its module closed and ends it only once", async () => {
  const allocator = new FailingAllocator();
  let calls = 0;
  const callback = new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {
    calls++;
    assertEquals(module.isOpen, false);
    module.close();
    again = module.closeAsync();
  });
  let again: Promise<void> | undefined;
  const address = BigInt(Deno.UnsafePointer.value(callback.pointer));
  const module = new ModuleLoader({ allocator }).loadBytes(
    build({
      routines: { bye: { hex: "48 83 ec 08 ff 15 00 00 00 00 48 83 c4 08 c3", refersByGot: { 6: "tell" } } },
      fini: ["bye"],
    }),
    () => address,
  );
  module.close();
  await again;
  callback.close();
  assertEquals([calls, allocator.freed.length, allocator.live.size], [1, 1, 0]);
});

function disposable<D extends Deno.UnsafeCallbackDefinition>(
  callback: Deno.UnsafeCallback<D>,
): { readonly pointer: Deno.PointerObject<D> } & Disposable {
  return { pointer: callback.pointer, [Symbol.dispose]: () => callback.close() };
}
