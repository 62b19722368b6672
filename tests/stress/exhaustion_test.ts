/** Loading until the kernel refuses memory: an error without leaks, after which loading works again. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { runChild } from "../support/modules.ts";
import { GC_FLAGS } from "../support/process_state.ts";
import { NOT_LINUX_X86_64, stress } from "../support/testing.ts";
import type { Outcome } from "./exhaustion_child.ts";

for (
  const [resource, call] of [["mappings", /mmap|mprotect/], ["address space", /mmap/]] as const
) {
  Deno.test({
    name: `modules are loaded up to the limit of ${resource}, released, and loaded again`,
    // Emulators have limits of their own.
    ignore: NOT_LINUX_X86_64,
    async fn() {
      const child = await runChild(new URL("./exhaustion_child.ts", import.meta.url), {
        v8Flags: GC_FLAGS,
        args: [resource, "3", String(stress(60_000))],
      });
      assertEquals([child.code, child.signal, child.stderr], [0, null, ""]);
      const { rounds, wrong, mappings, stubs, descriptors } = JSON.parse(child.stdout) as Outcome;
      assertEquals(rounds.length, 3);
      for (const { loaded, kind, error } of rounds) {
        assert(loaded > 3, JSON.stringify(rounds));
        assertEquals(kind, "OutOfMemory", error);
        assert(call.test(error), error);
        assertStringIncludes(error, "errno 12");
        // Each round has as much room as the first, except for memory that V8 has taken.
        assert(Math.abs(loaded - rounds[0].loaded) <= rounds[0].loaded / 5 + 1, JSON.stringify(rounds));
      }
      assertEquals([wrong, stubs, descriptors], [0, 0, 0]);
      assert(mappings < 64, `${mappings} mappings are left`);
    },
  });
}
