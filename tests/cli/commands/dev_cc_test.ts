// smf dev as a process, with modules that it finds in the calls of cc() in the program's text.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { testWithCompilers } from "../../support/compilers.ts";
import { DevFolder } from "../../support/dev_session.ts";
import { smf } from "../../support/smf_command.ts";

const COUNTER = `static int state;
int count(int set) { if (set) state = set; return state * 100 + BY; }
`;

/** A program of two modules, each of which calls cc(). */
class Program extends DevFolder {
  constructor(folder: string) {
    super(folder);
    this.write("counter.c", COUNTER);
    this.write(
      "app.ts",
      `import { cc } from "@simple/loader/build";
  import { twice } from "./lib/text.ts";
  const counter = await cc(new URL("counter.c", import.meta.url), { flags: ["-DBY=1"] });
  const symbols = counter.symbols as Record<string, (...args: unknown[]) => unknown>;
  console.log("started", counter.built.runs[0].command.includes("-DBY=1"), counter.built.bytes.length > 0);
  let last = "";
  let set = 5;
  setInterval(() => {
    const line = \`count \${symbols.count(set)}, \${twice(4)}, \${symbols.added?.() ?? "none"}\`;
    set = 0;
    if (line !== last) console.log(line);
    last = line;
  }, 10);`,
    );
    this.write(
      "lib/text.ts",
      `import * as build from "@simple/loader/build";
  const text = await build.cc\`
    static int calls;
    int twice(int x) { calls++; return 2 * x; }\`;
  export const twice = text.symbols.twice;`,
    );
  }
}

testWithCompilers(
  ["cc"],
  "sources that calls of cc() name, in several files, are compiled by the parent alone, and follow changes",
  async (folder) => {
    const program = new Program(folder);
    program.write(
      "app.ts",
      `${Deno.readTextFileSync(`${folder}/app.ts`)}
    for (const name of ["read", "write", "run", "env", "net"] as const) {
      console.log(name, Deno.permissions.querySync({ name }).state);
    }`,
    );
    await using session = program.dev(["--no-prompt", "app.ts"], [
      `--allow-run=${Deno.execPath()},cc`,
      `--allow-read=${folder},${Deno.execPath()}`,
      `--allow-write=${folder}`,
    ]);
    let at = await session.line(/^count 501, 8, none$/);
    assert(session.lines.some((line) => /^smf: counter\.c: built \(compiled in/.test(line)));
    assert(session.lines.some((line) => /^smf: lib.text\.ts:2: built \(compiled in/.test(line)));
    assert(session.lines.includes("started true true"));
    const states = session.lines.filter((line) => /^(?:read|write|run|env|net) /.test(line));
    assertEquals(states, ["read", "write", "run", "env", "net"].map((name) => `${name} prompt`));

    // A change of the file, and a new function beside the old one.
    program.write("counter.c", `${COUNTER.replace("* 100", "* 1000")}int added(void) { return 7; }\n`);
    at = await session.line(/^smf: counter\.c: version 2 in .*reloaded .*, kept state$/, at);
    at = await session.line(/^count 5001, 8, 7$/, at);

    // An error, and its mend.
    program.write("counter.c", COUNTER.replace("BY;", "BY"));
    at = await session.line(/counter\.c:2:\d+: error: /, at);
    at = await session.line(/^smf: counter\.c: not built, the running version goes on$/, at);
    program.write("counter.c", `${COUNTER}int added(void) { return 8; }\n`);
    at = await session.line(/^count 501, 8, 8$/, at);

    // A change of the text, in the program's own file, by whose lines errors are told.
    const text = Deno.readTextFileSync(`${folder}/lib/text.ts`);
    program.write("lib/text.ts", text.replace("2 * x", "2 *"));
    at = await session.line(/^lib\/text\.ts:4:\d+: error: /, at);
    at = await session.line(/^smf: lib.text\.ts:2: not built, the running version goes on$/, at);
    program.write("lib/text.ts", `\n\n${text.replace("2 * x", "3 * x")}`);
    at = await session.line(/^smf: lib.text\.ts:4: version 2 in .*, kept calls$/, at);
    at = await session.line(/^count 501, 12, 8$/, at);
    assertEquals(session.lines.filter((line) => line.startsWith("started")).length, 1);
    assertEquals(await session.end(), 0);
    assertEquals([...Deno.readDirSync(`${folder}/.smf`)].filter(({ name }) => name.startsWith("dev_")), []);
  },
);

testWithCompilers(
  ["cc"],
  "a crash of a new version of a call's module is reported by its line, and the version before goes on",
  async (folder) => {
    const program = new Program(folder);
    await using session = program.dev();
    let at = await session.line(/^count 501, 8, none$/);
    const text = Deno.readTextFileSync(`${folder}/lib/text.ts`);
    program.write("lib/text.ts", text.replace("calls++;", "calls++; *(volatile int *) 8 = 1;"));
    at = await session.line(/^smf: lib.text\.ts:2: version 2 crashed, version 1 goes on$/, at);
    at = await session.line(/in twice \(.*lib.text\.ts:4\)/, at);
    program.write("lib/text.ts", text.replace("2 * x", "5 * x"));
    await session.line(/^count \d+, 20, none$/, at);
  },
);

testWithCompilers(
  ["cc"],
  "a call that comes into the running program's text is built, and one that Deno starts again finds it",
  async (folder) => {
    const program = new Program(folder);
    await using session = program.dev(["--watch", "app.ts"]);
    let at = await session.line(/^count 501, 8, none$/);
    program.write("more.c", "int more(void) { return 9; }\n");
    const text = Deno.readTextFileSync(`${folder}/app.ts`);
    program.write(
      "app.ts",
      `${text}\nconsole.log("more", (await cc("more.c")).symbols.more());`,
    );
    at = await session.line(/^smf: more\.c: built /, at);
    at = await session.line(/^more 9$/, at);
    program.write("more.c", "int more(void) { return 10; }\n");
    await session.line(/^smf: more\.c: version 2 in /, at);
  },
);

testWithCompilers(
  ["cc"],
  "cc is followed through other files of the program, under other names",
  async (folder) => {
    const program = new Program(folder);
    program.write("lib/compile.ts", `export { cc as compile } from "@simple/loader/build";`);
    program.write("lib/mod.ts", `export * from "./compile.ts"; export * as again from "../app.ts";`);
    program.write(
      "app.ts",
      `import { compile as make } from "./lib/mod.ts";
  const counter = await make("counter.c", { flags: ["-DBY=1"] });
  const { symbols } = await make\`int one(void) { return 1; }\`;
  setInterval(() => console.log("count", counter.symbols.count(2), symbols.one()), 50);`,
    );
    await using session = program.dev();
    const at = await session.line(/^count 201 1$/);
    program.write("counter.c", COUNTER.replace("* 100", "* 1000"));
    await session.line(/^count 2001 1$/, at);
  },
);

testWithCompilers(
  ["cc"],
  "arguments that only the running program knows are an error that says what to do",
  async (folder) => {
    const program = new Program(folder);
    program.write(
      "app.ts",
      `import { cc } from "@simple/loader/build";
  const flags = Deno.args;
  try { await cc("counter.c", { flags: ["-DBY=1"] }); console.log("found"); } catch (error) { console.log(error.message); }
  for (const options of [{ flags }, { flags: ["-DBY=2"], folder: "lib" }]) {
    try {
      await cc("counter.c", options);
    } catch (error) {
      console.log(error.name, error.kind, error.message);
      console.log("hint", error.hint);
    }
  }`,
    );
    await using session = program.dev(["app.ts", "-DBY=5"]);
    await session.line(/^smf: app\.ts ended with exit code 0/);
    assert(session.lines.includes("found"));
    const errors = session.lines.filter((line) => line.startsWith("LoadError"));
    assertMatch(
      errors[0],
      /^LoadError Unsupported Cannot compile module: smf dev has built .*counter\.c.* with other options: .*-DBY=1.*, not .*-DBY=5/,
    );
    assertMatch(errors[1], /smf dev has not found this call of cc\(\) in the text of the program/);
    for (const hint of session.lines.filter((line) => line.startsWith("hint"))) {
      assertMatch(hint, /as constants, .* or list the module in smf\.json/);
    }
  },
);

testWithCompilers(
  ["cc"],
  "a module of the configuration is the one of a call with the same sources and options, even computed ones",
  async (folder) => {
    const program = new Program(folder);
    program.write("smf.json", JSON.stringify({ counter: { sources: ["counter.c"], flags: ["-DBY=5"] } }));
    program.write(
      "app.ts",
      `import { cc } from "@simple/loader/build";
  const counter = await cc("counter.c", { flags: Deno.args });
  console.log(counter);
  setInterval(() => console.log("count", counter.symbols.count(2)), 50);`,
    );
    await using session = program.dev(["app.ts", "-DBY=5"]);
    const at = await session.line(/^count 205$/);
    assert(session.lines.some((line) => /sources: \[ "counter\.c" \]/.test(line)), session.lines.join("\n"));
    program.write("counter.c", COUNTER.replace("* 100", "* 1000"));
    await session.line(/^count 2005$/, at);
  },
);

Deno.test("a program without a configuration and without calls is wrong usage, which says what was found", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const program = new DevFolder(folder);
    program.write("none.ts", "console.log(1);");
    const none = await smf("dev", `${folder}/none.ts`);
    assertEquals(none.code, 2);
    assertMatch(none.err[0], /^smf dev: there is no smf\.json, .*none\.ts calls no cc\(\): smf init/);
    const url = new URL("../../../src/build/mod.ts", import.meta.url).href;
    program.write("computed.ts", `import { cc } from ${JSON.stringify(url)};\ncc(Deno.args[0]);`);
    const computed = await smf("dev", `${folder}/computed.ts`);
    assertEquals(computed.code, 2);
    assertMatch(
      computed.err[0],
      /only the running program knows the arguments of cc\(\) in .*computed\.ts:2/,
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
