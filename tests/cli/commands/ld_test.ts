// The options of `smf link` that are spelt as ld spells them, and `smf ld` behind a compiler driver.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { ModuleRegistry } from "../../../mod.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { ascii, functionObject } from "../../support/objects.ts";
import { smf } from "../../support/smf_command.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

function exportsOf(path: string): string[] {
  const { symbols } = parseSmf(Deno.readFileSync(path));
  const all = Array.from({ length: symbols.length }, (_, i) => symbols.name(i));
  return all.filter((name) => symbols.findExport(name) !== undefined).toSorted();
}

const SOURCES: Readonly<Record<string, string>> = {
  "main.c":
    `int helper(void); int __wrap_helper(void) { extern int __real_helper(void); return 10 + __real_helper(); }
    int main_value(void) { return helper(); } int other(void) { return 3; }`,
  "helper.c": "int helper(void) { return 7; }",
  "spare.c": "int spare(void) { return 9; }",
  "constant.c":
    "extern char level[]; long test(void) { return (long)level; } int alias(void); int call(void) { return alias(); } int spare(void);",
};

/** Compiles the sources, and makes the archives libparts.a and libthin.a of two of them. */
async function prepare(folder: string): Promise<(name: string) => string> {
  for (const [name, source] of Object.entries(SOURCES)) Deno.writeTextFileSync(`${folder}/${name}`, source);
  await compile("gcc", ["-O2", "-fPIC", "-ffunction-sections", "-c", ...Object.keys(SOURCES)], folder);
  await compile("ar", ["rcs", "libparts.a", "helper.o", "spare.o"], folder);
  await compile("ar", ["rcsT", "libthin.a", "helper.o", "spare.o"], folder);
  return (name) => `${folder}/${name}`;
}

function call(path: string, name: string): number {
  using registry = new ModuleRegistry();
  const result = registry.load(path).getFunction(name, { parameters: [], result: "i32" })?.();
  return result ?? NaN;
}

const ldTest = (name: string, work: (path: (name: string) => string) => Promise<void>): void =>
  testWithCompilers(["gcc", "ar"], name, async (folder) => await work(await prepare(folder)));

ldTest("-l and -L find a library; --wrap leads references to the wrapper", async (path) => {
  const link = (...more: string[]) =>
    smf("link", path("main.o"), "-L", path("."), "-o", path("m.smf"), ...more);
  assertEquals(await link("-lparts", "--wrap=helper"), { code: 0, out: [], err: [] });
  assertEquals(call(path("m.smf"), "main_value"), 17);
  assertEquals((await link("-lnowhere")).code, 2);
  assertStringIncludes(
    (await link("-lnowhere")).err.join(),
    "-lnowhere: Cannot find libnowhere.so or libnowhere.a",
  );
});

ldTest("--whole-archive links all members, also of a thin archive, until it ends", async (path) => {
  for (const library of ["parts", "thin"]) {
    const link = (...args: string[]) =>
      smf("link", path("helper.o"), "-o", path("w.smf"), "-L", path("."), ...args);
    await link(`-l${library}`);
    assertEquals(exportsOf(path("w.smf")), ["helper"]);
    await smf("link", "--whole-archive", path(`lib${library}.a`), "--no-whole-archive", "-o", path("w.smf"));
    assertEquals(exportsOf(path("w.smf")), ["helper", "spare"]);
  }
});

ldTest(
  "-u pulls a member in, --exclude-libs hides its names, --print-gc-sections says what went",
  async (path) => {
    const { code, out } = await smf(
      ...["link", path("main.o"), path("libparts.a"), "-u", "spare", "--export", "*", "--print-gc-sections"],
      ...["--exclude-libs", "libparts.a", "--defsym", "__real_helper=helper", "-o", path("u.smf")],
    );
    assertEquals(code, 0);
    assertEquals(exportsOf(path("u.smf")), ["__wrap_helper", "main_value", "other"]);
    assertEquals(out, []);
    const dropping = await smf(
      "link",
      path("main.o"),
      "--export",
      "other",
      "--print-gc-sections",
      "-o",
      path("u.smf"),
    );
    assert(dropping.out.includes(`removing unused section '.text.main_value' in file '${path("main.o")}'`));
  },
);

ldTest("--defsym defines constants and other names", async (path) => {
  const { code, err } = await smf(
    ...["link", path("constant.o"), path("libparts.a"), "--defsym=level=0x1234", "--defsym", "alias=spare"],
    ...["-o", path("d.smf")],
  );
  assertEquals([code, err], [0, []]);
  assertEquals([call(path("d.smf"), "test"), call(path("d.smf"), "call")], [0x1234, 9]);
  const bad = await smf("link", path("constant.o"), "--defsym=alias=nobody", "-o", path("d.smf"));
  assertStringIncludes(bad.err.join(), "Cannot define 'alias': undefined symbol 'nobody'");
});

testWithCompilers(["gcc", "ar"], "--defsym adds and subtracts, whatever the order", async (folder) => {
  Deno.writeTextFileSync(
    `${folder}/x.c`,
    `#include <string.h>
    int numbers[8] = { 0, 1, 2, 3, 4, 5, 6, 7 }; int tentative[4];
    extern int third, second, also[], also_second; extern char size[], text[];
    const char *string(void) { return "a string"; }
    int element(void) { return third * 10 + second; }
    int tentatively(void) { tentative[1] = 5; return also[1] * 10 + also_second; }
    int constant(void) { return (int)(long)size; }`,
  );
  await compile("gcc", ["-O2", "-fPIC", "-fcommon", "-c", "x.c"], folder);
  await compile("ar", ["rcs", "libx.a", "x.o"], folder);
  const definitions = [
    "second=third-4",
    "third=numbers + 0x8",
    "also=tentative",
    "also_second=also+4",
    "size=1K+8-2",
  ]
    .map((text) => `--defsym=${text}`);
  // With an archive alone the constants have to find the processor there.
  for (const inputs of [[`${folder}/x.o`], ["--whole-archive", `${folder}/libx.a`]]) {
    const { code, err } = await smf("link", ...inputs, ...definitions, "-o", `${folder}/x.smf`);
    assertEquals([code, err], [0, []]);
    const results = ["element", "tentatively", "constant"].map((name) => call(`${folder}/x.smf`, name));
    assertEquals(results, [21, 55, 1030]);
  }
  const defining = async (
    ...texts: string[]
  ) => (await smf(
    "link",
    `${folder}/x.o`,
    ...texts.map((text) => `--defsym=${text}`),
    "-o",
    `${folder}/y.smf`,
  ));
  for (
    const text of ["a=numbers*2", "a=numbers+numbers", "a=4-numbers", "a=(numbers)", "a=08", "a=+", "a=1 2"]
  ) {
    const { code, err } = await defining(text);
    assertEquals(code, 2, text);
    assertStringIncludes(err[0], "--defsym takes", text);
  }
  assertStringIncludes((await defining("second=third", "third=second+1")).err[0], "is defined by itself");
});

ldTest(
  "--cref lists where names are defined and used, in the map or by itself; -Map writes a file",
  async (path) => {
    const inputs = [
      path("main.o"),
      path("libparts.a"),
      "--wrap=helper",
      "--export=main_value",
      "-o",
      path("c.smf"),
    ];
    const [main, helper] = [path("main.o"), `${path("libparts.a")}(helper.o)`];
    const alone = await smf("link", ...inputs, "--cref");
    assertEquals(alone.out, [
      `__wrap_helper defined in ${main}`,
      `helper defined in ${helper}; used in ${main}`,
      `main_value defined in ${main}`,
      `other defined in ${main}`,
    ]);
    // Compiler drivers pass -Map in either spelling, and cross references go there.
    for (const spelling of [["-Map", path("c.map")], [`-Map=${path("c.map")}`]]) {
      const { code, out } = await smf("ld", ...inputs, "--cref", ...spelling);
      assertEquals([code, out], [0, []]);
      const text = Deno.readTextFileSync(path("c.map"));
      Deno.removeSync(path("c.map"));
      assertStringIncludes(text, `cross references\n  __wrap_helper defined in ${main}\n`);
      assertStringIncludes(text, "relocations\n");
    }
    assertEquals((await smf("link", ...inputs, "--map")).out.includes("cross references"), false);
  },
);

ldTest("thread-local variables are exported as others are, and shown as what they are", async (path) => {
  Deno.writeTextFileSync(
    path("t.c"),
    `_Thread_local int v00 = 1, v01; static _Thread_local int own;
    __attribute__((visibility("hidden"))) _Thread_local int hidden;
    int get(void) { return v00 + own++ + hidden++; }`,
  );
  await compile("gcc", ["-O2", "-fPIC", "-c", "t.c"], path("."));
  const link = (...more: string[]) => smf("link", path("t.o"), "-o", path("t.smf"), ...more);
  assertEquals(await link(), { code: 0, out: [], err: [] });
  assertEquals(exportsOf(path("t.smf")), ["get", "v00", "v01"]);
  const symbols = (await smf("nm", "-g", "--defined-only", path("t.smf"))).out.map((line) =>
    line.trim().split(/\s+/).slice(-2).join(" ")
  );
  assertEquals(symbols, ["T get", "D v00", "D v01"]);
  Deno.copyFileSync(path("t.smf"), path("all.smf"));
  assertStringIncludes(
    (await link("--map", "--export=get", "--export=v00")).out.join("\n"),
    "thread-local v00",
  );
  assertEquals(exportsOf(path("t.smf")), ["get", "v00"]);
  const { code, out } = await smf("diff", path("all.smf"), path("t.smf"));
  assertEquals(code, 1);
  assertStringIncludes(out.join("\n"), "was thread-local");
  assertStringIncludes((await smf("diff", path("t.smf"), path("all.smf"))).out.join("\n"), "thread-local");
  const hidden = await link("--export=hidden");
  assertStringIncludes(hidden.err.join(), "'hidden': it is hidden");
  Deno.writeTextFileSync(path("only.c"), "_Thread_local int only = 7;");
  await compile("gcc", ["-O2", "-fPIC", "-c", "only.c"], path("."));
  assertEquals((await smf("link", path("only.o"), "-o", path("t.smf"))).err, []);
  assertEquals(exportsOf(path("t.smf")), ["only"]);
});

ldTest("version scripts and dynamic lists are lists of exports", async (path) => {
  Deno.writeTextFileSync(
    path("v.map"),
    "V1 { /* two */ global: main_*; absent; local: *; }; V2 { other; } V1;",
  );
  Deno.writeTextFileSync(path("d.list"), '{ "main_value"; };');
  const link = (option: string) =>
    smf("link", path("main.o"), path("helper.o"), option, "--wrap", "helper", "-o", path("v.smf"));
  await link(`--version-script=${path("v.map")}`);
  assertEquals(exportsOf(path("v.smf")), ["main_value", "other"]);
  await link(`--dynamic-list=${path("d.list")}`);
  assertEquals(exportsOf(path("v.smf")), ["main_value"]);
  for (const text of ["{ a;", "a; }", "{ { { } } };", '{ "a; };', '{ extern "C++" { foo*; }; };']) {
    Deno.writeTextFileSync(path("v.map"), text);
    const { code, err } = await link(`--version-script=${path("v.map")}`);
    assertEquals(code, 1, text);
    assertStringIncludes(err[0], "Cannot read version script", text);
  }
});

ldTest("--no-undefined takes what the loader itself defines", async (path) => {
  Deno.writeTextFileSync(
    path("l.cpp"),
    `struct T { T(); ~T(); int i; }; T::T() {} T::~T() {}
    static T object; static thread_local T of_thread;
    extern "C" int get(void) { return object.i + of_thread.i; }`,
  );
  await compile("gcc", ["-O2", "-fPIC", "-c", "l.cpp"], path("."));
  const link = (...more: string[]) =>
    smf("link", path("l.o"), "--no-undefined", "-o", path("l.smf"), ...more);
  assertEquals(await link(), { code: 0, out: [], err: [] });
  const { code, out } = await smf("verify", path("l.smf"), "--no-undefined");
  assertEquals([code, out.at(-1)?.includes("sound")], [0, true], out.join("\n"));
});

ldTest(
  "--no-undefined refuses what nobody defines; host libraries and --allow-undefined count",
  async (path) => {
    Deno.writeTextFileSync(
      path("n.c"),
      "int abs(int); int nobody(int); int test(int x) { return x ? nobody(abs(x)) : 5; }",
    );
    await compile("gcc", ["-O2", "-fPIC", "-fno-builtin", "-c", "n.c"], path("."));
    const link = (...more: string[]) =>
      smf("link", path("n.o"), "--no-undefined", "-o", path("n.smf"), ...more);
    assertStringIncludes((await link()).err[0], "undefined symbols 'abs', 'nobody'");
    assertStringIncludes((await link("-lc")).err[0], "undefined symbol 'nobody'");
    assertEquals((await link("-lc", "--allow-undefined=no*")).code, 0);
    using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
    const test = registry.load(path("n.smf")).getFunction("test", { parameters: ["i32"], result: "i32" });
    assertEquals(test?.(0), 5);
  },
);

Deno.test("response files hold arguments, and may name others", async () => {
  using folder = new TemporaryDirectory();
  // A backslash stands before a character that stands for itself, so that paths have slashes.
  const path = (name: string): string => folder.join(name).replaceAll("\\", "/");
  folder.file("with space.o", functionObject("main", 0xc3));
  folder.file("inner", ascii(`-o "${path("out.smf")}"`));
  folder.file("outer", ascii(`'${path("with space.o")}'\n@${path("inner")}`));
  assertEquals(await smf("link", `@${folder.join("outer")}`), { code: 0, out: [], err: [] });
  assertEquals(exportsOf(folder.join("out.smf")), ["main"]);
  folder.file("endless", ascii(`@${path("endless")}`));
  assertStringIncludes((await smf("link", `@${folder.join("endless")}`)).err[0], "without end");
});

Deno.test("problems of response files, and of what is in them, have the form that is asked for in either", async () => {
  using folder = new TemporaryDirectory();
  const path = (name: string): string => folder.join(name).replaceAll("\\", "/");
  folder.file("bad.o", ascii("garbage"));
  folder.file("arguments", ascii(`"${path("bad.o")}" -o "${path("out.smf")}"`));
  folder.file("github", ascii("--format=github --nonsuch"));
  folder.file("endless", ascii(`@${path("endless")}`));
  const github = "--format=github";
  for (const command of ["link", "ld"]) {
    const problems: [args: string[], code: number, line: RegExp][] = [
      [[`@${path("arguments")}`, github], 1, /^::error file=[^:]*bad\.o::.*neither an object nor an archive/],
      [
        [`@${path("arguments")}`, `@${path("github")}`],
        2,
        /^::error::smf \w+: there is no option '--nonsuch'/,
      ],
      [[`@${path("endless")}`, github], 2, /^::error::smf \w+: .*without end/],
      [[`@${path("arguments")}`, "--nonsuch"], 2, /^smf \w+: there is no option '--nonsuch'/],
    ];
    for (const [args, code, line] of problems) {
      const result = await smf(command, ...args);
      assertEquals(result.code, code);
      assertMatch(result.err[0].replace(/(?<=file=\w)%3A/, ""), line);
    }
  }
  folder.file("help", ascii("--help"));
  assertEquals((await smf("link", `@${path("help")}`)).code, 0);
});

Deno.test("a linker script stands for the files that it names", async () => {
  using folder = new TemporaryDirectory();
  folder.file("a.o", functionObject("a", 0xc3));
  folder.file("b.o", functionObject("b", 0xc3));
  folder.file("libboth.a", ascii("/* script */ GROUP ( a.o b.o AS_NEEDED ( x.so.1 ) )"));
  const { code, err } = await smf("link", "-L", folder.join("."), "-lboth", "-o", folder.join("s.smf"));
  assertEquals([code, err], [0, []]);
  assertEquals(exportsOf(folder.join("s.smf")), ["a", "b"]);
  folder.file("loop.a", ascii("INPUT(loop.a)"));
  assertStringIncludes((await smf("link", folder.join("loop.a"), "-o", "x")).err[0], "without end");
});

Deno.test("-h with a name is ld's option, not a request for help", async () => {
  using folder = new TemporaryDirectory();
  folder.file("a.o", functionObject("a", 0xc3));
  const { code, err } = await smf("ld", "-h", "libx.so", folder.join("a.o"), "-o", folder.join("x.smf"));
  assertEquals([code, err], [0, ["smf ld: ignored: -h libx.so"]]);
});

Deno.test("what cannot be ignored is refused", async () => {
  for (const args of [["-r"], ["-T", "script.ld"], ["--oformat=binary"], ["--no-such-option"]]) {
    const { code, err } = await smf("ld", "a.o", "-o", "x.smf", ...args);
    assertEquals(code, 2, args[0]);
    assertStringIncludes(err[0], `there is no option '${args[0]}'`);
  }
  assertStringIncludes(
    (await smf("link", "a.o", "-o", "x.smf", "-shared")).err[0],
    "there is no option '-shared'",
  );
});

const PROGRAM = fromFileUrl(new URL("../../../src/cli/main.ts", import.meta.url));

/** Makes a folder whose `ld` is this program, where a compiler driver looks with -B. */
function standIn(folder: string): string {
  Deno.mkdirSync(`${folder}/tools`);
  const command = `exec '${Deno.execPath()}' run --no-check --allow-read --allow-write '${PROGRAM}' ld "$@"`;
  Deno.writeTextFileSync(`${folder}/tools/ld`, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  return `${folder}/tools`;
}

testWithCompilers(["gcc", "make"], "gcc, and a Makefile, link modules with smf ld", async (folder) => {
  const tools = standIn(folder);
  Deno.writeTextFileSync(
    `${folder}/plugin.c`,
    '#include <math.h>\n#include <stdlib.h>\nint test(void) { return abs(-3) + (int)sqrt(atof("16")); }',
  );
  const makefile = `plugin.smf: plugin.o\n\t$(CC) -B ${tools} -shared -o $@ $< -lm\n` +
    "plugin.o: plugin.c\n\t$(CC) -O2 -fPIC -c -o $@ $<\n";
  Deno.writeTextFileSync(`${folder}/Makefile`, makefile);
  await compile("make", ["CC=gcc"], folder);
  using registry = new ModuleRegistry({ libraries: ["libc.so.6", "libm.so.6"] });
  const test = registry.load(`${folder}/plugin.smf`).getFunction("test", { parameters: [], result: "i32" });
  assertEquals(test?.(), 7);
  const { stderr } = await new Deno.Command("gcc", {
    args: ["-B", tools, "-shared", "-o", "plugin.smf", "plugin.o", "-lm"],
    cwd: folder,
  }).output();
  const said = new TextDecoder().decode(stderr);
  for (
    const part of [
      "ignored: ",
      "-shared",
      "left out: ",
      "crtbeginS.o",
      "host libraries",
      " libm.so.6 ",
      " libc.so.6",
    ]
  ) {
    assertStringIncludes(said, part);
  }
});

testWithCompilers(["gcc", "cmake", "make"], "CMake links modules with smf ld", async (folder) => {
  const tools = standIn(folder);
  Deno.writeTextFileSync(`${folder}/plugin.c`, "int test(void) { return 42; }");
  Deno.writeTextFileSync(
    `${folder}/CMakeLists.txt`,
    "cmake_minimum_required(VERSION 3.16)\nproject(plugin C)\nadd_library(plugin MODULE plugin.c)\n" +
      `target_link_options(plugin PRIVATE -B${tools})\n` +
      'set_target_properties(plugin PROPERTIES PREFIX "" SUFFIX ".smf")\n',
  );
  await compile("cmake", ["-S", ".", "-B", "build"], folder);
  await compile("cmake", ["--build", "build"], folder);
  assertEquals(call(`${folder}/build/plugin.smf`, "test"), 42);
});
