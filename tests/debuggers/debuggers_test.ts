// Source-level debugging of modules, by the debuggers themselves: what they print is what they print of a shared
// library of the same source, but for addresses.
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  build,
  buildVersions,
  debuggerTest,
  gdb,
  gdbOfCommand,
  gdbOn,
  lldb,
  lldbOn,
  MAY_ATTACH,
  ORDERS_IN_DEEP,
  RunningChild,
  SOURCE,
  sourceLines,
  STOP_IN_DEEP,
  valuesIn,
} from "./support.ts";
import { lineOf } from "../support/debug_sources.ts";

const BREAK = lineOf("depth_reached =", SOURCE);

/** The number of modules that gdb has been told of, by its command `maint info jit`. */
const registrations = (text: string): number =>
  [...text.matchAll(/^0x[0-9a-f]+ +0x[0-9a-f]+ +\d+ *$/gm)].length;

debuggerTest(
  "gdb",
  "a breakpoint that is set before the module is loaded stops in it, as in a shared library",
  async (folder) => {
    for (const flags of [["-O0"], ["-O1"], ["-Og", "-gdwarf-4"]]) {
      await build(folder, { flags });
      const orders = [`break ${STOP_IN_DEEP}`, "run", ...ORDERS_IN_DEEP];
      const module = await gdb(folder, orders, "module", "deep.smf");
      const library = await gdb(folder, orders, "library", "deep.so");
      const expected = sourceLines(library);
      assert(expected.length >= 5, library);
      assertEquals(sourceLines(module), expected, module);
      assertEquals(valuesIn(module), valuesIn(library));
      assert(valuesIn(module).length >= 3, module);
    }
  },
);

debuggerTest("gdb", "a function's name is enough, and code goes on to its end", async (folder) => {
  await build(folder);
  for (const task of ["module", "group"]) {
    const text = await gdb(folder, ["break outer", "run", "bt 1", "delete", "continue"], task, "deep.smf");
    assertMatch(text, new RegExp(`#0  outer \\(n=3\\) at deep\\.c:${lineOf("calls++", SOURCE)}`));
    assertMatch(text, /result 19/);
  }
});

debuggerTest(
  "gdb",
  "step leads into a function and out of it, and smf run --debug tells of its module",
  async (folder) => {
    await build(folder);
    const text = await gdbOfCommand(
      folder,
      ["break outer", "run", "next", "step", "bt 2", "finish", "delete", "continue"],
      ...["run", "deep.smf", "outer", "0", "--debug"],
    );
    const [count, call] = ["calls++", "return inner(n) + 1"].map((part) => lineOf(part, SOURCE));
    assertMatch(text, new RegExp(`outer \\(n=0\\) at deep\\.c:${count}\n`));
    assertMatch(
      text,
      new RegExp(
        `#0  inner \\(n=0\\) at deep\\.c:\\d+\n#1  0x[0-9a-f]+ in outer \\(n=0\\) at deep\\.c:${call}\n`,
      ),
    );
    assertMatch(text, /Value returned is \$1 = 0\n/);
    assertMatch(text, /^1$/m);
  },
);

debuggerTest("gdb", "a backtrace goes through a guard to the same frames as without one", async (folder) => {
  await build(folder);
  const framesOf = async (task: string): Promise<string[]> => {
    const text = await gdb(folder, ["break outer", "run", "bt", "finish"], task, "deep.smf");
    assertMatch(text, /Value returned is \$1 = 19/);
    return text.split("\n").filter((line) => /^#\d+ /.test(line)).map((line) =>
      line.replace(/^#\d+ +(0x[0-9a-f]+ in )?/, "")
    );
  };
  const bare = await framesOf("module"), guarded = await framesOf("guarded");
  assertEquals(guarded[1], "smf_guard ()");
  assertEquals([guarded[0], guarded.length], [bare[0], bare.length + 1], guarded.join("\n"));
  // Only the first frames of the program are certain: it has no unwind tables.
  assertEquals(guarded[2], bare[1]);
});

debuggerTest(
  "gdb",
  "a backtrace goes through optimised code of a module without loaded unwind tables into Deno",
  async (folder) => {
    await build(folder, { flags: ["-O2", "-fomit-frame-pointer"] });
    const text = await gdb(folder, ["break usleep", "run", "bt"], "module", "deep.smf");
    const frames = text.split("\n").filter((line) => /^#\d+ /.test(line));
    const outer = frames.findIndex((line) => / in outer \(n=.*\) at deep\.c:/.test(line));
    assert(outer > 0, text);
    assert(frames.length > outer + 2, text);
  },
);

debuggerTest("gdb", "a watchpoint stops where the variable of a module changes", async (folder) => {
  await build(folder);
  const orders = ["break outer", "run", "watch depth_reached", "continue", "continue"];
  const values = (text: string) => text.match(/^(?:Old|New) value = .*$/gm);
  const look = async (...first: string[]) => {
    const [module, library] = await Promise.all([
      gdb(folder, [...first, ...orders], "module", "deep.smf"),
      gdb(folder, [...first, ...orders], "library", "deep.so"),
    ]);
    assertEquals(values(module), values(library));
    return values(module);
  };
  // Virtual machines may lack debug registers, which gdb does not notice: then it looks after each instruction.
  const seen = await look() ?? await look("set can-use-hw-watchpoints 0");
  assertEquals(seen, ["Old value = 0", "New value = 9", "Old value = 9", "New value = 6"]);
});

debuggerTest(
  "gdb",
  "after a reload breakpoints are in the new code, and variables that stayed are where they are",
  async (folder) => {
    await buildVersions(folder);
    const text = await gdb(
      folder,
      [
        "break outer",
        "run",
        "bt 1",
        "continue",
        "bt 1",
        "print calls",
        "delete",
        "continue",
      ],
      "reload",
      "deep.smf",
    );
    const stops = [...text.matchAll(/^#0 {2}outer \(n=3\) at deep\.c:(\d+)$/gm)].map(([, line]) =>
      Number(line)
    );
    const line = lineOf("calls++", SOURCE);
    assertEquals(stops, [line, line + 3], text);
    // The first version has counted one call; the second one's own variable is 0.
    assertMatch(text, /^\$1 = 1$/m);
    assertMatch(text, /result 19\n[^]*result 31\n/);
  },
);

debuggerTest(
  "gdb",
  "a frame in code that a reload has replaced shows the lines of its own source",
  async (folder) => {
    const source = `__attribute__((noinline)) int stop(void) { return 4; }
int calls(void (*callback)(void)) {
  callback();
  return stop();
}
`;
    await build(folder, { name: "second", source: `\n\n\n\n${source}` });
    await build(folder, { source });
    const text = await gdb(
      folder,
      ["break stop", "run", "bt 2", "delete", "continue"],
      "callback",
      "deep.smf",
    );
    const frames = text.split("\n").filter((line) => /^#[01] /.test(line)).map((line) =>
      line.replace(/0x\S+ in /, "")
    );
    assertEquals(frames.map((line) => line.replace(/\(callback=.*\)/, "()")), [
      "#0  stop () at deep.c:1",
      `#1  calls () at deep.c:${lineOf("return stop", source)}`,
    ], text);
    assertMatch(text, /result 4/);
  },
);

if (MAY_ATTACH) {
  debuggerTest("gdb", "a debugger that attaches finds the modules that are loaded", async (folder) => {
    await build(folder);
    await using child = new RunningChild(folder, "wait", "deep.smf");
    assertEquals(await child.line(), "ready");
    const text = await gdbOn(folder, child.pid, [
      `info line deep.c:${BREAK}`,
      "info address depth_reached",
      "detach",
    ]);
    assertMatch(text, new RegExp(`Line ${BREAK} of "deep\\.c" starts at address 0x[0-9a-f]+ <inner\\+`));
    assertMatch(text, /Symbol "depth_reached" is static storage at address 0x/);
  });

  debuggerTest(
    "gdb",
    "1,000 reloads leave no more registrations and files than versions in memory",
    async (folder) => {
      await build(folder);
      await using child = new RunningChild(folder, "many", "deep.smf", "1000");
      const [, files] = (await child.line()).split(" ");
      // Deno itself opens a few of its own in the meantime.
      assert(Number(files) < 8, files);
      const text = await gdbOn(folder, child.pid, ["maint info jit", "detach"]);
      assertEquals(registrations(text), 2, text);
    },
  );

  debuggerTest(
    "lldb",
    "a debugger that attaches finds the lines and functions of modules",
    async (folder) => {
      await build(folder);
      await using child = new RunningChild(folder, "wait", "deep.smf");
      await child.line();
      const text = await lldbOn(folder, child.pid, [
        `breakpoint set -f deep.c -l ${BREAK}`,
        "image lookup -v -n outer",
        "detach",
      ]);
      assertMatch(text, new RegExp(`Breakpoint 1: where = \\S+inner.* at deep\\.c:${BREAK}`));
      assertMatch(text, new RegExp(`LineEntry:.*deep\\.c:${lineOf("int outer", SOURCE)}`));
    },
  );

  debuggerTest("gdb", "with the last module goes the library that debuggers watch", async (folder) => {
    await build(folder);
    await using child = new RunningChild(folder, "closed", "deep.smf");
    assertEquals(await child.line(), "left 0");
    const text = await gdbOn(folder, child.pid, ["maint info jit", "detach"]);
    assertEquals(registrations(text), 0, text);
  });
}

debuggerTest(
  "lldb",
  "a breakpoint that is set before the module is loaded stops in it, as in a shared library",
  async (folder) => {
    await build(folder);
    const orders = [
      `breakpoint set -f deep.c -l ${BREAK} -c "n == 2"`,
      "run",
      "bt 3",
      "frame variable",
      "target variable depth_reached",
      "next",
      "finish",
    ];
    const [module, library] = await Promise.all([
      lldb(folder, orders, "module", "deep.smf"),
      lldb(folder, orders, "library", "deep.so"),
    ]);
    const about = (text: string) => sourceLines(text).filter((line) => /frame #/.test(line));
    assert(about(library).length >= 4, library);
    assertEquals(about(module), about(library), module);
    const values = (text: string) => text.match(/^\(int\) .*$/gm);
    assertEquals(values(module), values(library));
    assertEquals(values(module), ["(int) n = 2", "(int) local = 6", "(int) depth_reached = 9"]);
  },
);

debuggerTest(
  "lldb",
  "after a reload breakpoints are in the new code, with the lines of its source",
  async (folder) => {
    await buildVersions(folder);
    const text = await lldb(
      folder,
      ["breakpoint set -n outer", "run", "bt 1", "continue", "bt 1", "breakpoint delete -f", "continue"],
      "reload",
      "deep.smf",
    );
    const stops = [...text.matchAll(/^ +frame #0: 0x[0-9a-f]+ \S*outer\(n=3\) at deep\.c:(\d+)/gm)]
      .map(([, line]) => Number(line));
    const line = lineOf("calls++", SOURCE);
    // Each stop is shown when it happens, and by the backtrace.
    assertEquals(stops, [line, line, line + 3, line + 3], text);
    // The terminal of the program ends lines in its own way.
    assertMatch(text, /result 19\s[^]*result 31\s/);
  },
);
