// C that is compiled, opened and called in one step.
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { cc, type CcOptions, CompileError, LoadError, ModuleRegistry } from "../../src/build/mod.ts";
import { testWithCompilers } from "../support/compilers.ts";

testWithCompilers(
  ["gcc"],
  "a file is called by the types that the compiler tells, and ends with its library",
  async (folder) => {
    Deno.writeTextFileSync(
      `${folder}/c.c`,
      `
    #include <math.h>
    struct pair { double a, b; };
    int calls;
    double hyp(struct pair p) { calls++; return sqrt(p.a * p.a + p.b * p.b); }
    int variadic(int n, ...) { return n; }`,
    );
    const library = await cc("c.c", { folder });
    const { hyp } = library.symbols;
    const bytes = new Uint8Array(new Float64Array([3, 4]).buffer);
    assertEquals([hyp(bytes), library.symbols.calls], [5, 1]);
    assertEquals([...library.leftOut.keys()], ["variadic"]);
    assertStringIncludes(Deno.inspect(library), "CompiledLibrary");
    library.close();
    assertThrows(() => hyp(bytes), LoadError, "closed");
  },
);

testWithCompilers(["gcc"], "a template is C text, with the escapes of C", async (folder) => {
  const here = Deno.cwd();
  // A template has no options, so its cache is in the current folder.
  Deno.chdir(folder);
  try {
    using library = await cc`
      static const char text[] = "a\tb\n";
      int length(void) { return sizeof text - 1 + ${38}; }`;
    assertEquals(library.symbols.length(), 42);
  } finally {
    Deno.chdir(here);
  }
});

testWithCompilers(
  ["gcc", "g++"],
  "text of another language, definitions, names, and a registry with imports",
  async (folder) => {
    const text = `extern "C" int host(int); extern "C" int twice(int x) { auto y = host(x); return y + y; }`;
    using registry = new ModuleRegistry({
      imports: { host: { parameters: ["i32"], result: "i32", callback: (x: number) => x + 1 } },
    });
    using library = await cc({ text, language: "cpp" }, {
      folder,
      registry,
      symbols: { twice: { parameters: ["i32"], result: "i32" } },
    });
    const result: number = library.symbols.twice(4);
    assertEquals(result, 10);
    using named = await cc({ text: "int a(void) { return 1; } int b(void) { return 2; }" }, {
      folder,
      symbols: ["b"],
    });
    assertEquals(Object.keys(named.symbols), ["b"]);
    const source = "#include <string.h>\nsize_t count(const char *text) { return strlen(text); }";
    using texts = await cc({ text: source }, {
      folder,
      symbols: { count: { parameters: ["cstring"], result: "usize", integers: "number" } },
    });
    const count: number = texts.symbols.count("grüße");
    assertEquals(count, 7);
    const wrong = { a: { parameters: ["f64"], result: "i32" } } as const;
    await assertRejects(
      () => cc({ text: "int a(int x) { return x; }" }, { folder, symbols: wrong }),
      LoadError,
      "the definition says f64",
    );
  },
);

testWithCompilers(
  ["gcc"],
  "a rebuild puts new code in place and leaves variables where they are",
  async (folder) => {
    const write = (by: string) =>
      Deno.writeTextFileSync(
        `${folder}/c.c`,
        `static long total; long count(void) { return total += ${by}; }`,
      );
    write("1");
    using library = await cc("c.c", { folder });
    const { count } = library.symbols;
    assertEquals([count(), count()], [1n, 2n]);
    assertEquals(await library.rebuild(), undefined);
    write("10");
    const report = await library.rebuild();
    assertEquals(report?.kept, ["total"]);
    assertEquals(count(), 12n);
    assert(!library.built.runs[0].cached);
    write("}");
    await assertRejects(() => library.rebuild(), CompileError, "error:");
    assertEquals(count(), 22n);
    write("100");
    await library.rebuild();
    assertEquals(count(), 122n);
    // Exports that a version adds are there, those that cannot be called with their reason.
    assertEquals(Object.keys(library.symbols), ["count"]);
    write("1000; } int added(void) { return 7; } int variadic(int n, ...) { return n");
    await library.rebuild();
    assertEquals([count(), library.symbols.added(), Object.keys(library.symbols)], [
      1122n,
      7,
      ["count", "added"],
    ]);
    assertStringIncludes(library.leftOut.get("variadic") ?? "", "variadic");
  },
);

testWithCompilers(["gcc"], "sources that a registry has loaded are reloaded in it", async (folder) => {
  const write = (by: number) =>
    Deno.writeTextFileSync(`${folder}/c.c`, `static int total; int count(void) { return total += ${by}; }`);
  using registry = new ModuleRegistry();
  write(1);
  const first = await cc("c.c", { folder, registry });
  assertEquals(first.symbols.count(), 1);
  write(5);
  const second = await cc("c.c", { folder, registry });
  assertEquals([first.symbols.count(), second.symbols.count()], [6, 11]);
  first.close();
  assertEquals(second.symbols.count(), 16);
});

Deno.test("options are checked", async () => {
  await assertRejects(
    () => cc("a.c", { symbol: [] } as CcOptions),
    TypeError,
    "did you mean 'symbols'",
  );
});
