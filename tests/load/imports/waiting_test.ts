// The native functions in the stacks of errors that callbacks throw which other threads have called.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FOLDER } from "../../../fixtures/build_crashes.ts";
import { callersTest, textTest } from "../../support/callers.ts";
import { lineOf } from "../../support/debug_sources.ts";
import { runChild } from "../../support/modules.ts";

const CHILD = new URL("./waiting_child.ts", import.meta.url);
const LINE = lineOf("int call(function *run", Deno.readTextFileSync(new URL("crashes.c", FOLDER)));
const MODULE = "in module '\\w+', version 1";
/** The frame of the function that calls back, with its line in the source. */
const CALL = `    at call\\+0x[0-9a-f]+ \\([^()]*crashes\\.c:${LINE}\\) ${MODULE}`;
/** The frame of a function of the other fixture. */
const frameOf = (name: string): string =>
  `    at ${name}\\+0x[0-9a-f]+ \\([^()]*guarded\\.c:[0-9]+\\) ${MODULE}`;

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
}

async function run(name: string, variant = "lines"): Promise<Ended> {
  const { code, stdout, stderr } = await runChild(CHILD, { args: [name, variant] });
  assertEquals(code, 0, stderr);
  return { stdout: stdout.replaceAll("\r", ""), stderr: stderr.replaceAll("\r", "") };
}

callersTest("a callback of a nonblocking call has the native functions of its thread", async () => {
  const { stdout } = await run("nonblocking");
  // The callback returned 0 for the error.
  assertMatch(
    stdout,
    new RegExp(
      `^1\nRangeError: refused 1\n    at refuse .*\n    at callback .*waiting_child.*\n${CALL}\n` +
        `cause: the callback was called by native code\n${CALL}\n`,
    ),
  );
  assert(!stdout.includes("owned_callback.ts"), stdout);
});

callersTest("an error that no JavaScript can catch is written, with its native functions", async () => {
  const { stderr } = await run("nonblocking");
  assertMatch(
    stderr,
    new RegExp(`Uncaught \\(in callback of another thread\\) RangeError: refused 1\n(    at .*\n)+${CALL}`),
  );
});

callersTest("a callback of a module's own thread has native functions up to the thread's start", async () => {
  const { stdout } = await run("thread");
  const start = Deno.build.os === "windows" ? "(kernel32|ntdll)\\.dll" : "libc\\.so\\.6";
  assertMatch(stdout, new RegExp(`\n${frameOf("do_job")}\n(    at .* ${start}\n)+cause: `, "i"));
  assertEquals(stdout.includes("call_in_thread"), false);
});

callersTest("calls of other threads get their results", async () => {
  assertEquals((await run("passed")).stdout, "9 11\n");
});

callersTest("each of many threads that wait at once has its own native functions", async () => {
  const { stdout } = await run("together");
  const frames = [CALL, frameOf("call_and_crash"), frameOf("do_job")];
  const numbers = [...stdout.matchAll(/^RangeError: refused (\d+)\n(?: {4}at .*waiting_child.*\n)+(.*)$/gm)]
    .filter(([, number]) => number !== "0")
    .map(([, number, frame]) => {
      assertMatch(frame, new RegExp(`^${frames[Number(number) % 3]}$`), number);
      return Number(number);
    });
  const expected = Array.from({ length: 30 }, (_, index) => index + 3);
  assertEquals(numbers.toSorted((left, right) => left - right), expected);
});

callersTest(
  "a callback that JavaScript's thread calls meanwhile has the functions of that call",
  async () => {
    const { stdout } = await run("both");
    const [here, there] = stdout.slice(stdout.indexOf("RangeError")).split("\n\n");
    assertMatch(here, /^RangeError: refused 8\n/);
    assertMatch(here, new RegExp(`\n${CALL}\n    at `));
    assertEquals(here.includes("do_job"), false);
    assertMatch(
      there,
      new RegExp(`^RangeError: refused 7\n(    at .*waiting_child.*\n)+${frameOf("do_job")}\n`),
    );
    assertEquals(there.includes("at call+"), false);
  },
);

textTest("the stack ends with the native functions where V8 has cut it", async () => {
  assertMatch(
    (await run("deep")).stdout,
    new RegExp(`^RangeError.*(\n    at (refuse|deeper) .*){10}\n${CALL}\ncause`),
  );
});

textTest("a module without debug information and unwind tables has function and distance", async () => {
  assertStringIncludes((await run("nonblocking", "plain")).stdout, "in module 'crashes', version 1\n");
});
