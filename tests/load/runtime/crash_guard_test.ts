// Crashes that become exceptions, and those that must not.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError, ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import { ALL_NOTICE_OVERFLOWS, onSystem, PLACES } from "../../support/crashes.ts";
import { runChild } from "../../support/modules.ts";
import { casesOf } from "../../support/testing.ts";
import { BETWEEN } from "./guard_child.ts";
import { CHECKS } from "./guard_checks_child.ts";
import { CHECKS as WINDOWS_CHECKS, CPP_EXCEPTIONS } from "./guard_windows_child.ts";

const CASE = new URL("./guard_child.ts", import.meta.url);
const CHECK = new URL("./guard_checks_child.ts", import.meta.url);
const WINDOWS_CHECK = new URL("./guard_windows_child.ts", import.meta.url);

/** Whether there are guards on this system. */
const IS_WINDOWS = Deno.build.os === "windows";
const HAS_GUARDS = Deno.build.os === "linux" || (IS_WINDOWS && Deno.build.arch === "x86_64");
/** A child that hangs has failed; one that crashes is done in a fraction of this. Emulators take long. */
const LONGEST = Deno.build.os === "linux" && Deno.build.arch === "x86_64" ? 60_000 : 600_000;

function guardTest(name: string, run: () => Promise<void>): void {
  Deno.test({ name: HAS_GUARDS ? name : `${name} (SKIPPED: no guards here)`, ignore: !HAS_GUARDS, fn: run });
}

async function assertHolds(script: URL, name: string): Promise<void> {
  const { code, stdout, stderr } = await runChild(script, {
    args: [name],
    v8Flags: "--expose-gc",
    timeout: LONGEST,
  });
  assertEquals([code, stdout], [0, "held\n"], stderr);
}

for (const name of Object.keys(CHECKS)) guardTest(`guards: ${name}`, () => assertHolds(CHECK, name));

function windowsTest(name: string, run: () => Promise<void>): void {
  const isHere = IS_WINDOWS && HAS_GUARDS;
  Deno.test({ name: isHere ? name : `${name} (SKIPPED: needs Windows)`, ignore: !isHere, fn: run });
}

for (const name of Object.keys(WINDOWS_CHECKS)) {
  windowsTest(`guards on Windows: ${name}`, () => assertHolds(WINDOWS_CHECK, name));
}

windowsTest("guards on Windows: exceptions of C++ are left alone", async () => {
  for (const exception of CPP_EXCEPTIONS) {
    const { code, stdout, stderr } = await runChild(WINDOWS_CHECK, {
      args: ["raise", `${exception}`],
      timeout: LONGEST,
    });
    assert(code !== 0, stderr);
    assertEquals([stdout, stderr.includes("Crash in native code")], ["", false], stderr);
  }
});

/** The kinds of crashes: the function, its signal, and the functions of the module in the exception, if it can be one. */
const MATRIX: readonly (readonly [name: string, signal: Deno.Signal, functions?: string])[] = [
  ["by_store", "SIGSEGV", "store < by_store"],
  ["by_libc", "SIGSEGV", "by_libc"],
  ["by_free", "SIGSEGV"],
  ["by_stdio", "SIGSEGV"],
  ["by_sort", "SIGSEGV"],
  ["by_abort", "SIGABRT", "by_abort"],
  ["by_overflow", "SIGSEGV", "by_overflow < by_overflow"],
];

/** Asserts that a process has ended by a crash, after a report. */
function assertReported(
  { code, signal, stderr }: { code: number; signal: Deno.Signal | null; stderr: string },
  name: string,
  expected: Deno.Signal,
  ended: Deno.Signal = expected,
  message = "",
): void {
  if (IS_WINDOWS) assert(code !== 0, message);
  else assertEquals(signal, ended, message + stderr);
  assertStringIncludes(stderr, `Crash in native code: ${causeOf(name, expected)}`, message);
}

/** The cause of a crash, as reports and errors name it. */
function causeOf(name: string, signal: Deno.Signal): string {
  return IS_WINDOWS && name === "by_overflow" ? "EXCEPTION_STACK_OVERFLOW" : onSystem(signal);
}

/** The cases between guard and crash: under an emulator one of them for each crash, another at each place. */
function betweenOf(crash: number, place: number): readonly string[] {
  return Deno.build.arch === "x86_64" ? BETWEEN : [BETWEEN[(crash + place) % BETWEEN.length]];
}

for (const [index, place] of PLACES.entries()) {
  guardTest(`every crash ends in an exception or in a report: ${place}`, async () => {
    for (const [crash, [name, signal, functions]] of casesOf([...MATRIX.entries()], index)) {
      for (const between of betweenOf(crash, index)) {
        const message = `${name}, ${place}, ${between}`;
        const isOwnThread = between === "nothing" && place === "thread";
        if (name === "by_overflow" && isOwnThread && !ALL_NOTICE_OVERFLOWS) continue;
        // The call on a thread of the module's own has no guard; its callback runs in the isolate's thread.
        const isBehindGuard = between === "guarded callback" || (between === "nothing" && place !== "thread");
        const args = [name, place, between];
        const ended = await runChild(CASE, { args, timeout: LONGEST });
        if (functions !== undefined && isBehindGuard) {
          const where = between === "nothing" ? "" : "in the callback: ";
          assertEquals(
            ended.stdout,
            `${where}${causeOf(name, signal)} in ${functions}; others go on\n`,
            message + ended.stderr,
          );
          assertEquals([ended.code, ended.stderr], [0, ""], message);
          continue;
        }
        assertEquals(ended.stdout, "", message);
        // The Rust runtime's handler of before aborts when a stack of its own threads overflows.
        const isAborted = name === "by_overflow" && (place !== "thread" || between !== "nothing");
        assertReported(ended, name, signal, isAborted ? "SIGABRT" : signal, message);
      }
    }
  });
}

guardTest("a library that has called the module back is seen without unwind tables, too", async () => {
  for (const place of ["main", "nonblocking"]) {
    const ended = await runChild(CASE, { args: ["by_sort", place, "nothing", "plain"], timeout: LONGEST });
    assertEquals(ended.stdout, "", ended.stderr);
    assertReported(ended, "by_sort", "SIGSEGV");
    assertStringIncludes(ended.stderr, "at compare+");
  }
});

guardTest("another module that the module calls is not interrupted", async () => {
  const ended = await runChild(CHECK, { args: ["importer"], timeout: LONGEST });
  assertEquals(ended.stdout, "", ended.stderr);
  assertReported(ended, "by_store", "SIGSEGV");
});

Deno.test({
  name: "where there are no guards, the option is refused",
  ignore: HAS_GUARDS,
  fn() {
    const options = { onCrash: "throw" } as const;
    const path = "fixtures/mylib.smf";
    using registry = new ModuleRegistry();
    for (
      const load of [
        () => new ModuleRegistry(options).load(path),
        () => registry.load(path, options),
        () => registry.open(path, {}, options),
        () => new ModuleLoader(options).load(path),
        () => new ModuleLoader().load(path, undefined, options),
      ]
    ) {
      const error = assertThrows(load, LoadError);
      assertEquals([error.kind, error.hint], [
        "Unsupported",
        'leave out `onCrash: "throw"` here: a crash ends the process',
      ]);
    }
    assertEquals(registry.modules(), []);
  },
});

Deno.test("the option takes its two values only", () => {
  const options = { onCrash: "ignore" as "throw" };
  assertThrows(() => new ModuleRegistry(options), TypeError, "option 'onCrash' is the string 'ignore'");
  assertThrows(() => new ModuleLoader(options), TypeError, "onCrash");
});
