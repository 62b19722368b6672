import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError, ModuleRegistry } from "../../mod.ts";
import { assertLoadError, NO_PROC, WatchedAllocator } from "../support/testing.ts";
import { runChild } from "../support/modules.ts";
import { INT, SLEEP, version } from "../support/versions.ts";

Deno.test({
  name: "nonblocking live calls continue over reloads, in the code in which they began",
  ignore: NO_PROC,
  async fn() {
    const napping = (value: number) => version({ functions: { nap: "usleep", answer: value } });
    await using registry = new ModuleRegistry({ libraries: ["libc.so.6"], keepVersions: 0 });
    registry.loadBytes("m", napping(1));
    const live = registry.open("m", { nap: SLEEP, answer: INT });
    const nap = live.symbols.nap(60_000);
    assertLoadError(() => live.close(), "Busy");
    registry.reload("m", { bytes: napping(2) });
    registry.reload("m", { bytes: napping(3) });
    assertEquals(live.symbols.answer(), 3);
    assertEquals(await nap, 0);
    assertEquals(await live.symbols.nap(1), 0);
  },
});

Deno.test({
  name: "an old version stays until its nonblocking calls have returned, and goes then",
  ignore: NO_PROC,
  async fn() {
    const napping = version({ functions: { nap: "usleep" } });
    const allocator = new WatchedAllocator();
    await using registry = new ModuleRegistry({ allocator, libraries: ["libc.so.6"], keepVersions: 0 });
    const handle = registry.loadBytes("m", napping);
    const live = registry.open("m", { nap: SLEEP });
    handle.close();
    const before = allocator.live.size;
    const nap = live.symbols.nap(80_000);
    registry.reload("m", { bytes: napping }).close();
    assert(allocator.live.size > before, "the thread is in the old version's code");
    await nap;
    await new Promise((resolve) => setTimeout(resolve, 10));
    assertEquals(allocator.live.size, before);
  },
});

Deno.test({
  name: "closeAsync waits for nonblocking calls",
  ignore: NO_PROC,
  async fn() {
    await using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
    registry.loadBytes("m", version({ functions: { nap: "usleep" } }));
    const live = registry.open("m", { nap: SLEEP });
    const start = performance.now();
    const nap = live.symbols.nap(40_000);
    const closed = live.closeAsync();
    assertThrows(() => live.symbols.nap(1), LoadError);
    await closed;
    assert(performance.now() - start >= 39);
    assertEquals(await nap, 0);
  },
});

Deno.test("a reload from inside a callback: the frame ends in the old code, the next call runs the new", () => {
  const seen: number[] = [];
  const allocator = new WatchedAllocator();
  const registry = new ModuleRegistry({
    allocator,
    keepVersions: 0,
    imports: {
      callback: {
        parameters: [],
        result: "i32",
        callback: () => {
          registry.reload("m", { bytes: version({ functions: { run: "callback", answer: 2 } }) }).close();
          seen.push(live.symbols.answer());
          return 77;
        },
      },
    },
  });
  registry.loadBytes("m", version({ functions: { run: "callback", answer: 1 } }));
  const live = registry.open("m", { run: INT, answer: INT });
  assertEquals(live.symbols.answer(), 1);
  assertEquals(live.symbols.run(), 77);
  assertEquals(seen, [2]);
  assertEquals(live.symbols.answer(), 2);
  registry[Symbol.dispose]();
});

Deno.test("an exception in a callback of a live function reaches the caller", () => {
  using registry = new ModuleRegistry({
    imports: {
      callback: {
        parameters: [],
        result: "i32",
        callback: () => {
          throw new Error("out of the callback");
        },
      },
    },
  });
  registry.loadBytes("m", version({ functions: { run: "callback" } }));
  using live = registry.open("m", { run: INT });
  assertThrows(() => live.symbols.run(), Error, "out of the callback");
});

Deno.test({
  name: "an unreachable live library lets go of its module",
  ignore: NO_PROC,
  async fn() {
    const child = await runChild(new URL("./live_garbage_child.ts", import.meta.url), {
      v8Flags: "--expose-gc",
    });
    assertEquals(child.code, 0, child.stderr);
    assertEquals(JSON.parse(child.stdout), { held: true, modules: 0, live: 0, heldByFunction: 7 });
  },
});
