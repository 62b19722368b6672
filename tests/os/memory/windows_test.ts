// Tests the sequence of calls with a double in place of Windows; allocator_test.ts makes real calls there.
import { assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../../src/errors/load_error.ts";
import { Protection } from "../../../src/os/memory/contract.ts";
import { WindowsAllocator, type WindowsSystem } from "../../../src/os/memory/windows.ts";

const ERROR_NOT_ENOUGH_MEMORY = 8;

/** Records calls; fails once for each name in `failing`. */
class WindowsDouble implements WindowsSystem {
  readonly calls: string[] = [];
  readonly failing: string[] = [];
  readonly reserved = new Set<bigint>();
  base = 0x1_0000_0000n;

  #fails(name: string, ...args: (bigint | number)[]): boolean {
    this.calls.push(`${name}(${args.map((arg) => "0x" + arg.toString(16))})`);
    const index = this.failing.indexOf(name);
    if (index >= 0) this.failing.splice(index, 1);
    return index >= 0;
  }

  VirtualAlloc(address: bigint, size: bigint, type: number, protection: number): bigint {
    if (this.#fails("VirtualAlloc", address, size, type, protection)) return 0n;
    if (type !== 0x2000) return address;
    const base = address === 0n ? this.base : address;
    this.reserved.add(base);
    return base;
  }

  VirtualProtect(address: bigint, size: bigint, protection: number, old: Uint8Array<ArrayBuffer>): number {
    old[0] = 4;
    return this.#fails("VirtualProtect", address, size, protection) ? 0 : 1;
  }

  VirtualFree(address: bigint, size: bigint, type: number): number {
    if (this.#fails("VirtualFree", address, size, type)) return 0;
    return this.reserved.delete(address) ? 1 : 0;
  }

  FlushInstructionCache(process: bigint, address: bigint, size: bigint): number {
    return this.#fails("FlushInstructionCache", process, address, size) ? 0 : 1;
  }

  GetSystemInfo(info: Uint8Array<ArrayBuffer>): void {
    const data = new DataView(info.buffer);
    data.setUint32(4, 4096, true);
    data.setUint32(40, 65536, true);
  }

  GetLastError(): number {
    return ERROR_NOT_ENOUGH_MEMORY;
  }
}

Deno.test("Windows: the calls of a module's life, in order", () => {
  const system = new WindowsDouble();
  const allocator = new WindowsAllocator(system);
  const memory = allocator.allocate(5000, 16);
  assertEquals(memory, { address: 0x1_0000_1000n, size: 8192 });
  allocator.protect(memory, Protection.READ_EXECUTE, 0, 4096);
  allocator.protect(memory, Protection.READ_ONLY, 4096);
  allocator.protect(memory, Protection.NONE);
  allocator.protect(memory, Protection.READ_WRITE);
  allocator.free(memory);
  assertEquals(system.calls, [
    "VirtualAlloc(0x0,0x4000,0x2000,0x1)",
    "VirtualAlloc(0x100001000,0x2000,0x1000,0x4)",
    "FlushInstructionCache(0xffffffffffffffff,0x100001000,0x1000)",
    "VirtualProtect(0x100001000,0x1000,0x20)",
    "VirtualProtect(0x100002000,0x1000,0x2)",
    "VirtualProtect(0x100001000,0x2000,0x1)",
    "VirtualProtect(0x100001000,0x2000,0x4)",
    "VirtualFree(0x100000000,0x0,0x8000)",
  ]);
});

Deno.test("Windows: pages are given back without their addresses", () => {
  const system = new WindowsDouble();
  const allocator = new WindowsAllocator(system);
  const memory = allocator.allocate(2 * 4096, 1);
  system.reserved.add(0x1_0000_2000n);
  system.calls.length = 0;
  allocator.discard(memory, 4096, 4096);
  assertEquals(system.calls, ["VirtualFree(0x100002000,0x1000,0x4000)"]);
  system.failing.push("VirtualFree");
  const error = assertThrows(() => allocator.discard(memory, 4096, 4096), LoadError);
  assertEquals([error.kind, error.data.call, error.data.size], ["OutOfMemory", "VirtualFree", 4096]);
});

Deno.test("Windows: hints are multiples of the allocation granularity", () => {
  const system = new WindowsDouble();
  const allocator = new WindowsAllocator(system);
  allocator.allocate(1, 1, 0x7ff0_1234_5678n);
  const hints = system.calls.map((call) => /VirtualAlloc\((0x\w+),0x3000,0x2000/.exec(call)?.[1]);
  const asked = hints.filter((hint) => hint !== undefined).map(BigInt);
  assertEquals(asked.length, 2);
  assertEquals(asked[1] % 65536n, 0n);
  assertEquals([...system.reserved], [asked[1]]);
});

Deno.test("Windows: each call refused is an error with call, number and size, and leaves nothing", () => {
  const system = new WindowsDouble();
  const allocator = new WindowsAllocator(system);
  const failure = (work: () => unknown): unknown => {
    const error = assertThrows(work, LoadError);
    assertEquals(error.kind, "OutOfMemory");
    return error.data;
  };
  const errno = ERROR_NOT_ENOUGH_MEMORY;

  system.failing.push("VirtualAlloc");
  assertEquals(failure(() => allocator.allocate(1, 1)), { call: "VirtualAlloc", errno, size: 3 * 4096 });
  assertEquals(system.reserved.size, 0);

  const commit = system.VirtualAlloc.bind(system);
  system.VirtualAlloc = (address, size, type, protection) =>
    type === 0x1000 ? 0n : commit(address, size, type, protection);
  assertEquals(failure(() => allocator.allocate(1, 1)), { call: "VirtualAlloc", errno, size: 4096 });
  assertEquals(system.reserved.size, 0);
  system.VirtualAlloc = commit;

  const memory = allocator.allocate(1, 1);
  system.failing.push("VirtualProtect");
  assertEquals(failure(() => allocator.protect(memory, Protection.READ_EXECUTE)), {
    call: "VirtualProtect",
    errno,
    size: 4096,
  });
  system.failing.push("FlushInstructionCache");
  assertEquals(failure(() => allocator.protect(memory, Protection.READ_EXECUTE)), {
    call: "FlushInstructionCache",
    errno,
    size: 4096,
  });
  system.failing.push("VirtualFree");
  assertEquals(failure(() => allocator.free(memory)), { call: "VirtualFree", errno, size: 3 * 4096 });
  allocator.free(memory);
  assertEquals(system.reserved.size, 0);
});
