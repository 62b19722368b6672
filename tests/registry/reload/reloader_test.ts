import { assert, assertEquals, assertThrows } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { assertLoadError, readWord, WatchedAllocator } from "../../support/testing.ts";
import { INT, version } from "../../support/versions.ts";

const answering = (answer: number, total = 0n) =>
  version({ functions: { answer }, data: { total: [total] }, sourceHash: BigInt(answer) });

Deno.test("versions are numbered from 1, oldest first, the last is the current one", () => {
  using registry = new ModuleRegistry({ keepVersions: 3 });
  registry.loadBytes("m", answering(1));
  registry.reload("m", { bytes: answering(2) });
  assertEquals(registry.versions("m"), [
    { version: 1, sourceHash: 1n, current: false },
    { version: 2, sourceHash: 2n, current: true },
  ]);
});

for (const keepVersions of [0, 1, 3]) {
  Deno.test(`keepVersions ${keepVersions} bounds the history and what stays mapped`, () => {
    const allocator = new WatchedAllocator();
    {
      using registry = new ModuleRegistry({ keepVersions, allocator });
      const live = (registry.loadBytes("m", answering(1)), registry.open("m", { answer: INT }));
      registry.unload("nothing");
      const sizes: number[] = [];
      for (let answer = 2; answer <= 12; answer++) {
        registry.reload("m", { bytes: answering(answer) }).close();
        sizes.push(allocator.live.size);
        const kept = registry.versions("m").map(({ version }) => version);
        assertEquals(
          kept,
          Array.from(
            { length: Math.min(answer, keepVersions + 1) },
            (_, index) => answer - Math.min(answer - 1, keepVersions) + index,
          ),
        );
        assertEquals(live.symbols.answer(), answer);
      }
      assertEquals(new Set(sizes.slice(keepVersions + 1)).size, 1, `flat: ${sizes}`);
    }
    assertEquals(allocator.live.size, 0);
  });
}

Deno.test("keepVersions is a whole number from 0 on, or Infinity", () => {
  for (const keepVersions of [NaN, -1, 0.5, -Infinity]) {
    const error = assertThrows(() => new ModuleRegistry({ keepVersions }), RangeError);
    assert(error.message.includes(`${keepVersions}`), error.message);
  }
  for (const keepVersions of [0, 1, 1000, Infinity]) new ModuleRegistry({ keepVersions })[Symbol.dispose]();
});

Deno.test("rollback goes back version by version, with live functions and importers", () => {
  using registry = new ModuleRegistry({ keepVersions: 3 });
  registry.loadBytes("m", answering(1));
  const live = registry.open("m", { answer: INT });
  const ask = registry.loadBytes("importer", version({ functions: { ask: "answer" } })).getFunction(
    "ask",
    INT,
  )!;
  registry.reload("m", { bytes: answering(2) });
  registry.reload("m", { bytes: answering(3) });
  assertEquals(registry.rollback("m").version, 2);
  assertEquals([live.symbols.answer(), ask()], [2, 2]);
  assertEquals(registry.rollback("m").version, 1);
  assertEquals([live.symbols.answer(), ask()], [1, 1]);
  assertLoadError(() => registry.rollback("m"), "Incompatible", { path: "m" });
  assertEquals([live.symbols.answer(), ask()], [1, 1]);
});

Deno.test("after a rollback the next version has a number that none had before", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  registry.reload("m", { bytes: answering(2) });
  registry.rollback("m");
  assertEquals(registry.reload("m", { bytes: answering(3) }).version, 3);
});

Deno.test("without kept versions a rollback is refused", () => {
  using registry = new ModuleRegistry({ keepVersions: 0 });
  registry.loadBytes("m", answering(1));
  registry.reload("m", { bytes: answering(2) });
  assertLoadError(() => registry.rollback("m"), "Incompatible");
  assertLoadError(() => registry.rollback("other"), "Io");
});

/** A version with a variable `own` that no other version has, and one that points to it; neither if `own` is empty. */
function pointing(own: string): Uint8Array {
  return version({
    functions: { answer: 1, twin: 7 },
    data: { total: [0n], pointer: [own === "" ? 0n : own], ...own === "" ? {} : { [own]: [1n] } },
  });
}

const kept: unknown[] = [];

/** Operations that can be repeated without end, and must not keep memory for each round. */
const ROUNDS: Record<string, (registry: ModuleRegistry, round: number) => void> = {
  "reload and rollback": (registry, round) => {
    registry.reload("m", { bytes: full(round + 2) }).close();
    registry.rollback("m").close();
  },
  "reload and rollback, with state": (registry, round) => {
    registry.reload("m", { bytes: full(round + 2), state: "carry" }).close();
    registry.rollback("m", { state: "carry" }).close();
  },
  "reload with an address in the first version": (registry, round) => {
    if (round === 0) registry.reload("m", { bytes: pointing("only") });
    registry.reload("m", { bytes: pointing(""), state: "carry" }).close();
  },
  "reload and rollback with an address in the first version": (registry, round) => {
    if (round === 0) registry.reload("m", { bytes: pointing("only") });
    registry.reload("m", { bytes: pointing(""), state: "carry" }).close();
    registry.rollback("m", { state: "carry" }).close();
  },
  "reload that lacks what is in use": (registry, round) =>
    registry.reload("m", { bytes: lacking(round + 2), compatibility: "allow" }).close(),
  "reload that lacks what is in use, and rollback": (registry, round) => {
    registry.reload("m", { bytes: lacking(round + 2), compatibility: "allow" }).close();
    registry.rollback("m").close();
  },
  "rollback that lacks what is in use": (registry, round) => {
    registry.reload("m", {
      bytes: full(round + 2, { fresh: 5 }),
    }).close();
    if (round === 0) kept.push(registry.open("m", { fresh: INT }));
    registry.rollback("m", { compatibility: "allow" }).close();
  },
  "reload that lacks an imported variable": (registry, round) =>
    registry.reload("m", {
      bytes: version({ functions: { answer: round, twin: 7 } }),
      compatibility: "allow",
    }).close(),
};

function full(answer: number, more: Record<string, number> = {}): Uint8Array {
  return version({ functions: { answer, twin: 7, ...more }, data: { total: [0n] } });
}

function lacking(answer: number): Uint8Array {
  return version({ functions: { answer }, data: { total: [0n] } });
}

for (const [what, go] of Object.entries(ROUNDS)) {
  Deno.test(`round after round of ${what} maps no more than the first`, async () => {
    const allocator = new WatchedAllocator();
    const registry = new ModuleRegistry({ allocator });
    registry.loadBytes("m", full(1));
    const live = registry.open("m", { answer: INT, twin: INT });
    registry.loadBytes("importer", version({ functions: { ask: "twin" }, data: { word: ["total"] } }));
    const sizes: [number, number][] = [];
    for (let round = 0; round < 24; round++) {
      go(registry, round);
      assertEquals(live.symbols.twin(), 7);
      // Memory that was under a lease is freed at the next turn.
      await new Promise((resolve) => setTimeout(resolve, 0));
      sizes.push([allocator.live.size, allocator.mappings().length]);
    }
    // Neighbours that are alike may count as one mapping.
    const [[live4, mapped4], ...later] = sizes.slice(3);
    assert(later.every(([live, mapped]) => live <= live4 && mapped < mapped4 + 10), JSON.stringify(sizes));
    await registry[Symbol.asyncDispose]();
    assertEquals(allocator.live.size, 0);
  });
}

Deno.test("a version that a variable points into stays over many reloads, and goes when none does any more", async () => {
  const allocator = new WatchedAllocator();
  await using registry = new ModuleRegistry({ allocator, keepVersions: 0 });
  const first = registry.loadBytes("m", pointing("only"));
  const live = registry.open("m", { answer: INT, pointer: { type: "u64" } });
  const reload = async () => {
    registry.reload("m", { bytes: pointing(""), state: "carry" }).close();
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  await reload();
  const { size } = allocator.live;
  for (let round = 0; round < 4; round++) {
    await reload();
    assertEquals([allocator.live.size, first.holders()], [size, ["1 address in carried variables"]]);
    assertEquals(readWord(live.symbols.pointer), 1n);
  }
  const current = registry.loadBytes("m", pointing(""));
  const lease = current.addressOf("pointer")!;
  new BigUint64Array(Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(lease.address)!, 8))[0] =
    0n;
  lease[Symbol.dispose]();
  current.close();
  await reload();
  assertEquals(first.holders(), []);
  first.close();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(allocator.live.size, size - 1);
  assertEquals(live.symbols.answer(), 1);
});

Deno.test("a rollback frees the version that it leaves, unless a handle is open", () => {
  const allocator = new WatchedAllocator();
  using registry = new ModuleRegistry({ allocator });
  registry.loadBytes("m", answering(1));
  using _live = registry.open("m", { answer: INT });
  const second = registry.reload("m", { bytes: answering(2) });
  registry.rollback("m");
  assertEquals(second.getFunction("answer", INT)!(), 2);
  const before = allocator.live.size;
  second.close();
  assert(allocator.live.size < before);
});

Deno.test("a rollback that is refused leaves everything as it was, each time", () => {
  const allocator = new WatchedAllocator();
  using registry = new ModuleRegistry({ allocator });
  registry.loadBytes("m", answering(1));
  const live = registry.open("m", { answer: INT });
  const second = registry.reload("m", { bytes: answering(2) });
  const before = [allocator.live.size, registry.versions("m"), second.holders()];
  for (let round = 0; round < 5; round++) {
    assertLoadError(() => registry.rollback("m", { verify: () => false, state: "carry" }), "Incompatible");
  }
  assertEquals([allocator.live.size, registry.versions("m"), second.holders()], before);
  assertEquals(live.symbols.answer(), 2);
  assertEquals(registry.rollback("m").version, 1);
  assertEquals(live.symbols.answer(), 1);
});

Deno.test("a rollback that is refused leaves the earlier version's variables as they were", () => {
  using registry = new ModuleRegistry();
  const first = registry.loadBytes("m", answering(1, 1n));
  const { symbols } = first.bind({ total: { type: "i64" } });
  registry.reload("m", { bytes: answering(2, 700n) });
  for (const callbacks of [{ verify: () => false }, { migrate: () => void registry.unload("m") }]) {
    assertThrows(() => registry.rollback("m", { ...callbacks, state: "carry" }));
    assertEquals(symbols.total, 1n);
  }
});

Deno.test("a rollback to a version that lacks a name in use is refused", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  registry.reload("m", { bytes: version({ functions: { answer: 2, fresh: 20 } }) });
  using live = registry.open("m", { fresh: INT });
  assertLoadError(() => registry.rollback("m"), "Incompatible");
  assertEquals(live.symbols.fresh(), 20);
});

Deno.test("state can be carried back", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1, 1n));
  using live = registry.open("m", { total: { type: "i64" } });
  registry.reload("m", { bytes: answering(2, 700n) });
  assertEquals(registry.rollback("m", { state: "carry" }).carried?.carried, ["total"]);
  assertEquals(live.symbols.total, 700n);
});

Deno.test("versions with addresses of each other in their variables end together", async () => {
  const allocator = new WatchedAllocator();
  const registry = new ModuleRegistry({ allocator });
  const pointing = (own: string) =>
    version({ functions: { answer: 1 }, data: { pointer: [0n], [own]: [1n] } });
  /** Makes the pointer of the current version lead to a variable of that version. */
  const point = (name: string): void => {
    const current = registry.loadBytes("m", pointing(""));
    using lease = current.addressOf("pointer")!;
    using own = current.addressOf(name)!;
    const pointer = Deno.UnsafePointer.create(lease.address)!;
    new BigUint64Array(Deno.UnsafePointerView.getArrayBuffer(pointer, 8))[0] = own.address;
  };
  registry.loadBytes("m", pointing("onlyInFirst"));
  point("onlyInFirst");
  // Version 2 points to a variable of version 1; after the rollback version 1 points to one of version 2.
  registry.reload("m", { bytes: pointing("onlyInSecond"), state: "carry" });
  point("onlyInSecond");
  const back = registry.rollback("m", { state: "carry" });
  assertEquals(back.carried?.oldPointers.length, 1);
  await registry[Symbol.asyncDispose]();
  assertEquals(allocator.live.size, 0);
});

Deno.test("handles on old versions go on, whatever keepVersions is, and list their holders", async () => {
  await using registry = new ModuleRegistry({ keepVersions: 0 });
  const handles = [registry.loadBytes("m", answering(1))];
  for (let answer = 2; answer < 6; answer++) handles.push(registry.reload("m", { bytes: answering(answer) }));
  assertEquals(handles.map((handle) => handle.getFunction("answer", INT)!()), [1, 2, 3, 4, 5]);
  using lease = handles[0].addressOf("answer")!;
  assertEquals(handles[0].holders(), ["a lease on the address of 'answer'"]);
  assert(lease.address > 0n);
});
