// Headers that come and go: one that shadows another, one that is removed, and the places where one would be found.
import { assertEquals, assertRejects } from "@std/assert";
import { build, type BuildOptions, type BuiltModule, CompileError } from "../../src/build/mod.ts";
import { absentHeaders, isAnyThere } from "../../src/build/headers.ts";
import { ModuleRegistry } from "../../mod.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { SourceFolder } from "../support/source_folder.ts";
import { TemporaryDirectory } from "../support/testing.ts";

/** The result of `a` in a module, by the types that it keeps. */
function answer({ bytes }: BuiltModule): unknown {
  using registry = new ModuleRegistry();
  registry.loadBytes("built", bytes);
  return registry.open("built", { a: { parameters: [], result: "i32" } }).symbols.a();
}

for (const compiler of ["gcc", "clang", "tcc"]) {
  testWithCompilers(
    [compiler],
    `a header that comes before another one is found, as is the other one once it is removed: ${compiler}`,
    async (folder) => {
      const files = new SourceFolder(folder);
      files.write("last/by.h", "#define BY 1\n");
      files.write("first/other.h", "");
      files.write("src/a.c", `#include "by.h"\n#include <stdlib.h>\nint a(void) { return BY; }`);
      const options: BuildOptions = { folder, compiler, flags: ["-Ifirst", "-I", "last", "-Imissing"] };
      const again = async () => {
        const built = await build("src/a.c", options);
        return [answer(built), built.runs[0].cached];
      };
      assertEquals(await again(), [1, false]);
      assertEquals(await again(), [1, true]);
      // In a folder of the list, beside the source, and a header of the system's name.
      files.write("first/by.h", "#define BY 2\n");
      assertEquals(await again(), [2, false]);
      files.write("src/by.h", "#define BY 3\n");
      assertEquals(await again(), [3, false]);
      files.write("first/stdlib.h", "#undef BY\n#define BY 4\n");
      assertEquals(await again(), [4, false]);
      assertEquals(await again(), [4, true]);
      // Going back needs no compiler.
      files.remove("first/stdlib.h");
      assertEquals(await again(), [3, true]);
      files.remove("src/by.h");
      assertEquals(await again(), [2, true]);
      files.remove("first/by.h");
      assertEquals(await again(), [1, true]);
      files.remove("last/by.h");
      await assertRejects(again, CompileError, "by.h");
      files.write("missing/by.h", "#define BY 5\n");
      assertEquals(await again(), [5, false]);
    },
  );
}

Deno.test("the places where a header would be found, and of a missing folder the first that is", () => {
  using folder = new TemporaryDirectory();
  const files = new SourceFolder(folder.path);
  files.write(
    "src/a.c",
    `  #  include "x.h"\n#include <sub/y.h>\n// "no.h"\n#if __has_include("z.h")\n#endif`,
  );
  files.write("inc/x.h", `#include_next <x.h>\n#include MACRO\n#embed "data.bin"`);
  files.write("inc/sub/other.h", "");
  const places = (flags: string[]) =>
    absentHeaders(["src/a.c", "inc/x.h"], flags, folder.path)
      .map((path) => path.replaceAll("\\", "/")).toSorted();
  // Names in quotes may be in the folder of any of the files, since headers include headers.
  const quoted = ["inc/data.bin", "inc/z.h", "src/data.bin", "src/x.h", "src/z.h"];
  assertEquals(places([]), quoted);
  assertEquals(places(["-Iinc"]), [...quoted, "inc/sub/y.h"].toSorted());
  const others = [
    "-isystem",
    "no/such",
    "/I",
    "inc",
    "-iquoteinc",
    "--include-directory=inc",
    "-include",
    "q.h",
  ];
  assertEquals(places(others), [...quoted, "inc/sub/y.h", "no"].toSorted());
  assertEquals(isAnyThere(places(["-Iinc"]), folder.path), false);
  files.write("inc/sub/y.h", "");
  assertEquals(isAnyThere(["src/none", "inc/sub/y.h"], folder.path), true);
  assertEquals(places(["-Iinc"]), quoted);
  assertEquals(isAnyThere([], folder.path), false);
});

Deno.test("a header that came while the compiler ran counts as missing, so that its result is not taken", () => {
  using folder = new TemporaryDirectory();
  const files = new SourceFolder(folder.path);
  files.write("a.c", `#include "x.h"`);
  files.write("inc/x.h", "");
  files.write("x.h", "");
  const started = Deno.statSync(`${folder.path}/x.h`).mtime!.getTime() - 1;
  const known = ["a.c", "inc/x.h"];
  assertEquals(absentHeaders(known, ["-Iinc"], folder.path, started), ["x.h"]);
  assertEquals(absentHeaders(known, ["-Iinc"], folder.path, started + 5000), []);
});
