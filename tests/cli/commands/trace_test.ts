// The option --trace of `smf run` and `smf watch`.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { traceLine } from "../../../src/cli/commands/trace.ts";
import type { TraceFacts } from "../../../src/load/trace.ts";
import { addModule, TemporaryDirectory } from "../../support/testing.ts";
import { smf } from "../../support/smf_command.ts";

const SUM = ["--signature", "i64(i64, i64)"];

Deno.test("run prints the events that are asked for on standard error, and the result as before", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", addModule());
  const { code, out, err } = await smf("run", path, "add", "2", "3", ...SUM, "--trace=read,bind");
  assertEquals([code, out, err.length], [0, ["5"], 2]);
  assertStringIncludes(err[0], `read     ${path}: ${addModule().length} bytes in `);
  assertMatch(err[1], /^bind {5}.*: 'add' at 0x[0-9a-f]+, calls: /);
  const all = await smf("run", path, "add", "2", "3", ...SUM, "--trace", "all");
  assertEquals(
    all.err.map((line) => line.split(" ")[0]),
    ["read", "place", "relocate", "start", "bind", "free"],
  );
});

Deno.test("a kind that does not exist is wrong usage, with the one that was meant", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", addModule());
  const { code, err } = await smf("run", path, "add", "2", "3", ...SUM, "--trace", "relod");
  assertEquals(code, 2);
  assertStringIncludes(err.join("\n"), "there is no 'relod' (did you mean 'reload'?)");
});

Deno.test("each kind of event has a line of its own", () => {
  const line = (facts: TraceFacts) => traceLine({ path: "a.smf", version: 2, ...facts });
  const address = 0x1000n, size = 4096, milliseconds = 1.234;
  assertEquals(
    [
      line({ kind: "read", size, known: false, milliseconds }),
      line({ kind: "place", address, size, milliseconds: 12.3 }),
      line({ kind: "resolve", name: "f", from: "library 'libm.so.6'", address }),
      line({ kind: "resolve", name: "f", from: "nobody", address: 0n }),
      line({ kind: "relocate", relocations: 3, milliseconds }),
      line({ kind: "start", milliseconds }),
      line({ kind: "promote", name: "f", address, callPath: "fast" }),
      line({ kind: "reload", step: "commit", milliseconds }),
      line({ kind: "hold", holder: "module 'b'" }),
      line({ kind: "free", size }),
      line({ kind: "watch" }),
    ],
    [
      "read     a.smf (version 2): 4096 bytes in 1.23 ms",
      "place    a.smf (version 2): 4096 bytes at 0x1000 in 12 ms",
      "resolve  a.smf (version 2): 'f' by library 'libm.so.6' at 0x1000",
      "resolve  a.smf (version 2): 'f' by nobody",
      "relocate a.smf (version 2): 3 relocations in 1.23 ms",
      "start    a.smf (version 2): initialisers in 1.23 ms",
      "promote  a.smf (version 2): 'f' at 0x1000, calls: fast",
      "reload   a.smf (version 2): commit in 1.23 ms",
      "hold     a.smf (version 2): module 'b'",
      "free     a.smf (version 2): 4096 bytes",
      "watch    a.smf (version 2): the file may have changed",
    ],
  );
});
