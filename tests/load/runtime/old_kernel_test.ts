// Where threads are and which code goes is found in the same way on kernels that do not answer PROCMAP_QUERY, which
// came with Linux 6.11: there the text of /proc/self/maps tells it.
import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { findThreads } from "../../../src/load/runtime/threads.ts";
import { hasCommand } from "../../support/compilers.ts";
import { IN_PROCESS } from "../../support/isolated.ts";
import { runChild } from "../../support/modules.ts";

const ignore = IN_PROCESS || !hasCommand("gcc") ||
  findThreads([{ address: 0x1234_5678_9000n, size: 16 }]) === undefined;

/** Tests of code that goes, and of code that stays because a thread is in it or comes back to it. */
const RELOADS = [
  "code of versions that nobody needs goes, and everything else of them stays",
  "code stays while a thread is in it that nobody has counted, and goes when the thread has left",
  "code stays while a function of it is on this isolate's own stack",
];

/** Runs tests of this repository in the child; returns undefined if the system allows no filter. */
async function passed(tests: string, options: readonly string[] = []): Promise<number | undefined> {
  const { code, stdout, stderr } = await runChild(new URL("./old_kernel_child.ts", import.meta.url), {
    args: ["--allow-all", "--no-check", ...options, fromFileUrl(new URL(tests, import.meta.url))],
  });
  if (stdout.startsWith("no filter")) return undefined;
  assertEquals([code, stderr], [0, ""], `${stdout}${stderr}`);
  assertMatch(stdout, /^ok \| \d+ passed \| 0 failed/m);
  return Number(/^ok \| (\d+) passed/m.exec(stdout)![1]);
}

Deno.test({
  name: "without queries of the kernel threads are found where they are",
  ignore,
  async fn() {
    const count = await passed("./threads_test.ts");
    if (count !== undefined) assertEquals(count, 2);
  },
});

Deno.test({
  name: "without queries of the kernel code of replaced versions goes and stays as with them",
  ignore,
  async fn() {
    const filter = `--filter=/^(?:${RELOADS.join("|")})$/`;
    const count = await passed("../../registry/reload/replaced_code_test.ts", [filter]);
    if (count !== undefined) assertEquals(count, RELOADS.length);
  },
});
