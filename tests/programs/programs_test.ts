// Whole programs: as a module each does what it does as a native program, also over two reloads with carried
// state. SMF_PROGRAMS names a folder of other programs, each one source file, to do the same with.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { walkSources } from "./sources.ts";
import { comparePrograms, type Outcome } from "./compare.ts";
import { VARIANTS, wantedOptions } from "./build.ts";
import { canRun } from "../support/real_archives.ts";
import { hasCommand, testWithCompilers } from "../support/compilers.ts";
import { casesOf } from "../support/testing.ts";

const OWN = walkSources(new URL("./sources/", import.meta.url));

function report(outcomes: readonly Outcome[], kind: Outcome["kind"]): string[] {
  return outcomes.filter((outcome) => outcome.kind === kind).map(({ name, detail }) => `${name}: ${detail}`);
}

for (const [index, variant] of VARIANTS.entries()) {
  const runs = canRun && ["gcc", variant.c, variant.cpp].every(hasCommand);
  const skipped = runs ? "" : ` (SKIPPED: needs gcc and ${variant.c} on Linux x86-64)`;

  Deno.test({
    name: `programs do as modules in three versions what they do natively, ${variant.name}${skipped}`,
    ignore: !runs,
    async fn() {
      assert(OWN.length >= 30);
      const outcomes = await comparePrograms(casesOf(OWN, index), variant);
      const odd = (["different", "refused", "skipped"] as const).flatMap((kind) => report(outcomes, kind));
      assertEquals(odd, []);
    },
  });

  const folder = Deno.env.get("SMF_PROGRAMS");
  if (folder === undefined) continue;
  Deno.test({
    name: `programs in ${folder} do as modules what they do natively, ${variant.name}${skipped}`,
    ignore: !runs,
    async fn() {
      const sources = walkSources(folder);
      assert(sources.length > 0, `${folder} has no sources`);
      const outcomes = await comparePrograms(sources, variant);
      const refused = report(outcomes, "refused"), different = report(outcomes, "different");
      const skippedCount = report(outcomes, "skipped").length;
      console.log(
        `${variant.name}: ${outcomes.length} programs, ${outcomes.length - skippedCount} compared, ` +
          `${different.length} differ, ${refused.length} are refused`,
      );
      for (const line of refused) console.log(`refused: ${line}`);
      assertEquals(different, []);
    },
  });
}

testWithCompilers(
  ["gcc", "g++"],
  "every way in which a program can come out is told apart",
  async (folder) => {
    const programs = {
      "a_exits.c": '#include <stdlib.h>\n#include <stdio.h>\nint main(void) { puts("text"); exit(3); }',
      "b_aborts.c": "#include <stdlib.h>\nint main(void) { abort(); }",
      "c_empty.c": "int main(void) { __builtin_unreachable(); }",
      "d_is_broken.c": "int main(void) { return unknown; }",
      "e_forgets.c":
        '#include <stdio.h>\nstatic __thread int n;\nint main(void) { printf("%d", ++n); return 0; }',
      "f_is_random.c": '#include <stdio.h>\nint main(void) { int x; printf("%p", (void *)&x); return 0; }',
      "g_goes_on.c": "static int n; int main(void) { return ++n; }",
    };
    for (const [name, text] of Object.entries(programs)) Deno.writeTextFileSync(`${folder}/${name}`, text);
    const outcomes = await comparePrograms(walkSources(folder), VARIANTS[1]);
    assertEquals(outcomes.map(({ name, kind }) => `${name}: ${kind}`), [
      "a_exits.c (gcc -O2): same",
      "b_aborts.c (gcc -O2): same",
      "c_empty.c (gcc -O2): refused",
      "d_is_broken.c (gcc -O2): skipped",
      "e_forgets.c (gcc -O2): different",
      "f_is_random.c (gcc -O2): skipped",
      "g_goes_on.c (gcc -O2): same",
    ]);
    const ending = (output: string) => JSON.stringify({ output, code: 0, signal: null });
    assertEquals(
      outcomes[4].detail,
      `native ${ending("1\n[0]\n2\n[0]\n3\n[0]\n")}, module ${ending("1\n[0]\n1\n[0]\n1\n[0]\n")}`,
    );
    assertStringIncludes(outcomes[2].detail, "the entry point has no instructions");
  },
);

Deno.test("options of gcc's own tests are read from their comments, those of the harness stay", () => {
  const source =
    '/* { dg-options "-O3 -std=gnu89  -fwrapv" } */\n/* { dg-additional-options "-fno-builtin" } */';
  assertEquals(wantedOptions(source), ["-std=gnu89", "-fwrapv", "-fno-builtin"]);
});
