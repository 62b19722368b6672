// Compares the allocator's memory with this process's map in /proc.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { LinuxAllocator } from "../../../src/os/memory/linux.ts";
import { Protection } from "../../../src/os/memory/contract.ts";

const ignore = Deno.build.os !== "linux";

/** An address near which nothing else is mapped. */
const REMOTE = 0x2345_0000_0000n;

/** The permissions at an address in `/proc/self/maps`; "" where nothing is mapped. */
function permissions(address: bigint): string {
  for (const line of Deno.readTextFileSync("/proc/self/maps").split("\n")) {
    const [, begin, end, letters] = /^(\w+)-(\w+) (\S+)/.exec(line) ?? [];
    if (begin && BigInt(`0x${begin}`) <= address && address < BigInt(`0x${end}`)) return letters;
  }
  return "";
}

Deno.test({
  name: "pages have the protection that they were given, guards none, and free leaves nothing",
  ignore,
  fn() {
    const allocator = new LinuxAllocator();
    const page = allocator.pageSize;
    const memory = allocator.allocate(4 * page, 1, REMOTE);
    const at = (offset: number): bigint => memory.address + BigInt(offset);
    assertEquals(permissions(at(0)), "rw-p");
    allocator.protect(memory, Protection.READ_EXECUTE, 0, page);
    allocator.protect(memory, Protection.READ_ONLY, page, page);
    allocator.protect(memory, Protection.NONE, 3 * page);
    assertEquals(
      [-1, 0, 1, 2, 3, 4].map((index) => permissions(at(index * page))),
      ["---p", "r-xp", "r--p", "rw-p", "---p", "---p"],
    );
    assertEquals([-2, 5].map((index) => permissions(at(index * page))), ["", ""]);
    allocator.free(memory);
    assertEquals([-1, 0, 1, 2, 3, 4].map((index) => permissions(at(index * page))).join(""), "");
  },
});

Deno.test({
  name: "an alignment above the page size leaves no slack mapped",
  ignore,
  fn() {
    const allocator = new LinuxAllocator();
    const page = BigInt(allocator.pageSize);
    const memory = allocator.allocate(1, 1 << 21, REMOTE);
    const end = memory.address + BigInt(memory.size);
    assertEquals(permissions(memory.address - page), "---p");
    assertEquals(permissions(end), "---p");
    assertEquals(permissions(memory.address - 2n * page), "");
    assertEquals(permissions(end + page), "");
    allocator.free(memory);
    assertEquals(permissions(memory.address), "");
  },
});

Deno.test({
  name: "a thousand allocations leave no mapping behind",
  ignore,
  fn() {
    const allocator = new LinuxAllocator();
    using _open = allocator.retain();
    /** The mappings that allocations near REMOTE could be among; the system may have put others there. */
    const near = (): string[] =>
      Deno.readTextFileSync("/proc/self/maps").split("\n").filter((line) => {
        const distance = BigInt(`0x${/^\w+/.exec(line)?.[0] ?? 0}`) - REMOTE;
        return distance > -(1n << 31n) && distance < 1n << 31n;
      });
    const before = near();
    for (let i = 0; i < 1000; i++) {
      const memory = allocator.allocate(1 + i * 10, 1 << (i % 18), REMOTE);
      if (i % 2) allocator.view(memory).fill(i);
      if (i % 3) allocator.protect(memory, Protection.READ_EXECUTE);
      allocator.free(memory);
    }
    assertEquals(near(), before);
  },
});

Deno.test({
  name: "the error of a hardened kernel says what is forbidden",
  ignore: ignore || Deno.build.arch !== "x86_64", // qemu's user mode refuses the prctl
  async fn() {
    const child = fromFileUrl(new URL("./hardened_child.ts", import.meta.url));
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--v8-flags=--jitless", "--no-check", "--allow-all", child],
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(text !== "", "the child ended early");
    if (text.startsWith("no PR_SET_MDWE")) return; // before Linux 6.3
    assertStringIncludes(text, "Cannot make memory executable: the kernel forbids");
    assertStringIncludes(text, "freed");
  },
});

/** The lines of `/proc/self/smaps` about the mapping at an address. */
function mappingAt(address: bigint): string {
  const entries = Deno.readTextFileSync("/proc/self/smaps").split(/^(?=[0-9a-f]+-)/m);
  return entries.find((text) => text.startsWith(address.toString(16))) ?? "";
}

/** Whether the kernel knows large pages. */
function hasLargePages(): boolean {
  try {
    return Deno.statSync("/sys/kernel/mm/transparent_hugepage").isDirectory;
  } catch {
    return false;
  }
}

Deno.test({
  name: "memory of more than a megabyte gets large pages, and keeps its guards, zeros and protections",
  ignore: ignore || Deno.build.arch !== "x86_64", // qemu's user mode has pages of its own
  fn() {
    const allocator = new LinuxAllocator();
    const page = allocator.pageSize, large = 1 << 21;
    const size = large + 300 * page;
    const memory = allocator.allocate(size, 1, REMOTE);
    const at = (offset: number): bigint => memory.address + BigInt(offset);
    assertEquals(memory.address % BigInt(large), 0n);
    allocator.prefault(memory, 0, size);
    // Whether a page is large is the kernel's choice; that this was asked for stays with the mapping.
    assertEquals(/^VmFlags:.* hg\b/m.test(mappingAt(memory.address)), hasLargePages());
    assertEquals([-1, size, 2 * large].map((offset) => permissions(at(offset))), ["---p", "---p", "---p"]);
    assertEquals(permissions(at(2 * large + page)), "");
    const view = allocator.view(memory);
    assert(view.every((byte) => byte === 0));
    view.fill(7);
    allocator.protect(memory, Protection.READ_EXECUTE, 0, large + page);
    allocator.protect(memory, Protection.READ_ONLY, large + page, page);
    assertEquals(
      [0, large, large + page, large + 2 * page, size].map((offset) => permissions(at(offset))),
      ["r-xp", "r-xp", "r--p", "rw-p", "---p"],
    );
    assert(allocator.view(memory, large + 2 * page).every((byte) => byte === 7));
    allocator.free(memory);
    assertEquals([-1, 0, size, 2 * large].map((offset) => permissions(at(offset))).join(""), "");
  },
});

Deno.test({
  name: "large memory that nothing fills costs none",
  ignore: ignore || Deno.build.arch !== "x86_64",
  fn() {
    const allocator = new LinuxAllocator();
    const memory = allocator.allocate(64 << 20, 1, REMOTE);
    allocator.prefault(memory, 0, 1 << 20);
    allocator.view(memory, 32 << 20).subarray(0, 1).fill(1);
    const kilobytes = Deno.readTextFileSync("/proc/self/smaps").split(/^(?=[0-9a-f]+-)/m)
      .filter((text) => {
        const start = BigInt(`0x${/^\w+/.exec(text)?.[0] ?? 0}`);
        return start >= memory.address && start < memory.address + BigInt(memory.size);
      })
      .reduce((sum, text) => sum + Number(/^Rss:\s*(\d+)/m.exec(text)?.[1]), 0);
    assert(kilobytes <= 2048 + 4, `${kilobytes}`);
    allocator.free(memory);
  },
});

Deno.test({
  name: "prefault provides pages before they are touched",
  ignore: ignore || Deno.build.arch !== "x86_64", // qemu's user mode has pages of its own
  fn() {
    const allocator = new LinuxAllocator();
    const page = allocator.pageSize;
    const memory = allocator.allocate(64 * page, 1, REMOTE);
    /** Kilobytes of the mapping at an address that have memory. */
    const resident = (): number => {
      return Number(/^Rss:\s*(\d+)/m.exec(mappingAt(memory.address))?.[1]);
    };
    assertEquals(resident(), 0);
    allocator.prefault(memory, page, 10 * page);
    // Kernels before 5.14 refuse the advice.
    assert([0, 10 * page / 1024].includes(resident()), `${resident()}`);
    allocator.free(memory);
  },
});
