import { assert, assertEquals } from "@std/assert";
import { type CarryReport, type LoadedModule, ModuleRegistry } from "../../mod.ts";
import { SymbolType } from "../../src/smf/mod.ts";
import { LinuxAllocator } from "../../src/os/memory/linux.ts";
import type { ExecutableMemory } from "../../src/os/memory/allocator.ts";
import { NO_PROC, readWord, WatchedAllocator } from "../support/testing.ts";
import { type Parts, version } from "../support/versions.ts";

const CODE = { code: 1 } as const;

/** Two versions of a module, with state carried from the first to the second. */
class Carried implements AsyncDisposable {
  readonly allocator = new WatchedAllocator();
  readonly registry = new ModuleRegistry({ allocator: this.allocator, keepVersions: 0 });
  readonly first: LoadedModule;
  readonly second: LoadedModule;
  readonly report: CarryReport;

  constructor(before: Parts, after: Parts, change: (first: LoadedModule) => void = () => {}) {
    this.first = this.registry.loadBytes("m", version({ functions: CODE, ...before }));
    change(this.first);
    this.second = this.registry.reload("m", {
      bytes: version({ functions: CODE, ...after }),
      state: "carry",
    });
    this.report = this.second.carried!;
  }

  /** A word of a variable of the second version. */
  word(name: string, index = 0): bigint {
    using lease = this.second.addressOf(name)!;
    return readWord(lease.address + BigInt(8 * index));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    assertEquals(this.allocator.live.size, 0);
  }
}

function address(module: LoadedModule, name: string): bigint {
  using lease = module.addressOf(name)!;
  return lease.address;
}

function write(module: LoadedModule, name: string, index: number, value: bigint): void {
  const pointer = Deno.UnsafePointer.create(address(module, name) + BigInt(8 * index))!;
  new BigUint64Array(Deno.UnsafePointerView.getArrayBuffer(pointer, 8))[0] = value;
}

Deno.test("a variable of equal name, size, type and version keeps its value", async () => {
  await using carried = new Carried(
    { data: { total: [1n], table: [1n, 2n, 3n] } },
    { data: { before: [9n], table: [0n, 0n, 0n], total: [0n] } },
    (first) => {
      write(first, "total", 0, 41n);
      write(first, "table", 2, 33n);
    },
  );
  assertEquals(carried.word("total"), 41n);
  assertEquals([0, 1, 2].map((index) => carried.word("table", index)), [1n, 2n, 33n]);
  assertEquals(carried.word("before"), 9n);
  assertEquals(carried.report.carried, ["table", "total"]);
  assertEquals(carried.report.fresh, [
    { name: "before", reason: "the old version has no variable of this name" },
  ]);
  assertEquals(carried.report.oldPointers, []);
});

Deno.test("a variable of another size, type or version starts with the new value, and the report says why", async () => {
  await using carried = new Carried(
    {
      data: { size: [1n], type: [1n], version: [1n], same: [1n] },
      details: { type: { typeId: 1 }, version: { version: 1 }, same: { typeId: 5, version: 6 } },
    },
    {
      data: { size: [2n, 2n], type: [2n], version: [2n], same: [2n] },
      details: { type: { typeId: 2 }, version: { version: 3 }, same: { typeId: 5, version: 6 } },
    },
  );
  assertEquals(carried.report, {
    kept: [],
    tables: [],
    moved: [],
    unused: undefined,
    replacedCode: undefined,
    carried: ["same"],
    converted: [],
    fresh: [
      { name: "size", reason: "its size was 8, is 16" },
      { name: "type", reason: "its type has changed" },
      { name: "version", reason: "its version was 1, is 3" },
    ],
    oldPointers: [],
    matchedBySize: [],
    initialValueChanged: ["same"],
    changedPointees: [],
  });
  assertEquals(["size", "type", "version", "same"].map((name) => carried.word(name)), [2n, 2n, 2n, 1n]);
});

Deno.test("a variable that was a function starts with the new value", async () => {
  await using carried = new Carried({ functions: { code: 1, thing: 2 } }, { data: { thing: [7n] } });
  assertEquals(carried.report.carried, []);
  assertEquals(carried.word("thing"), 7n);
});

Deno.test("names that are not unique are not carried", async () => {
  const local = { binding: 0 as const };
  await using carried = new Carried(
    { data: { one: [1n], two: [2n], three: [3n] }, details: { one: local, two: { ...local, name: "one" } } },
    { data: { one: [10n], three: [30n] } },
  );
  assertEquals(carried.report.carried, ["three"]);
  assertEquals(carried.word("one"), 10n);
  await using other = new Carried(
    { data: { one: [1n] } },
    { data: { one: [10n], two: [20n] }, details: { one: local, two: { ...local, name: "one" } } },
  );
  assertEquals(other.report.fresh, [
    { name: "one", reason: "its name is not unique" },
    { name: "one", reason: "its name is not unique" },
  ]);
});

Deno.test("addresses of the module's own functions and variables become those of the new version", async () => {
  await using carried = new Carried(
    { functions: { code: 1, other: 2 }, data: { pointers: ["other", "target", "pointers"], target: [1n] } },
    {
      functions: { first: 0, code: 1, other: 2 },
      data: { target: [5n], pointers: ["code", "code", "code"] },
    },
  );
  const { second } = carried;
  assertEquals(
    [0, 1, 2].map((index) => carried.word("pointers", index)),
    [address(second, "other"), address(second, "target"), address(second, "pointers")],
  );
  assertEquals(carried.report.oldPointers, []);
  assertEquals(carried.first.holders(), []);
});

Deno.test("an address inside a variable of equal size keeps its distance", async () => {
  await using carried = new Carried(
    { data: { array: [1n, 2n, 3n], iterator: ["array+16"] } },
    { data: { iterator: [0n], more: [0n], array: [0n, 0n, 0n] } },
  );
  assertEquals(carried.word("iterator"), address(carried.second, "array") + 16n);
});

Deno.test("addresses without a counterpart are reported, and keep the old version", async () => {
  await using carried = new Carried(
    {
      functions: { code: 1, gone: 2 },
      data: { pointers: ["gone", "array+16", "array+8"], array: [1n, 2n, 3n] },
    },
    { data: { pointers: [0n, 0n, 0n], array: [0n, 0n] } },
  );
  const { first } = carried;
  assertEquals(carried.report.oldPointers, [
    { name: "pointers", offset: 0, value: address(first, "gone") },
    { name: "pointers", offset: 8, value: address(first, "array") + 16n },
    { name: "pointers", offset: 16, value: address(first, "array") + 8n },
  ]);
  assertEquals(carried.word("pointers"), address(first, "gone"), "the word is unchanged");
  assertEquals(first.holders(), ["3 addresses in carried variables", "its function 'gone', still in use"]);
  const before = carried.allocator.live.size;
  const memory = [...carried.allocator.live].find(({ address }) => address <= first.codeMemory.address);
  first.close();
  assert(
    memory !== undefined && carried.allocator.live.has(memory),
    "its last handle is closed, its code stays",
  );
  assertEquals(carried.allocator.live.size, before);
});

Deno.test("numbers that are not addresses of the old version stay unchanged", async () => {
  const words = [0n, 1n, 0xffff_ffffn, 0x7fff_ffff_ffffn, 0xffff_ffff_ffff_ffffn];
  await using carried = new Carried(
    { data: { words: [0n, 0n, 0n, 0n, 0n] } },
    { data: { words: [7n, 7n, 7n, 7n, 7n] } },
    (first) => words.forEach((word, index) => write(first, "words", index, word)),
  );
  assertEquals(words.map((_, index) => carried.word("words", index)), words);
  assertEquals(carried.report.oldPointers, []);
});

Deno.test({
  name: "addresses below 4 GiB are found too",
  ignore: NO_PROC,
  async fn() {
    const allocator = new LowAllocator();
    await using registry = new ModuleRegistry({ allocator });
    const parts = { functions: CODE, data: { pointer: ["target"], target: [1n] } };
    const first = registry.loadBytes("m", version(parts));
    assert(first.codeMemory.address < 0x1_0000_0000n);
    const second = registry.reload("m", { bytes: version(parts), state: "carry" });
    using lease = second.addressOf("pointer")!;
    assertEquals(readWord(lease.address), address(second, "target"));
    assertEquals(first.holders(), []);
  },
});

Deno.test("imported symbols are not variables", async () => {
  await using registry = new ModuleRegistry({ imports: { outside: 0x1234n } });
  const parts = {
    functions: { code: 1 },
    data: { pointer: ["outside"] },
    details: { outside: { type: SymbolType.Data } },
  };
  registry.loadBytes("m", version(parts));
  const second = registry.reload("m", { bytes: version(parts), state: "carry" });
  assertEquals(second.carried?.carried, ["pointer"]);
  using lease = second.addressOf("pointer")!;
  assertEquals(readWord(lease.address), 0x1234n);
});

/** Allocates below 4 GiB, where the high half of an address is zero, as on Windows. */
class LowAllocator extends LinuxAllocator {
  override allocate(size: number, alignment: number): ExecutableMemory {
    return super.allocate(size, alignment, 0x4000_0000n);
  }
}
