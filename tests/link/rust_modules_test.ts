// Modules made from Rust, with its standard library inside.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runChild } from "../support/modules.ts";
import { programTest, programTests } from "../support/program_tests.ts";
import { RUST } from "../support/programs.ts";

const FILE = new URL("../../fixtures/rust/tour.smf", import.meta.url);

programTests("Rust: collections, text, threads and panics", RUST, [FILE]);

for (const way of ["fast", "pointer", "nonblocking"]) {
  programTest(`Rust: a panic that would leave the module ends the process and says so (${way})`, async () => {
    const child = await runChild(new URL("./panic_child.ts", import.meta.url), { args: [way] });
    assertEquals([child.signal, child.stdout], ["SIGABRT", "calling\n"], child.stderr);
    assertStringIncludes(child.stderr, "panicked with 5");
    assertStringIncludes(child.stderr, "panic in a function that cannot unwind");
    assertMatch(
      child.stderr,
      /SIGABRT[^]*\n {4}at panic_out\+0x[0-9a-f]+ in module '.*tour\.smf', version 1 /,
    );
    assert(!child.stderr.includes("Deno"), child.stderr);
  });
}
