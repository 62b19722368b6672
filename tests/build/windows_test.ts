// A module for Windows as a build makes it with clang-cl: what is in it, on every system; what it does, on Windows.
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { build, cc } from "../../src/build/mod.ts";
import { exportsWithTypes } from "../../src/cli/analysis/typed_exports.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { TemporaryDirectory } from "../support/testing.ts";

const IS_WINDOWS = Deno.build.os === "windows";
const OBJECTS = ["built.obj", "built_cpp.obj"].map((name) =>
  fromFileUrl(new URL(`../../fixtures/coff/${name}`, import.meta.url))
);

Deno.test("objects of clang-cl link with the C library of Windows alone, and keep their types", async () => {
  using cache = new TemporaryDirectory();
  const { bytes, map } = await build(OBJECTS, { cache: cache.path, target: "windows-x64" });
  const module = parseSmf(bytes);
  assertEquals(module.hostLibraries(), ["ucrtbase.dll"]);
  assertEquals(map.imports.map(({ name }) => name), ["strlen"]);
  const { exports } = exportsWithTypes(module, "built.smf");
  assertEquals(exports.map(({ name }) => name), ["counter", "length", "logged", "next", "scale"]);
  assert(exports.every(({ type }) => type !== undefined));
});

Deno.test({
  name: `a module of clang-cl's objects runs${IS_WINDOWS ? "" : " (SKIPPED: runs on Windows)"}`,
  ignore: !IS_WINDOWS,
  async fn() {
    using cache = new TemporaryDirectory();
    using library = await cc(OBJECTS, { cache: cache.path });
    const { scale, length, next, logged } = library.symbols;
    const pair = new Uint8Array(16), view = new DataView(pair.buffer);
    view.setInt32(0, 3, true);
    view.setFloat64(8, 2.5, true);
    assertEquals(scale(pair), 7.5);
    const text = new TextEncoder().encode("twelve chars\0");
    assertEquals(Number(length(Deno.UnsafePointer.of(text))), 13);
    assertEquals([next(5), library.symbols.counter], [12, 12]);
    assertEquals([logged(), logged()], [41, 42]);
  },
});
