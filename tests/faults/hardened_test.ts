/**
 * Row 36: hardened kernels refuse calls that loading needs. The refusal is an
 * error that says so, modules that were loaded before go on working, and
 * everything can be closed.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { runChild } from "../support/modules.ts";
import { NO_PROC } from "../support/testing.ts";
import type { Outcome } from "./hardened_child.ts";

/** User-mode emulators implement neither prctl. */
const EMULATED = Deno.build.arch !== "x86_64";

function hardenedTest(hardening: string, what: string, check: (outcome: Outcome["attempts"]) => void): void {
  Deno.test({
    name: `${hardening}: ${what}`,
    ignore: NO_PROC || EMULATED,
    async fn() {
      const child = await runChild(new URL("./hardened_child.ts", import.meta.url), {
        v8Flags: "--jitless",
        args: [hardening],
      });
      assertEquals([child.code, child.signal], [0, null], child.stderr);
      const { hardened, attempts, leaked, left } = JSON.parse(child.stdout) as Outcome;
      if (!hardened) {
        console.log(`SKIPPED: this kernel does not know ${hardening}`);
        return;
      }
      check(attempts);
      assertEquals(leaked, []);
      assertEquals(left, { live: 0, stubs: 0, descriptors: 0 });
    },
  });
}

for (
  const [hardening, errno] of [["PR_SET_MDWE", 13], ["mprotect EPERM", 1], ["mprotect EACCES", 13]] as const
) {
  hardenedTest(hardening, "the error for new code names the cause, old code runs on", (attempts) => {
    for (const name of ["load", "reload"]) {
      const { kind, message, hint } = attempts[name] as { kind: string; message: string; hint: string };
      assertEquals(kind, "OutOfMemory");
      assertStringIncludes(message, "the kernel forbids");
      assertStringIncludes(message, `call mprotect, errno ${errno}`);
      assertStringIncludes(hint, "allow this process to make memory executable");
    }
    const { old, still, bind } = attempts;
    assertEquals([old, still, bind], [1, 1, 2]);
  });
}

for (const [hardening, errno] of [["memfd_create EPERM", 1], ["memfd_create ENOSYS", 38]] as const) {
  hardenedTest(hardening, "auto binds by pointer, and fast is an error", (attempts) => {
    const { old, load, reload, bind, still } = attempts;
    assertEquals([old, load, reload, bind, still], [1, 2, 2, 2, 2]);
    const { kind, message } = attempts["bind fast"] as { kind: string; message: string };
    assertEquals(kind, "Unsupported");
    assertStringIncludes(message, `call memfd_create, errno ${errno}`);
  });
}
