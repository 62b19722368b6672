// smf dev as a process: a program whose native modules change under it.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { neededPermissions, parseDevArguments } from "../../../src/cli/dev/arguments.ts";
import { failureLines, reloadLines } from "../../../src/cli/dev/report.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { DevFolder } from "../../support/dev_session.ts";
import { smf } from "../../support/smf_command.ts";

const ROOT = fromFileUrl(new URL("../../..", import.meta.url));

/** Calls `count` of a module all the time, and prints what changes. */
const PROGRAM = `
  import { ModuleRegistry } from "file://${ROOT}/mod.ts";
  const registry = new ModuleRegistry();
  const { symbols } = registry.open(new URL(".smf/counter.smf", import.meta.url));
  let last: unknown;
  console.log("started", Deno.args.join(" "));
  setInterval(() => {
    const value = symbols.count(last === undefined ? 5 : 0);
    if (value !== last) console.log("count", value);
    last = value;
  }, 10);`;

const COUNTER = `#include "by.h"
static int state;
int count(int set) { if (set) state = set; return state * 100 + BY; }
`;

/** A project with a module of two sources and a header. */
class Project extends DevFolder {
  constructor(folder: string) {
    super(folder);
    this.write(
      "smf.json",
      JSON.stringify({
        counter: { sources: ["counter.c", "other.c"], flags: ["-Iinclude"], types: "counter.types.ts" },
      }),
    );
    this.write("include/by.h", "#define BY 1\n");
    this.write("counter.c", COUNTER);
    this.write("other.c", "int other(void) { return 1; }\n");
    this.write("app.ts", PROGRAM);
  }
}

testWithCompilers(
  ["cc"],
  "a program starts with its modules built, and goes on over a change, an error and a mend",
  async (folder) => {
    const project = new Project(folder);
    await using session = project.dev(["app.ts", "--own", "args"]);
    await session.line(/^started --own args$/);
    assertMatch(session.lines[0], /^smf: counter: built \(compiled in .* ms, linked .* ms\)$/);
    let at = await session.line(/^count 501$/);

    // A change of a source: new code, old state.
    project.write("counter.c", COUNTER.replace("state;", "state = 7;").replace("+ BY", "+ 10 * BY"));
    at = await session.line(
      /^smf: counter: version 2 in .*compiled in .*linked .*reloaded .*, kept state$/,
      at,
    );
    assert(session.lines.some((line) => /begins with another: state$/.test(line)), session.lines.join("\n"));
    await session.line(/^count 510$/);

    // A source that does not compile: the compiler's own text, and the program goes on.
    project.write("counter.c", COUNTER.replace("BY;", "BY"));
    const error = await session.line(/^counter\.c:3:\d+: error: /, at);
    at = await session.line(/^smf: counter: not built, the running version goes on$/, error);
    project.write("counter.c", COUNTER.replace("* 100", "* 1000"));
    at = await session.line(/^smf: counter: version 3 /, at);
    await session.line(/^count 5001$/);

    // A change that makes no difference.
    project.write("other.c", "// nothing\nint other(void) { return 1; }\n");
    at = await session.line(/^smf: counter: (?:unchanged|version 4)/, at);
    assert(!session.lines.some((line) => /started/.test(line) && session.lines.indexOf(line) > error));
    assertEquals(await session.end(), 0);
  },
);

testWithCompilers(
  ["cc"],
  "a header that changes, and one that was missing, lead to a reload; only what has changed is compiled",
  async (folder) => {
    const project = new Project(folder);
    await using session = project.dev(["--verbose", "app.ts"]);
    let at = await session.line(/^count 501$/);
    assertEquals(session.lines.filter((line) => line.startsWith("+ ")).length, 2);
    project.write("include/by.h", "#define BY 2\n");
    at = await session.line(/^count 502$/, at);
    const commands = session.lines.filter((line) => line.startsWith("+ "));
    assertEquals(commands.length, 3);
    assertMatch(commands[2], /^\+ cc .* -Iinclude -c counter\.c /);

    project.write("counter.c", `#include "later.h"\n${COUNTER}`);
    at = await session.line(/later\.h: No such file/, at);
    at = await session.line(/not built/, at);
    project.write("include/later.h", "#undef BY\n");
    project.write("include/by.h", "#define BY 3\n");
    await session.line(/^count 503$/, at);
    assertMatch(
      Deno.readTextFileSync(`${folder}/counter.types.ts`),
      /count: \{ parameters: \["i32"\], result: "i32" \}/,
    );
  },
);

testWithCompilers(
  ["cc"],
  "the first version may fail: the program starts when it is mended",
  async (folder) => {
    const project = new Project(folder);
    project.write("counter.c", "int count(int set) { return }\n");
    await using session = project.dev();
    const at = await session.line(/^smf: counter: not built, waiting for a change$/);
    assert(session.lines.some((line) => /counter\.c:1:\d+: error/.test(line)));
    project.write("counter.c", COUNTER);
    await session.line(/^started/, at);
  },
);

const CRASHING = COUNTER.replace("{", "{ *(volatile int *) 8 = 1;");

testWithCompilers(
  ["cc"],
  "after a crash of a new version the program goes on with the one before, and takes the next",
  async (folder) => {
    const project = new Project(folder);
    await using session = project.dev();
    let at = await session.line(/^count 501$/);
    project.write("counter.c", CRASHING);
    at = await session.line(/^smf: counter: version 2 crashed, version 1 goes on$/, at);
    at = await session.line(/SIG(?:SEGV|ABRT), write to address 0x8, in count \(.*counter\.c:3\)/, at);
    project.write("counter.c", COUNTER.replace("+ BY", "+ 9"));
    at = await session.line(/^smf: counter: version 3 in .*kept state$/, at);
    await session.line(/^count 509$/, at);
    assertEquals(session.lines.filter((line) => line.startsWith("started")).length, 1);
  },
);

testWithCompilers(
  ["cc"],
  "a crash of the first version ends the program with the error, and a mended source starts it again",
  async (folder) => {
    const project = new Project(folder);
    project.write("counter.c", CRASHING);
    await using session = project.dev();
    let at = await session.line(/^smf: app\.ts ended with exit code 1; it starts again at the next change$/);
    assert(session.lines.some((line) => /LoadError: Native code has crashed.*counter\.c:3/.test(line)));
    project.write("counter.c", COUNTER);
    at = await session.line(/^started/, at);
    await session.line(/^count 501$/, at);
  },
);

testWithCompilers(
  ["cc"],
  "a registry that says so ends the program at a crash, with a report, and a mended source starts it again",
  async (folder) => {
    const project = new Project(folder);
    project.write(
      "app.ts",
      PROGRAM.replace("new ModuleRegistry()", 'new ModuleRegistry({ onCrash: "end" })'),
    );
    await using session = project.dev();
    let at = await session.line(/^count 501$/);
    project.write("counter.c", CRASHING);
    at = await session.line(/^smf: app\.ts was ended by SIG(?:SEGV|ABRT)/, at);
    const report = session.lines.slice(0, at).join("\n");
    assertMatch(report, /at count.*counter\.c:3.* in module '.*counter\.smf', version 2/);
    project.write("counter.c", COUNTER.replace("+ BY", "+ 9"));
    at = await session.line(/^started/, at);
    await session.line(/^count 509$/, at);
  },
);

testWithCompilers(
  ["cc"],
  "a program that has ended starts again when it changes, also with its own exit code",
  async (folder) => {
    const project = new Project(folder);
    project.write("app.ts", `console.log("once"); Deno.exit(3);`);
    await using session = project.dev();
    const at = await session.line(
      /^smf: app\.ts ended with exit code 3; it starts again at the next change$/,
    );
    project.write("app.ts", PROGRAM);
    await session.line(/^count 501$/, at);
  },
);

testWithCompilers(
  ["cc"],
  "an exported function that goes away is refused, and the program goes on",
  async (folder) => {
    const project = new Project(folder);
    await using session = project.dev();
    let at = await session.line(/^count 501$/);
    project.write("counter.c", COUNTER.replace("int count", "int counted"));
    at = await session.line(/^smf: counter: not reloaded, the running version goes on$/, at);
    assertMatch(session.lines[await session.line(/count/, at + 1)], /'count'/);
    // Not the hint for who calls reload: nobody does here.
    await session.line(
      /^next: keep the exports that the program uses, or change it, too, and start it again/,
      at,
    );
    project.write("counter.c", COUNTER.replace("+ BY", "+ 4"));
    await session.line(/^count 504$/, at);
  },
);

testWithCompilers(
  ["cc"],
  "a change of the program's own text is told, and which option takes it at once",
  async (folder) => {
    const project = new Project(folder);
    await using session = project.dev();
    const at = await session.line(/^count 501$/);
    project.write("app.ts", PROGRAM.replace('"count"', '"counted"'));
    await session.line(
      /^smf: app\.ts: changed, for the next start of the program; smf dev --watch-hmr app\.ts takes such/,
      at,
    );
    // A function more makes the types others, of which the program has no need.
    project.write("counter.c", `${COUNTER}int more(void) { return 1; }\n`);
    await session.line(/^smf: counter: version 2 /, at);
    assertEquals(session.lines.filter((line) => /next start/.test(line)).length, 1);
  },
);

testWithCompilers(
  ["cc"],
  "with --watch-hmr a change of the program's own text is taken at once, beside those of native code",
  async (folder) => {
    const project = new Project(folder);
    await using session = project.dev(["--watch-hmr", "app.ts"]);
    let at = await session.line(/^count 501$/);
    // Functions are replaced when they are called next.
    project.write("app.ts", PROGRAM.replace('"count"', '"counted"'));
    at = await session.line(/^HMR (?:Replaced|Reloaded)/, at);
    project.write("counter.c", COUNTER.replace("+ BY", "+ 9"));
    await session.line(/^counted 509$/, at);
    assertEquals(session.lines.filter((line) => /next start/.test(line)), []);
  },
);

testWithCompilers(
  ["cc"],
  "--format=github gives errors of compilers, refused reloads and crashes lines of their own, with places",
  async (folder) => {
    const project = new Project(folder);
    await using session = project.dev(["--format=github", "app.ts"]);
    let at = await session.line(/^count 501$/);
    project.write("counter.c", COUNTER.replace("BY;", "BY"));
    at = await session.line(/^::error file=.*counter\.c,line=3,col=\d+::/, at);
    project.write("counter.c", COUNTER.replace("int count", "int counted"));
    at = await session.line(/^smf: counter: not reloaded, the running version goes on$/, at);
    at = await session.line(/^::error file=.*counter\.smf::.*'count'.*%0Anext: /, at);
    project.write("counter.c", CRASHING);
    at = await session.line(/^::error file=.*counter\.c,line=3::Native code has crashed: .*%0Anext: /, at);
    project.write("counter.c", COUNTER.replace("+ BY", "+ 4"));
    await session.line(/^count 504$/, at);
  },
);

/** A loop on another thread, which comes to a safe point only once it is told to. */
const LOOP = `void smf_safe_point(void);
static volatile int is_polite;
void be_polite(void) { is_polite = 1; }
int version(void) { return BY; }
int run(void) { for (;;) if (is_polite) smf_safe_point(); }
`;

testWithCompilers(
  ["cc"],
  "--at safe-point waits for a loop on another thread, and reports one that does not come to it",
  async (folder) => {
    const project = new Project(folder);
    project.write("counter.c", `#define BY 1\n${LOOP}`);
    project.write(
      "app.ts",
      `
  import { ModuleRegistry } from "file://${ROOT}/mod.ts";
  const registry = new ModuleRegistry();
  const { symbols } = registry.open(new URL(".smf/counter.smf", import.meta.url), {
    run: { parameters: [], result: "i32", nonblocking: true },
    version: { parameters: [], result: "i32" },
    be_polite: { parameters: [], result: "void" },
  });
  symbols.run();
  setInterval(() => {
    console.log("version", symbols.version());
    try {
      Deno.statSync(new URL("polite", import.meta.url));
      symbols.be_polite();
    } catch { /* not yet */ }
  }, 20);`,
    );
    await using session = project.dev(["--at", "safe-point", "--timeout=300", "-A", "app.ts"]);
    let at = await session.line(/^version 1$/);
    project.write("counter.c", `#define BY 2\n${LOOP}`);
    at = await session.line(/^smf: counter: not reloaded, the running version goes on$/, at);
    at = await session.line(/no safe point within 300 ms: 1 nonblocking calls in flight/, at);
    project.write("polite", "");
    project.write("counter.c", `#define BY 3\n${LOOP}`);
    at = await session.line(/^smf: counter: version 2 in /, at);
    await session.line(/^version 3$/, at);
    assertEquals(session.lines.filter((line) => line === "version 2"), []);
  },
);

testWithCompilers(
  ["cc"],
  "it needs to run Deno and the compiler, and the program reads its modules alone",
  async (folder) => {
    const project = new Project(folder);
    project.write(
      "app.ts",
      `${PROGRAM}
    for (const name of ["read", "write", "run", "env", "net"] as const) {
      console.log(name, Deno.permissions.querySync({ name }).state);
    }`,
    );
    const permissions = [
      `--allow-run=${Deno.execPath()},cc`,
      `--allow-read=${folder},${Deno.execPath()}`,
      `--allow-write=${folder}`,
    ];
    await using session = project.dev(["--no-prompt", "app.ts"], permissions);
    await session.line(/^count 501$/);
    const states = session.lines.filter((line) => /^(?:read|write|run|env|net) /.test(line));
    assertEquals(states, ["read", "write", "run", "env", "net"].map((name) => `${name} prompt`));
    project.write("include/by.h", "#define BY 2\n");
    await session.line(/^count 502$/);
  },
);

testWithCompilers(
  ["cc"],
  "Ctrl-C, which goes to the program, too, ends both with exit code 0 and no file left",
  async (folder) => {
    const project = new Project(folder);
    // The program has the same process group, as at a terminal; here the test tells the program alone.
    project.write("app.ts", `${PROGRAM}\nconsole.log("pid", Deno.pid);`);
    const session = project.dev();
    await session.line(/^count 501$/);
    const [, pid] = /^pid (\d+)$/.exec(session.lines[await session.line(/^pid /)])!;
    Deno.kill(Number(pid), "SIGINT");
    assertEquals(await session.ended(), 0);
    assertEquals(session.lines.filter((line) => /starts again/.test(line)), []);
    assertEquals([...Deno.readDirSync(`${folder}/.smf`)].filter(({ name }) => name.startsWith("dev_")), []);
  },
);

Deno.test("arguments: own options, those of Deno, the program and its own", () => {
  const parsed = parseDevArguments([
    "--state=carry",
    "-A",
    "--project",
    "x.json",
    "--verbose",
    "--compiler=clang -O3",
    "a.ts",
    "--state",
    "b",
  ]);
  assertEquals(parsed, {
    state: "carry",
    when: {},
    verbose: true,
    color: undefined,
    compiler: "clang -O3",
    project: "x.json",
    flags: ["-A"],
    program: "a.ts",
    args: ["--state", "b"],
  });
});

Deno.test("values of --at and --timeout are not taken for the program", () => {
  const { when, program, args } = parseDevArguments(["--at", "safe-point", "--timeout", "50", "a.ts", "7"]);
  assertEquals({ when, program, args }, {
    when: { at: "safe point", timeout: 50 },
    program: "a.ts",
    args: ["7"],
  });
});

Deno.test("wrong arguments, and a folder without a project, are wrong usage", async () => {
  for (
    const [args, message] of [
      [[], /^smf dev: name the program to start$/],
      [["--state", "kept", "a.ts"], /takes keep, carry, fresh or keep-or-carry, not 'kept'/],
      [["--project"], /--project needs a value/],
      [["--compiler"], /--compiler needs a value/],
      [["--at", "later", "a.ts"], /--at takes now or safe-point, not 'later'/],
      [["--timeout", "9", "a.ts"], /--timeout belongs to --at safe-point/],
      [["--at", "safe-point", "--timeout=1.5", "a.ts"], /a whole number of milliseconds, not '1.5'/],
      [["--project", "no.json", "app.ts"], /no such file \(file 'no\.json'\)|no\.json: .*no such file/],
    ] as const
  ) {
    const { code, err } = await smf("dev", ...args);
    assertEquals(code, 2, err.join("\n"));
    assertMatch(err[0], message);
  }
});

Deno.test("permissions are added to those of the user only where they are missing", () => {
  const readable = ["/p/.smf"];
  assertEquals(neededPermissions([], readable), ["--allow-ffi", "--allow-read=/p/.smf"]);
  assertEquals(neededPermissions(["--allow-read=x", "--allow-ffi"], readable), ["--allow-read=/p/.smf"]);
  assertEquals(neededPermissions(["-R"], readable), ["--allow-ffi"]);
  for (const all of ["-A", "--allow-all", "-P=dev"]) assertEquals(neededPermissions([all], readable), []);
});

Deno.test("a line on a reload names few variables, and none of their hashes", () => {
  const kept = ["a", "b@x.c", "c.0@x.o:0123456789abcdef", "d", "e", "f"];
  const [line, ...more] = reloadLines(
    "m",
    {
      version: 3,
      carried: { kept, carried: [], fresh: [{ name: "g\x1b[2J", reason: "it is new" }] } as never,
    },
    { changed: 1000, compiled: 20.4, linked: 3.14 },
    1.26,
    1100,
  );
  assertEquals(
    line,
    "smf: m: version 3 in 100 ms (compiled in 20 ms, linked 3.1 ms, reloaded 1.3 ms), kept a, b, c.0, d and 2 more",
  );
  assertEquals(more, ["smf: m: initialized anew: g\\x1b[2J: it is new"]);
  const fresh = ["h", "i@x.o:0123456789abcdef", "j", "k", "l"].map((name) => ({
    name,
    reason: "the old version has no variable of this name",
  }));
  assertEquals(
    reloadLines(
      "m",
      { version: 4, carried: { kept: ["a"], carried: [], fresh } as never },
      { changed: 1000, compiled: 20.4, linked: 3.14 },
      1.26,
      1100,
    ).slice(1),
    ["smf: m: new: h, i, j, k and 1 more"],
  );
  assertEquals(failureLines("m", "text", "m.smf", undefined), [
    "smf: m: not reloaded, the running version goes on",
    "text",
  ]);
});

Deno.test("the part in the program needs no configuration, which names packages", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", "--no-lock", "--no-check", "src/cli/dev/client.ts"],
    cwd: ROOT,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
});
