// The guide's recipes for build systems, run as they stand with each one's own tool.
import { assert, assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { ModuleRegistry } from "../../mod.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { Markdown } from "../support/markdown.ts";

const MAIN = fromFileUrl(new URL("../../src/cli/main.ts", import.meta.url));
const SOURCES: Readonly<Record<string, string>> = {
  "plugin.c": "#include <stdlib.h>\nint answer(void) { return abs(-42); }\n",
  "plugin.rs": '#[no_mangle] pub extern "C" fn answer() -> i32 { vec![40, 2].iter().sum() }\n',
  "plugin.zig": "export fn answer() i32 { return 42; }\n",
};

/** Writes the files of the chapter: each block names its file in its first comment. */
function prepare(folder: string): void {
  const chapter = /### Build systems\n[^]*?(?=\n##)/.exec(new Markdown("docs/guide.md").text)![0];
  const files = { ...SOURCES };
  for (const [, text] of chapter.matchAll(/^```\w+\n([^]*?)^```$/gm)) {
    const name = /^(?:#|\/\/) (\S+)$/m.exec(text)?.[1];
    assert(name !== undefined, `a recipe that does not name its file:\n${text}`);
    files[name] = text;
  }
  // The command by the name under which users install it.
  files["bin/smf"] = `#!/bin/sh\nexec "${Deno.execPath()}" run --allow-all --no-check "${MAIN}" "$@"\n`;
  for (const [name, text] of Object.entries(files)) {
    Deno.mkdirSync(join(folder, dirname(name)), { recursive: true });
    Deno.writeTextFileSync(join(folder, name), text);
  }
  for (const name of ["bin/smf", "tools/ld"]) Deno.chmodSync(join(folder, name), 0o755);
  Deno.env.set("PATH", `${join(folder, "bin")}:${Deno.env.get("PATH")}`);
}

function recipe(tools: readonly string[], name: string, commands: readonly string[], module: string): void {
  testWithCompilers(
    [...tools, "gcc"],
    `the guide's recipe for ${name} builds a module that runs`,
    async (folder) => {
      const path = Deno.env.get("PATH")!;
      prepare(folder);
      try {
        for (const command of commands) await compile("sh", ["-ec", command], folder);
      } finally {
        Deno.env.set("PATH", path);
      }
      using registry = new ModuleRegistry();
      const answer = registry.load(join(folder, module)).getFunction("answer", {
        parameters: [],
        result: "i32",
      });
      assertEquals(answer?.(), 42);
    },
  );
}

recipe(["make"], "make", ["make"], "plugin.smf");
recipe(
  ["cmake", "make"],
  "CMake",
  ["cmake -B build -DCMAKE_TOOLCHAIN_FILE=smf.cmake && cmake --build build"],
  "build/plugin.smf",
);
recipe(
  ["meson", "ninja"],
  "Meson",
  ["meson setup build --cross-file smf.ini -Dtools=$PWD/tools && meson compile -C build"],
  "build/plugin.smf",
);
recipe(
  ["meson", "ninja"],
  "Meson with a native file",
  [
    "sed -n '/project options/,$p' smf.ini > native.ini",
    "meson setup build --native-file native.ini -Dtools=$PWD/tools && meson compile -C build",
  ],
  "build/plugin.smf",
);
recipe(["cargo"], "cargo", ["cargo build --release", "sh link.sh"], "plugin.smf");
recipe(["zig"], "zig build", ["zig build"], "plugin.smf");
