// TinyCC as the compiler: code, state without types, errors, C++ beside it.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { build, cc, CompileError, LoadError } from "../../src/build/mod.ts";
import { dialectOf } from "../../src/build/dialects.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { testWithCompilers } from "../support/compilers.ts";

const tcc = { compiler: "tcc" };

testWithCompilers(
  ["tcc"],
  "code of TinyCC runs, with the functions of its own library, which the module does not export",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/by.h`, "#define BY 2\n");
    Deno.writeTextFileSync(
      `${folder}/c.c`,
      `#include <stdarg.h>
      #include <string.h>
      #include <math.h>
      #include "by.h"
      struct pair { double a, b; };
      double hyp(struct pair p) { return sqrt(p.a * p.a + p.b * p.b); }
      static int sum(int n, ...) {
        va_list list; va_start(list, n);
        int all = 0; while (n--) all += va_arg(list, int);
        va_end(list); return all;
      }
      int six(void) { return sum(3, 1, BY, 3); }
      unsigned long whole(double d) { return (unsigned long) d; }
      static int (*const table[])(void) = { six };
      int called(void) { return table[0]() * (int) strlen("abc"); }`,
    );
    using library = await cc("c.c", {
      folder,
      ...tcc,
      symbols: {
        hyp: { parameters: [{ struct: ["f64", "f64"] }], result: "f64" },
        six: { parameters: [], result: "i32" },
        whole: { parameters: ["f64"], result: "u64" },
        called: { parameters: [], result: "i32" },
      },
    });
    const { hyp, six, whole, called } = library.symbols;
    const pair = new Uint8Array(new Float64Array([3, 4]).buffer);
    assertEquals([hyp(pair), six(), whole(1e19), called()], [5, 6, 10_000_000_000_000_000_000n, 18]);
    const { map, dependencies } = library.built;
    assertEquals(map.exports.map(({ name }) => name).toSorted(), ["called", "hyp", "six", "whole"]);
    assert(
      !map.imports.some(({ name }) => name.startsWith("__")),
      map.imports.map(({ name }) => name).join(),
    );
    assertEquals(dependencies.toSorted(), ["by.h", "c.c"]);
    Deno.writeTextFileSync(`${folder}/by.h`, "#define BY 7\n");
    await library.rebuild();
    assertEquals(six(), 11);
  },
);

testWithCompilers(
  ["tcc"],
  "variables keep their values by name and size: of the file, of functions, and exported ones",
  async (folder) => {
    const write = (more: string, by: number) =>
      Deno.writeTextFileSync(
        `${folder}/c.c`,
        `${more}
        static long total = 1; static char small; static int resized${by > 1 ? "[2]" : ""}; int calls;
        #define resized_at(i) (*((int *) &resized + i))
        long count(void) { static int times = 40; calls += ${by}; times++; small++; resized_at(0)++; return total += times; }
        const char *text(void) { return small == 1 ? "one" : "more ${by}"; }`,
      );
    write("", 1);
    using library = await cc("c.c", {
      folder,
      ...tcc,
      symbols: {
        count: { parameters: [], result: "i64" },
        text: { parameters: [], result: "cstring" },
        calls: { type: "i32" },
      },
    });
    const { count, text } = library.symbols;
    assertEquals([count(), library.symbols.calls, text()], [42n, 1, "one"]);
    // A variable before the others moves all of them; texts are among them.
    write("static int before = 3; int other(void) { return before++; }", 10);
    const report = await library.rebuild();
    assertEquals(report!.kept.toSorted(), ["calls", "small", "times", "total"]);
    assertEquals(report!.fresh.map(({ name }) => name).toSorted(), ["before", "resized"]);
    assertEquals([count(), library.symbols.calls, text()], [84n, 11, "more 10"]);
  },
);

testWithCompilers(
  ["tcc"],
  "without definitions the error says that TinyCC tells no types, and what to do",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/c.c`, "int f(void) { return 1; }");
    const { bytes } = await build("c.c", { folder, ...tcc });
    // A version that writes DWARF needs no definitions.
    if (parseSmf(bytes).types() !== undefined) return;
    for (const symbols of [undefined, ["f"]]) {
      const error = await assertRejects(
        () => cc("c.c", { folder, ...tcc, ...(symbols !== undefined && { symbols }) }),
        LoadError,
        "Cannot open module: tcc tells no types of its exports",
      );
      assertEquals(error.kind, "Unsupported");
      assertStringIncludes(error.hint, "`symbols`");
    }
  },
);

testWithCompilers(["tcc"], "its errors and warnings are shown as it prints them", async (folder) => {
  Deno.writeTextFileSync(`${folder}/c.c`, "int f(void) { return 1 }");
  const error = await assertRejects(() => build("c.c", { folder, ...tcc }), CompileError);
  const { stderr } = new Deno.Command("tcc", { args: ["-c", "c.c"], cwd: folder }).outputSync();
  assertEquals(error.output, new TextDecoder().decode(stderr));
  assertStringIncludes(error.output, "c.c:1: error:");
  Deno.writeTextFileSync(`${folder}/c.c`, "int *f(void) { return 1; }");
  const { runs: [run] } = await build("c.c", { folder, ...tcc, flags: ["-Wall"] });
  assertStringIncludes(run.output, "c.c:1: warning:");
});

testWithCompilers(
  ["tcc", "g++"],
  "C++ beside C is compiled as if TinyCC was not named",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/a.c`, "int one(void) { return 1; }");
    Deno.writeTextFileSync(
      `${folder}/b.cpp`,
      'extern "C" int one(void); extern "C" int two() { return one() + 1; }',
    );
    using library = await cc(["a.c", "b.cpp"], {
      folder,
      ...tcc,
      symbols: { two: { parameters: [], result: "i32" } },
    });
    assertEquals(library.symbols.two(), 2);
    assertEquals(library.built.runs.map(({ command }) => dialectOf(command)), ["tcc", "gcc"]);
  },
);
