// A test in a child fails alone, whatever becomes of its process.
import { assertRejects } from "@std/assert";
import { IN_PROCESS, runAlone } from "./isolated.ts";

const CHILD = new URL("./isolated_child.ts", import.meta.url).href;

function childTest(name: string, work: () => Promise<unknown>): void {
  Deno.test({
    name: IN_PROCESS ? `${name} (SKIPPED: no children here)` : name,
    ignore: IN_PROCESS,
    fn: async () => void await work(),
  });
}

childTest("a test passes in a child, whatever its name", () => runAlone("passes (a+b) [c] 1/2: 'd'", CHILD));

childTest("a test that fails in a child fails here, with its message", async () => {
  await assertRejects(() => runAlone("fails", CHILD), Error, "on purpose");
});

childTest("a test that ends its process fails here", async () => {
  await assertRejects(() => runAlone("crashes", CHILD), Error);
});

childTest("a test that is not in the file fails here", async () => {
  await assertRejects(() => runAlone("no such test", CHILD), Error);
});
