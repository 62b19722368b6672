// Modules for other systems.
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { build, LoadError } from "../../src/build/mod.ts";
import { leavesOutTypes } from "../../src/build/dialects.ts";
import { targetNamed, TARGETS } from "../../src/build/targets.ts";
import { Platform } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { testWithCompilers } from "../support/compilers.ts";

testWithCompilers(
  ["zig"],
  "C, C++ and Zig are compiled for each target, each with objects of its own",
  async (folder) => {
    Deno.writeTextFileSync(
      `${folder}/a.c`,
      "#include <string.h>\nint a(const char *s) { return (int) strlen(s); }",
    );
    Deno.writeTextFileSync(`${folder}/b.cpp`, 'extern "C" int b() { return 2; }');
    Deno.writeTextFileSync(`${folder}/c.zig`, "export fn c() i32 { return 3; }");
    for (const cached of [false, true]) {
      for (const [target, { platform, arch }] of Object.entries(TARGETS)) {
        const { bytes, map, runs } = await build(["a.c", "b.cpp", "c.zig"], {
          folder,
          target,
          compiler: "zig cc",
        });
        const { header } = parseSmf(bytes);
        assertEquals([header.platform, header.arch], [platform, arch], target);
        assertEquals(map.exports.map(({ name }) => name).sort(), ["a", "b", "c"], target);
        assertEquals(runs.map((run) => run.cached), [cached, cached, cached], target);
      }
    }
  },
);

testWithCompilers(
  ["zig"],
  "C and C++ keep their types for each target, and Zig for all but Windows, which is told",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/a.c`, "struct s { int x; }; int a(struct s *p) { return p->x; }");
    Deno.writeTextFileSync(`${folder}/b.cpp`, 'extern "C" double b(double x) { return x; }');
    Deno.writeTextFileSync(`${folder}/c.zig`, "export fn c() i32 { return 3; }");
    for (const [target, { platform }] of Object.entries(TARGETS)) {
      for (const source of ["a.c", "b.cpp", "c.zig"]) {
        const { bytes, map, runs } = await build(source, { folder, target, compiler: "zig cc" });
        const isUntyped = source === "c.zig" && platform === Platform.Windows;
        assertEquals(map.types.typed, isUntyped ? 0 : 1, `${target} ${source}`);
        assertEquals(parseSmf(bytes).types() === undefined, isUntyped);
        assertEquals(leavesOutTypes(runs[0].command), isUntyped);
      }
    }
  },
);

testWithCompilers(
  ["zig", "gcc"],
  "zig is the compiler for another system, whatever the environment names; another must fit",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/a.c`, "int a(void) { return 1; }");
    Deno.env.set("CC", "gcc");
    const { runs } = await build("a.c", { folder, target: "linux-arm64" });
    assertEquals(runs[0].command.slice(0, 2), ["zig", "cc"]);
    const error = await assertRejects(
      () => build("a.c", { folder, target: "linux-arm64", compiler: "gcc" }),
      LoadError,
      "Cannot build module for linux-arm64: its compiler makes objects for another system",
    );
    assertEquals(error.kind, "Unsupported");
    // This system's own name asks for nothing else than no name.
    const here = await build("a.c", { folder, target: "linux-x64" });
    assertEquals(here.runs[0].command[0], "gcc");
  },
);

Deno.test("a target that is not known is a TypeError with the known ones", async () => {
  for (const name of ["linux-arm", "freebsd-x64", "constructor"]) {
    assertThrows(
      () => targetNamed(name),
      TypeError,
      "the targets are linux-x64, linux-arm64, macos-x64, macos-arm64, windows-x64",
    );
  }
  const cache = Deno.makeTempDirSync();
  await assertRejects(
    () => build("fixtures/c/arith.o", { cache, target: "linux" }),
    TypeError,
    "no target 'linux'",
  );
  Deno.removeSync(cache, { recursive: true });
});
