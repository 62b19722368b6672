// The room that a report of a crash takes on the stack that the program has given to its signals (Linux).
import { assert, assertStringIncludes } from "@std/assert";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { runChild } from "../../support/modules.ts";

const SOURCE = `
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

/* The kernel's own frame. */
static size_t frame(void) {
  size_t size = getauxval(51 /* AT_MINSIGSTKSZ */);
  return size == 0 ? 2048 : size;
}

static void *crash(void *room) {
  size_t size = frame() + (uintptr_t)room, mapped = (size + 4095) & -4096ul;
  char *start = mmap(0, mapped + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  /* Nothing is below the stack. */
  mprotect(start, 4096, PROT_NONE);
  stack_t stack = {.ss_sp = start + 4096, .ss_size = size};
  if (sigaltstack(&stack, 0) != 0) return 0;
  *(volatile int *)room = 1;
  return 0;
}

int run(int room) {
  pthread_t thread;
  pthread_create(&thread, 0, crash, (void *)(uintptr_t)room);
  return pthread_join(thread, 0);
}`;

testWithCompilers(
  ["gcc"],
  "a crash is reported with 4 KiB of room on the stack for signals",
  async (folder) => {
    const path = `${folder}/small.smf`;
    Deno.writeFileSync(path, await compiledVersion(folder, SOURCE, { name: "small", flags: ["-O1", "-g"] }));
    const child = new URL("./small_stack_child.ts", import.meta.url);
    const { code, signal, stderr } = await runChild(child, { args: [path, "4096"] });
    assert(signal !== null, `${code}`);
    assertStringIncludes(stderr, "SIGSEGV, write to address 0x1000");
    assertStringIncludes(stderr, "at crash+");
  },
);
