/**
 * Asks the kernel to let nothing more in this process become executable, then
 * tries. Runs without V8's compiler, which would be refused as well.
 */
import { LinuxAllocator, Protection } from "../../../src/os/memory/allocator.ts";

const allocator = new LinuxAllocator();
using _open = allocator.retain();
const memory = allocator.allocate(1, 1);
const libc = Deno.dlopen("libc.so.6", {
  // int prctl(int op, unsigned long, unsigned long, unsigned long, unsigned long); -1
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
});
const PR_SET_MDWE = 65;
if (libc.symbols.prctl(PR_SET_MDWE, 1n, 0n, 0n, 0n) !== 0) {
  console.log("no PR_SET_MDWE");
} else {
  try {
    allocator.protect(memory, Protection.READ_EXECUTE);
    console.log("executable all the same");
  } catch (error) {
    console.log((error as Error).message);
  }
  allocator.free(memory);
  console.log("freed");
}
