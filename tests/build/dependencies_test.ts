// The files that objects are made of.
import { assertEquals } from "@std/assert";
import { readRules, zigImports } from "../../src/build/dependencies.ts";
import { TemporaryDirectory } from "../support/testing.ts";

Deno.test("a rule of gcc names source and headers, over several lines", () => {
  assertEquals(readRules("c.o: c.c \\\n  include/a.h \\\r\n h.h\n"), ["c.c", "include/a.h", "h.h"]);
});

Deno.test("spaces, hash signs and dollar signs in names are escaped", () => {
  assertEquals(readRules("o: my\\ header.h a\\#b.h cost$$.h\n"), ["my header.h", "a#b.h", "cost$.h"]);
});

Deno.test("a drive letter is not a target", () => {
  assertEquals(readRules("C:\\x\\c.o: C:/x/c.c\n"), ["C:/x/c.c"]);
});

Deno.test("all rules of rustc count once, comments and empty rules not at all", () => {
  assertEquals(readRules("r.d: r.rs m.rs\n\nlibr.a: r.rs m.rs\n\nr.rs:\nm.rs:\n\n# env-dep:HOME\n"), [
    "r.rs",
    "m.rs",
  ]);
});

Deno.test("imports and embedded files of Zig are followed; packages and missing files are none", () => {
  using folder = new TemporaryDirectory();
  const write = (name: string, text: string) => folder.file(name, new TextEncoder().encode(text));
  write(
    "main.zig",
    `const std = @import("std"); const a = @import("sub/a.zig"); const t = @embedFile("t.txt");`,
  );
  Deno.mkdirSync(folder.join("sub"));
  write("sub/a.zig", `const main = @import("../main.zig"); const gone = @import("gone.zig");`);
  write("t.txt", "text");
  const names = zigImports("main.zig", folder.path).map((name) => name.replaceAll("\\", "/"));
  assertEquals(names, ["main.zig", "sub/a.zig", "t.txt"]);
});
