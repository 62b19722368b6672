// Aborts of the C and C++ libraries in code of a module: reported, with the message of the runtime, never an exception.
import { assertEquals, assertMatch } from "@std/assert";
import { compileModule } from "../../support/compiled_module.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { lineOf } from "../../support/debug_sources.ts";
import { runChild } from "../../support/modules.ts";

const SOURCE = `#include <cassert>
#include <stdexcept>
extern "C" __attribute__((noinline)) int refuse(int number) {
  if (number != 5) throw std::runtime_error("no such number");
  return number;
}
extern "C" int by_exception(int number) noexcept { return refuse(number) + 1; }
extern "C" int by_assertion(int number) {
  assert(number == 5);
  return number;
}
`;

/** Each function: what its runtime writes, and the frames of the module. */
const CASES = [
  ["by_exception", "what\\(\\):  no such number", ["refuse", "by_exception"]],
  ["by_assertion", "Assertion `number == 5' failed", ["by_assertion"]],
] as const;
const LINES: Readonly<Record<string, number>> = {
  refuse: lineOf("throw std", SOURCE),
  by_exception: lineOf("int by_exception", SOURCE),
  by_assertion: lineOf("assert(", SOURCE),
};

for (const [name, message, functions] of CASES) {
  testWithCompilers(
    ["g++"],
    `an abort of a library is reported below its message: ${name}`,
    async (folder) => {
      const recipe = {
        flags: ["-g", "-O1", "-fPIC"],
        language: "cpp" as const,
        link: { unwind: true, needed: ["libstdc++.so.6"] },
      };
      const path = await compileModule(folder, "aborts", SOURCE, recipe);
      for (const onCrash of ["end", "throw"]) {
        const child = await runChild(new URL("./abort_child.ts", import.meta.url), {
          args: [path, name, onCrash],
        });
        assertEquals([child.signal, child.stdout], ["SIGABRT", "5\n"], child.stderr);
        const frames = functions.map((each) =>
          `    at ${each}\\+0x[0-9a-f]+ \\(\\S*aborts\\.cpp:${
            LINES[each]
          }\\) in module '\\S*aborts\\.smf', version 1 .*\n`
        ).join("");
        assertMatch(
          child.stderr,
          new RegExp(
            `${message}[^]*\nCrash in native code: SIGABRT \\(thread [^]*${frames}    from JavaScript\nnext: `,
          ),
        );
      }
    },
  );
}
