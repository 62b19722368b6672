// smf embed: modules as TypeScript, of which a program fetches what its system needs.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { SmfBuilder, type SmfBuilderOptions } from "../../../mod.ts";
import { Arch, Platform, SectionType } from "../../../src/smf/enums.ts";
import { smf } from "../../support/smf_command.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const SYSTEMS = ["linux-x86_64", "linux-aarch64", "windows-x86_64"];
const FILES = SYSTEMS.map((system) => `examples/embed_bytes/${system}/crc32.smf`);
/** The files that are embedded are for this system, too. */
const isHere = SYSTEMS.includes(`${Deno.build.os}-${Deno.build.arch}`);

const PROGRAM = (specifier: string): string =>
  `import { load, open } from ${JSON.stringify(specifier)};
const { symbols } = open("crc32", { crc32: { parameters: ["buffer", "usize"], result: "u32" } });
const crc: number = symbols.crc32(new TextEncoder().encode("123456789"), 9n);
console.log(crc.toString(16), load("crc32").version);
`;
const OUTPUT = "cbf43926 1\n";

/** A project that has this package, with the program `main.ts`. */
class Project extends TemporaryDirectory {
  /** Where the package comes from is what `smf init` writes. */
  static async create(): Promise<Project> {
    const project = new Project();
    assertEquals((await smf("init", project.path)).code, 0);
    return project;
  }

  get config(): { readonly imports: Record<string, string>; readonly links?: readonly string[] } {
    return JSON.parse(Deno.readTextFileSync(this.join("deno.json")));
  }

  write(name: string, text: string): void {
    Deno.writeTextFileSync(this.join(name), text);
  }

  async deno(args: readonly string[], env: Record<string, string> = {}): Promise<
    Deno.CommandOutput & {
      readonly text: string;
    }
  > {
    const output = await new Deno.Command(Deno.execPath(), {
      args: [...args],
      cwd: this.path,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    return Object.assign(output, { text: text.decode(output.stdout) + text.decode(output.stderr) });
  }
}

Deno.test("modules for three systems become one module and three files; the output says how large they are", async () => {
  using folder = new TemporaryDirectory();
  const target = folder.join("crc32.ts");
  const { code, out, err } = await smf("embed", ...FILES, "-o", target);
  assertEquals([code, err], [0, []]);
  assertEquals(out[0], `${target}: open("crc32")`);
  const size = Deno.statSync(FILES[0]).size;
  assertMatch(out[1], new RegExp(`crc32\\.bytes.linux-x86_64\\.ts: ${size} bytes, \\d+ as TypeScript$`));
  assertEquals(out.length, 4);

  // What is left of an earlier run would be published for nothing; other files stay.
  Deno.writeTextFileSync(folder.join("crc32.bytes/mine.ts"), "export {};");
  const json = await smf("embed", FILES[0], "-o", target, "--json");
  const { output, modules, files } = JSON.parse(json.out[0]);
  assertEquals([output, modules.length, files.length], [target, 1, 1]);
  assertEquals([modules[0].name, modules[0].system, modules[0].size], ["crc32", "linux-x86_64", size]);
  assertEquals(
    [...Deno.readDirSync(folder.join("crc32.bytes"))].map(({ name }) => name).sort(),
    ["linux-x86_64.ts", "mine.ts"],
  );
});

Deno.test({
  name: "a program in the same project needs no flag and no permission to read",
  ignore: !isHere,
  async fn() {
    using project = await Project.create();
    assertEquals((await smf("embed", ...FILES, "-o", project.join("crc32.ts"))).code, 0);
    project.write("app.ts", PROGRAM("./crc32.ts"));
    // On Windows, calls without these are slower, and say so.
    const permissions = Deno.build.os === "windows" ? ["--allow-read", "--allow-write"] : [];
    const { text, stdout } = await project.deno([
      "run",
      "--no-prompt",
      "--allow-ffi",
      ...permissions,
      "app.ts",
    ]);
    assertEquals(new TextDecoder().decode(stdout), OUTPUT, text);

    const file = project.join(`crc32.bytes/${Deno.build.os}-${Deno.build.arch}.ts`);
    const bytes = Deno.readTextFileSync(file);
    Deno.writeTextFileSync(file, bytes.replace(/(?<=`\n.{20})./, (digit) => digit === "A" ? "B" : "A"));
    assertMatch((await project.deno(["run", "--allow-ffi", "app.ts"])).text, /LoadError.*integrity/i);
  },
});

Deno.test("a system that is missing is an error of open, not of the import", async () => {
  using project = await Project.create();
  const other = FILES[SYSTEMS.findIndex((system) => !system.startsWith(Deno.build.os))];
  assertEquals((await smf("embed", other, "-o", project.join("crc32.ts"))).code, 0);
  project.write(
    "app.ts",
    `import { open } from "./crc32.ts";
try { open("crc32"); } catch (error) { console.log((error as Error).message); }`,
  );
  const { text } = await project.deno(["run", "--allow-ffi", "app.ts"]);
  assertMatch(text, /Cannot open 'crc32': it is not built for \S+, only for \S+-\S+\n/);
});

/** Serves a package as JSR does (its API documentation, "Registry API"), and lists what is fetched. */
function serveAsJsr(
  files: Readonly<Record<string, string>>,
  fetched: string[],
): Deno.HttpServer<Deno.NetAddr> {
  const manifest = Object.fromEntries(
    Object.entries(files).map(([path, text]) => [path, {
      size: new TextEncoder().encode(text).length,
      checksum: `sha256-${createHash("sha256").update(text).digest("hex")}`,
    }]),
  );
  const base = "/@me/native/0.1.0";
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, ({ url }) => {
    const { pathname } = new URL(url);
    if (pathname === "/@me/native/meta.json") {
      return Response.json({ scope: "me", name: "native", latest: "0.1.0", versions: { "0.1.0": {} } });
    }
    if (pathname === `${base}_meta.json`) {
      return Response.json({ manifest, moduleGraph2: {}, exports: { ".": "./mod.ts" } });
    }
    const text = files[pathname.slice(base.length)];
    if (!pathname.startsWith(base) || text === undefined) return new Response(null, { status: 404 });
    fetched.push(pathname.slice(base.length));
    return new Response(text, { headers: { "content-type": "application/typescript" } });
  });
}

Deno.test({
  name: "of a package from JSR, exactly the bytes for this system are fetched, without --allow-import",
  ignore: !isHere,
  async fn() {
    using project = await Project.create();
    const target = project.join("mod.ts");
    assertEquals((await smf("embed", ...FILES, "-o", target, "--name", "crc32")).code, 0);
    const files = Object.fromEntries([
      [
        "/mod.ts",
        Deno.readTextFileSync(target).replace(
          '"@simple/loader"',
          `"${project.config.imports["@simple/loader"]}"`,
        ),
      ],
      ...SYSTEMS.map((system) => [
        `/mod.bytes/${system}.ts`,
        Deno.readTextFileSync(project.join(`mod.bytes/${system}.ts`)),
      ]),
    ]);
    const fetched: string[] = [];
    const server = serveAsJsr(files, fetched);
    try {
      project.write("app.ts", PROGRAM("jsr:@me/native@0.1.0"));
      const permissions = Deno.build.os === "windows" ? ["--allow-read", "--allow-write"] : [];
      const { text, stdout } = await project.deno(
        ["run", "--no-prompt", "--allow-ffi", ...permissions, "app.ts"],
        { JSR_URL: `http://127.0.0.1:${server.addr.port}/` },
      );
      assertEquals(new TextDecoder().decode(stdout), OUTPUT, text);
      assertEquals(fetched, ["/mod.ts", `/mod.bytes/${Deno.build.os}-${Deno.build.arch}.ts`]);
    } finally {
      await server.shutdown();
    }
  },
});

Deno.test("deno publish takes it without a warning, with explicit types and the bytes; deno compile embeds them", async () => {
  using project = await Project.create();
  assertEquals((await smf("embed", ...FILES, "-o", project.join("crc32.ts"))).code, 0);
  const { links, imports } = project.config;
  project.write(
    "deno.json",
    JSON.stringify({
      ...{ name: "@me/native", version: "0.1.0", license: "MIT", exports: "./crc32.ts", links, imports },
      publish: { include: ["crc32.ts", "crc32.bytes"] },
    }),
  );
  const { text, success } = await project.deno(["publish", "--dry-run", "--allow-dirty"]);
  assert(success, text);
  assert(!/^warning\[/m.test(text), text);
  for (const system of SYSTEMS) assertStringIncludes(text.replaceAll("\\", "/"), `crc32.bytes/${system}.ts`);
  assert((await project.deno(["fmt", "--check", "crc32.ts", "crc32.bytes"])).success);
  const lint = await project.deno(["lint", "crc32.ts", "crc32.bytes"]);
  assert(lint.success, lint.text);

  // This program takes the place of Deno's runtime for such executables, which is downloaded; it is not started.
  project.write("app.ts", PROGRAM("./crc32.ts"));
  const compiled = await project.deno(
    ["compile", "--no-check", "--allow-ffi", "-o", "app.out", "app.ts"],
    { DENORT_BIN: Deno.execPath() },
  );
  assert(compiled.success, compiled.text);
  assertMatch(compiled.text, /crc32\.bytes/);
});

Deno.test("each module is there once for each system", async () => {
  using folder = new TemporaryDirectory();
  const twice = await smf("embed", FILES[0], FILES[1], FILES[0], "-o", folder.join("native.ts"));
  assertEquals(twice.code, 2);
  assertMatch(twice.err[0], /crc32\.smf and .*crc32\.smf are both 'native' for linux-x86_64: leave one out/);

  for (const [index, name] of ["one.linux-x64", "one.windows-x86_64", "two.linux-x64"].entries()) {
    Deno.copyFileSync(FILES[index === 1 ? 2 : 0], folder.join(`${name}.smf`));
  }
  const names = ["one.linux-x64", "one.windows-x86_64", "two.linux-x64"].map((name) =>
    folder.join(`${name}.smf`)
  );
  const missing = await smf("embed", ...names, "-o", folder.join("native.ts"));
  assertEquals(missing.code, 2);
  assertMatch(
    missing.err[0],
    /there is no 'two' for windows-x86_64, for which .*one\.windows-x86_64\.smf is/,
  );
  assertEquals([...Deno.readDirSync(folder.path)].length, 3);

  const several = await smf("embed", names[0], names[2], "-o", folder.join("native.ts"));
  assertEquals([several.code, several.out[0]], [0, `${folder.join("native.ts")}: open("one"), open("two")`]);
});

Deno.test("a module for any system is embedded for each; one for a processor without Deno is refused", async () => {
  using folder = new TemporaryDirectory();
  const moduleFor = (name: string, header: SmfBuilderOptions): string => {
    const builder = new SmfBuilder(header);
    builder.section({ name: "text", type: SectionType.Code, bytes: new Uint8Array(4) });
    return folder.file(name, builder.build());
  };
  const any = moduleFor("any.smf", { platform: Platform.Any });
  const { code, out } = await smf("embed", any, "-o", folder.join("any.ts"));
  assertEquals([code, out.length], [0, 5]);
  const clash = await smf("embed", any, FILES[2], "-o", folder.join("any.ts"));
  assertMatch(clash.err[0], /are both 'any' for windows-x86_64/);
  const riscv = await smf("embed", moduleFor("r.smf", { arch: Arch.Riscv64 }), "-o", folder.join("r.ts"));
  assertEquals(riscv.code, 1);
  assertMatch(
    riscv.err.join("\n"),
    /Linux on Riscv64, where Deno does not run\nnext: give modules for linux/,
  );
});

Deno.test("wrong usage, and files that are not modules", async () => {
  using folder = new TemporaryDirectory();
  const message = async (...args: string[]): Promise<string> => (await smf("embed", ...args)).err.join("\n");
  assertMatch(await message("-o", "a.ts"), /name the modules to embed/);
  assertMatch(await message(FILES[0]), /name the TypeScript module to write/);
  assertMatch(await message(FILES[0], "-o", "a.js"), /ends in \.ts, not 'a\.js'/);
  assertMatch(await message(FILES[0], "-o", "a${b}.ts"), /--output takes a file of letters/);
  assertMatch(await message(FILES[0], "-o", "a.ts", "--name", "a b"), /--name takes letters/);
  assertMatch(await message("-", FILES[0], "-o", "a.ts"), /standard input cannot be one of several/);
  const none = await smf("embed", folder.join("none.smf"), "-o", folder.join("a.ts"));
  assert(none.code === 2 && /Cannot read the file/.test(none.err[0]), none.err[0]);
  const bad = await smf("embed", folder.file("bad.smf", new Uint8Array(100)), "-o", folder.join("a.ts"));
  assertEquals(bad.code, 1);
  assertMatch(bad.err[0], new RegExp(`^${RegExp.escape(folder.join("bad.smf"))}: `));
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["bad.smf"]);
});
