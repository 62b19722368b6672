// `smf link`: options, output files, errors and exit codes.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { LoadError } from "../../../src/errors/load_error.ts";
import { linkObjects } from "../../../src/link/linker.ts";
import { formatMap } from "../../../src/link/map.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { addCoffFunction, CoffWriter, Rel, Scn } from "../../support/coff_writer.ts";
import { smf } from "../../support/smf_command.ts";
import { archive, ElfWriter, functionObject } from "../../support/objects.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

/** Runs `work` in a temporary folder with object files. */
async function inFolder(work: (path: (name: string) => string) => void | Promise<void>): Promise<void> {
  using folder = new TemporaryDirectory();
  folder.file("main.o", functionObject("main", 0xc3, ["a", "import"]));
  folder.file("spare.o", functionObject("spare", 0xc3));
  folder.file(
    "lib.a",
    archive([
      { name: "a.o", bytes: functionObject("a", 0xc3), symbols: ["a"] },
      { name: "b.o", bytes: functionObject("b", 0xc3), symbols: ["b"] },
    ]),
  );
  await work((name) => folder.join(name));
}

/** The hint of the error that linking these files throws. */
function hintOf(...paths: string[]): string {
  return assertThrows(
    () => linkObjects(paths.map((name) => ({ name, bytes: Deno.readFileSync(name) }))),
    LoadError,
  ).hint;
}

Deno.test("smf link writes a module and prints nothing", () =>
  inFolder(async (path) => {
    const result = await smf("link", path("main.o"), path("lib.a"), "-o", path("z.smf"));
    assertEquals(result, { code: 0, out: [], err: [] });
    const file = parseSmf(Deno.readFileSync(path("z.smf")));
    assertEquals(file.symbols.find("main")?.type, 1);
    assertEquals([...Deno.readDirSync(path("."))].map(({ name }) => name).toSorted(), [
      "lib.a",
      "main.o",
      "spare.o",
      "z.smf",
    ]);
  }));

Deno.test("every option has its effect", () =>
  inFolder(async (path) => {
    const { code, err } = await smf(
      "link",
      path("main.o"),
      path("lib.a"),
      path("spare.o"),
      `--output=${path("z.smf")}`,
      "--export",
      "b",
      "--export=m*",
      "--entry",
      "a",
      "--keep",
      "spare",
      "--reloadable",
      "--strip",
    );
    assertEquals([code, err], [0, []]);
    const file = parseSmf(Deno.readFileSync(path("z.smf")));
    assertEquals(
      [...file.symbols].filter(({ binding, visibility }) => binding === 1 && visibility === 1).map((
        { name },
      ) => name),
      [
        "b",
        "main",
      ],
    );
    assertEquals(file.header.flags & 3, 3);
    assertEquals(file.sections[0].size, 11 + 5 + 16 + 16 + 1);
  }));

Deno.test("--unwind keeps the unwind tables, or leaves them out", () =>
  inFolder(async (path) => {
    const fixture = (name: string) => fromFileUrl(new URL(`../../../fixtures/${name}.o`, import.meta.url));
    const keeps = async (source: string, ...options: string[]) => {
      const { code, err } = await smf("link", fixture(source), "-o", path("u.smf"), ...options);
      assertEquals([code, err], [0, []]);
      return parseSmf(Deno.readFileSync(path("u.smf"))).sections.some(({ name }) => name === ".eh_frame");
    };
    assertEquals(await keeps("cpp/thrower"), true);
    assertEquals(await keeps("c/arith"), false);
    assertEquals(await keeps("cpp/thrower", "--unwind=never"), false);
    assertEquals(await keeps("c/arith", "--unwind", "always"), true);
    assertEquals(await keeps("c/arith", "--unwind", "auto"), false);
  }));

Deno.test("--map prints a link map", () =>
  inFolder(async (path) => {
    const { out } = await smf("link", path("main.o"), path("lib.a"), "-o", path("z.smf"), "--map");
    const text = out.join("\n");
    assertStringIncludes(text, "code   .text");
    assertStringIncludes(text, `lib.a(a.o) for a, ${path("main.o")}`);
    assertStringIncludes(text, `import needed by ${path("main.o")}`);
  }));

Deno.test("a reloadable module's sections of several variables are named, with the flag that splits them", () =>
  inFolder(async (path) => {
    const strings = fromFileUrl(new URL("../../../fixtures/c/strings.o", import.meta.url));
    const { code, err } = await smf("link", strings, "-o", path("z.smf"), "--reloadable");
    const sections = `'${strings}(.bss)': compile with -fdata-sections`;
    assertEquals([code, err], [0, [`smf link: variables that a reload keeps only together: ${sections}`]]);
    const { out } = await smf("link", strings, "-o", path("z.smf"), "--reloadable", "--map");
    const title = out.indexOf("sections of several variables, which a reload keeps together");
    assertEquals(
      out[title + 1],
      `  00003000 00001140 .bss ${strings}: last_note, zeroed, count.0, copy (split by -fdata-sections)`,
    );
    const plain = await smf("link", strings, "-o", path("z.smf"), "--map");
    assertEquals([plain.err, plain.out.join("\n").includes("several variables")], [[], false]);
  }));

Deno.test("a hot module's calls that stay within their version are named, with the flags that change it", () =>
  inFolder(async (path) => {
    const object = (name: string) => fromFileUrl(new URL(`../../../fixtures/${name}.o`, import.meta.url));
    const strings = object("c/strings");
    const { err } = await smf("link", strings, "-o", path("z.smf"), "--hot");
    const remedy = "compile with -fPIC -g, and default visibility; or with -flive-patching=inline-clone -g";
    assertEquals(err.at(-1), `smf link: calls that stay within their version: 'note': ${remedy}`);
    const { out } = await smf("link", strings, "-o", path("z.smf"), "--hot", "--map");
    const title = out.indexOf("functions of which calls stay within their version");
    assertEquals(out[title + 1], `  note ${strings} (local: ${remedy})`);
    assertEquals(
      (await smf("link", strings, "-o", path("z.smf"), "--reloadable")).err.length,
      err.length - 1,
    );

    const patchable = object("platform/linux-x86_64_hot_v1");
    assertEquals((await smf("link", patchable, "-o", path("z.smf"), "--hot")).err, []);
    const shown = (await smf("inspect", path("z.smf"), "--all")).out;
    const entries = shown.indexOf("entries");
    assertEquals(
      shown.slice(entries + 1, entries + 5).map((line) => line.trim().split(/ +/)),
      [["function", "file"], ["local", "hot.c"], ["taken", "hot.c"], ["hidden"]],
    );
    const { entries: json } = JSON.parse((await smf("inspect", path("z.smf"), "--json")).out[0]);
    assertEquals(json.at(-1), { name: "hidden", file: "" });
  }));

Deno.test("each error is a line that begins with the file, the next step follows, and no module is written", () =>
  inFolder(async (path) => {
    Deno.writeFileSync(path("broken.o"), new Uint8Array(100));
    const broken = await smf("link", path("broken.o"), "-o", path("z.smf"));
    assertEquals(broken.code, 1);
    assertEquals(broken.err, [
      `${path("broken.o")}: Cannot read input: it is neither an object nor an archive`,
      `next: ${hintOf(path("broken.o"))}`,
    ]);

    const writer = new ElfWriter();
    for (const name of ["main", "spare"]) {
      const section = writer.section({ name: `.text.${name}`, flags: 6, bytes: new Uint8Array(1) });
      writer.symbol({ name, section });
    }
    Deno.writeFileSync(path("twice.o"), writer.build());
    const twice = await smf("link", path("main.o"), path("spare.o"), path("twice.o"), "-o", path("z.smf"));
    assertEquals(twice.code, 1);
    assertEquals(
      twice.err.slice(0, 2),
      ["main", "spare"].map((name) =>
        `${path("twice.o")}: Cannot define '${name}': it is already defined in '${
          path(`${name}.o`)
        }' (symbol '${name}')`
      ),
    );
    assertEquals(twice.err.slice(2), [`next: ${hintOf(path("main.o"), path("spare.o"), path("twice.o"))}`]);
    assert(![...Deno.readDirSync(path("."))].some(({ name }) => name.startsWith("z.smf")));
  }));

Deno.test("a failed link keeps the existing module", () =>
  inFolder(async (path) => {
    Deno.writeTextFileSync(path("z.smf"), "old");
    assertEquals((await smf("link", path("main.o"), "--export", "nothing", "-o", path("z.smf"))).code, 1);
    assertEquals(Deno.readTextFileSync(path("z.smf")), "old");
  }));

Deno.test("wrong usage and missing files end with code 2", () =>
  inFolder(async (path) => {
    const cases: [string[], string][] = [
      [[], "smf <command>"],
      [["frob"], "no command 'frob'"],
      [["toString"], "no command 'toString'"],
      [["link"], "name the files to link"],
      [["link", path("main.o")], "-o <file.smf>"],
      [["link", path("main.o"), "-o", path("z.smf"), "--frob"], "no option '--frob'"],
      [["link", path("main.o"), "-o", path("z.smf"), "--export", ""], "--export needs a value"],
      [["link", path("main.o"), "-o", path("z.smf"), "--unwind", "maybe"], "not 'maybe'"],
      [["link", path("none.o"), "-o", path("z.smf")], "none.o: Cannot read"],
      [["link", path("main.o"), "-o", path("no/where/z.smf")], "z.smf: Cannot write"],
    ];
    for (const [args, message] of cases) {
      const { code, err } = await smf(...args);
      assertEquals(code, 2, args.join(" "));
      assertStringIncludes(err.join("\n"), message);
    }
  }));

Deno.test("--help lists the options and ends with code 0", async () => {
  assertStringIncludes((await smf("--help")).out.join("\n"), "link");
  const { code, out } = await smf("link", "--help");
  assertEquals(code, 0);
  for (
    const option of [
      "--output",
      "--export",
      "--entry",
      "--keep",
      "--reloadable",
      "--strip",
      "--unwind",
      "--map",
    ]
  ) {
    assertStringIncludes(out.join("\n"), option);
  }
});

Deno.test({
  name: "as a process it needs read and write permission, and returns the exit code",
  // Three processes take more than a minute under emulation.
  ignore: Deno.build.arch === "aarch64",
  fn: () =>
    inFolder((path) => {
      const run = (...args: string[]) =>
        new Deno.Command(Deno.execPath(), {
          args: ["run", "--no-check", "--allow-read", "--allow-write", "src/cli/main.ts", ...args],
          cwd: fromFileUrl(new URL("../../../", import.meta.url)),
        }).outputSync();
      const good = run("link", path("main.o"), path("lib.a"), "-o", path("z.smf"));
      assertEquals([good.code, new TextDecoder().decode(good.stderr)], [0, ""]);
      assert(parseSmf(Deno.readFileSync(path("z.smf"))).symbols.length > 0);
      assertEquals(run("link", path("main.o"), "--export", "x", "-o", path("z.smf")).code, 1);
      assertEquals(run("link").code, 2);
    }),
});

const C = fromFileUrl(new URL("../../../fixtures/c/", import.meta.url));

// The committed modules were linked on Linux; other platforms must produce the same bytes.
Deno.test("the same objects produce the committed bytes on every platform", () =>
  inFolder(async (path) => {
    const options: Readonly<Record<string, string[]>> = { strings: ["--reloadable"] };
    for (const name of ["arith", "callback", "ctor", "importer", "strings"]) {
      const target = path(`${name}.smf`);
      const { code } = await smf("link", `${C}${name}.o`, "-o", target, ...options[name] ?? []);
      assertEquals(code, 0);
      assertEquals(Deno.readFileSync(target), Deno.readFileSync(`${C}${name}.smf`), name);
    }
  }));

Deno.test("the same objects produce the committed map on every platform", () => {
  for (const name of ["arith", "importer", "strings"]) {
    const input = { name: `${name}.o`, bytes: Deno.readFileSync(`${C}${name}.o`) };
    const options = { reloadable: name === "strings" };
    assertEquals(formatMap(linkObjects([input], options).map), Deno.readTextFileSync(`${C}${name}.map`));
  }
});

Deno.test("--cpu is in the module, where inspect, convert and diff find it", () =>
  inFolder(async (path) => {
    const link = (file: string, ...more: string[]) => smf("link", path("spare.o"), "-o", path(file), ...more);
    assertEquals((await link("v1.smf")).code, 0);
    assertEquals((await link("v3.smf", "--cpu", "x86-64-v3")).code, 0);
    assertEquals(parseSmf(Deno.readFileSync(path("v3.smf"))).header.cpu, 2);

    const { out } = await smf("inspect", path("v3.smf"), "--json");
    assertEquals(JSON.parse(out.join("\n")).header.cpu, "x86-64-v3");
    const text = await smf("inspect", path("v3.smf"), "--all");
    assert(text.out.some((line) => /^ *cpu +x86-64-v3$/.test(line)), text.out.join("\n"));

    await smf("convert", path("v3.smf"), "--layout", "H72", "-o", path("v3_h72.smf"));
    assertEquals(parseSmf(Deno.readFileSync(path("v3_h72.smf"))).header.cpu, 2);

    const diff = await smf("diff", path("v1.smf"), path("v3.smf"));
    assert(diff.out.some((line) => line.includes("x86-64 → x86-64-v3")), diff.out.join("\n"));
  }));

Deno.test("--cpu with a name that the objects' processor does not have is wrong usage", () =>
  inFolder(async (path) => {
    for (const name of ["armv8.1-a", "x86-64-v9"]) {
      const { code, err } = await smf("link", path("spare.o"), "-o", path("z.smf"), "--cpu", name);
      assertEquals(code, 2);
      assertStringIncludes(err.join("\n"), "'x86-64-v2'");
    }
  }));

Deno.test("--needed and -l name host libraries, each once, which inspect lists", () =>
  inFolder(async (path) => {
    const [main, target] = [path("main.o"), path("z.smf")];
    const named = ["-lm", "--needed", "libstdc++.so.6", "-l", "stdc++", "-l:libodd.so.3"];
    assertEquals((await smf("link", main, ...named, "-o", target)).code, 0);
    const libraries = ["libstdc++.so.6", "libm.so.6", "libodd.so.3"];
    assertEquals(parseSmf(Deno.readFileSync(target)).hostLibraries(), libraries);
    assertStringIncludes(
      (await smf("inspect", target, "--all")).out.join("\n"),
      `\nlibraries\n  ${libraries.join("\n  ")}\n`,
    );
    assertEquals(JSON.parse((await smf("inspect", target, "--json")).out[0]).libraries, libraries);
    const { code, err } = await smf("link", main, "-lodd", "-o", target);
    assertEquals(code, 2);
    assertStringIncludes(err.join("\n"), "--needed libodd.so.1");
  }));

Deno.test("objects for Windows make a module for Windows; --platform says it for others, and must not contradict", () =>
  inFolder(async (path) => {
    const folder = fromFileUrl(new URL("../../../fixtures/coff", import.meta.url));
    const link = (...args: string[]) => smf("link", ...args, "-o", path("z.smf"));
    const platform = () => parseSmf(Deno.readFileSync(path("z.smf"))).header.platform;
    const windows = await link(`${folder}/sample_gcc.o`, "-L", folder, "-l:short_imports.lib");
    assertEquals([windows, platform()], [{ code: 0, out: [], err: [] }, 2]);
    assertEquals((await link(path("spare.o"), "--platform", "windows")).code, 0);
    assertEquals(platform(), 2);
    const refused = await link(`${folder}/sample_gcc.o`, "--platform", "linux");
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err.join("\n"), "the code is made for Windows, not Linux");
    const unknown = await link(path("spare.o"), "--platform", "beos");
    assertEquals(unknown.code, 2);
    assertStringIncludes(
      unknown.err.join("\n"),
      "--platform takes linux, windows, macos, freebsd, not 'beos'",
    );
  }));

Deno.test("libraries that objects ask for are said if the module has imports", () =>
  inFolder(async (path) => {
    const object = (imports: string[]) => {
      const writer = new CoffWriter();
      const section = addCoffFunction(writer, "f", 1);
      for (const name of imports) writer.relocation(section, 1, writer.symbol({ name }), Rel.REL32);
      const options = new TextEncoder().encode("/DEFAULTLIB:LIBCMT /DEFAULTLIB:OLDNAMES");
      writer.section({ name: ".drectve", flags: Scn.INFO, bytes: options });
      return writer.build();
    };
    Deno.writeFileSync(path("a.obj"), object(["malloc"]));
    const said = await smf("link", path("a.obj"), "-o", path("z.smf"), "--map");
    assertEquals(said.code, 0);
    assertStringIncludes(said.err.join("\n"), "'LIBCMT', 'OLDNAMES'");
    assertStringIncludes(said.err.join("\n"), "--needed ucrtbase.dll");
    assert(said.out.includes("  LIBCMT"), "the map has them, too");
    Deno.writeFileSync(path("a.obj"), object([]));
    assertEquals((await smf("link", path("a.obj"), "-o", path("z.smf"))).err, []);
  }));

Deno.test("--json tells of the module, and with --map of everything", async () => {
  using folder = new TemporaryDirectory();
  const output = folder.join("a.smf");
  const { code, out } = await smf("link", "fixtures/c/arith.o", "-o", output, "--json");
  assertEquals([code, out.length], [0, 1]);
  const document = JSON.parse(out[0]);
  assertEquals([document.command, document.output, document.size], [
    "link",
    output,
    Deno.statSync(output).size,
  ]);
  assertEquals(document.exports[0], { name: "add_i32", address: 0, size: 4, kind: "function" });
  assertEquals(document.sections.map(({ name }: { name: string }) => name), [".text", ".rodata"]);
  assertEquals([document.imports, document.members, typeof document.dropped], [[], [], "number"]);
  const whole = JSON.parse((await smf("link", "fixtures/c/arith.o", "-o", output, "--json", "--map")).out[0]);
  assertEquals(whole.sections[0].entries[0].object, "fixtures/c/arith.o");
  const failed = await smf("link", "fixtures/mylib.smf", "-o", output, "--json");
  assertEquals(typeof JSON.parse(failed.out[0]).error.kind, "string");
});

Deno.test("an option that does not exist is answered with the one that was meant", async () => {
  const cases = [["--jsno", "--json"], ["--reloadble", "--reloadable"], [
    "--whole-archiv",
    "--whole-archive",
  ]];
  for (const [given, meant] of cases) {
    const { code, err } = await smf("link", "a.o", "-o", "a.smf", given);
    assertEquals(code, 2);
    assertStringIncludes(err[0], `there is no option '${given}' (did you mean '${meant}'?)`);
  }
});
