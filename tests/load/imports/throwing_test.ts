// The native functions in the stacks of errors that callbacks throw.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { callersTest, textTest } from "../../support/callers.ts";
import { lineOf } from "../../support/debug_sources.ts";
import { compileModule } from "../../support/compiled_module.ts";
import { compilesForHere } from "../../support/compilers.ts";
import { FOLDER } from "../../../fixtures/build_crashes.ts";
import { runChild } from "../../support/modules.ts";
import { TemporaryDirectory } from "../../support/testing.ts";
import { ModuleRegistry } from "../../../mod.ts";

const CHILD = new URL("./throwing_child.ts", import.meta.url);
const LINE = lineOf("int call(function *run", Deno.readTextFileSync(new URL("crashes.c", FOLDER)));
/** The frame of the function that calls back, with its line in the source. */
const CALL = `    at call\\+0x[0-9a-f]+ \\([^()]*crashes\\.c:${LINE}\\) in module 'crashes', version 1`;

async function run(
  name: string,
  variant = "lines",
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await runChild(CHILD, { args: [name, variant] });
  return { code, stdout: stdout.replaceAll("\r", ""), stderr: stderr.replaceAll("\r", "") };
}

callersTest("Deno's words about an error that nobody catches name the native functions", async () => {
  const { code, stderr } = await run("uncaught");
  assertEquals(code, 1);
  assertMatch(stderr, /Uncaught .*RangeError: refused 0/);
  assertMatch(
    stderr,
    new RegExp(`Caused by: NativeStack: the callback was called by native code\n${CALL}\n`),
  );
});

for (const name of ["caught", "fast", "many"]) {
  callersTest(`the stack has the native functions between those of JavaScript (${name})`, async () => {
    const { stdout, stderr } = await run(name);
    const between = `at callback \\(.*throwing_child\\.ts.*\\)\n${CALL}\n    at .*`;
    assertMatch(stdout, new RegExp(`^RangeError: refused 0\n    at refuse .*\n    ${between}`), stderr);
    // The wrapper of the callback is not the user's.
    assert(!stdout.includes("owned_callback.ts"), stdout);
    assertMatch(stdout, new RegExp(`^cause: the callback was called by native code\n${CALL}$`, "m"));
    assertStringIncludes(stdout, "[NativeStack: the native frames in the stack]");
  });
}

textTest("the stack ends with the native functions where V8 has cut it", async () => {
  const { stdout } = await run("deep");
  assertMatch(stdout, new RegExp(`^RangeError.*(\n    at (refuse|deeper) .*){10}\n${CALL}\ncause`));
});

callersTest("an error that passes several callbacks has the native functions of each", async () => {
  const both = `${CALL}\n    from JavaScript\n${CALL}`;
  assertMatch((await run("nested")).stdout, new RegExp(`^cause: .*\n${both}$`, "m"));
  const { stdout } = await run("recursive");
  assertMatch(stdout, new RegExp(`^cause: .*\n${both}\n    from JavaScript\n${both}$`, "m"));
});

textTest("an error with a cause keeps it, and its stack has the native functions", async () => {
  const { stdout } = await run("cause");
  assertMatch(stdout, /^cause: the user's$/m);
  assertMatch(stdout, new RegExp(`at callback .*\n${CALL}\n`));
});

textTest(
  "an error that cannot be changed, and a value that is not an error, are thrown as they are",
  async () => {
    const { stdout } = await run("frozen");
    assertMatch(stdout, /^Error: frozen\n/);
    assertStringIncludes(stdout, "cause: undefined");
    assertEquals((await run("word")).stdout, "a word\n");
  },
);

textTest("without code of a module in between nothing is added", async () => {
  const { stdout } = await run("direct");
  assertMatch(stdout, /^RangeError: refused 0\n/);
  assertStringIncludes(stdout, "cause: undefined");
});

callersTest("a module without debug information and unwind tables has function and distance", async () => {
  const { stdout } = await run("caught", "plain");
  assertMatch(stdout, /\n {4}at call\+0x[0-9a-f]+ in module 'crashes', version 1\n/);
});

const SOURCE = `#include <stdlib.h>
int order(const void *left, const void *right);
static inline __attribute__((always_inline)) void sort(int *numbers) { qsort(numbers, 3, sizeof *numbers, order); }
int sorted(void) {
  int numbers[] = {3, 1, 2};
  sort(numbers);
  return numbers[0];
}
long many(int a, long b, long c, long d, long e, long f, long g, double h, short i, long j);
long call_many(void) { return many(-1, 2, 3, 4, 5, 6, 7, 8.5, -9, 10) + 1; }
struct pair { double left; long right; };
struct large { long words[4]; };
struct large give(struct pair pair, struct large large);
long call_give(void) {
  struct pair pair = {1.5, 2};
  struct large large = {{3, 4, 5, 6}};
  large = give(pair, large);
  return large.words[0] + large.words[3];
}
`;
const CANNOT_COMPILE = !compilesForHere();

Deno.test({
  name: `frames of the C library and of inlined functions are there, and arguments pass${
    CANNOT_COMPILE ? " (SKIPPED: needs cc for this processor)" : ""
  }`,
  ignore: CANNOT_COMPILE,
  fn: async () => {
    using folder = new TemporaryDirectory();
    const recipe = { flags: ["-g", "-O2", "-fPIC"], link: { unwind: true } };
    const path = await compileModule(folder.path, "sort", SOURCE, recipe);
    let failure: Error | undefined;
    const seen: unknown[] = [];
    const PAIR = { struct: ["f64", "i64"] } as const,
      LARGE = { struct: ["i64", "i64", "i64", "i64"] } as const;
    using registry = new ModuleRegistry({
      imports: {
        order: {
          parameters: ["pointer", "pointer"],
          result: "i32",
          callback() {
            throw failure = new Error("no order");
          },
        },
        many: {
          parameters: ["i32", "i64", "i64", "i64", "i64", "i64", "i64", "f64", "i16", "i64"],
          result: "i64",
          callback(...values: unknown[]) {
            seen.push(...values);
            return 41n;
          },
        },
        give: {
          parameters: [PAIR, LARGE],
          result: LARGE,
          callback(pair: Uint8Array, large: Uint8Array) {
            seen.push(new DataView(pair.buffer, pair.byteOffset).getFloat64(0, true));
            return new Uint8Array(
              new BigInt64Array(new BigInt64Array(large.slice().buffer).map((word) => word * 2n)).buffer,
            );
          },
        },
      },
    });
    const module = registry.load(path);
    const long = { parameters: [], result: "i64" } as const;
    assertEquals(module.getFunction("call_many", long)!(), 42n);
    assertEquals(module.getFunction("call_give", long)!(), 18n);
    assertEquals(seen, [-1, 2n, 3n, 4n, 5n, 6n, 7n, 8.5, -9, 10n, 1.5]);

    // Deno drops the error when the next comparison begins, but it has its frames.
    try {
      module.getFunction("sorted", { parameters: [], result: "i32" })!();
    } catch (error) {
      assertEquals(error, failure);
    }
    const [sort, sorted] = ["qsort(numbers", "  sort(numbers)"].map((text) => lineOf(text, SOURCE));
    assertMatch(
      failure!.stack!,
      new RegExp(
        `\n    at .*in libc\\.so\\.6\n    at sort \\(.*sort\\.c:${sort}\\), inlined\n` +
          `    at sorted\\+0x[0-9a-f]+ \\(.*sort\\.c:${sorted}\\) in module '.*sort\\.smf', version 1\n`,
      ),
    );
  },
});
