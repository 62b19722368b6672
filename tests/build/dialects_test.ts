// The command lines of clang-cl and cl: flags, types, headers, messages; a script stands in for cl where clang-cl differs.
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { build, CompileError, LoadError } from "../../src/build/mod.ts";
import { usualCommands } from "../../src/build/compilers.ts";
import { readSourceDependencies } from "../../src/build/dependencies.ts";
import { cCommand, dialectOf, messagesOf, versionIn } from "../../src/build/dialects.ts";
import { TARGETS } from "../../src/build/targets.ts";
import { Platform } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { exportsWithTypes } from "../../src/cli/analysis/typed_exports.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { TemporaryDirectory } from "../support/testing.ts";

const CLANG_CL = ["clang", "--driver-mode=cl", "--target=x86_64-pc-windows-msvc"];
const forWindows = { target: "windows-x64" };

const SOURCE = `#include "by.h"
struct pair { int a; double b; };
static int calls;
__declspec(dllimport) unsigned long long strlen(const char *text);
__declspec(dllexport) double scale(struct pair p) { calls++; return p.a * p.b * BY; }
__declspec(dllexport) unsigned long long length(const char *text) {
  volatile char large[5000];
  large[4999] = 0;
  return strlen(text) + calls + large[4999];
}
`;

Deno.test("the dialect is that of the program's name, also behind another program", () => {
  for (
    const [command, dialect] of [
      ["cc", "gcc"],
      ["/usr/bin/x86_64-w64-mingw32-gcc-12", "gcc"],
      ["zig cc", "gcc"],
      ["clang-14", "gcc"],
      ["clang-cl", "clang-cl"],
      ["ccache clang-cl-14", "clang-cl"],
      ["clang --driver-mode=cl", "clang-cl"],
      ["cl", "cl"],
      ["C:/VC/bin/Hostx64/x64/CL.EXE", "cl"],
      ["tcc", "tcc"],
      ["/opt/bin/x86_64-tcc", "tcc"],
      ["tcc-0.9.28", "tcc"],
    ]
  ) assertEquals(dialectOf(command.split(" ")), dialect, command);
});

Deno.test("on Windows cl is the last of the usual C and C++ compilers; elsewhere it is none", () => {
  const names = (kind: "c" | "c++" | "rust", platform: Platform, isCross = false) =>
    usualCommands(kind, isCross, platform).map((command) => command.join(" ")).filter((name) =>
      !/node_mod/.test(name)
    );
  assertEquals(names("c", Platform.Windows), ["cc", "clang", "gcc", "zig cc", "cl"]);
  assertEquals(names("c++", Platform.Windows), ["c++", "clang++", "g++", "zig c++", "cl"]);
  assertEquals(names("c", Platform.Linux), ["cc", "clang", "gcc", "zig cc"]);
  assertEquals(names("c", Platform.Windows, true), ["zig cc"]);
  assertEquals(names("rust", Platform.Windows), ["rustc"]);
});

testWithCompilers(
  ["clang"],
  "clang-cl compiles for Windows with types, follows headers, and equal sources give equal objects",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/by.h`, "#define BY 2\n");
    Deno.writeTextFileSync(`${folder}/a.c`, SOURCE);
    const again = () => build("a.c", { folder, compiler: CLANG_CL, ...forWindows });
    const { bytes, map, dependencies, runs: [run] } = await again();
    const module = parseSmf(bytes);
    assertEquals(module.header.platform, Platform.Windows);
    assertEquals(module.hostLibraries(), ["ucrtbase.dll"]);
    assertEquals(map.exports.map(({ name }) => name), ["scale", "length"]);
    assertEquals(map.imports.map(({ name }) => name), ["strlen"]);
    const { exports, types } = exportsWithTypes(module, "a.smf");
    assertEquals(exports.map(({ type }) => type !== undefined && types.types[type]?.kind), [
      "function",
      "function",
    ]);
    assertEquals(dependencies.toSorted(), ["a.c", "by.h"]);
    for (const flag of ["/O2", "/Gy", "/Gw", "/GS-", "/Zl", "-gdwarf"]) {
      assert(run.command.includes(flag), flag);
    }
    assertEquals(run.output, "");
    assert((await again()).runs[0].cached);
    // Another time in the object would make another module of the same source.
    Deno.removeSync(`${folder}/.smf`, { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 1100));
    assertEquals((await again()).bytes, bytes);
    Deno.writeTextFileSync(`${folder}/by.h`, "#define BY 3\n");
    assertEquals((await again()).runs[0].cached, false);
  },
);

testWithCompilers(["clang"], "messages of clang-cl are shown as it prints them", async (folder) => {
  Deno.writeTextFileSync(`${folder}/a.c`, "int a(void) { int unused; return }");
  const options = { folder, compiler: CLANG_CL, ...forWindows };
  const error = await assertRejects(() => build("a.c", options), CompileError);
  assertStringIncludes(error.output, "a.c(1,34): error: expected expression");
  Deno.writeTextFileSync(`${folder}/a.c`, "int a(void) { int unused; return 1; }");
  const { runs: [run] } = await build("a.c", { ...options, flags: ["-Wunused"] });
  assertStringIncludes(run.output, "warning: unused variable 'unused'");
});

testWithCompilers(
  ["clang"],
  "clang for Microsoft's environment is told what modules for Windows need",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/by.h`, "#define BY 2\n");
    Deno.writeTextFileSync(`${folder}/a.c`, SOURCE);
    const compiler = ["clang", "--target=x86_64-pc-windows-msvc"];
    const { bytes } = await build("a.c", { folder, compiler, ...forWindows });
    assert(parseSmf(bytes).types() !== undefined);
    Deno.removeSync(`${folder}/.smf`, { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 1100));
    assertEquals((await build("a.c", { folder, compiler, ...forWindows })).bytes, bytes);
  },
);

/** Stands in for `cl`, as its documentation describes it: no option for its version, its own list of headers, its messages. */
const STAND_IN_CL = `#!/bin/sh
if [ $# = 0 ]; then
  printf 'Microsoft (R) C/C++-Optimierungscompiler Version 19.29.30133 f\\374r x64\\r\\n' >&2
  printf 'Copyright (C) Microsoft Corporation. Alle Rechte vorbehalten.\\r\\n\\r\\n' >&2
  printf 'Syntax: cl [ Option... ] Dateiname... [ /link Linkeroption... ]\\r\\n'
  exit 0
fi
for word in "$@"; do
  shift
  case "$word" in
    /sourceDependencies) next=1; continue ;;
    /Z7) word=-gcodeview ;;
  esac
  if [ "$next" = 1 ]; then list="$word"; next=0; continue; fi
  last="$word"
  set -- "$@" "$word"
done
printf '%s\\r\\n' "$(basename "$last")"
here=$(pwd)
printf '{"Version":"1.1","Data":{"Source":"%s","ProvidedModule":"","Includes":["%s","%s"],"ImportedModules":[]}}' \\
  "$here/$last" "$here/by.h" "$here/system/windows.h" > "$list"
clang --driver-mode=cl --target=x86_64-pc-windows-msvc "$@" 2>&1
`;

testWithCompilers(
  ["clang"],
  "cl tells its headers and its messages in its own way",
  async (folder) => {
    Deno.mkdirSync(`${folder}/bin`);
    Deno.mkdirSync(`${folder}/system`);
    Deno.writeTextFileSync(`${folder}/bin/cl`, STAND_IN_CL);
    Deno.chmodSync(`${folder}/bin/cl`, 0o755);
    Deno.writeTextFileSync(`${folder}/by.h`, "#define BY 2\n");
    Deno.writeTextFileSync(`${folder}/system/windows.h`, "");
    Deno.writeTextFileSync(`${folder}/a.c`, SOURCE);
    Deno.env.set("INCLUDE", `${folder}/SYSTEM`);
    const options = { folder, compiler: [`${folder}/bin/cl`], ...forWindows };
    const { bytes, dependencies, runs: [run] } = await build("a.c", options);
    assertEquals(run.output, "");
    assertEquals(dependencies, ["a.c", `${folder}/by.h`]);
    // CodeView has types, which nothing here reads.
    assertEquals(parseSmf(bytes).types(), undefined);
    assert((await build("a.c", options)).runs[0].cached);
    Deno.writeTextFileSync(`${folder}/by.h`, "#define BY 3\n");
    assertEquals((await build("a.c", options)).runs[0].cached, false);
    Deno.writeTextFileSync(`${folder}/a.c`, "int a(void) { return }");
    const error = await assertRejects(() => build("a.c", options), CompileError);
    assertStringIncludes(error.output, "a.c(1,22): error: expected expression");
    assertEquals(error.output.split("\n")[0].includes("error"), true);
  },
);

Deno.test("a program named cl that is not Microsoft's, and one that is too old", () => {
  const answer = (output: string, code = 0) => ({ code, output, stdout: "" });
  const line = "Microsoft (R) C/C++ Optimizing Compiler Version 19.29.30133 for x64";
  assertEquals(versionIn("cl", answer(`${line}\r\nCopyright`)), line);
  assertEquals(versionIn("cl", answer("cl-launch 4.1.4")), undefined);
  const error = assertThrows(
    () => versionIn("cl", answer(line.replace("19.29.30133", "19.16.27045"))),
    LoadError,
    "Cannot compile with cl 19.16: it has no /sourceDependencies",
  );
  assertStringIncludes(error.hint, "Visual Studio 2019 16.7");
  assertEquals(versionIn("gcc", answer("", 1)), undefined);
});

Deno.test("messages of cl come behind the name of the source, and from both outputs", () => {
  const messages = (stdout: string, output = "") =>
    messagesOf("cl", "src/a.c", { code: 2, stdout, output, milliseconds: 0 });
  const warning = "src/a.c(3): warning C4101: 'x': unreferenced local variable\r\n";
  assertEquals(messages(`a.c\r\n${warning}`), warning);
  assertEquals(messages("a.c\r\n"), "");
  assertEquals(
    messages(warning, "cl : Command line warning D9002\r\n"),
    `${warning}cl : Command line warning D9002\r\n`,
  );
});

Deno.test("cl takes C, C++ with exceptions, and no assembly", () => {
  const compiler = { command: ["cl"], version: "" };
  const files = { source: "a.cpp", object: "a.o", archive: "", dependencies: "a.json", cache: "" };
  const flags = { flags: ["/DX"], color: true, target: TARGETS["windows-x64"] };
  const command = cCommand(true, compiler, files, flags);
  assertEquals(command.slice(-5), ["/c", "/sourceDependencies", "a.json", "/Foa.o", "a.cpp"]);
  for (const flag of ["/TP", "/EHsc", "/Z7", "/DX"]) assert(command.includes(flag), flag);
  const assembly = { ...files, source: "a.S" };
  assertThrows(
    () => cCommand(false, compiler, assembly, flags),
    LoadError,
    "Cannot compile assembly with cl",
  );
  const clang = cCommand(false, { command: ["clang-cl"], version: "" }, assembly, flags);
  assert(!clang.includes("/TC"));
});

Deno.test("headers in the folders that INCLUDE names are those of the system", () => {
  const list = (Includes: string[]) => JSON.stringify({ Version: "1.2", Data: { Source: "a.c", Includes } });
  Deno.env.delete("INCLUDE");
  assertEquals(readSourceDependencies(list(["C:\\p\\by.h"])), ["C:\\p\\by.h"]);
  Deno.env.set("INCLUDE", "C:\\VC\\include;D:\\Kits\\10\\ucrt\\");
  assertEquals(
    readSourceDependencies(
      list(["c:\\vc\\include\\vcruntime.h", "d:\\kits\\10\\ucrt\\stdio.h", "c:\\vc\\mine.h"]),
    ),
    ["c:\\vc\\mine.h"],
  );
  Deno.env.delete("INCLUDE");
  assertEquals(readSourceDependencies('{"Version":"1.0","Data":{}}'), []);
});

Deno.test("without the permission for INCLUDE, headers that may not be read are those of the system", () => {
  const module = new URL("../../src/build/dependencies.ts", import.meta.url).href;
  const code = `import { readSourceDependencies } from ${JSON.stringify(module)};
    console.log(readSourceDependencies(Deno.args[0]).join());`;
  using folder = new TemporaryDirectory();
  const program = folder.file("list.ts", new TextEncoder().encode(code));
  const own = folder.join("by.h"), config = fromFileUrl(new URL("../../deno.json", import.meta.url));
  const list = JSON.stringify({ Data: { Includes: [own, "/other/stdio.h"] } });
  const { stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-prompt",
      `--config=${config}`,
      `--allow-read=${folder.path}`,
      program,
      list,
    ],
    env: { INCLUDE: folder.path, NO_COLOR: "1" },
  }).outputSync();
  const text = new TextDecoder();
  assertEquals(text.decode(stdout).trim(), own, text.decode(stderr));
});
