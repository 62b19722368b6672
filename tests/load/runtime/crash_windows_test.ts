// The report of a crash in a module's code before the process ends (Windows).
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FOLDER } from "../../../fixtures/build_crashes.ts";
import { CRASH_IMAGE } from "../../../src/load/runtime/crash_image.ts";
import {
  ALL_NOTICE_OVERFLOWS,
  assertFrames,
  type ExpectedFrames,
  type Function,
  type Place,
  PLACES,
} from "../../support/crashes.ts";
import { lineOf } from "../../support/debug_sources.ts";
import { runChild } from "../../support/modules.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const CHILD = new URL("./crash_child.ts", import.meta.url);
const OTHERS = new URL("./crash_elsewhere_child.ts", import.meta.url);
const IS_WINDOWS = Deno.build.os === "windows" && Deno.build.arch === "x86_64";
function windowsTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: IS_WINDOWS ? name : `${name} (SKIPPED: needs Windows)`, ignore: !IS_WINDOWS, fn });
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  /** The output to standard error, without the lines of Wine. */
  readonly report: string;
}

async function run(child: URL, args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const { code, stdout, stderr } = await runChild(child, { args, env });
  return { code, stdout, report: stderr.replaceAll("\r", "").replaceAll(/^wine: .*\n/gm, "") };
}

const crash = (variant: string, name: Function, place: Place, reports: "on" | "off" = "on") =>
  run(CHILD, [variant, name, place, reports]);
const other = (name: string, env?: Record<string, string>) => run(OTHERS, [name], env);

/** The expectations of a function: the cause in the report, and its frames. */
interface Expected extends ExpectedFrames {
  readonly cause: string;
}

const NULL = "a null pointer was used";
const WRITES = "EXCEPTION_ACCESS_VIOLATION (0xc0000005), write to address 0x0";
const EXPECTED: Readonly<Record<Function, Expected>> = {
  by_store: { cause: WRITES, functions: ["store", "by_store"], next: NULL },
  by_libc: {
    cause: "EXCEPTION_ACCESS_VIOLATION (0xc0000005), read of address 0x0",
    functions: ["by_libc"],
    library: /^ {4}at strlen\+0x[0-9a-f]+ in msvcrt\.dll .*\n {4}at by_libc/m,
    next: NULL,
  },
  by_abort: {
    cause: "abort",
    functions: ["by_abort"],
    next: "the code ended the process itself, by abort()",
  },
  by_division: {
    cause: "EXCEPTION_INT_DIVIDE_BY_ZERO (0xc0000094), division by zero",
    functions: ["by_division"],
    next: "look at what the function divides by",
  },
  by_trap: {
    cause: "EXCEPTION_ILLEGAL_INSTRUCTION (0xc000001d), invalid instruction",
    functions: ["by_trap"],
    next: "the code came to a place that its compiler took for unreachable",
  },
  by_overflow: {
    cause: "EXCEPTION_STACK_OVERFLOW (0xc00000fd), stack overflow",
    functions: ["by_overflow"],
    next: "look for a recursion without end",
  },
  by_sort: {
    cause: WRITES,
    functions: ["store", "compare", "by_sort"],
    library: /compare\+.*\n( {4}at .*msvcrt\.dll.*\n)+ {4}at by_sort/m,
    next: NULL,
  },
  by_null_call: {
    cause: "EXCEPTION_ACCESS_VIOLATION (0xc0000005), call of address 0x0",
    functions: ["by_null_call"],
    next: NULL,
  },
};
/** How many frames a stack overflow has is another matter. */
const NAMES = (Object.keys(EXPECTED) as Function[]).filter((name) => name !== "by_overflow");

function assertReport(report: string, expected: Expected, place: Place): void {
  const [, what] = /^\nCrash in native code: (.*) \(thread \d+\)\n/.exec(report) ?? [];
  assertEquals(what, expected.cause, report);
  assertFrames(report, expected, place);
}

for (const place of PLACES) {
  windowsTest(`Windows: a crash in a module is reported: ${place}`, async () => {
    for (const name of place === "main" ? NAMES : ["by_store", "by_abort", "by_sort"] as const) {
      const { stdout, report } = await crash("plain", name, place);
      assertEquals(stdout, "", name);
      assertReport(report, EXPECTED[name], place);
    }
  });
}

windowsTest("Windows: unwind tables lead to the same frames", async () => {
  for (const name of NAMES) {
    assertReport((await crash("tables", name, "main")).report, EXPECTED[name], "main");
  }
});

windowsTest("Windows: a stack overflow is reported", async () => {
  for (const place of ALL_NOTICE_OVERFLOWS ? PLACES : ["main", "worker", "nonblocking"] as const) {
    const { report } = await crash("plain", "by_overflow", place);
    assertStringIncludes(report, `Crash in native code: ${EXPECTED.by_overflow.cause}`);
    assertMatch(report, /^ {4}at by_overflow\+.*\n {4}the same \d+ times more\n/m);
    assertStringIncludes(report, `\nnext: ${EXPECTED.by_overflow.next}`);
  }
});

windowsTest("Windows: a crash in an initialiser is reported", async () => {
  const { report } = await crash("start", "by_store", "main");
  assertReport(report, { ...EXPECTED.by_store, functions: ["store", "start"] }, "main");
});

windowsTest("Windows: a process ends as without reports, which say nothing if they are off", async () => {
  for (const name of NAMES) {
    const off = await crash("plain", name, "main", "off"), on = await crash("plain", name, "main");
    assertEquals([off.stdout, off.report], ["", ""], name);
    assertEquals(on.code, off.code, name);
    assert(off.code !== 0, name);
  }
});

windowsTest("Windows: a crash that has nothing to do with a module is not reported", async () => {
  const { code, stdout, report } = await other("elsewhere");
  assertEquals([stdout, report], ["2\n", ""]);
  assert(code !== 0);
});

windowsTest("Windows: what catches faults goes on catching them", async () => {
  const { code, stdout, report } = await other("engine");
  assertEquals([code, report], [0, ""]);
  assertEquals(stdout, "2\nRuntimeError RangeError\nin a callback: RuntimeError RangeError\n3\n");
  // A function of the system that tries whether memory can be read.
  assertEquals(await other("probe"), { code: 0, stdout: "6\n", report: "" });
});

windowsTest("Windows: a module's own blocks catch exceptions, and its tables lead to callers", async () => {
  assertEquals(await other("block"), { code: 0, stdout: "105\n", report: "" });
  assertReport(
    (await other("frame")).report,
    { cause: WRITES, functions: ["store", "in_frame", "by_frame"], next: NULL },
    "main",
  );
});

windowsTest("Windows: exceptions of C++ and of debuggers are left alone", async () => {
  for (const name of ["cpp", "breakpoint"]) {
    const { code, stdout, report } = await other(name);
    assertEquals([stdout, report], ["", ""], name);
    assert(code !== 0, name);
  }
});

windowsTest("Windows: handlers of the program's own come first, wherever they are in the list", async () => {
  for (const name of ["first-handler", "last-handler"]) {
    assertEquals(await other(name), { code: 0, stdout: "4 5\n", report: "" }, name);
  }
  assertEquals(await other("earlier-handler"), { code: 0, stdout: "4\n", report: "" });
});

windowsTest("Windows: versions, freed code and modules behind callbacks are named", async () => {
  assertMatch(
    (await other("reloaded")).report,
    /^ {4}at store\+0x[0-9a-f]+ in module 'crashes', version 2 \(/m,
  );
  assertMatch(
    (await other("nested")).report,
    /^ {4}at store\+.*\n {4}at by_store\+.*\n {4}from JavaScript\n/m,
  );
  const { report } = await other("freed");
  assertMatch(report, /^ {4}at offset 0x0 of module 'crashes', version 1, which was freed \(0x/m);
  assertStringIncludes(report, "\nnext: keep the module loaded");
});

windowsTest("Windows: file and line are named, if the file is still the one that was loaded", async () => {
  using directory = new TemporaryDirectory();
  const env = { CRASH_FOLDER: directory.path };
  const source = Deno.readTextFileSync(new URL("crashes.c", FOLDER)).replaceAll("\r", "");
  const named = [
    `store ${lineOf("*at = 1;", source)}`,
    `by_store ${lineOf("int by_store(int number)", source)}`,
  ];
  const none: string[] = [];
  for (
    const [name, expected] of [
      ["lines", named],
      ["lines4", named],
      ["bytes", named],
      ["changed", none],
      ["compressed", none],
    ] as const
  ) {
    const { report } = await other(name, env);
    const command = /^for lines of source: smf symbolize \S+crashes\.smf 0x\w+ 0x\w+$/m;
    assertEquals(command.test(report), name === "compressed", report);
    const lines = [...report.matchAll(/ at (\w+)\+0x[0-9a-f]+ \(\S*crashes\.c:(\d+)\) in module /g)];
    assertEquals(lines.map(([, name, line]) => `${name} ${line}`), expected, report);
  }
});

Deno.test("the image for Windows is complete: code in front, and a table behind it", () => {
  const { code, parts: [[, first, length], [, second]], size, names: { smf_system: table, ...functions } } =
    CRASH_IMAGE;
  assert(code % 4096 === 0 && first === 0 && length <= code && code <= second && second < size);
  for (const offset of Object.values(functions)) assert(offset > 0 && offset < code);
  assert(table >= code && table + 8 < size);
});
