import { assert, assertEquals, assertMatch } from "@std/assert";
import { LiveLibrary, LoadedModule, ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import { runChild, stubMappings } from "../../support/modules.ts";
import { attachControl } from "../../../src/module/share/attach.ts";
import { ControlOwner } from "../../../src/module/share/control.ts";
import { MAX_ATTACHMENTS } from "../../../src/module/share/words.ts";
import {
  assertLoadError,
  NO_PROC,
  permissionsAt,
  TemporaryDirectory,
  WatchedAllocator,
} from "../../support/testing.ts";
import { INT, version } from "../../support/versions.ts";
import type { ModuleOrder } from "../../support/module_worker.ts";
import { isSettled, TestWorker, until } from "../../support/workers.ts";

const answering = (answer: number) => version({ functions: { answer }, data: { total: [5n] } });
const napping = version({ functions: { answer: 3, nap: "usleep" }, data: { total: [0n] } });
const LIVE = { answer: INT, total: { type: "i64" } } as const;

function worker(): TestWorker<ModuleOrder> {
  return new TestWorker(new URL("../../support/module_worker.ts", import.meta.url));
}

async function attached(module: LoadedModule): Promise<TestWorker<ModuleOrder>> {
  const one = worker();
  assertEquals(await one.ask({ kind: "attach", token: module.share() }), "attached");
  return one;
}

/** Whether the code is still mapped as executable. */
function isCodeMapped(address: bigint): boolean {
  return permissionsAt(address).startsWith("r-x");
}

/** Microseconds, enough for the owner to close meanwhile, also where code is emulated. */
const NAP = Deno.build.arch === "aarch64" ? 3_000_000 : 120_000;

Deno.test("Workers attach to the same code and data, without a second load", async () => {
  await using module = new ModuleLoader().loadBytes(answering(7));
  const { address } = module.codeMemory;
  using first = await attached(module);
  using second = await attached(module);
  for (const one of [first, second]) {
    assertEquals(await one.ask({ kind: "address" }), address);
    assertEquals(await one.ask({ kind: "call" }), 7);
    assertEquals(await one.ask({ kind: "total" }), 5n);
  }
  using lease = module.addressOf("total")!;
  new BigInt64Array(Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(lease.address)!, 8))[0] =
    99n;
  for (const one of [first, second]) assertEquals(await one.ask({ kind: "total" }), 99n);
  assertEquals(module.holders().includes("2 Workers"), true, module.holders().join());
});

Deno.test("a Worker's handle ends on its own, a token can pass from Worker to Worker", async () => {
  await using module = new ModuleLoader().loadBytes(answering(7));
  using first = await attached(module);
  const token = await first.ask({ kind: "share" }) as ReturnType<LoadedModule["share"]>;
  using second = worker();
  assertEquals(await second.ask({ kind: "attach", token }), "attached");
  assertEquals(await first.ask({ kind: "close" }), "closed");
  assertEquals(await first.ask({ kind: "call" }), { kind: "Closed" });
  assertEquals(await second.ask({ kind: "call" }), 7);
  assertEquals(module.holders(), ["a Worker"]);
});

Deno.test("a token of a closed module cannot be attached, and the error says what to do", async () => {
  const module = new ModuleLoader().loadBytes(answering(7));
  const token = module.share();
  module.close();
  using one = worker();
  assertEquals(await one.ask({ kind: "attach", token }), { kind: "Closed" });
  const error = assertLoadError(() => LoadedModule.attach(token), "Closed");
  assertMatch(error.hint, /load the module again in the isolate that owns it/);
});

Deno.test("attaching one isolate too many is Busy, and the error says what to do", () => {
  const owner = new ControlOwner();
  const events = { revoked: () => {}, callsInFlight: () => undefined };
  const attach = () => attachControl(owner.buffer, "module 'm'", events);
  const attachments = Array.from({ length: MAX_ATTACHMENTS }, attach);
  const error = assertLoadError(attach, "Busy");
  assertMatch(error.hint, /close the module in a Worker that no longer needs it/);
  for (const attachment of attachments) attachment.leave();
});

Deno.test("a module with an allocator of this isolate cannot be shared, and the error says what to do", () => {
  using module = new ModuleLoader({ allocator: new WatchedAllocator() }).loadBytes(answering(7));
  const error = assertLoadError(() => module.share(), "Unsupported");
  assertMatch(error.hint, /load the module in each isolate that uses it/);
});

Deno.test("a Worker's calls throw from its next turn on, memory goes only then", async () => {
  const module = new ModuleLoader().loadBytes(answering(7));
  const { address } = module.codeMemory;
  const token = module.share();
  using one = worker();
  await one.ask({ kind: "attach", token });
  const stop = new Int32Array(new SharedArrayBuffer(4));
  assertEquals(await one.ask({ kind: "call until", word: stop.buffer }), "calling");
  const closed = module.closeAsync();
  assertEquals(await isSettled(closed, 150), false);
  assert(NO_PROC || isCodeMapped(address), "the Worker is in the middle of a loop of calls");
  Atomics.store(stop, 0, 1);
  await closed;
  assert(NO_PROC || !isCodeMapped(address));
  assert(Number(await one.answer()) > 0);
  assertEquals(await one.ask({ kind: "call" }), { kind: "Closed" });
});

Deno.test("Workers that call in batches while the owner closes get Closed, nothing crashes", async () => {
  using stack = new DisposableStack();
  const workers = [stack.use(worker()), stack.use(worker())];
  for (let round = 0; round < 10; round++) {
    const module = new ModuleLoader().loadBytes(answering(round));
    const token = module.share();
    await Promise.all(workers.map((one) => one.ask({ kind: "attach", token })));
    await Promise.all(workers.map((one) => one.ask({ kind: "call in batches until it throws", batch: 100 })));
    await module.closeAsync();
    for (const one of workers) {
      const { kind } = await one.answer() as { kind: string };
      assertEquals(kind, "Closed");
    }
  }
});

for (
  const [how, end] of [
    ["terminated while idle", (one: TestWorker<ModuleOrder>) => one.terminate()],
    ["terminated while it calls", async (one: TestWorker<ModuleOrder>) => {
      await one.ask({ kind: "call in batches until it throws", batch: 1000 });
      one.terminate();
    }],
    ["closed by itself", async (one: TestWorker<ModuleOrder>) => {
      assertEquals(await one.ask({ kind: "end" }), "ended");
    }],
    ["ended by an uncaught error", async (one: TestWorker<ModuleOrder>) => {
      await one.ask({ kind: "throw" });
      await one.failed;
    }],
  ] as const
) {
  Deno.test(`a Worker that is ${how} frees nothing for others and holds nothing`, async () => {
    const module = new ModuleLoader().loadBytes(answering(7));
    const { address } = module.codeMemory;
    using first = await attached(module);
    using second = await attached(module);
    await end(first);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assertEquals(await second.ask({ kind: "call" }), 7);
    assertEquals(module.getFunction("answer", INT)!(), 7);
    await module.closeAsync();
    assert(NO_PROC || !isCodeMapped(address));
  });
}

Deno.test({
  name: "nonblocking calls of a Worker make the owner Busy, closeAsync waits for them",
  ignore: NO_PROC,
  async fn() {
    await using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
    const module = registry.loadBytes("m", napping);
    using one = await attached(module);
    const nap = one.ask({ kind: "nap", microseconds: NAP });
    await until(() => module.holders().some((holder) => holder.includes("nonblocking")));
    assertLoadError(() => module.close(), "Busy");
    const start = performance.now();
    await module.closeAsync();
    assert(performance.now() - start > 50, "it waited");
    assertEquals(await nap, 0);
  },
});

for (
  const [way, rest] of [["close", { refusal: "Busy" }], ["closeAsync", {}], ["unload", {}], ["reload", {
    answer: 5,
  }]] as const
) {
  Deno.test({
    name: `a Worker that dies with a nonblocking call in flight holds nothing, but the memory stays: ${way}`,
    ignore: NO_PROC,
    async fn() {
      const child = await runChild(new URL("./lost_call_child.ts", import.meta.url), { args: [way] });
      assertEquals(child.code, 0, child.stderr);
      assertEquals(JSON.parse(child.stdout), { ...rest, open: false, mapped: true, holders: [] });
    },
  });
}

Deno.test("a reload takes effect in the live functions of all Workers immediately", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  const token = registry.open("m", LIVE).share();
  using stack = new DisposableStack();
  const workers = [stack.use(worker()), stack.use(worker())];
  for (const one of workers) assertEquals(await one.ask({ kind: "attach live", token }), "attached");
  for (let answer = 2; answer < 12; answer++) {
    registry.reload("m", { bytes: answering(answer), state: "carry" });
    for (const one of workers) {
      assertEquals(await one.ask({ kind: "call" }), answer);
      assertEquals(await one.ask({ kind: "total" }), 5n);
    }
  }
});

Deno.test("old versions go when every Worker has had a turn, not before", async () => {
  await using registry = new ModuleRegistry({ keepVersions: 0 });
  const first = registry.loadBytes("m", answering(1));
  const { address } = first.codeMemory;
  const live = registry.open("m", LIVE);
  using one = worker();
  await one.ask({ kind: "attach live", token: live.share() });
  const stop = new Int32Array(new SharedArrayBuffer(4));
  assertEquals(await one.ask({ kind: "call until", word: stop.buffer }), "calling");
  first.close();
  registry.reload("m", { bytes: answering(2) }).close();
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert(NO_PROC || isCodeMapped(address), "the Worker may be in it");
  Atomics.store(stop, 0, 1);
  await one.answer();
  await until(() => NO_PROC || !isCodeMapped(address));
  assertEquals(await one.ask({ kind: "call" }), 2);
});

Deno.test("live functions in Workers end with the module", async () => {
  const registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  const live = registry.open("m", LIVE);
  using one = worker();
  await one.ask({ kind: "attach live", token: live.share() });
  await one.ask({ kind: "call in batches until it throws", batch: 50 });
  await registry[Symbol.asyncDispose]();
  assertEquals((await one.answer() as { kind: string }).kind, "Closed");
  assertLoadError(() => LiveLibrary.attach(live.share(), LIVE), "Closed");
});

Deno.test({
  name:
    "modules that Workers use stay when their owner drops all references, and go when the Workers have left",
  ignore: NO_PROC,
  async fn() {
    const child = await runChild(new URL("./dropped_child.ts", import.meta.url), { v8Flags: "--expose-gc" });
    assertEquals(child.code, 0, child.stderr);
    assertEquals(JSON.parse(child.stdout), { pinnedAnswer: 7, answers: [1, 2], modules: 1 });
  },
});

Deno.test("a live library that its owner closes still works in the Workers that it was shared with", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("m.smf", answering(41));
  await using registry = new ModuleRegistry();
  using live = registry.open(path, { answer: INT, total: { type: "i64" } });
  using one = worker();
  await one.ask({ kind: "attach live", token: live.share() });
  live.close();
  assertEquals(await one.ask({ kind: "call" }), 41);
  assertEquals(registry.modules().length, 1);
  await one.ask({ kind: "close" });
  await until(() => registry.modules().length === 0);
});

Deno.test({
  name: "sharing and closing again and again leaves no stub library",
  ignore: NO_PROC,
  async fn() {
    using one = worker();
    // Other tests of this process may have left stubs of modules that are pinned or not collected yet.
    const before = stubMappings();
    for (let round = 0; round < 60; round++) {
      const module = new ModuleLoader().loadBytes(answering(round));
      await one.ask({ kind: "attach", token: module.share() });
      assertEquals(await one.ask({ kind: "call" }), round);
      await module.closeAsync();
      // The Worker let go of its own library before the owner could free the module.
      assert(stubMappings() <= before, `${stubMappings()} mappings of stub libraries, ${before} before`);
    }
  },
});
