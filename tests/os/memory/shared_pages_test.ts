// Pages with equal bytes are stored once, as the map of the process tells.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LinuxAllocator, Protection } from "../../../src/os/memory/allocator.ts";
import type { ExecutableMemory, MemoryAllocator } from "../../../src/os/memory/contract.ts";
import { makeShareable, sharePages, type SharingSystem } from "../../../src/os/memory/shared_pages.ts";
import { bytesAt } from "../../../src/os/native_memory.ts";
import { NOT_LINUX_X86_64 as ignore } from "../../support/testing.ts";

/** Constants of some pages, all bytes of which have a value. */
function constants(allocator: MemoryAllocator, pages: number, value: number): ExecutableMemory {
  const memory = allocator.allocate(pages * allocator.pageSize, 1);
  allocator.view(memory).fill(value);
  allocator.protect(memory, Protection.READ_ONLY);
  return memory;
}

/** Says which memory is behind an address: the permissions and the number of the shared file. */
function backing(address: bigint): string {
  for (const line of Deno.readTextFileSync("/proc/self/maps").split("\n")) {
    const [, begin, end, letters, file] = /^(\w+)-(\w+) (\S+) \S+ \S+ (\d+)/.exec(line) ?? [];
    if (begin && BigInt(`0x${begin}`) <= address && address < BigInt(`0x${end}`)) return `${letters} ${file}`;
  }
  return "";
}

Deno.test({
  name: "equal constants are stored once, at all of their addresses, for as long as one of them is live",
  ignore,
  fn() {
    const allocator = new LinuxAllocator(), page = allocator.pageSize;
    const all = [1, 2, 3].map(() => constants(allocator, 4, 7));
    const at = (memory: ExecutableMemory, index: number): bigint => memory.address + BigInt(index * page);
    assert(allocator.share(all[1], page, 2 * page, all[0], page));
    // Of what is shared already, by a part of it.
    assert(allocator.share(all[2], 2 * page, page, all[1], 2 * page));
    const shared = backing(at(all[0], 2));
    assertEquals(shared.slice(0, 4), "r--s");
    assertEquals(all.map((memory) => backing(at(memory, 2))), [shared, shared, shared]);
    assertEquals(all.map((memory) => backing(at(memory, 0))), ["r--p 0", "r--p 0", "r--p 0"]);
    for (const memory of all.slice(0, 2)) allocator.free(memory);
    assertEquals(bytesAt(all[2].address, 4 * page).every((byte) => byte === 7), true);
    allocator.free(all[2]);
    assertEquals(all.map((memory) => backing(at(memory, 2))), ["", "", ""]);
  },
});

Deno.test({
  name: "constants that differ in a byte, or that are writable, are not shared",
  ignore,
  fn() {
    const allocator = new LinuxAllocator(), page = allocator.pageSize;
    const [first, second] = [constants(allocator, 2, 7), constants(allocator, 2, 7)];
    const share = () => allocator.share(second, 0, 2 * page, first, 0);
    allocator.protect(second, Protection.READ_WRITE);
    assertThrows(share, RangeError, "not read-only throughout");
    allocator.view(second)[2 * page - 1] = 8;
    allocator.protect(second, Protection.READ_ONLY);
    assertEquals(share(), false);
    assertEquals([first, second].map(({ address }) => bytesAt(address, 2 * page).at(-1)), [7, 8]);
    assertThrows(() => allocator.share(second, 1, page, first, 0), RangeError, "not whole pages");
    assertThrows(() => allocator.share(second, page, 2 * page, first, 0), RangeError, "exceed its");
    for (const memory of [first, second]) allocator.free(memory);
  },
});

Deno.test({
  name: "a system that refuses any of the calls leaves the pages as they are, and no others mapped",
  ignore,
  fn() {
    using closing = new DisposableStack();
    const libc = Deno.dlopen("libc.so.6", {
      mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
      mprotect: { parameters: ["usize", "usize", "i32"], result: "i32" },
      munmap: { parameters: ["usize", "usize"], result: "i32" },
      mremap: { parameters: ["usize", "usize", "usize", "i32", "usize"], result: "usize" },
      memcmp: { parameters: ["usize", "usize", "usize"], result: "i32" },
    });
    closing.defer(() => libc.close());
    let calls = 0, refused = 0, open = 0;
    const may = (): boolean => ++calls !== refused;
    const FAILED = 2n ** 64n - 1n;
    const system: SharingSystem = {
      mmap: (...it) => may() ? (open++, libc.symbols.mmap(...it)) : FAILED,
      mprotect: (...it) => may() ? libc.symbols.mprotect(...it) : -1,
      munmap: (...it) => (open--, libc.symbols.munmap(...it)),
      mremap(address, oldLength, ...rest) {
        if (!may()) return FAILED;
        // A move takes the place of what was there.
        open += oldLength === 0n ? 1 : -1;
        return libc.symbols.mremap(address, oldLength, ...rest);
      },
      memcmp: (...it) => libc.symbols.memcmp(...it),
    };
    const allocator = new LinuxAllocator(), page = allocator.pageSize;
    const [first, second] = [constants(allocator, 1, 7), constants(allocator, 1, 7)];
    const steps = [
      () => makeShareable(system, first.address, page),
      () => sharePages(system, second.address, page, first.address),
    ];
    const counts = steps.map((step) => {
      for (refused = 1;; refused++) {
        const before = [first, second].map(({ address }) => backing(address));
        calls = 0;
        const done = step();
        assertEquals([open, bytesAt(first.address, 1)[0], bytesAt(second.address, 1)[0]], [0, 7, 7]);
        if (done) return refused - 1;
        assertEquals([first, second].map(({ address }) => backing(address)), before);
      }
    });
    assertEquals(counts, [3, 2]);
    for (const memory of [first, second]) allocator.free(memory);
  },
});
