// Memory below an address: the hints, and the calls of allocators that serve such requests.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError } from "../../../src/errors/load_error.ts";
import { platformAllocator } from "../../../src/os/memory/allocator.ts";
import { hintsBelow, reserveBelow } from "../../../src/os/memory/low.ts";
import { WindowsAllocator, type WindowsSystem } from "../../../src/os/memory/windows.ts";

const MIB = 1n << 20n;
const BELOW = 1n << 31n;

Deno.test("hints go down to the lowest mebibyte, and each range ends below the limit", () => {
  for (const [length, granularity] of [[12_288, 4096n], [5 << 20, 65536n], [700 << 20, 65536n]] as const) {
    const hints = [...hintsBelow(BELOW, length, granularity, undefined)];
    assertEquals(hints[0], (BELOW - BigInt(length)) & -granularity);
    assert(hints.at(-1)! >= MIB && hints.at(-1)! < 3n * MIB);
    for (const hint of hints) {
      assertEquals(hint % granularity, 0n);
      assert(hint + BigInt(length) <= BELOW);
    }
    assertEquals(new Set(hints).size, hints.length);
  }
});

Deno.test("a range that is larger than all addresses below has no hints", () => {
  assertEquals([...hintsBelow(BELOW, 2 ** 31, 4096n, undefined)], []);
  assertEquals([...hintsBelow(4n * MIB, 8 << 20, 4096n, 3n * MIB)], []);
});

Deno.test("after a reservation the place below it comes first, and those above it come last", () => {
  const last = 100n * MIB;
  const hints = [...hintsBelow(BELOW, 8192, 4096n, last)];
  assertEquals(hints[0], last - 8192n);
  const above = hints.findIndex((hint) => hint > last);
  assert(above > 90 && above < 110);
  assertEquals(hints[above], BELOW - 8192n);
  assert(hints.slice(above).every((hint) => hint >= last - 8192n));
});

/** A system in which `isFree` says where reservations succeed; elsewhere it reserves high, or refuses. */
function system(isFree: (hint: bigint) => boolean, elsewhere: bigint | undefined) {
  const held: bigint[] = [];
  return {
    held,
    reserve(hint: bigint): bigint | undefined {
      const base = isFree(hint) ? hint : elsewhere;
      if (base !== undefined) held.push(base);
      return base;
    },
    release: (base: bigint) => void held.splice(held.indexOf(base), 1),
  };
}

for (const elsewhere of [1n << 46n, undefined]) {
  const how = elsewhere === undefined ? "refuses" : "reserves high";
  Deno.test(`the first free place is taken, all others are given back: the system ${how} elsewhere`, () => {
    const double = system((hint) => hint < 50n * MIB, elsewhere);
    const base = reserveBelow(BELOW, 8192, 4096n, undefined, double)!;
    assert(base < 50n * MIB && base >= 48n * MIB);
    assertEquals(double.held, [base]);
  });

  Deno.test(`without room nothing is kept: the system ${how} elsewhere`, () => {
    const double = system(() => false, elsewhere);
    assertEquals(reserveBelow(BELOW, 8192, 4096n, 500n * MIB, double), undefined);
    assertEquals(double.held, []);
  });
}

Deno.test("the allocator of this system provides many ranges below 2 GiB, apart from each other", () => {
  const allocator = platformAllocator();
  const ranges = [1, 70_000, 3 << 20, 5000, 1 << 24].map((size) => {
    const memory = allocator.allocate(size, 1 << 16, undefined, BELOW);
    allocator.view(memory).fill(0xa5);
    return memory;
  });
  try {
    for (const { address, size } of ranges) {
      assert(address >= MIB && address + BigInt(size) <= BELOW, `${address}`);
      assertEquals(address % 65536n, 0n);
    }
    const sorted = ranges.toSorted((a, b) => Number(a.address - b.address));
    sorted.slice(1).forEach(({ address }, index) =>
      assert(sorted[index].address + BigInt(sorted[index].size) < address)
    );
  } finally {
    for (const memory of ranges) allocator.free(memory);
  }
});

Deno.test("a range that cannot lie there is OutOfMemory with the size, the limit and the next step", () => {
  const error = assertThrows(
    () => platformAllocator().allocate(2 ** 32, 4096, undefined, BELOW),
    LoadError,
    "there is no room for 4294967296 bytes below address 0x80000000",
  );
  assertEquals([error.kind, error.data.range], ["OutOfMemory", [0n, BELOW]]);
  assertStringIncludes(error.hint, "compile the module with -fPIC");
});

Deno.test("Windows: addresses are asked for until one is free", () => {
  const asked: bigint[] = [], freed: bigint[] = [];
  const windows: WindowsSystem = {
    VirtualAlloc(address, _size, type) {
      if (type !== 0x2000) return address;
      asked.push(address);
      return asked.length < 4 ? 0n : address;
    },
    VirtualProtect: () => 1,
    VirtualFree: (address) => freed.push(address),
    FlushInstructionCache: () => 1,
    GetSystemInfo(info) {
      new DataView(info.buffer).setUint32(4, 4096, true);
      new DataView(info.buffer).setUint32(40, 65536, true);
    },
    GetLastError: () => 487,
  };
  const allocator = new WindowsAllocator(windows);
  const memory = allocator.allocate(5000, 16, undefined, BELOW);
  assertEquals(asked, [0n, 1n, 2n, 3n].map((step) => BELOW - 65536n - step * MIB));
  assertEquals(memory, { address: asked[3] + 4096n, size: 8192 });
  allocator.free(memory);
  assertEquals(freed, [asked[3]]);
});
