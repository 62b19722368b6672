// Modules made from C++: they do what their sources say, and what the language promises.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { runChild } from "../call/modules.ts";
import { NOT_LINUX_X86_64 } from "../testing.ts";
import { ask, checkAtOnce, checkReloads, loadProgram, type Modules, RUNTIME } from "./program_tests.ts";
import { CATCHER, EXCEPTIONS, expectedOf, type Program, SHARED, TOUR } from "./programs.ts";

function hasRuntime(): boolean {
  if (NOT_LINUX_X86_64) return false;
  try {
    for (const name of RUNTIME) Deno.dlopen(name, {}).close();
    return true;
  } catch {
    return false;
  }
}

const RUNS = hasRuntime();

function cppTest(name: string, work: () => void | Promise<void>): void {
  Deno.test({
    name: RUNS ? name : `${name} (SKIPPED: needs libstdc++ on Linux x86-64)`,
    ignore: !RUNS,
    fn: work,
  });
}

function fileOf(name: string): URL {
  return new URL(`../../fixtures/cpp/${name}.smf`, import.meta.url);
}

function modulesOf(names: readonly string[]): Modules {
  return names.map((name) => [name, Deno.readFileSync(fileOf(name))]);
}

const PROGRAMS: readonly (readonly [description: string, program: Program, modules: readonly string[]])[] = [
  ["exceptions and run-time types inside a module", EXCEPTIONS, ["exceptions"]],
  ["exceptions and run-time types across two modules", CATCHER, ["thrower", "catcher"]],
  ["strings, containers and streams", TOUR, ["tour"]],
  ["static objects, and templates of several objects", SHARED, ["shared"]],
];

for (const [description, program, names] of PROGRAMS) {
  cppTest(`C++: ${description}`, () => {
    using registry = new ModuleRegistry({ libraries: RUNTIME });
    assertEquals(ask(program, loadProgram(registry, modulesOf(names))), expectedOf(program));
  });

  cppTest(`C++: ${description}, from Workers and calls that do not block, all at once`, async () => {
    await checkAtOnce(program, modulesOf(names), 20);
  });

  cppTest(`C++: ${description}, in 100 versions, one after the other, in the same memory`, async () => {
    await checkReloads(program, names.map(fileOf), 100);
  });
}

cppTest("C++: destructors of static objects run when the module goes, last constructed first", async () => {
  const marks = new Uint8Array(8);
  await using registry = new ModuleRegistry({ libraries: RUNTIME });
  const module = loadProgram(registry, modulesOf(["shared"]));
  assertEquals(ask(SHARED, module), expectedOf(SHARED));
  module.getFunction("leave_marks_at", { parameters: ["buffer"], result: "void" })!(marks);
  await module.closeAsync();
  assertEquals(new TextDecoder().decode(marks.subarray(0, 4)), "dcba");
});

for (const way of ["fast", "pointer", "nonblocking", "Worker", "callback"]) {
  cppTest(`C++: an exception that nobody catches ends the process and says so (${way})`, async () => {
    const child = await runChild(new URL("./escape_child.ts", import.meta.url), { args: [way] });
    assertEquals([child.signal, child.stdout], ["SIGABRT", "calling\n"], child.stderr);
    assertStringIncludes(child.stderr, "terminate called after throwing an instance of 'Problem'");
    assertStringIncludes(child.stderr, "a problem");
    assert(!child.stderr.includes("panic"), child.stderr);
  });
}
