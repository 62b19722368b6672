// Programs and libraries work as hot modules, whose calls go through entries.
import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { ask, programTest, RUNTIME } from "../support/program_tests.ts";
import { CATCHER, EXCEPTIONS, expectedOf, type Program, SHARED, THREADS, TOUR } from "../support/programs.ts";

const PROGRAMS:
  readonly (readonly [program: Program, modules: Readonly<Record<string, readonly string[]>>])[] = [
    [EXCEPTIONS, { exceptions: ["exceptions"] }],
    [CATCHER, { thrower: ["thrower"], catcher: ["catcher"] }],
    [TOUR, { tour: ["tour"] }],
    [SHARED, { shared: ["shared_a", "shared_b"] }],
    [THREADS, { threads: ["threads"] }],
  ];

for (const [program, modules] of PROGRAMS) {
  programTest(`C++: ${program.name} works as a hot module`, () => {
    using registry = new ModuleRegistry({ libraries: RUNTIME });
    let last;
    for (const [name, objects] of Object.entries(modules)) {
      const inputs = objects.map((object) => {
        const path = new URL(`../../fixtures/cpp/${object}.o`, import.meta.url);
        return { name: object, bytes: Deno.readFileSync(path) };
      });
      const bytes = linkObjects(inputs, { hot: true }).bytes as Uint8Array<ArrayBuffer>;
      assertEquals(parseSmf(bytes).entries() !== undefined, true);
      last = registry.loadBytes(name, bytes);
    }
    assertEquals(ask(program, last!), expectedOf(program));
  });
}
