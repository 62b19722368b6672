// Options of ld with a meaning for modules, and what a compiler driver's command line leads to.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { functionObject } from "../../support/objects.ts";
import { smf } from "../../support/smf_command.ts";
import { TemporaryDirectory } from "../../support/testing.ts";
import manifest from "../../../deno.json" with { type: "json" };

/** Registers a test with a folder, and a function that compiles C files given by name. */
function ldTest(
  name: string,
  work: (
    path: (name: string) => string,
    make: (files: Record<string, string>) => Promise<void>,
  ) => Promise<void>,
): void {
  testWithCompilers(["gcc", "ar"], name, async (folder) => {
    await work((name) => `${folder}/${name}`, async (files) => {
      for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${folder}/${name}`, text);
      await compile("gcc", ["-O1", "-fPIC", "-c", ...Object.keys(files)], folder);
    });
  });
}

/** Calls functions without parameters of a module, which `with` provides imports for. */
function call(
  path: string,
  names: readonly string[],
  providers: readonly string[] = [],
): (number | undefined)[] {
  using registry = new ModuleRegistry();
  for (const provider of providers) registry.load(provider);
  const module = registry.load(path);
  return names.map((name) => module.getFunction(name, { parameters: [], result: "i32" })?.());
}

function exportsOf(path: string): string[] {
  const { symbols } = parseSmf(Deno.readFileSync(path));
  return Array.from({ length: symbols.length }, (_, i) => i).filter((i) => symbols.isExport(i))
    .map((i) => symbols.name(i)).toSorted();
}

Deno.test("long names with one dash are not options of one letter", async () => {
  using folder = new TemporaryDirectory();
  folder.file("a.o", functionObject("a", 0xc3));
  const given = [
    "-export-dynamic",
    "-enable-new-dtags",
    "-undefined-version",
    "-unresolved-symbols=ignore-all",
  ];
  const { code, err } = await smf("ld", "-shared", ...given, folder.join("a.o"), "-o", folder.join("a.smf"));
  assertEquals([code, err], [0, [`smf ld: ignored: -shared ${given.slice(0, 3).join(" ")}`]]);
  assertEquals(exportsOf(folder.join("a.smf")), ["a"]);
});

Deno.test("options without a meaning for modules are ignored aloud, joined or apart", async () => {
  using folder = new TemporaryDirectory();
  folder.file("a.o", functionObject("a", 0xc3));
  const given = [
    "-z",
    "now",
    "-zrelro",
    "-m",
    "elf_x86_64",
    "--image-base=0x400000",
    "-Ttext",
    "0x1000",
    "-q",
  ];
  const more = ["-O1", "--section-start=.x=0x1", "--package-metadata={}", "--no-rosegment", "-Bno-symbolic"];
  const args = ["-shared", ...given, ...more];
  const { code, err } = await smf("ld", ...args, folder.join("a.o"), "-o", folder.join("a.smf"));
  assertEquals([code, err], [0, [`smf ld: ignored: ${args.join(" ")}`]]);
});

Deno.test("--version prints the package's version, and -v goes on if there are inputs", async () => {
  using folder = new TemporaryDirectory();
  folder.file("a.o", functionObject("a", 0xc3));
  const line = `smf ld ${manifest.version} (takes the options of GNU ld)`;
  for (const option of ["--version", "-v", "-V"]) {
    assertEquals(await smf("ld", option), { code: 0, out: [line], err: [] }, option);
  }
  const both = await smf("ld", "-v", folder.join("a.o"), "-o", folder.join("a.smf"));
  assertEquals(both, { code: 0, out: [line], err: [] });
  assertEquals(exportsOf(folder.join("a.smf")), ["a"]);
});

Deno.test("-z x86-64-v3 says which processor the code needs, as --cpu does", async () => {
  using folder = new TemporaryDirectory();
  folder.file("a.o", functionObject("a", 0xc3));
  const link = async (...args: string[]): Promise<Uint8Array> => {
    assertEquals((await smf("link", folder.join("a.o"), "-o", folder.join("a.smf"), ...args)).code, 0);
    return Deno.readFileSync(folder.join("a.smf"));
  };
  const wanted = await link("--cpu", "x86-64-v3");
  assertEquals(await link("-z", "x86-64-v3"), wanted);
  assertEquals(await link("-zx86-64-v3"), wanted);
  assert((await link()).some((byte, index) => byte !== wanted[index]));
});

ldTest("a program starts at main, and a shared library has no entry point", async (path, make) => {
  await make({
    "main.c": "#include <stdlib.h>\nint main(int argc, char **argv) { return argc * 10 + atoi(argv[1]); }",
  });
  const link = (...args: string[]) => smf("ld", ...args, path("main.o"), "-lc", "-o", path("main.smf"));
  assertEquals((await link("-pie")).code, 0);
  assertEquals((await smf("run", path("main.smf"), "7")).code, 27);
  assertEquals((await link("-shared")).code, 0);
  assertStringIncludes((await smf("run", path("main.smf"), "7")).err[0], "has no entry point");
});

ldTest("a module as an input provides names, and has to be loaded first", async (path, make) => {
  await make({
    "lib.c": "int seven(void) { return 7; }",
    "main.c": "int seven(void); int main(void) { return seven() + 1; }",
  });
  await smf("ld", "-shared", path("lib.o"), "-o", path("libseven.so"));
  const link = (...inputs: string[]) =>
    smf("ld", path("main.o"), ...inputs, "-zdefs", "-o", path("main.smf"));
  assertStringIncludes((await link()).err[0], "undefined symbol 'seven'");
  for (const inputs of [[path("libseven.so")], ["-L", path(""), "-lseven"]]) {
    const { code, err } = await link(...inputs);
    assertEquals([code, err.at(-1)], [0, `smf ld: modules to load first: ${path("libseven.so")}`]);
    assertEquals((await smf("run", path("main.smf"), "--with", path("libseven.so"))).code, 8);
  }
});

ldTest("host libraries are recorded by their own names, else as they were given", async (path, make) => {
  await make({ "user.c": "int provided(void); int test(void) { return provided() + 1; }" });
  Deno.writeTextFileSync(path("lib.c"), "int provided(void) { return 4; }");
  const shared = (...args: string[]) => compile("gcc", ["-shared", "-fPIC", "lib.c", ...args], path(""));
  await shared("-o", "libnamed.so.1.2", "-Wl,-soname,libother.so.7");
  await shared("-o", "libplain.so");
  const needs = async (...inputs: string[]): Promise<string | undefined> =>
    (await smf("ld", "-shared", path("user.o"), ...inputs, "-o", path("user.smf"))).err.at(-1);
  const line = "smf ld: host libraries that the module needs: ";
  assertEquals(await needs(path("libnamed.so.1.2")), `${line}libother.so.7`);
  assertEquals(await needs("-L", path(""), "-lplain"), `${line}libplain.so`);
  assertEquals(await needs(path("libplain.so")), line + path("libplain.so"));
  assertEquals(call(path("user.smf"), ["test"]), [5]);
});

ldTest("a static program uses the C library of the process", async (path, make) => {
  await make({ "main.c": '#include <stdlib.h>\nint main(void) { free(malloc(5)); return atoi("9"); }' });
  const { code, err } = await smf(
    "ld",
    "-static",
    path("main.o"),
    "--start-group",
    "-lc",
    "--end-group",
    "-o",
    path("m"),
  );
  assertEquals([code, err.at(-1)], [0, "smf ld: host libraries that the module needs: libc.so.6"]);
  assertEquals((await smf("run", path("m"))).code, 9);
});

ldTest("--sysroot stands for / where libraries are looked for, and for = in paths", async (path, make) => {
  await make({
    "main.c": "int a(void); int b(void); int c(void); int test(void) { return a() + b() + c(); }",
    "a.c": "int a(void) { return 100; }",
    "b.c": "int b(void) { return 20; }",
    "c.c": "int c(void) { return 3; }",
  });
  for (const folder of ["root/usr/lib", "root/opt"]) Deno.mkdirSync(path(folder), { recursive: true });
  await compile("ar", ["rcs", path("root/usr/lib/liba.a"), path("a.o")]);
  await compile("ar", ["rcs", path("root/opt/libb.a"), path("b.o")]);
  Deno.copyFileSync(path("c.o"), path("root/opt/c.o"));
  // As in the libc.so of a system: absolute paths in a script of the sysroot are in the sysroot.
  Deno.writeTextFileSync(path("root/opt/libc1.so"), "GROUP ( /opt/c.o )");
  Deno.writeTextFileSync(path("outside"), "INPUT ( =/opt/c.o )");
  const common = ["-shared", path("main.o"), "-la", "-lb", "-L=/opt", "-zdefs", "-o", path("m.smf")];
  for (const input of ["-lc1", path("outside")]) {
    for (const root of [path("root"), `${path("root")}/`]) {
      const { code, err } = await smf("ld", ...common, input, "--sysroot", root);
      assertEquals(code, 0, err.join());
      assertEquals(call(path("m.smf"), ["test"]), [123]);
    }
  }
  assertStringIncludes((await smf("ld", ...common, "-lc1")).err.join(), "-la: Cannot find liba.so or liba.a");
});

ldTest("a version script that does not hide all others leaves them exported", async (path, make) => {
  await make({
    "a.c": "int one, two, three, three_b; int four(void) { return 4; }",
    "b.c": "int pulled = 5;",
  });
  await compile("ar", ["rcs", path("libb.a"), path("b.o")]);
  Deno.mkdirSync(path("scripts"));
  const exported = async (script: string, ...more: string[]): Promise<string[]> => {
    Deno.writeTextFileSync(path("scripts/v.map"), script);
    const args = ["-L", path("scripts"), "--version-script=v.map", "-u", "pulled", ...more];
    assertEquals(
      (await smf("ld", "-shared", path("a.o"), path("libb.a"), ...args, "-o", path("a.smf"))).code,
      0,
    );
    return exportsOf(path("a.smf"));
  };
  const all = ["four", "one", "three", "three_b", "two"];
  assertEquals(await exported("V1 { global: one; };"), all);
  assertEquals(await exported("V1 { global: one; local: two; };"), all.filter((name) => name !== "two"));
  assertEquals(await exported("V1 { three; local: t*; };"), ["four", "one", "three"]);
  assertEquals(await exported("V1 { global: t*; pulled; local: two; };"), [
    "four",
    "one",
    "pulled",
    "three",
    "three_b",
  ]);
  assertEquals(await exported("V1 { global: one; local: *; };"), ["one"]);
  Deno.writeTextFileSync(path("d.list"), "{ pulled; };");
  for (const more of [["--export-dynamic-symbol=pull*"], ["--export-dynamic-symbol-list", path("d.list")]]) {
    assertEquals(await exported("V1 { global: one; local: *; };", ...more), ["one", "pulled"]);
    assertEquals(await exported("V1 { global: one; };", ...more), [
      ...all.slice(0, 2),
      "pulled",
      ...all.slice(2),
    ]);
  }
});

ldTest("--require-defined pulls a member in, and refuses a link without the name", async (path, make) => {
  await make({ "a.c": "int a(void) { return 1; }", "b.c": "int b(void) { return 2; }" });
  await compile("ar", ["rcs", path("libb.a"), path("b.o")]);
  const link = (name: string) =>
    smf("link", path("a.o"), path("libb.a"), "--require-defined", name, "--export=*", "-o", path("m.smf"));
  assertEquals(await link("b"), { code: 0, out: [], err: [] });
  assertEquals(exportsOf(path("m.smf")), ["a", "b"]);
  const { code, err } = await link("nobody");
  assertEquals(code, 1);
  assertStringIncludes(err[0], "Cannot link module: no input defines 'nobody'");
});

ldTest("--allow-multiple-definition takes the first", async (path, make) => {
  await make({ "a.c": "int twice(void) { return 1; }", "b.c": "int twice(void) { return 2; } int b;" });
  const link = (...more: string[]) => smf("link", ...more, "-o", path("m.smf"));
  const [a, b] = [path("a.o"), path("b.o")];
  assertStringIncludes((await link(a, b)).err[0], "Cannot define 'twice': it is already defined");
  for (const option of [["--allow-multiple-definition"], ["-z", "muldefs"], ["-zmuldefs"]]) {
    for (const [inputs, value] of [[[a, b], 1], [[b, a], 2]] as const) {
      assertEquals((await link(...inputs, ...option)).code, 0);
      assertEquals(call(path("m.smf"), ["twice"]), [value]);
    }
  }
});

ldTest("methods for undefined names: the last option counts", async (path, make) => {
  await make({ "a.c": "int nobody(void); int a(void) { return nobody(); }" });
  const code = async (...options: string[]): Promise<number> =>
    (await smf("ld", "-shared", path("a.o"), ...options, "-o", path("a.smf"))).code;
  assertEquals(await code("--unresolved-symbols=report-all"), 1);
  assertEquals(await code("--unresolved-symbols", "report-all"), 1);
  assertEquals(await code("--error-unresolved-symbols"), 1);
  assertEquals(await code("-z", "defs", "-z", "undefs"), 0);
  assertEquals(await code("-z", "undefs", "-z", "defs"), 1);
  assertEquals(await code("--no-undefined", "--unresolved-symbols=ignore-all"), 0);
});

ldTest("--init runs before all initialisers, and --fini after all finalisers", async (path, make) => {
  await make({
    "a.c": `int *log_, count; static int early;
      void first(void) { early = count++ == 0; }
      __attribute__((constructor(101))) static void second(void) { early += count++ == 1; }
      int get(void) { return early * 10 + count; }
      void keep(int *into) { log_ = into; }
      __attribute__((destructor(101))) static void before(void) { if (log_) log_[1] = ++log_[0]; }
      void last(void) { if (log_) log_[2] = ++log_[0]; }`,
  });
  assertEquals(
    (await smf("ld", "-shared", path("a.o"), "-init", "first", "-fini=last", "-o", path("a.smf"))).code,
    0,
  );
  const log = new Int32Array(3);
  {
    using registry = new ModuleRegistry();
    using module = registry.load(path("a.smf"));
    const { get, keep } = module.bind({
      get: { parameters: [], result: "i32" },
      keep: { parameters: ["buffer"], result: "void" },
    }).symbols;
    assertEquals(get(), 22);
    keep(log);
  }
  assertEquals([...log], [2, 1, 2]);
});

ldTest(
  "--trace, --trace-symbol, --why-live and --dependency-file say what took part, and why",
  async (path, make) => {
    await make({ "a.c": "int b(void); int a(void) { return b(); }", "b.c": "int b(void) { return 2; }" });
    await compile("ar", ["rcs", path("lib b.a"), path("b.o")]);
    const [a, b] = [path("a.o"), path("lib b.a")];
    const link = (...more: string[]) => smf("link", a, b, "-o", path("m.smf"), ...more);
    assertEquals((await link("-t")).out, [a, b, `${b}(b.o)`]);
    assertEquals((await link("-y", "b", "--trace-symbol=nobody")).out, [
      `${b}(b.o): definition of b`,
      `${a}: reference to b`,
    ]);
    const { out } = await link("--why-live", "b", "--why-live=no*body");
    assertEquals(out.length, 3);
    assertStringIncludes(out[0], `of ${b}(b.o) stays`);
    assertStringIncludes(out[1], `of ${a} refers to b`);
    assertEquals(out[2], "  a is exported");
    assertEquals((await link("--why-live=nobody")).out, [
      "no section or symbol of the objects is named 'nobody'",
    ]);
    Deno.writeTextFileSync(path("v.map"), "{ a; local: *; };");
    assertEquals((await link("--dependency-file", path("m.d"), `--version-script=${path("v.map")}`)).out, []);
    // Make reads the rule: nothing is to be done until a file of it is newer, or gone.
    Deno.writeTextFileSync(path("Makefile"), `${path("m.smf")}:\n\t@echo again\ninclude m.d\n`);
    const made = () => compile("make", ["-r"], path(""));
    Deno.utimeSync(path("m.smf"), new Date(), new Date());
    assertStringIncludes(await made(), "up to date");
    for (const name of ["a.o", "lib b.a", "v.map"]) {
      const later = new Date(Date.now() + 60_000);
      Deno.utimeSync(path(name), later, later);
      assertEquals(await made(), "again\n", name);
      Deno.utimeSync(path(name), new Date(0), new Date(0));
    }
    Deno.removeSync(path("v.map"));
    assertEquals(await made(), "again\n");
  },
);

ldTest("objects behind --start-lib count as members of an archive", async (path, make) => {
  await make({
    "a.c": "int b(void); int a(void) { return b(); }",
    "b.c": "int b(void) { return 2; }",
    "c.c": "int c(void) { return 3; }",
    "d.c": "int d(void) { return 4; }",
  });
  const link = async (...more: string[]): Promise<string[]> => {
    const { code, out } = await smf("ld", "-shared", "-t", ...more, "-o", path("m.smf"));
    assertEquals(code, 0);
    return out;
  };
  const [a, b, c, d] = ["a.o", "b.o", "c.o", "d.o"].map(path);
  assertEquals(await link("--start-lib", b, c, "--end-lib", a, "--start-lib", d), [a, `--start-lib(${b})`]);
  assertEquals(call(path("m.smf"), ["a"]), [2]);
  assertEquals(exportsOf(path("m.smf")), ["a"]);
  const all = await link("--start-lib", b, c, "--end-lib", a, d, "-u", "c");
  assertEquals(all.toSorted(), [`--start-lib(${b})`, `--start-lib(${c})`, a, d]);
  assertEquals(exportsOf(path("m.smf")), ["a", "d"]);
});
