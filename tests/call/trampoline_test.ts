import { assert, assertEquals } from "@std/assert";
import { MAX_TRAMPOLINES, Trampolines } from "../../src/call/trampoline.ts";
import { pointerCall } from "../../src/os/pointer.ts";
import { ModuleRegistry, platformAllocator, Protection } from "../../mod.ts";
import {
  assertLoadError,
  NO_PROC,
  permissionsAt,
  readMemory,
  readWord,
  WatchedAllocator,
} from "../support/testing.ts";
import { INT, version } from "../support/versions.ts";

/** Trampolines that are freed when disposed. */
class Held implements Disposable {
  readonly allocator = new WatchedAllocator();
  readonly trampolines = new Trampolines(this.allocator);
  readonly #hold = this.trampolines.hold();

  [Symbol.dispose](): void {
    this.#hold[Symbol.dispose]();
  }
}

function little(bytes: number, value: bigint): number[] {
  return Array.from({ length: bytes }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));
}

Deno.test("a trampoline is the documented bytes", () => {
  using held = new Held();
  const { trampolines } = held;
  const word = little(8, trampolines.tablePointer);
  const index = 517; // beyond the first 4 KiB of the table
  const found = [...readMemory(trampolines.address(index), 32)];
  const expected = Deno.build.arch === "aarch64"
    ? [
      ...little(4, 0x5800_00d0n), // ldr x16, .+24
      ...little(4, 0xf940_0210n), // ldr x16, [x16]
      ...little(4, 0x9140_0210n | (1n << 10n)), // add x16, x16, 1, lsl 12
      ...little(4, 0xf940_0210n | (5n << 10n)), // ldr x16, [x16, 40]
      ...little(4, 0xd61f_0200n), // br x16
      ...little(4, 0n),
      ...word,
    ]
    : [
      ...[0x49, 0xbb, ...word], // mov r11, &word
      ...[0x4d, 0x8b, 0x1b], // mov r11, [r11]
      ...[0x41, 0xff, 0xa3, ...little(4, BigInt(8 * index))], // jmp [r11 + 8·index]
      ...new Array(12).fill(0xcc),
    ];
  assertEquals(found, expected);
});

Deno.test("addresses are distinct and permanent, and continue in further blocks", () => {
  using held = new Held();
  const { trampolines, allocator } = held;
  const addresses = Array.from({ length: 600 }, (_, index) => trampolines.address(index));
  assertEquals(new Set(addresses).size, 600);
  assertEquals(Array.from({ length: 600 }, (_, index) => trampolines.address(index)), addresses);
  const inBlock = Math.floor(allocator.pageSize / 32);
  assertEquals(allocator.live.size, Math.ceil(600 / inBlock));
  assertEquals(addresses[1] - addresses[0], 32n);
});

Deno.test("all trampolines read one word: a single store switches all of them", async () => {
  using held = new Held();
  const { trampolines } = held;
  const count = 300;
  await using registry = new ModuleRegistry();
  const functions = Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, index]));
  const first = registry.loadBytes("first", version({ functions }));
  const second = registry.loadBytes(
    "second",
    version({
      functions: Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, index + 1000])),
    }),
  );
  const tables = [first, second].map((module) => {
    const table = trampolines.table(new Float64Array(count));
    for (let index = 0; index < count; index++) {
      using lease = module.addressOf(`f${index}`)!;
      table.set(index, Number(lease.address));
    }
    return table;
  });
  trampolines.switchTo(tables[0]);
  const indices = [0, 1, 169, 170, 171, 299];
  const calls = indices.map((index) => pointerCall(trampolines.address(index), INT));
  assertEquals(calls.map((call) => call()), indices);
  trampolines.switchTo(tables[1]);
  assertEquals(readWord(trampolines.tablePointer), tables[1].address);
  assertEquals(calls.map((call) => call()), indices.map((index) => index + 1000));
  for (const table of tables) table[Symbol.dispose]();
});

Deno.test({
  name:
    "trampolines are executable and never writable; the word and tables are writable and never executable",
  ignore: NO_PROC,
  fn() {
    using held = new Held();
    const { trampolines, allocator } = held;
    using table = trampolines.table(new Float64Array(1));
    using large = trampolines.table(new Float64Array(100));
    for (const index of [0, 200, 500]) {
      assertEquals(permissionsAt(trampolines.address(index)).slice(0, 3), "r-x");
    }
    assertEquals(permissionsAt(trampolines.tablePointer).slice(0, 3), "rw-");
    assertEquals(permissionsAt(table.address).slice(0, 3), "rw-");
    assertEquals(permissionsAt(large.address).slice(0, 3), "rw-");
    assert(allocator.protections.every((protection) => protection === Protection.READ_EXECUTE));
  },
});

Deno.test("the number of trampolines ends where not every processor can reach the slot", () => {
  using held = new Held();
  const error = assertLoadError(() => held.trampolines.address(MAX_TRAMPOLINES), "Unsupported");
  assertEquals(error.hint, "split the module: others can import 2097152 of its functions or call them live");
  assertEquals(MAX_TRAMPOLINES, 2 ** 21);
});

Deno.test("the last holder frees the trampolines", () => {
  const allocator = new WatchedAllocator();
  const trampolines = new Trampolines(allocator);
  const holds = [trampolines.hold(), trampolines.hold()];
  trampolines.address(1000);
  holds[0][Symbol.dispose]();
  assert(allocator.live.size > 1);
  holds[1][Symbol.dispose]();
  assertEquals(allocator.live.size, 0);
});

Deno.test("a block that cannot be made executable is freed", () => {
  const allocator = new WatchedAllocator();
  const { protect } = allocator;
  allocator.protect = () => {
    throw new Error("refused");
  };
  let failed = false;
  try {
    new Trampolines(allocator);
  } catch {
    failed = true;
  }
  assert(failed);
  assertEquals(allocator.live.size, 0);
  allocator.protect = protect;
});

for (const [length, capacity] of [[2, 32], [32, 32], [33, platformAllocator().pageSize / 8]] as const) {
  Deno.test(`a table of ${length} has ${capacity} slots, which keep their addresses`, () => {
    using held = new Held();
    for (let round = 0; round < 2; round++) {
      using table = held.trampolines.table(Float64Array.from({ length }, (_, index) => index + 1));
      assertEquals(table.capacity, capacity);
      table.set(capacity - 1, 2 ** 48 - 1);
      assertEquals([0, 1, capacity - 1].map((index) => table.get(index)), [1, 2, 2 ** 48 - 1]);
      if (capacity > length + 1) assertEquals(table.get(length), 0, "a slot of an earlier table");
      assertEquals(readWord(table.address + 8n), 2n);
    }
  });
}

Deno.test("small tables share a page, do not overlap, and are reused; one that finds no room has its own page", () => {
  using held = new Held();
  const { trampolines, allocator } = held;
  const before = allocator.live.size;
  const room = allocator.pageSize / 256 - 1;
  const tables = Array.from({ length: room }, (_, index) => trampolines.table(Float64Array.of(index)));
  assertEquals(allocator.live.size, before);
  tables.forEach((table, index) => table.set(31, index));
  assertEquals(
    tables.map((table) => [table.get(0), table.get(31)]),
    tables.map((_, i) => [i, i]),
  );
  trampolines.switchTo(tables[3]);
  assertEquals(readWord(trampolines.tablePointer), tables[3].address);
  using own = trampolines.table(Float64Array.of(7));
  assertEquals([allocator.live.size, own.get(0)], [before + 1, 7]);
  const { address } = tables[5];
  tables[5][Symbol.dispose]();
  assertEquals(trampolines.table(Float64Array.of(1)).address, address);
  assertEquals(readWord(trampolines.tablePointer), tables[3].address);
});
