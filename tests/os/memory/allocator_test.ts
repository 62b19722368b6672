// Tests the allocator of the system that they run on.
import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertNotEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { fromFileUrl } from "@std/path";
import { LoadError } from "../../../src/errors/load_error.ts";
import {
  chooseAllocator,
  detach,
  type ExecutableMemory,
  LinuxAllocator,
  MacosAllocator,
  type MemoryAllocator,
  platformAllocator,
  Protection,
  WindowsAllocator,
} from "../../../src/os/memory/allocator.ts";

/** Machine code of `int32_t f(void) { return value; }`. */
function returning(value: number): Uint8Array {
  if (Deno.build.arch === "x86_64") return Uint8Array.of(0xb8, value & 255, value >> 8, 0, 0, 0xc3); // mov eax, value; ret
  return new Uint8Array(Uint32Array.of(0x5280_0000 | value << 5, 0xd65f_03c0).buffer); // mov w0, #value; ret
}

function call(memory: ExecutableMemory, offset = 0): number {
  const definition = { parameters: [], result: "i32" } as const;
  const pointer = Deno.UnsafePointer.create<typeof definition>(memory.address + BigInt(offset))!;
  return new Deno.UnsafeFnPointer(pointer, definition).call();
}

/** Memory that is freed at the end of the block. */
function allocate(
  size: number,
  alignment = 1,
  near?: bigint,
): { memory: ExecutableMemory; allocator: MemoryAllocator } & Disposable {
  const allocator = platformAllocator();
  const memory = allocator.allocate(size, alignment, near);
  return { memory, allocator, [Symbol.dispose]: () => allocator.free(memory) };
}

Deno.test("one allocator serves the whole isolate", () => {
  assertStrictEquals(platformAllocator(), platformAllocator());
});

Deno.test("each system has its allocator, others an error", () => {
  assertInstanceOf(chooseAllocator("linux"), LinuxAllocator);
  assertInstanceOf(chooseAllocator("windows"), WindowsAllocator);
  assertInstanceOf(chooseAllocator("darwin"), MacosAllocator);
  const error = assertThrows(() => chooseAllocator("aix"), LoadError);
  assertEquals(error.kind, "Unsupported");
  assertStringIncludes(error.hint, "option `allocator`");
});

Deno.test("the page size is a power of two of at least 4096", () => {
  const { pageSize } = platformAllocator();
  assert(pageSize >= 4096 && Number.isInteger(Math.log2(pageSize)));
});

Deno.test("memory is zeroed, writable and whole pages", () => {
  using it = allocate(5);
  const { memory, allocator } = it;
  assertEquals(memory.size, allocator.pageSize);
  assertEquals(memory.address % BigInt(allocator.pageSize), 0n);
  const view = allocator.view(memory);
  assertEquals(view.length, memory.size);
  assert(view.every((byte) => byte === 0));
  view.fill(0xaa);
  assert(allocator.view(memory).every((byte) => byte === 0xaa));
});

Deno.test("code that was written runs once it is executable", () => {
  using it = allocate(1);
  it.allocator.view(it.memory).set(returning(1234));
  it.allocator.protect(it.memory, Protection.READ_EXECUTE);
  assertEquals(call(it.memory), 1234);
});

Deno.test("code can be replaced while it is writable in between", () => {
  using it = allocate(1);
  for (let round = 1; round <= 20; round++) {
    it.allocator.protect(it.memory, Protection.READ_WRITE);
    it.allocator.view(it.memory).set(returning(round));
    it.allocator.protect(it.memory, Protection.READ_EXECUTE);
    assertEquals(call(it.memory), round);
  }
});

Deno.test("part of a range is executable while the rest stays writable", () => {
  const page = platformAllocator().pageSize;
  using it = allocate(3 * page);
  const { memory, allocator } = it;
  allocator.view(memory, page).set(returning(7));
  allocator.protect(memory, Protection.READ_EXECUTE, page, page);
  for (const offset of [0, 2 * page]) {
    const view = allocator.view(memory, offset, page);
    view[0] = 9;
    view[page - 1] = 9;
  }
  assertEquals(call(memory, page), 7);
  assertThrows(() => allocator.view(memory), RangeError, "not writable");
  assertThrows(() => allocator.view(memory, page - 1, 2), RangeError, "not writable");
});

Deno.test("pages that are given back leave the others, and their own can be neither viewed nor used", () => {
  const page = platformAllocator().pageSize;
  using it = allocate(3 * page);
  const { memory, allocator } = it;
  const views = [allocator.view(memory, 0, page), allocator.view(memory, page, page)];
  views[0][0] = 5;
  allocator.view(memory, 2 * page).set(returning(7));
  allocator.protect(memory, Protection.READ_EXECUTE, 2 * page, page);
  allocator.discard!(memory, page, page);
  assertEquals([views[0][0], views[1].length, call(memory, 2 * page)], [5, 0, 7]);
  assertThrows(() => allocator.view(memory, page, page), RangeError, "not writable");
  assertThrows(() => allocator.discard!(memory, 1, page), RangeError, "not whole pages");
  // Again is no error: a reload may try twice.
  allocator.discard!(memory, page, page);
});

Deno.test("alignments from a byte to 2 MiB are kept", () => {
  for (let alignment = 1; alignment <= 1 << 21; alignment *= 2) {
    using it = allocate(10_000, alignment);
    assertEquals(it.memory.address % BigInt(alignment), 0n);
    it.allocator.view(it.memory).fill(1);
  }
});

Deno.test("memory lies near the address that is asked for", () => {
  using first = allocate(1);
  const neighbours = [0x1234_5678_0000n, 0x5000_0000_0000n];
  // On Windows there may be no room near the first range, where everything else lies too.
  if (Deno.build.os !== "windows") neighbours.push(first.memory.address);
  for (const near of neighbours) {
    for (const alignment of [1, 1 << 16, 1 << 21]) {
      using it = allocate(100_000, alignment, near);
      const distance = it.memory.address - near;
      assert(distance > -(1n << 30n) && distance < 1n << 30n, `0x${it.memory.address.toString(16)}`);
    }
  }
});

Deno.test("memory lies elsewhere if there is no room near", () => {
  using it = allocate(1, 1, 0n);
  assert(it.memory.address > 0n);
  using other = allocate(1, 1, 0xffff_8000_0000_0000n);
  other.allocator.view(other.memory).fill(1);
});

Deno.test("many ranges near one address do not collide", () => {
  using anchor = allocate(1);
  const { allocator } = anchor;
  const ranges = Array.from({ length: 100 }, () => allocator.allocate(70_000, 1, anchor.memory.address));
  ranges.forEach((memory, index) => allocator.view(memory).fill(index));
  ranges.forEach((memory, index) => assert(allocator.view(memory).every((byte) => byte === index)));
  ranges.forEach((memory) => allocator.free(memory));
});

Deno.test("views are detached before their pages stop being writable", () => {
  const page = platformAllocator().pageSize;
  using it = allocate(2 * page);
  const { memory, allocator } = it;
  const whole = allocator.view(memory);
  const code = allocator.view(memory, 0, page);
  const data = allocator.view(memory, page, page);
  allocator.protect(memory, Protection.READ_ONLY, 0, page);
  assertEquals([whole.length, code.length, data.length], [0, 0, page]);
  whole[0] = 1; // does nothing, and above all does not fault
  assertThrows(() => code.set([1]), TypeError);
  data[0] = 1;
});

Deno.test("detaching one view leaves the others", () => {
  using it = allocate(1);
  const view = it.allocator.view(it.memory);
  const other = it.allocator.view(it.memory);
  detach(view);
  detach(view);
  assertEquals(view.length, 0);
  other[3] = 5;
  assertEquals(it.allocator.view(it.memory, 3, 1)[0], 5);
});

Deno.test("freeing detaches all views, and later use is an error", () => {
  const allocator = platformAllocator();
  const memory = allocator.allocate(1, 1);
  const view = allocator.view(memory);
  allocator.free(memory);
  assertEquals(view.length, 0);
  for (
    const use of [
      () => allocator.free(memory),
      () => allocator.view(memory),
      () => allocator.protect(memory, Protection.READ_ONLY),
      () => allocator.flushInstructionCache!(memory),
    ]
  ) {
    const error = assertThrows(use, LoadError);
    assertEquals(error.kind, "Closed");
    assertEquals(error.hint, "use memory with the allocator that it came from, and not after it was freed");
  }
});

Deno.test("memory of another allocator, or that was never allocated, is refused", () => {
  using it = allocate(1);
  const stranger = chooseAllocator(Deno.build.os);
  for (const memory of [it.memory, { ...it.memory }]) {
    assertEquals(assertThrows(() => stranger.free(memory), LoadError).kind, "Closed");
  }
});

Deno.test("arguments that describe no range are refused", () => {
  const allocator = platformAllocator();
  for (const size of [0, -1, 0.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => allocator.allocate(size, 1), RangeError, "Cannot allocate memory");
  }
  for (const alignment of [0, 3, -4096, 0.5, NaN, 4097]) {
    assertThrows(() => allocator.allocate(1, alignment), RangeError, "not a power of two");
  }
  using it = allocate(1);
  const { pageSize } = allocator;
  for (const [offset, length] of [[1, pageSize - 1], [0, 1], [0, pageSize - 1]]) {
    const protect = () => allocator.protect(it.memory, Protection.READ_ONLY, offset, length);
    assertThrows(protect, RangeError, "not whole pages");
  }
  for (const [offset, length] of [[-pageSize, pageSize], [0, 2 * pageSize], [2 * pageSize], [0, NaN]]) {
    const protect = () => allocator.protect(it.memory, Protection.READ_ONLY, offset, length);
    assertThrows(protect, RangeError, "exceed its");
    assertThrows(() => allocator.view(it.memory, offset, length), RangeError, "exceed its");
  }
});

Deno.test("no protection is writable and executable, not even by a cast", () => {
  assertFalse(Object.values(Protection).some((value) => /w.*x/.test(value)));
  using it = allocate(1);
  const protect = () => it.allocator.protect(it.memory, "rwx" as Protection);
  assertThrows(protect, RangeError, "'rwx' is not a protection");
});

Deno.test("an empty part of a range can be protected and viewed", () => {
  using it = allocate(1);
  it.allocator.protect(it.memory, Protection.READ_ONLY, it.memory.size, 0);
  assertEquals(it.allocator.view(it.memory, it.memory.size).length, 0);
  assertEquals(it.allocator.view(it.memory).length, it.memory.size);
});

Deno.test("a size beyond the address space is refused with call, errno and size", () => {
  const error = assertThrows(() => platformAllocator().allocate(2 ** 50, 1), LoadError);
  assertEquals(error.kind, "OutOfMemory");
  assert(["mmap", "VirtualAlloc"].includes(error.data.call!));
  assertNotEquals(error.data.errno, 0);
  assert(error.data.size! > 2 ** 50);
});

// A fault ends the process, so each access has a process of its own.
for (
  const [access, survives] of [
    ["read the first byte", true],
    ["read the last byte", true],
    ["read before the first byte", false],
    ["read past the last byte", false],
    ["write a writable byte", true],
    ["write a read-only byte", false],
    ["write an executable byte", false],
    ["write beside executable pages", true],
    ["read an executable byte", true],
    ["read an inaccessible byte", false],
    ["read freed memory", false],
    ["read a byte that was given back", false],
    ["execute a writable byte", false],
  ] as const
) {
  Deno.test(`a process can ${survives ? "" : "not "}${access}`, async () => {
    const child = fromFileUrl(new URL("./fault_child.ts", import.meta.url));
    const { stdout, success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--allow-all", child, access],
      stderr: "null",
    }).output();
    assertEquals(new TextDecoder().decode(stdout).trim(), survives ? "alive" : "");
    assertEquals(success, survives);
  });
}
