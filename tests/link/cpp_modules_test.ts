// Modules made from C++: their functions behave as their sources and the language say.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { linkObjects, ModuleRegistry } from "../../mod.ts";
import { runChild } from "../support/modules.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { ask, programTest, programTests, RUNTIME } from "../support/program_tests.ts";
import { CATCHER, EXCEPTIONS, expectedOf, type Program, SHARED, THREADS, TOUR } from "../support/programs.ts";

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
    assertMatch(
      child.stderr,
      /SIGABRT[^]*\n {4}at raise_problem\+0x[0-9a-f]+ in module '.*thrower\.smf', version 1 /,
    );
    assert(!child.stderr.includes("panic"), child.stderr);
  });
}

testWithCompilers(
  ["g++"],
  "C++: an initialiser catches what a module that starts after it throws",
  async (folder) => {
    const sources = {
      early: `extern "C" int raise(int n);
      extern "C" int one(void) { return 1; }
      static int start() { try { return raise(40); } catch (int value) { return value; } }
      static int caught = start();
      extern "C" int caught_at_start(void) { return caught; }`,
      late: `extern "C" int one(void);
      extern "C" int raise(int n) { if (n > 0) throw n + one(); return 0; }`,
    };
    const files = await Promise.all(
      Object.entries(sources).map(async ([name, source]) => {
        Deno.writeTextFileSync(`${folder}/${name}.cpp`, source);
        await compile("g++", ["-O2", "-fPIC", "-c", "-o", `${folder}/${name}.o`, `${folder}/${name}.cpp`]);
        const { bytes } = linkObjects([{
          name: `${name}.o`,
          bytes: Deno.readFileSync(`${folder}/${name}.o`),
        }]);
        Deno.writeFileSync(`${folder}/${name}.smf`, bytes);
        return `${folder}/${name}.smf`;
      }),
    );
    // Each imports from the other, so they are loaded together.
    await using registry = new ModuleRegistry({ libraries: RUNTIME });
    const [early] = registry.loadAll(files);
    assertEquals(early.getFunction("caught_at_start", { parameters: [], result: "i32" })!(), 41);
  },
);
