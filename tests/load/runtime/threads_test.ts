// Which code threads may be in, as the kernel tells it.
import { assert, assertEquals } from "@std/assert";
import { platformAllocator, Protection } from "../../../src/os/memory/allocator.ts";
import { type CodeRange, findThreads, threadNumbers } from "../../../src/load/runtime/threads.ts";
import { until } from "../../support/workers.ts";

/** Emulators tell where they are themselves. */
const ignore = findThreads([{ address: 0x1234_5678_9000n, size: 16 }]) === undefined;

/** The executable mappings of files whose name ends so. */
function codeOf(name: string): CodeRange[] {
  return Deno.readTextFileSync("/proc/self/maps").split("\n").flatMap((line) => {
    const [, first, end] = /^([0-9a-f]+)-([0-9a-f]+) r-xp .*$/.exec(line) ?? [];
    if (first === undefined || !line.endsWith(name)) return [];
    const address = BigInt(`0x${first}`);
    return [{ address, size: Number(BigInt(`0x${end}`) - address) }];
  });
}

/** Asks until no thread happens to run, which may be anywhere. */
async function find(ranges: readonly CodeRange[]): Promise<readonly boolean[]> {
  const nowhere = { address: 0x1234_5678_9000n, size: 16 };
  let found: readonly boolean[] = [];
  await until(() => {
    const [runs, ...others] = findThreads([nowhere, ...ranges])!;
    found = others;
    return !runs;
  });
  return found;
}

Deno.test({
  name: "threads are where the kernel says they wait, and where their stacks lead back to",
  ignore,
  fn: async () => {
    assert(threadNumbers()!.size > 1);
    const allocator = platformAllocator();
    const memory = allocator.allocate(16, 1);
    // Of the C library that threads wait in, of the program that this one comes back to, and code that nobody runs.
    const libraries = codeOf("libc.so.6"), program = codeOf("/deno");
    assert(libraries.length > 0 && program.length > 0);
    assertEquals(await find([libraries[0], program[0], memory]), [true, true, false]);
    assertEquals(await find([{ address: memory.address, size: memory.size }, libraries[0]]), [false, true]);
    allocator.free(memory);
  },
});

Deno.test({
  name: "a thread that runs may be anywhere",
  ignore,
  fn: async () => {
    const allocator = platformAllocator();
    const memory = allocator.allocate(16, 1), other = allocator.allocate(16, 1);
    // cmpb $0, (%rdi); je back; ret
    allocator.view(memory).set([0x80, 0x3f, 0x00, 0x74, 0xfb, 0xc3]);
    allocator.protect(memory, Protection.READ_EXECUTE);
    const definition = { parameters: ["buffer"], result: "void", nonblocking: true } as const;
    const loop = new Deno.UnsafeFnPointer(Deno.UnsafePointer.create(memory.address) as never, definition);
    const stop = new Uint8Array(1);
    const ended = loop.call(stop);
    await until(() => findThreads([memory])![0]);
    for (let look = 0; look < 10; look++) assertEquals(findThreads([memory, other]), [true, true]);
    stop[0] = 1;
    await ended;
    assertEquals(await find([memory, other]), [false, false]);
    allocator.free(memory);
    allocator.free(other);
  },
});
