// smf init: from an empty folder to a function that is reloaded, in each language.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, toFileUrl } from "@std/path";
import { DevSession } from "../../support/dev_session.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { smf, smfProcess } from "../../support/smf_command.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const ROOT = fromFileUrl(new URL("../../..", import.meta.url));

/** The compiler of each language, and a change of its source. */
const LANGUAGES = {
  c: ["cc", "native/counter.c", "total += by", "total += 1000 * by"],
  cpp: ["c++", "native/counter.cpp", "total += by", "total += 1000 * by"],
  rust: [
    "cargo",
    "native/src/lib.rs",
    "fetch_add(by, Ordering::SeqCst) + by",
    "fetch_add(1000 * by, Ordering::SeqCst) + 1000 * by",
  ],
  zig: ["zig", "native/counter.zig", "total += by", "total += 1000 * by"],
} as const;

for (const [language, [compiler, source, text, changed]] of Object.entries(LANGUAGES)) {
  testWithCompilers(
    [compiler],
    `${language}: init, its test, dev, and a change that keeps the total`,
    async (folder) => {
      const path = `${folder}/demo`;
      const { code, out, err } = await smf("init", path, "--language", language);
      assertEquals([code, err], [0, []]);
      assert(out.includes(`${path}/${source}`), out.join("\n"));
      assertMatch(out.join("\n"), new RegExp(`compiles with ${compiler.replaceAll("+", "\\+")}`));
      // By npx, as the tests are run where Deno is not installed, there is no other way to start it.
      const deno = Deno.execPath().includes("_npx") ? "npx -y deno" : "deno";
      assert(out.includes(`Run it: cd ${path} && ${deno} task dev`), out.join("\n"));
      if (language === "c") {
        await compile(Deno.execPath(), ["task", "test"], path);
        await compile(Deno.execPath(), ["lint"], path);
      } else {
        // The TypeScript is the same, and checking it takes most of the time.
        await compile(Deno.execPath(), ["task", "build"], path);
        await compile(Deno.execPath(), ["test", "--no-check", "--allow-ffi", "--allow-read"], path);
      }
      await compile(Deno.execPath(), ["fmt", "--check"], path);

      const { tasks }: { tasks: Record<string, string> } = JSON.parse(
        Deno.readTextFileSync(`${path}/deno.json`),
      );
      const [, permissions, args] = /^deno run (.*) @simple\/loader\/cli dev (.*)$/.exec(tasks.dev)!;
      await using session = new DevSession(path, args.split(" "), permissions.split(" "));
      let at = await session.line(/^3$/);
      Deno.writeTextFileSync(
        `${path}/${source}`,
        Deno.readTextFileSync(`${path}/${source}`).replace(text, changed),
      );
      at = await session.line(/^smf: counter: version 2 .*, kept .*(?:total|TOTAL)/, at);
      const next = Number(session.lines[await session.line(/^\d{4,}$/, at)]);
      // 1 + 2 + … before the change, a thousand times the next number after it.
      assert(next % 1000 >= 3 && next < 100_000, session.lines.join("\n"));
    },
  );
}

Deno.test("no file is overwritten, and nothing is written then", async () => {
  using folder = new TemporaryDirectory();
  folder.file("main.ts", new TextEncoder().encode("// mine"));
  const { code, err } = await smf("init", folder.path);
  assertEquals(code, 2);
  assertMatch(err[0], /main\.ts is there already/);
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["main.ts"]);
});

Deno.test("wrong usage", async () => {
  assertMatch((await smf("init", "a", "b")).err[0], /'b' is one too many/);
  assertMatch((await smf("init", "--language", "go")).err[0], /--language takes c, cpp, rust, zig, not 'go'/);
});

Deno.test("where there is no compiler, tasks bring one from npm, if npm has one for this system", async () => {
  const hasPackage = Deno.build.os === "linux" && Deno.build.arch === "x86_64";
  for (
    const [language, isCompiled] of [["c", true], ["cpp", true], ["zig", true], ["rust", false]] as const
  ) {
    using folder = new TemporaryDirectory();
    const path = folder.join("new");
    const permissions = ["--allow-read", `--allow-write=${folder.path}`, "--allow-run", "--allow-env=PATH"];
    const { code, out, err } = await smfProcess(["init", path, "--language", language, "--json"], {
      permissions,
      env: { PATH: folder.path },
    });
    assertEquals([code, err], [0, []]);
    const { compilerPackage, problem } = JSON.parse(out[0]);
    const { imports, tasks } = JSON.parse(Deno.readTextFileSync(`${path}/deno.json`));
    const brings = Object.values<string>(tasks).map((task) => /^deno install .*&& deno run /.test(task));
    if (hasPackage && isCompiled) {
      assertMatch(imports[compilerPackage], /^npm:@ryoppippi\/zig-linux-x64@/);
      assertMatch(Deno.readTextFileSync(`${path}/.gitignore`), /^node_modules\/$/m);
      assertEquals(brings, [true, true, true]);
    } else {
      assertMatch(problem, /Cannot find/);
      assertEquals([Object.keys(imports), brings], [["@simple/loader"], [false, false, false]]);
    }
  }
});

Deno.test("without --allow-run nothing is asked of compilers; --json lists the files", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.join("new");
  const permissions = ["--allow-read", `--allow-write=${folder.path}`];
  const { code, out, err } = await smfProcess(["init", path, "--json"], { permissions });
  assertEquals([code, err], [0, []]);
  const { command, files } = JSON.parse(out[0]);
  assertEquals(command, "init");
  for (const name of files) Deno.statSync(`${path}/${name}`);
  // The clone that this test runs in is what the project uses.
  const { links } = JSON.parse(Deno.readTextFileSync(`${path}/deno.json`));
  const target = fromFileUrl(new URL(links[0], `${toFileUrl(Deno.realPathSync(path))}/`));
  assertEquals(Deno.realPathSync(target), Deno.realPathSync(ROOT));
});
