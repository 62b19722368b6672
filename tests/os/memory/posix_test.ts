import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError } from "../../../src/errors/load_error.ts";
import { type ExecutableMemory, Protection } from "../../../src/os/memory/contract.ts";
import { LinuxAllocator } from "../../../src/os/memory/linux.ts";
import { MacosAllocator } from "../../../src/os/memory/macos.ts";
import { ENOMEM, PosixDouble } from "../../support/posix_double.ts";

const EPERM = 1;
const EACCES = 13;

function outOfMemory(work: () => unknown): LoadError {
  const error = assertThrows(work, LoadError);
  assertEquals(error.kind, "OutOfMemory");
  return error;
}

Deno.test("an allocation is one inaccessible mapping whose middle becomes writable", () => {
  const system = new PosixDouble();
  const memory = new LinuxAllocator(system).allocate(5000, 16);
  assertEquals(memory, { address: 0x7000_0000_1000n, size: 8192 });
  assertEquals(system.calls, [
    "sysconf(0x1e)",
    "mmap(0x0,0x4000,0x0,0x22,0xffffffffffffffff,0x0)",
    "mprotect(0x700000001000,0x2000,0x3)",
  ]);
});

Deno.test("the page size is asked for once", () => {
  const system = new PosixDouble(65536);
  const allocator = new LinuxAllocator(system);
  assertEquals([allocator.pageSize, allocator.pageSize], [65536, 65536]);
  assertEquals(allocator.allocate(1, 1).size, 65536);
  assertEquals(system.calls.filter((call) => call.startsWith("sysconf")).length, 1);
});

Deno.test("the slack of a large alignment is given back on both sides", () => {
  const system = new PosixDouble(4096, 0x7000_0000_3000n);
  const allocator = new LinuxAllocator(system);
  const memory = allocator.allocate(4096, 1 << 21);
  assertEquals(memory.address, 0x7000_0020_0000n);
  assertEquals([...system.mapped], [[0x7000_001f_f000n, 3n * 4096n]]);
  allocator.free(memory);
  assertEquals(system.mapped.size, 0);
});

Deno.test("a refused trim keeps the address space until the memory is freed", () => {
  for (const refusals of [1, 2]) {
    const system = new PosixDouble(4096, 0x7000_0000_3000n);
    for (let i = 0; i < refusals; i++) system.failures.push(["munmap", ENOMEM]);
    const allocator = new LinuxAllocator(system);
    const memory = allocator.allocate(4096, 1 << 21);
    assert([...system.mapped.values()].reduce((sum, length) => sum + length) > 3n * 4096n);
    allocator.free(memory);
    assertEquals(system.mapped.size, 0);
  }
});

Deno.test("protections are the numbers of mprotect, and never both writable and executable", () => {
  const system = new PosixDouble();
  const allocator = new LinuxAllocator(system);
  const memory = allocator.allocate(4 * 4096, 1);
  system.calls.length = 0;
  allocator.protect(memory, Protection.READ_EXECUTE, 0, 4096);
  allocator.protect(memory, Protection.READ_ONLY, 4096, 8192);
  allocator.protect(memory, Protection.NONE, 3 * 4096);
  allocator.protect(memory, Protection.READ_WRITE);
  assertEquals(system.calls, [
    "mprotect(0x700000001000,0x1000,0x5)",
    "mprotect(0x700000002000,0x2000,0x1)",
    "mprotect(0x700000004000,0x1000,0x0)",
    "mprotect(0x700000001000,0x4000,0x3)",
  ]);
});

Deno.test("mmap refused: the error has call, errno and size, and nothing is mapped", () => {
  const system = new PosixDouble();
  system.failures.push(["mmap", ENOMEM]);
  const error = outOfMemory(() => new LinuxAllocator(system).allocate(1, 1));
  assertEquals(error.data, { call: "mmap", errno: ENOMEM, size: 3 * 4096 });
  assertStringIncludes(error.message, "Cannot reserve memory: mmap fails with ENOMEM");
  assertEquals(system.mapped.size, 0);
});

Deno.test("sysconf refused: an error, not a page size of -1", () => {
  const system = new PosixDouble();
  system.failures.push(["sysconf", 22]);
  assertEquals(outOfMemory(() => new LinuxAllocator(system).allocate(1, 1)).data.call, "sysconf");
});

Deno.test("commit refused: what was reserved is given back", () => {
  const system = new PosixDouble();
  system.failures.push(["mprotect", ENOMEM]);
  const error = outOfMemory(() => new LinuxAllocator(system).allocate(1, 1));
  assertEquals(error.data, { call: "mprotect", errno: ENOMEM, size: 4096 });
  assertEquals(system.mapped.size, 0);
});

Deno.test("commit and release refused: the range is offered to the system again at the next call", () => {
  for (const next of ["allocate", "free"] as const) {
    const system = new PosixDouble(4096, 0x1000_0000n, 0x2000_0000n, 0x3000_0000n);
    const allocator = new LinuxAllocator(system);
    const other = allocator.allocate(1, 1);
    system.failures.push(["mprotect", ENOMEM], ["munmap", ENOMEM]);
    outOfMemory(() => allocator.allocate(1, 1));
    assertEquals(system.mapped.size, 2);
    if (next === "allocate") allocator.free(allocator.allocate(1, 1));
    allocator.free(other);
    assertEquals(system.mapped.size, 0);
  }
});

Deno.test("pages are given back by one call, or stay as they were", () => {
  const system = new PosixDouble();
  const allocator = new LinuxAllocator(system);
  const memory = allocator.allocate(3 * 4096, 1);
  system.failures.push(["mmap", ENOMEM]);
  system.calls.length = 0;
  const error = outOfMemory(() => allocator.discard(memory, 4096, 4096));
  assertEquals(error.data, { call: "mmap", errno: ENOMEM, size: 4096 });
  allocator.protect(memory, Protection.READ_EXECUTE, 4096, 4096);
  allocator.discard(memory, 4096, 4096);
  const address = (memory.address + 4096n).toString(16);
  const discarding = `mmap(0x${address},0x1000,0x0,0x32,0xffffffffffffffff,0x0)`;
  assertEquals(system.calls, [discarding, `mprotect(0x${address},0x1000,0x5)`, discarding]);
  allocator.free(memory);
  assertEquals(system.mapped.size, 0);
});

Deno.test("protect refused: the memory stays as it was and can be freed", () => {
  const system = new PosixDouble();
  const allocator = new LinuxAllocator(system);
  const memory = allocator.allocate(1, 1);
  system.failures.push(["mprotect", ENOMEM]);
  const error = outOfMemory(() => allocator.protect(memory, Protection.READ_ONLY));
  assertEquals(error.data, { call: "mprotect", errno: ENOMEM, size: 4096 });
  allocator.free(memory);
  assertEquals(system.mapped.size, 0);
});

Deno.test("the error names a kernel that forbids writable memory to become executable", () => {
  for (const errno of [EPERM, EACCES]) {
    const system = new PosixDouble();
    const allocator = new LinuxAllocator(system);
    const memory = allocator.allocate(1, 1);
    system.failures.push(["mprotect", errno]);
    const error = outOfMemory(() => allocator.protect(memory, Protection.READ_EXECUTE));
    assertStringIncludes(error.message, "the kernel forbids turning writable memory executable");
    assertEquals(error.data.errno, errno);
    assertStringIncludes(error.hint, "allow this process to make memory executable");
  }
});

Deno.test("free refused: the memory stays live and can be freed again", () => {
  const system = new PosixDouble();
  const allocator = new LinuxAllocator(system);
  const memory = allocator.allocate(1, 1);
  system.failures.push(["munmap", ENOMEM]);
  const error = outOfMemory(() => allocator.free(memory));
  assertEquals(error.data, { call: "munmap", errno: ENOMEM, size: 3 * 4096 });
  allocator.protect(memory, Protection.READ_ONLY);
  allocator.free(memory);
  assertEquals(system.mapped.size, 0);
});

Deno.test("near: a hint is tried when the system's own choice is too far", () => {
  const near = 0x10_0000_0000n;
  const system = new PosixDouble();
  const memory = new LinuxAllocator(system).allocate(1, 1, near);
  assert(memory.address > near - (1n << 30n) && memory.address < near + (1n << 30n));
  assertEquals(system.mapped.size, 1);
});

Deno.test("near: mmap refused at every hint leaves the system's own choice", () => {
  const system = new PosixDouble();
  const allocator = new LinuxAllocator(system);
  void allocator.pageSize;
  let calls = 0;
  const mmap = system.mmap.bind(system);
  system.mmap = (...args) => calls++ === 0 ? mmap(...args) : 0xffff_ffff_ffff_ffffn;
  assertEquals(allocator.allocate(1, 1, 0x10_0000_0000n).address, 0x7000_0000_1000n);
});

Deno.test("protect flushes pages before they become executable", () => {
  const system = new PosixDouble();
  const flush = (address: bigint, length: bigint): void => {
    system.calls.push(`flush(0x${address.toString(16)},0x${length.toString(16)})`);
  };
  const allocator = new LinuxAllocator(Object.assign(system, { flush }));
  const memory = allocator.allocate(8192, 1);
  system.calls.length = 0;
  allocator.protect(memory, Protection.READ_ONLY, 0, 4096);
  allocator.protect(memory, Protection.READ_EXECUTE, 4096, 4096);
  allocator.flushInstructionCache(memory, 4096, 16);
  assertEquals(system.calls, [
    "mprotect(0x700000001000,0x1000,0x1)",
    "flush(0x700000002000,0x1000)",
    "mprotect(0x700000002000,0x1000,0x5)",
    "flush(0x700000002000,0x10)",
  ]);
});

Deno.test("prefault asks for whole pages, and a refusal changes nothing", () => {
  const system = new PosixDouble();
  const allocator = new LinuxAllocator(system);
  const memory = allocator.allocate(5 * 4096, 1);
  system.calls.length = 0;
  system.failures.push(["madvise", 22]);
  allocator.prefault(memory, 4097, 4096);
  allocator.prefault(memory, 4096, 0);
  allocator.prefault(memory);
  assertEquals(system.calls, [
    "madvise(0x700000002000,0x2000,0x17)",
    "madvise(0x700000001000,0x5000,0x17)",
  ]);
  assertThrows(() => allocator.prefault(memory, 4 * 4096, 4097), RangeError);
});

/** Memory of 5 MiB for which there are large pages, from 0x700000200000 on. */
function largeMemory(): { system: PosixDouble; allocator: LinuxAllocator; memory: ExecutableMemory } {
  const system = new PosixDouble(4096, 0x7000_0000_0000n);
  const allocator = new LinuxAllocator(system);
  const memory = allocator.allocate(5 << 20, 1);
  assertEquals(memory, { address: 0x7000_0020_0000n, size: 5 << 20 });
  assertEquals([...system.mapped], [[0x7000_001f_f000n, 0x60_2000n]]);
  system.calls.length = 0;
  return { system, allocator, memory };
}

Deno.test("prefault asks for large pages where it fills at least half of each, room behind the memory included", () => {
  const { system, allocator, memory } = largeMemory();
  allocator.prefault(memory);
  allocator.prefault(memory, 4096, 3 << 20);
  allocator.prefault(memory, 0, (1 << 20) - 4096);
  assertEquals(system.calls, [
    "mprotect(0x700000700000,0x100000,0x3)",
    "madvise(0x700000200000,0x600000,0xe)",
    "madvise(0x700000200000,0x500000,0x17)",
    "mprotect(0x700000700000,0x100000,0x0)",
    "madvise(0x700000200000,0x400000,0xe)",
    "madvise(0x700000201000,0x300000,0x17)",
    "madvise(0x700000200000,0xff000,0x17)",
  ]);
  allocator.free(memory);
  assertEquals(system.mapped.size, 0);
});

Deno.test("refused large pages change nothing, but room that stays accessible is an error", () => {
  const { system, allocator, memory } = largeMemory();
  system.failures.push(["mprotect", ENOMEM]);
  allocator.prefault(memory);
  system.failures.push(["madvise", 22]);
  allocator.prefault(memory);
  assertEquals(system.calls.filter((call) => call.startsWith("mprotect")).length, 3);
  system.mprotect = (_address, _length, protection) => protection === 0 ? -1 : 0;
  const error = assertThrows(() => allocator.prefault(memory), LoadError);
  assertEquals([error.kind, error.data.call], ["OutOfMemory", "mprotect"]);
  allocator.free(memory);
  assertEquals(system.mapped.size, 0);
});

Deno.test("prefault does nothing where the system has no such advice", () => {
  const system = new PosixDouble();
  const allocator = new MacosAllocator(system);
  const memory = allocator.allocate(1, 1);
  allocator.prefault(memory);
  assertEquals(system.calls.filter((call) => call.startsWith("madvise")), []);
});
