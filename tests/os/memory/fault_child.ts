/**
 * Touches one byte of executable memory in the way that its argument says, and
 * prints `alive` if that does not end the process.
 */
import { platformAllocator, Protection } from "../../../src/os/memory/allocator.ts";

const allocator = platformAllocator();
const memory = allocator.allocate(2 * allocator.pageSize, 2 * allocator.pageSize);
const end = memory.address + BigInt(memory.size);

function read(address: bigint): number {
  return new Deno.UnsafePointerView(Deno.UnsafePointer.create(address)!).getUint8();
}

function write(address: bigint): void {
  // The allocator's own view would have been detached.
  const pointer = Deno.UnsafePointer.create(address)!;
  new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, 1))[0] = 1;
}

const access: Record<string, () => unknown> = {
  "read the first byte": () => read(memory.address),
  "read the last byte": () => read(end - 1n),
  "read before the first byte": () => read(memory.address - 1n),
  "read past the last byte": () => read(end),
  "write a writable byte": () => write(memory.address),
  "write a read-only byte": () => {
    allocator.protect(memory, Protection.READ_ONLY);
    write(memory.address);
  },
  "write an executable byte": () => {
    allocator.protect(memory, Protection.READ_EXECUTE);
    write(memory.address);
  },
  "write beside executable pages": () => {
    allocator.protect(memory, Protection.READ_EXECUTE, 0, allocator.pageSize);
    write(end - 1n);
  },
  "read an executable byte": () => {
    allocator.protect(memory, Protection.READ_EXECUTE);
    read(memory.address);
  },
  "read an inaccessible byte": () => {
    allocator.protect(memory, Protection.NONE);
    read(memory.address);
  },
  "read freed memory": () => {
    allocator.free(memory);
    read(memory.address);
  },
  "read a byte that was given back": () => {
    allocator.discard!(memory, 0, allocator.pageSize);
    read(memory.address);
  },
  "execute a writable byte": () => {
    allocator.view(memory).set([0xc3]); // ret
    const definition = { parameters: [], result: "void" } as const;
    new Deno.UnsafeFnPointer(Deno.UnsafePointer.create<typeof definition>(memory.address)!, definition)
      .call();
  },
};

access[Deno.args[0]]();
console.log("alive");
