// Programs and libraries work as hot modules, whose calls go through entries.
import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { parseSmf } from "../../src/smf/file.ts";
import {
  ask,
  CPP_PROGRAMS,
  linkedModules,
  loadProgram,
  programTest,
  RUNTIME,
} from "../support/program_tests.ts";
import { expectedOf } from "../support/programs.ts";

for (const [program, modules] of CPP_PROGRAMS) {
  programTest(`C++: ${program.name} works as a hot module`, () => {
    using registry = new ModuleRegistry({ libraries: RUNTIME });
    const linked = linkedModules(modules, { hot: true });
    for (const [, bytes] of linked) assertEquals(parseSmf(bytes).entries() !== undefined, true);
    assertEquals(ask(program, loadProgram(registry, linked)), expectedOf(program));
  });
}
