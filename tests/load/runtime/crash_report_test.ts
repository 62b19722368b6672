// The report of a crash in a module's code before the process ends (Linux).
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FOLDER } from "../../../fixtures/build_crashes.ts";
import {
  assertFrames,
  type ExpectedFrames,
  type Function,
  type Place,
  PLACES,
} from "../../support/crashes.ts";
import { lineOf } from "../../support/debug_sources.ts";
import { casesOf, TemporaryDirectory } from "../../support/testing.ts";
import { runChild } from "../../support/modules.ts";
import { smf } from "../../support/smf_command.ts";
import { linuxTest } from "../../support/threads.ts";

const CHILD = new URL("./crash_child.ts", import.meta.url);
const IS_X86 = Deno.build.arch === "x86_64";

/** The lines of qemu, which a test on another processor runs under. */
const EMULATOR = /^qemu: .*\n/gm;

async function crash(
  [variant, name, place]: readonly [variant: string, name: Function, place: Place],
  reports: "on" | "off" = "on",
): Promise<{ signal: string | null; stdout: string; report: string }> {
  const { signal, stdout, stderr } = await runChild(CHILD, { args: [variant, name, place, reports] });
  return { signal, stdout, report: stderr.replaceAll(EMULATOR, "") };
}

/** The expectations of a function: the signal, the cause in the report, and its frames. */
interface Expected extends ExpectedFrames {
  readonly signal: Deno.Signal;
  readonly cause: RegExp;
}

const NULL = "a null pointer was used";
// Emulators do not tell what an access did.
const WRITES = IS_X86 ? /^SIGSEGV, write to address 0x0$/ : /^SIGSEGV, (write|access) to address 0x0$/;
const READS = IS_X86 ? /^SIGSEGV, read of address 0x0$/ : /^SIGSEGV, (read of|access to) address 0x0$/;
const EXPECTED: Readonly<Record<Function, Expected>> = {
  by_store: {
    signal: "SIGSEGV",
    cause: WRITES,
    functions: ["store", "by_store"],
    next: NULL,
  },
  by_libc: {
    signal: "SIGSEGV",
    cause: READS,
    functions: ["by_libc"],
    library: /^ {4}at strlen\+0x[0-9a-f]+ in libc\.so\.6 .*\n {4}at by_libc/m,
    next: NULL,
  },
  by_abort: {
    signal: "SIGABRT",
    cause: /^SIGABRT$/,
    functions: ["by_abort"],
    library: /^ {4}at abort\+0x[0-9a-f]+ in libc\.so\.6 .*\n {4}at by_abort/m,
    next: "the code ended the process itself, by abort()",
  },
  by_division: {
    signal: "SIGFPE",
    cause: /^SIGFPE, division by zero/,
    functions: ["by_division"],
    next: "look at what the function divides by",
  },
  by_trap: {
    signal: IS_X86 ? "SIGILL" : "SIGTRAP",
    cause: IS_X86 ? /^SIGILL, invalid instruction$/ : /^SIGTRAP, trap$/,
    functions: ["by_trap"],
    next: "the code came to a place that its compiler took for unreachable",
  },
  by_overflow: {
    // The Rust runtime's own handler of before says so, and aborts.
    signal: "SIGABRT",
    cause: /^SIGSEGV, stack overflow at 0x[0-9a-f]+$/,
    functions: ["by_overflow", "by_overflow"],
    next: "look for a recursion without end",
  },
  by_sort: {
    signal: "SIGSEGV",
    cause: WRITES,
    functions: ["store", "compare", "by_sort"],
    library: /compare\+.*\n( {4}at .*libc\.so\.6.*\n)+ {4}at by_sort/m,
    next: NULL,
  },
  by_null_call: {
    signal: "SIGSEGV",
    cause: /^SIGSEGV, call of address 0x0$/,
    functions: ["by_null_call"],
    next: NULL,
  },
};

/** AArch64 divides by zero without a signal. */
const CASES = (Object.keys(EXPECTED) as Function[]).filter((name) => IS_X86 || name !== "by_division");

function assertReport(report: string, expected: Expected, place: Place): void {
  const [, what] = /^\nCrash in native code: (.*) \(thread \d+, .+\)\n/.exec(report) ?? [];
  assertMatch(what ?? report, expected.cause);
  assertFrames(report, expected, place);
}

for (const [index, place] of PLACES.entries()) {
  linuxTest(`a crash in a module is reported: ${place}`, async () => {
    for (const name of casesOf(CASES, index)) {
      const expected = EXPECTED[name];
      const { signal, stdout, report } = await crash(["plain", name, place]);
      assertEquals(stdout, "");
      // The handler of before knows the stacks of Deno's threads only.
      const own = name === "by_overflow" && place === "thread" ? "SIGSEGV" : expected.signal;
      assertEquals(signal, own, `${name}\n${report}`);
      assertReport(report, expected, place);
    }
  });
}

linuxTest("unwind tables lead to the same frames", async () => {
  for (const name of casesOf(CASES, 1)) {
    const { signal, report } = await crash(["tables", name, "main"]);
    assertEquals(signal, EXPECTED[name].signal, report);
    assertReport(report, EXPECTED[name], "main");
  }
});

linuxTest("a crash in an initialiser is reported", async () => {
  const { signal, report } = await crash(["start", "by_store", "main"]);
  assertEquals(signal, "SIGSEGV");
  assertReport(report, { ...EXPECTED.by_store, functions: ["store", "start"] }, "main");
});

linuxTest("without reports a process ends by the same signal, and says nothing", async () => {
  for (const name of casesOf(CASES, 2)) {
    const { signal, report } = await crash(["plain", name, "main"], "off");
    assertEquals(signal, EXPECTED[name].signal);
    if (name === "by_overflow") assertMatch(report, /has overflowed its stack/);
    else assertEquals(report, "");
  }
});

const OTHERS = new URL("./crash_elsewhere_child.ts", import.meta.url);

async function other(
  name: string,
  env: Record<string, string> = {},
): Promise<{ signal: string | null; stdout: string; report: string }> {
  const { signal, stdout, stderr } = await runChild(OTHERS, { args: [name], env });
  return { signal, stdout, report: stderr.replaceAll(EMULATOR, "") };
}

linuxTest("a crash that has nothing to do with a module is not reported", async () => {
  assertEquals(await other("elsewhere"), { signal: "SIGSEGV", stdout: "2\n", report: "" });
  assertEquals(await other("killed"), { signal: "SIGABRT", stdout: "2\n", report: "" });
});

linuxTest("what catches faults goes on catching them: WebAssembly, and JavaScript's stack", async () => {
  const { signal, stdout, report } = await other("engine");
  assertEquals([signal, report], [null, ""]);
  assertEquals(stdout, "2\nRuntimeError RangeError\nin a callback: RuntimeError RangeError\n3\n");
});

linuxTest("handlers of the program's own come first, installed before or after", async () => {
  assertEquals(await other("handled-before"), { signal: null, stdout: "11\n11\n", report: "" });
  assertEquals(await other("handled-after"), { signal: null, stdout: "11\n11\n", report: "" });
});

linuxTest("a signal that the program listens to does not end it", async () => {
  assertEquals(await other("listened"), { signal: null, stdout: "2\ncame\n", report: "" });
});

linuxTest("code that was freed is named", async () => {
  const { signal, report } = await other("freed");
  assertEquals(signal, "SIGSEGV");
  assertMatch(report, /SIGSEGV, call of address 0x/);
  assertMatch(report, /^ {4}at offset 0x0 of module 'crashes', version 1, which was freed \(0x/m);
  assertStringIncludes(report, "\nnext: keep the module loaded");
});

linuxTest(
  "with debug information file and line are named, if the file is still the one that was loaded",
  async () => {
    using directory = new TemporaryDirectory();
    const env = { CRASH_FOLDER: directory.path };
    const lines = (report: string) =>
      [...report.matchAll(/ at (\w+)\+0x[0-9a-f]+ \((\S*)crashes\.c:(\d+)\) in module /g)]
        .map(([, name, folder, line]) => `${name} ${folder === "" ? "" : "in a folder "}${line}`);
    const source = Deno.readTextFileSync(new URL("crashes.c", FOLDER));
    const store = lineOf("*at = 1;", source), byStore = lineOf("int by_store(int number)", source);
    const named = [`store in a folder ${store}`, `by_store in a folder ${byStore}`];
    for (const name of ["lines", "bytes"]) {
      const { signal, report } = await other(name, env);
      assertEquals([signal, lines(report)], ["SIGSEGV", named], report);
    }
    // DWARF 4 has the folder of the compilation elsewhere.
    assertEquals(lines((await other("lines4", env)).report).map((line) => line.replace("in a folder ", "")), [
      `store ${store}`,
      `by_store ${byStore}`,
    ]);
    for (const name of ["compressed", "companion", "changed"]) {
      const { signal, report } = await other(name, env);
      assertEquals([signal, lines(report)], ["SIGSEGV", []]);
      assertMatch(report, /^ {4}at store\+0x[0-9a-f]+ in module /m);
      const [, command] =
        /^for lines of source: smf (symbolize \S+crashes\.smf 0x\w+ 0x\w+)$/m.exec(report) ??
          [];
      // Of a file that has changed nobody can say anything any more.
      if (name === "changed") {
        assert(!report.includes("for lines of source"), report);
        continue;
      }
      const { code, out } = await smf(...command.split(" "));
      assertEquals(code, 0);
      assertEquals(
        out.map((line) => line.replace(/^0x\w+ (\w+)\S+ at \S*crashes\.c:(\d+)$/, "$1 $2")),
        [`store ${store}`, `by_store ${byStore}`],
      );
    }
  },
);

linuxTest("threads that a module starts get an alternate stack for signals, and give it back", async () => {
  const { signal, stdout, report } = await other("stacks");
  assertEquals([signal, report], [null, ""]);
  const [first, all, more, firstWithout, allWithout] = stdout.trim().split(/,? /).map(Number);
  assertEquals([first, all, firstWithout, allWithout], [100, 2000, 0, 0]);
  // The C library keeps some stacks of threads.
  assert(more < 40, stdout);
});

linuxTest("the version that crashes is named, and the module behind a callback", async () => {
  const { signal, report } = await other("reloaded");
  assertEquals(signal, "SIGSEGV");
  assertMatch(report, /^ {4}at store\+0x[0-9a-f]+ in module 'crashes', version 2 \(/m);
  const { report: nested } = await other("nested");
  assertMatch(nested, /^ {4}at store\+.*\n {4}at by_store\+.*\n {4}from JavaScript\n/m);
});

linuxTest("threads that crash at once make one report", async () => {
  const { signal, report } = await other("at-once");
  assert(signal === "SIGSEGV");
  assertEquals(report.match(/Crash in native code/g)?.length, 1, report);
  assertMatch(report, /next: a null pointer was used.*\n$/);
});
