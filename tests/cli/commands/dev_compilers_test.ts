// smf dev with TinyCC, and with headers that come and go.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { testWithCompilers } from "../../support/compilers.ts";
import { Changes } from "../../../src/cli/dev/changes.ts";
import { DevSession } from "../../support/dev_session.ts";
import { smf } from "../../support/smf_command.ts";
import { SourceFolder } from "../../support/source_folder.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const ROOT = fromFileUrl(new URL("../../..", import.meta.url));

/** Calls `count` by definitions all the time, and prints what changes. */
const PROGRAM = `
  import { ModuleRegistry } from "file://${ROOT}/mod.ts";
  import { definitions } from "./counter.types.ts";
  const registry = new ModuleRegistry();
  const { symbols } = registry.open(new URL(".smf/counter.smf", import.meta.url), definitions);
  let last: unknown;
  setInterval(() => {
    const value = symbols.count(last === undefined ? 5 : 0);
    if (value !== last) console.log("count", value);
    last = value;
  }, 10);`;

const COUNTER = `#include "by.h"
static int state;
int count(int set) { if (set) state = set; return state * 100 + BY; }
`;

/** The definitions that a build with another compiler has written. */
const DEFINITIONS =
  `export const definitions = { count: { parameters: ["i32"], result: "i32" } } as const;\n`;

class Project extends SourceFolder {
  constructor(folder: string) {
    super(folder);
    const counter = { sources: ["counter.c"], flags: ["-Ifirst", "-Ilast"], types: "counter.types.ts" };
    this.write("smf.json", JSON.stringify({ counter }));
    Deno.mkdirSync(`${folder}/first`);
    this.write("last/by.h", "#define BY 1\n");
    this.write("counter.c", COUNTER);
    this.write("counter.types.ts", DEFINITIONS);
    this.write("app.ts", PROGRAM);
  }

  dev(args: readonly string[], permissions?: readonly string[]): DevSession {
    const flags = [`--config=${ROOT}/deno.json`, "--no-check"];
    return new DevSession(this.folder, [...flags, ...args, "app.ts"], permissions);
  }
}

testWithCompilers(
  ["tcc"],
  "TinyCC: it says once that there are no types, leaves definitions as they are, and keeps variables",
  async (folder) => {
    const project = new Project(folder);
    await using session = project.dev(["--compiler", "tcc", "--verbose"]);
    let at = await session.line(/^count 501$/);
    const untyped =
      /^smf: counter: tcc tells no types: counter\.types\.ts stays as it is, and variables are kept by /;
    assertEquals(session.lines.filter((line) => untyped.test(line)).length, 1, session.lines.join("\n"));
    assert(session.lines.some((line) => /^\+ tcc -gdwarf -fPIC -Ifirst /.test(line)));
    project.write("counter.c", COUNTER.replace("static", "static int before; static").replace("+ BY", "+ 7"));
    at = await session.line(/^smf: counter: version 2 in .*, kept state$/, at);
    await session.line(/^count 507$/, at - 1);
    project.write("counter.c", COUNTER.replace("BY;", "BY"));
    at = await session.line(/^counter\.c:3: error: /, at);
    at = await session.line(/^smf: counter: not built, the running version goes on$/, at);
    project.write("counter.c", COUNTER.replace("+ BY", "+ 8"));
    await session.line(/^count 508$/, at);
    assertEquals(session.lines.filter((line) => untyped.test(line)).length, 1);
    assertEquals(Deno.readTextFileSync(`${folder}/counter.types.ts`), DEFINITIONS);
  },
);

testWithCompilers(
  ["tcc"],
  "the configuration may name TinyCC; a build says that definitions need another compiler",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/a.c`, "int a(void) { return 4; }");
    const config = `${folder}/smf.json`, json = ["--json", "--project", config];
    Deno.writeTextFileSync(
      config,
      JSON.stringify({ a: { sources: ["a.c"], compiler: "tcc", types: "a.ts" } }),
    );
    const { code, err } = await smf("build", "--project", config);
    assertEquals(code, 0);
    assertMatch(err.join("\n"), /^smf: a: tcc tells no types: build once with another compiler for a\.ts, /);
    assertMatch(JSON.parse((await smf("build", ...json)).out[0]).modules[0].untyped, /^tcc tells no types/);
    const run = await smf("run", `${folder}/.smf/a.smf`, "a", "--signature", "i32()");
    assertEquals(run.out, ["4"], run.err.join("\n"));
    // The command line comes before the configuration, and writes them.
    const { out: [line] } = await smf("build", "--compiler", "cc", ...json);
    assertEquals("untyped" in JSON.parse(line).modules[0], false);
    assertMatch(Deno.readTextFileSync(`${folder}/a.ts`), /a: \{ parameters: \[\], result: "i32" \}/);
  },
);

testWithCompilers(
  ["cc"],
  "a header that comes to be found before another, and one that is removed, lead to a reload",
  async (folder) => {
    const project = new Project(folder);
    await using session = project.dev([]);
    let at = await session.line(/^count 501$/);
    project.write("first/by.h", "#define BY 2\n");
    at = await session.line(/^count 502$/, at);
    project.write("by.h", "#define BY 3\n");
    at = await session.line(/^count 503$/, at);
    Deno.removeSync(`${folder}/by.h`);
    at = await session.line(/^count 502$/, at);
    Deno.removeSync(`${folder}/first/by.h`);
    at = await session.line(/^count 501$/, at);
    Deno.removeSync(`${folder}/last/by.h`);
    at = await session.line(/by\.h: No such file/, at);
    at = await session.line(/^smf: counter: not built, the running version goes on$/, at);
    project.write("first/by.h", "#define BY 4\n");
    await session.line(/^count 504$/, at);
  },
);

testWithCompilers(
  ["tcc"],
  "TinyCC needs to be run and its library to be read; the program has its module and definitions alone",
  async (folder) => {
    const project = new Project(folder);
    project.write(
      "app.ts",
      PROGRAM.replace(
        "let last",
        `console.log("run", Deno.permissions.querySync({ name: "run" }).state);\nlet last`,
      ),
    );
    const { stdout } = new Deno.Command("tcc", { args: ["-print-search-dirs"] }).outputSync();
    const library = /^libtcc1:\s+(.*)$/m.exec(new TextDecoder().decode(stdout))![1];
    const permissions = (...more: string[]) => [
      `--allow-run=${Deno.execPath()},tcc`,
      `--allow-read=${[folder, ...more].join()}`,
      `--allow-write=${folder}`,
    ];
    {
      await using session = project.dev(["--no-prompt", "--compiler=tcc"], permissions(library));
      await session.line(/^run prompt$/);
      await session.line(/^count 501$/);
    }
    await using session = project.dev(["--no-prompt", "--compiler=tcc"], permissions());
    const at = await session.line(/Requires read access to ".*libtcc1\.a"/);
    await session.line(/^smf: counter: not built/, at);
  },
);

testWithCompilers(
  ["cc"],
  "each of its permissions is needed, and a missing one is named",
  async (folder) => {
    const project = new Project(folder);
    const all = {
      run: `--allow-run=${Deno.execPath()},cc`,
      read: `--allow-read=${folder}`,
      write: `--allow-write=${folder}`,
    };
    {
      await using session = project.dev(["--no-prompt"], Object.values(all));
      await session.line(/^count 501$/);
    }
    for (
      const [less, message] of [
        [{ run: "--allow-run=cc" }, /Cannot start program: it needs --allow-run=deno/],
        [{ run: `--allow-run=${Deno.execPath()}` }, /Cannot run a C compiler: none of 'cc', /],
        [{ read: "" }, /Requires read access to /],
        [{ write: "" }, /Requires write access to /],
      ] as const
    ) {
      const permissions = Object.values({ ...all, ...less }).filter((flag) => flag !== "");
      await using session = project.dev(["--no-prompt"], permissions);
      await session.line(message);
    }
  },
);

testWithCompilers(
  ["cc"],
  "modules are reloaded also when the program has dropped its registry, and not in one that it has closed",
  async (folder) => {
    const project = new Project(folder);
    project.write(
      "app.ts",
      `${PROGRAM.replace("let last", "setInterval(() => globalThis.gc(), 5);\nlet last")}
      { using other = new ModuleRegistry();
        console.log("other", other.open(new URL(".smf/counter.smf", import.meta.url), definitions).symbols.count(1)); }`,
    );
    await using session = project.dev(["--v8-flags=--expose-gc"]);
    await session.line(/^other 101$/);
    let at = await session.line(/^count 501$/);
    for (const by of [2, 3, 4]) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      project.write("last/by.h", `#define BY ${by}\n`);
      at = await session.line(new RegExp(`^count 50${by}$`), at);
    }
    assertEquals(session.lines.filter((line) => /^smf: counter: version/.test(line)).length, 3);
  },
);

Deno.test("changes that no watch has seen are found: files that are newer or gone, and paths that came to be", async () => {
  using folder = new TemporaryDirectory();
  const file = (name: string) => folder.file(name, new Uint8Array(1));
  const [old, fresh, came] = ["old.h", "fresh.h", "came.h"].map(file);
  const start = Date.now();
  Deno.utimeSync(old, new Date(start - 5000), new Date(start - 5000));
  Deno.utimeSync(fresh, new Date(start + 5000), new Date(start + 5000));
  // A file that was moved here keeps its time.
  Deno.utimeSync(came, new Date(start - 5000), new Date(start - 5000));
  const gone = folder.join("gone.h"), missing = folder.join("missing.h");
  using changes = new Changes();
  changes.addMissed(start, [old, fresh, gone], [came, missing]);
  assertEquals([...(await changes.next()).keys()].toSorted(), [came, fresh, gone].toSorted());
});
