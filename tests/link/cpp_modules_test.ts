// Modules made from C++: they do what their sources say, and what the language promises.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { runChild } from "../call/modules.ts";
import { ask, programTest, programTests, RUNTIME } from "./program_tests.ts";
import { CATCHER, EXCEPTIONS, expectedOf, type Program, SHARED, THREADS, TOUR } from "./programs.ts";

function fileOf(name: string): URL {
  return new URL(`../../fixtures/cpp/${name}.smf`, import.meta.url);
}

const PROGRAMS: readonly (readonly [description: string, program: Program, modules: readonly string[]])[] = [
  ["exceptions and run-time types inside a module", EXCEPTIONS, ["exceptions"]],
  ["exceptions and run-time types across two modules", CATCHER, ["thrower", "catcher"]],
  ["strings, containers and streams", TOUR, ["tour"]],
  ["static objects, and templates of several objects", SHARED, ["shared"]],
  ["threads, and variables of their own with destructors", THREADS, ["threads"]],
];

for (const [description, program, names] of PROGRAMS) {
  programTests(`C++: ${description}`, program, names.map(fileOf));
}

programTest(
  "C++: destructors of static objects run when the module goes, last constructed first",
  async () => {
    const marks = new Uint8Array(8);
    await using registry = new ModuleRegistry({ libraries: RUNTIME });
    const module = registry.load(fileOf("shared"));
    assertEquals(ask(SHARED, module), expectedOf(SHARED));
    module.getFunction("leave_marks_at", { parameters: ["buffer"], result: "void" })!(marks);
    await module.closeAsync();
    assertEquals(new TextDecoder().decode(marks.subarray(0, 4)), "dcba");
  },
);

for (const way of ["fast", "pointer", "nonblocking", "Worker", "callback"]) {
  programTest(`C++: an exception that nobody catches ends the process and says so (${way})`, async () => {
    const child = await runChild(new URL("./escape_child.ts", import.meta.url), { args: [way] });
    assertEquals([child.signal, child.stdout], ["SIGABRT", "calling\n"], child.stderr);
    assertStringIncludes(child.stderr, "terminate called after throwing an instance of 'Problem'");
    assertStringIncludes(child.stderr, "a problem");
    assert(!child.stderr.includes("panic"), child.stderr);
  });
}
