// smf build --target: modules for several systems, and the TypeScript that picks one.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, toFileUrl } from "@std/path";
import { Arch } from "../../../src/smf/enums.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { smf } from "../../support/smf_command.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const ROOT = fromFileUrl(new URL("../../..", import.meta.url));

/** Runs a program that imports the package by name, in this clone; its output. */
async function run(program: string, check: "--check" | "--no-check" = "--no-check"): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      check,
      "--no-prompt",
      "--config",
      `${ROOT}/deno.json`,
      "--allow-ffi",
      "--allow-read",
      program,
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  return new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
}

testWithCompilers(
  ["zig", "cc"],
  "mod.ts opens the module of this system, with its integrity, and says what is missing",
  async (folder) => {
    const config = { one: { sources: ["one.c"], flags: ["-O1"] }, two: { sources: ["two.zig"] } };
    Deno.writeTextFileSync(`${folder}/smf.json`, JSON.stringify(config));
    Deno.writeTextFileSync(`${folder}/one.c`, "int one(int x) { return x + 1; }");
    Deno.writeTextFileSync(`${folder}/two.zig`, "export fn two(x: i32) i32 { return x + 2; }");
    const project = ["--project", `${folder}/smf.json`];
    const { code, out, err } = await smf(
      "build",
      "--target",
      "linux-x64,linux-arm64,windows-x64",
      ...project,
    );
    assertEquals([code, err, out.length], [0, [
      "smf: two: zig tells no types for windows-x64: open it with definitions, " +
      "and variables are kept by name and size",
    ], 7]);
    assertMatch(out[1], /^one: .*native\/one\.linux-arm64\.smf, \d+ bytes: compiled 1 of 1 in /);
    assertEquals(
      JSON.parse((await smf("inspect", "--json", `${folder}/native/one.linux-x64.smf`)).out[0]).header.arch,
      "X86_64",
    );

    const program = `${folder}/app.ts`;
    Deno.writeTextFileSync(
      program,
      `import { load, locate, open } from "${toFileUrl(`${folder}/native/mod.ts`)}";
    const { symbols } = open("one", { one: { parameters: ["i32"], result: "i32", captureErrno: true } });
    const result: number = symbols.one(4).result;
    console.log(result, open("two").symbols.two(5), locate("two").url.pathname.split("/").at(-1));
    console.log(load("two").exports()[0].name);`,
    );
    assertEquals((await run(program, "--check")).trim().split("\n").slice(-2), [
      "5 7 two.linux-x64.smf",
      "two",
    ]);
    const bytes = Deno.readFileSync(`${folder}/native/one.linux-x64.smf`);
    Deno.writeFileSync(`${folder}/native/one.linux-x64.smf`, new Uint8Array([...bytes, 0]));
    assertMatch(await run(program), /IntegrityMismatch|integrity/);

    const elsewhere = await smf("build", "one", "--target", "windows-x64", "--out", "dist", ...project);
    assertEquals(elsewhere.code, 0);
    Deno.writeTextFileSync(
      program,
      `import { open } from "${toFileUrl(`${folder}/dist/mod.ts`)}"; open("one");`,
    );
    assertMatch(
      await run(program),
      /Cannot open 'one': it is not built for linux-x86_64, only for windows-x86_64/,
    );
  },
);

testWithCompilers(
  ["zig"],
  "the types that the configuration names are written, too, and those that another system has are told",
  async (folder) => {
    const config = { one: { sources: ["one.c"], types: "native/one.ts" } };
    Deno.writeTextFileSync(`${folder}/smf.json`, JSON.stringify(config));
    Deno.writeTextFileSync(`${folder}/one.c`, "int one(int x) { return x + 1; }");
    const args = ["build", "--target", "windows-x64,linux-x64", "--project", `${folder}/smf.json`];
    const { code, out, err } = await smf(...args);
    assertEquals([code, err], [0, []]);
    assertEquals(out.slice(2), [
      `${folder}/native/mod.ts: open("one")`,
      `${folder}/native/one.ts: definitions of one`,
    ]);
    const types = `${folder}/native/one.ts`;
    const written = Deno.readTextFileSync(types);
    assertMatch(written, /one: \{ parameters: \["i32"\], result: "i32" \}/);
    // What smf build and smf dev write for this system is the same file.
    assertMatch(written, /smf types one\.smf/);

    Deno.writeTextFileSync(`${folder}/one.c`, "long one(long x) { return x + 1; }");
    const long = await smf(...args);
    assertEquals([long.code, long.err], [0, [
      "smf: one: native/one.ts has the definitions for linux-x64; those for windows-x64 are others: " +
      `smf types ${folder}/native/one.windows-x64.smf --check ${types} lists them`,
    ]]);
    assertEquals((await smf("types", `${folder}/native/one.windows-x64.smf`, "--check", types)).code, 1);
    assertEquals((await smf("types", `${folder}/native/one.linux-x64.smf`, "--check", types)).code, 0);
    const json = JSON.parse((await smf(...args, "--json")).out[0]);
    assertEquals(json.written, [`${folder}/native/mod.ts`, types]);
  },
);

testWithCompilers(
  ["zig"],
  "with --key the modules are signed, and mod.ts pins the signed bytes; smf sign says whose pins it breaks",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/smf.json`, JSON.stringify({ one: { sources: ["one.c"] } }));
    Deno.writeTextFileSync(`${folder}/one.c`, "int one(int x) { return x + 1; }");
    await smf("keygen", `${folder}/release`);
    const args = ["build", "--target", "linux-x64", "--project", `${folder}/smf.json`];
    const module = `${folder}/native/one.linux-x64.smf`;
    const program = `${folder}/app.ts`;
    Deno.writeTextFileSync(
      program,
      `import { ModuleRegistry } from "@simple/loader";
      import { open } from "${toFileUrl(`${folder}/native/mod.ts`)}";
      const registry = new ModuleRegistry({ trust: { keys: [Deno.readTextFileSync("${folder}/release.pub")] } });
      console.log(open("one", { one: { parameters: ["i32"], result: "i32" } }, registry).symbols.one(4));`,
    );
    for (const change of [/compiled 1 of 1/, /, unchanged$/]) {
      const { code, out, err } = await smf(...args, "--key", `${folder}/release.pem`);
      assertEquals([code, err], [0, []]);
      assertMatch(out[0], change);
      assertEquals((await smf("verify", module, "--key", `${folder}/release.pub`)).code, 0);
      assertEquals((await run(program)).trim().split("\n").at(-1), "5");
    }
    const embedded = await smf(...args, "--embed", "--key", `${folder}/release.pem`);
    assertEquals(embedded.code, 0);
    assertEquals((await run(program)).trim().split("\n").at(-1), "5");

    await smf(...args);
    const { code, err } = await smf("sign", module, "--key", `${folder}/release.pem`);
    assertEquals([code, err], [0, [
      `${module}: ${folder}/native/mod.ts pins the bytes before: smf build --target LIST --key ` +
      `${folder}/release.pem signs and pins`,
    ]]);
    const bad = await smf(...args, "--key", `${folder}/release.pub`);
    assertEquals(bad.code, 2);
    assertMatch(bad.err[0], /release\.pub: Cannot read the key/);
  },
);

testWithCompilers(
  ["zig"],
  "if one cannot be built, the others are, and mod.ts stays as it is",
  async (folder) => {
    Deno.writeTextFileSync(
      `${folder}/smf.json`,
      JSON.stringify({ one: { sources: ["one.c"], compiler: "zig cc" } }),
    );
    Deno.writeTextFileSync(
      `${folder}/one.c`,
      "#ifdef _WIN32\n#error no\n#endif\nint one(void) { return 1; }",
    );
    const { code, out, err } = await smf(
      ...["build", "--target", "linux-arm64,windows-x64", "--project", `${folder}/smf.json`],
    );
    assertEquals(code, 1);
    assertMatch(err.join("\n"), /one\.c:2:2: error: no/);
    assertEquals(out[1], "one: not built");
    const names = [...Deno.readDirSync(`${folder}/native`)].map(({ name }) => name);
    assertEquals(names, ["one.linux-arm64.smf"]);
  },
);

testWithCompilers(
  ["zig"],
  "--embed writes the modules as TypeScript, with the same names, and no module file beside it",
  async (folder) => {
    const config = { one: { sources: ["one.c"] }, two: { sources: ["two.c"] } };
    Deno.writeTextFileSync(`${folder}/smf.json`, JSON.stringify(config));
    Deno.writeTextFileSync(`${folder}/one.c`, "int one(int x) { return x + 1; }");
    Deno.writeTextFileSync(`${folder}/two.c`, "int two(int x) { return x + 2; }");
    const { code, out, err } = await smf(
      ...["build", "--target", "linux-x64,windows-x64", "--embed", "--project", `${folder}/smf.json`],
    );
    assertEquals([code, err, out.length], [0, [], 7]);
    assertMatch(out[4], /native\/mod\.ts: open\("one"\), open\("two"\)$/);
    assertMatch(out[5], /native\/mod\.bytes\/linux-x86_64\.ts: \d+ bytes, \d+ as TypeScript$/);
    assertEquals([...Deno.readDirSync(`${folder}/native`)].map(({ name }) => name).sort(), [
      "mod.bytes",
      "mod.ts",
    ]);
    const program = `${folder}/app.ts`;
    Deno.writeTextFileSync(
      program,
      `import { load, open } from "${toFileUrl(`${folder}/native/mod.ts`)}";
    const { symbols } = open("one", { one: { parameters: ["i32"], result: "i32" } });
    const result: number = symbols.one(4);
    console.log(result, open("two").symbols.two(5), load("two").exports()[0].name);`,
    );
    assertEquals((await run(program)).trim().split("\n").at(-1), "5 7 two");
  },
);

Deno.test("{target} in a source stands for the system, with and without --target", async () => {
  using folder = new TemporaryDirectory();
  const archs = { "linux-x64": "x86_64", "linux-arm64": "aarch64" } as const;
  for (const [target, arch] of Object.entries(archs)) {
    Deno.mkdirSync(folder.join(`lib/${target}`), { recursive: true });
    Deno.copyFileSync(`fixtures/platform/linux-${arch}_v1.o`, folder.join(`lib/${target}/sample.o`));
  }
  const config = { sample: { sources: ["lib/{target}/sample.o"] } };
  const path = folder.file("smf.json", new TextEncoder().encode(JSON.stringify(config)));
  const build = (...args: string[]) => smf("build", "--project", path, ...args);
  const { code, err } = await build("--target", "linux-x64,linux-arm64");
  assertEquals([code, err], [0, []]);
  const archOf = (file: string) => parseSmf(Deno.readFileSync(folder.join(file))).header.arch;
  assertEquals(archOf("native/sample.linux-x64.smf"), Arch.X86_64);
  assertEquals(archOf("native/sample.linux-arm64.smf"), Arch.Aarch64);
  const here = Object.entries(archs).find(([, arch]) =>
    Deno.build.os === "linux" && Deno.build.arch === arch
  );
  const plain = await build();
  assertEquals(plain.code, here === undefined ? 1 : 0, plain.err.join("\n"));
  if (here !== undefined) {
    assertEquals(archOf(".smf/sample.smf"), archOf(`native/sample.${here[0]}.smf`));
  }
});

Deno.test("wrong usage", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("smf.json", new TextEncoder().encode('{ "a": { "sources": ["a.c"] } }'));
  const unknown = await smf("build", "--target", "linux-x64,freebsd-x64", "--project", path);
  assertEquals(unknown.code, 2);
  assertMatch(
    unknown.err[0],
    /--target takes linux-x64, linux-arm64, macos-x64, macos-arm64, windows-x64, not 'freebsd-x64'/,
  );
  const alone = await smf("build", "--out", "x", "--project", path);
  assert(alone.code === 2 && /--out needs --target/.test(alone.err[0]), alone.err[0]);
  const embed = await smf("build", "--embed", "--project", path);
  assert(embed.code === 2 && /--embed needs --target/.test(embed.err[0]), embed.err[0]);
});
