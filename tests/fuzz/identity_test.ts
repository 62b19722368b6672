// Runs some generated programs whose variables move about; `deno task fuzz --programs identity` runs more.
import { assert } from "@std/assert";
import { testOutputOf, testWithCompilers } from "../support/compilers.ts";
import { stress } from "../support/testing.ts";
import { fuzzFiles, fuzzIdentity } from "./identity/programs.ts";

/** Programs that once found a bug. */
const FINDINGS = [7, 14, 26, 37, 42];

testWithCompilers(
  ["gcc", "clang"],
  "a value that a reload keeps is that of the same variable of the source text, and the report tells which are kept",
  async (folder) => {
    const failed = (error: Error): never => {
      throw error;
    };
    const compilers = ["gcc", "clang"], length = 6;
    const { kept, fresh, moved } = await fuzzIdentity(
      folder,
      {
        seeds: Array.from({ length: Math.max(8, stress(200)) }, (_, index) => 1000 + index),
        compilers,
        length,
      },
      failed,
    );
    assert(kept > 100 && fresh > 50 && moved > 0, `${kept} kept, ${fresh} fresh, ${moved} moved`);
    await fuzzIdentity(folder, { seeds: FINDINGS, compilers, length: 8 }, failed);
  },
);

for (const compiler of ["aarch64-linux-gnu-gcc", "clang --target=aarch64-linux-gnu"]) {
  testOutputOf(compiler, `files from ${compiler} give no variable the home of another`, async (folder) => {
    const seeds = Array.from({ length: Math.max(6, stress(120)) }, (_, index) => 2000 + index);
    const counts = await fuzzFiles(folder, { seeds, compilers: [compiler], length: 6 }, (error) => {
      throw error;
    });
    assert(counts.judged > 30 && counts.fresh > 30, JSON.stringify(counts));
  });
}
