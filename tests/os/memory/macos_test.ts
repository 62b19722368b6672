import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError } from "../../../src/errors/load_error.ts";
import { Protection } from "../../../src/os/memory/contract.ts";
import { MacosAllocator } from "../../../src/os/memory/macos.ts";
import { PosixDouble } from "../../support/posix_double.ts";

/** Apple silicon has pages of 16 KiB, and a function to call. */
function appleSilicon(): PosixDouble {
  const system = new PosixDouble(16384);
  return Object.assign(system, {
    flush(address: bigint, length: bigint): void {
      system.calls.push(`flush(0x${address.toString(16)},0x${length.toString(16)})`);
    },
  });
}

Deno.test("macOS: the calls of a module's life, in order, with its own constants", () => {
  const system = appleSilicon();
  const allocator = new MacosAllocator(system);
  const memory = allocator.allocate(20000, 16);
  allocator.protect(memory, Protection.READ_EXECUTE, 0, 16384);
  allocator.free(memory);
  assertEquals(system.calls, [
    "sysconf(0x1d)",
    "mmap(0x0,0x10000,0x0,0x1002,0xffffffffffffffff,0x0)",
    "mprotect(0x700000004000,0x8000,0x3)",
    "flush(0x700000004000,0x4000)",
    "mprotect(0x700000004000,0x4000,0x5)",
    "munmap(0x700000000000,0x10000)",
  ]);
  assertEquals(system.mapped.size, 0);
});

Deno.test("macOS: no page is ever asked for writable and executable", () => {
  const system = appleSilicon();
  const allocator = new MacosAllocator(system);
  const memory = allocator.allocate(1, 1);
  for (const protection of Object.values(Protection)) allocator.protect(memory, protection);
  const asked = system.calls.map((call) => /mprotect\(.*,(0x\d)\)/.exec(call)?.[1]).filter((prot) => prot);
  assertEquals(asked, ["0x3", "0x0", "0x1", "0x3", "0x5"]);
});

Deno.test("macOS: the error of a hardened program names the entitlement that it lacks", () => {
  const system = appleSilicon();
  const allocator = new MacosAllocator(system);
  const memory = allocator.allocate(1, 1);
  system.failures.push(["mprotect", 13]);
  const error = assertThrows(() => allocator.protect(memory, Protection.READ_EXECUTE), LoadError);
  assertStringIncludes(error.message, "allow-unsigned-executable-memory");
  assertStringIncludes(error.hint, "sign the program");
});
