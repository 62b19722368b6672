// --format=github: problems as workflow commands.
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../../src/cli/terminal/command.ts";
import {
  type Problem,
  takeFormat,
  withFormatHelp,
  workflowCommand,
  writeProblem,
} from "../../../src/cli/terminal/problem_format.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { smf } from "../../support/smf_command.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

Deno.test("a workflow command is one line, with file, line and column", () => {
  assertEquals(
    workflowCommand({
      level: "error",
      file: "C:\\a,b.c",
      line: 3,
      column: 7,
      message: "100%: no\r\nnext: yes",
    }),
    "::error file=C%3A\\a%2Cb.c,line=3,col=7::100%25: no%0D%0Anext: yes",
  );
  assertEquals(workflowCommand({ level: "warning", message: "a: b, c" }), "::warning::a: b, c");
  assertEquals(workflowCommand({ level: "notice", file: "a", message: "m" }), "::notice file=a::m");
});

/** Reads a workflow command as GitHub's runner does. */
function read(text: string): Problem {
  const [, level, properties, data] = /^::(\w+)(?: (.*?))?::(.*)$/.exec(text)!;
  const plain = (value: string): string =>
    value.replace(/%(25|0D|0A|3A|2C)/g, (_, code) => String.fromCharCode(parseInt(code, 16)));
  const given = new Map(
    (properties ?? "").split(",").filter((each) => each !== "").map((each) => {
      const at = each.indexOf("=");
      return [each.slice(0, at), plain(each.slice(at + 1))] as const;
    }),
  );
  const number = (name: string) => given.has(name) ? Number(given.get(name)) : undefined;
  return {
    level: level as Problem["level"],
    file: given.get("file"),
    line: number("line"),
    column: number("col"),
    message: plain(data),
  };
}

Deno.test("any file and text survive", () => {
  const text = fc.string({ unit: fc.constantFrom(..."ab%:,\r\n=2503A".split("")), minLength: 1 });
  fc.assert(
    fc.property(text, text, fc.option(fc.nat(), { nil: undefined }), (file, message, line) => {
      const problem: Problem = { level: "error", file, line, column: undefined, message };
      const command = workflowCommand(problem);
      assert(!/[\r\n]/.test(command));
      assertEquals(read(command), problem);
    }),
    { seed: 22 },
  );
});

Deno.test("the option is taken from the command's own arguments, in both spellings", () => {
  assertEquals(takeFormat(["a", "--format=github", "b"], 3), { args: ["a", "b"], format: "github" });
  assertEquals(takeFormat(["--format", "text", "b"], 3), { args: ["b"], format: "text" });
  assertEquals(takeFormat(["a", "--", "--format=x"], 1), {
    args: ["a", "--", "--format=x"],
    format: undefined,
  });
  assertThrows(() => takeFormat(["--format=x"], 1), UsageError, "--format takes text or github, not 'x'");
  assertThrows(() => takeFormat(["--format"], 1), UsageError, "not ''");
  // To ld, other values are formats of objects.
  assertEquals(takeFormat(["--format=elf64"], 1, true), { args: ["--format=elf64"], format: undefined });
  assertEquals(takeFormat(["--format", "github"], 2, true), { args: [], format: "github" });
  assertThrows(() => takeFormat(["--format"], 1, true), UsageError, "not ''");
});

Deno.test("people get lines, other forms the problem", () => {
  const lines: string[] = [];
  const output = { print: () => {}, complain: (line: string) => lines.push(line) };
  writeProblem({ level: "error", message: "m" }, output, ["one", "two"]);
  writeProblem({ level: "error", message: "m" }, { ...output, format: "github" }, ["one", "two"]);
  assertEquals(lines, ["one", "two", "::error::m"]);
});

Deno.test("every command has the option, and its help says so", async () => {
  const { out } = await smf("--help");
  const commands = out.flatMap((line) => /^ {2}(\w+) {2,}\w/.exec(line)?.[1] ?? []);
  assert(commands.length > 15);
  for (const command of commands) {
    const help = (await smf(command, "--help")).out.join("\n");
    assertMatch(
      help,
      /\n {2}--format HOW +text \(default\), or github: problems as workflow commands\n/,
      command,
    );
    const { code, err } = await smf(command, "--format=none");
    const isLd = command === "ld";
    assertEquals(code, 2);
    assertMatch(
      err[0],
      isLd ? /there is no option '--format=none'/ : /--format takes text or github/,
      command,
    );
  }
  assertEquals(withFormatHelp("  --json    one"), "  --json    one");
});

Deno.test("usage, loading and linking: one command a problem, with the next step", async () => {
  using folder = new TemporaryDirectory();
  const bad = folder.file("a:b,c.smf", new Uint8Array(100));
  for (const command of [["verify"], ["nm"], ["hash"], ["inspect"]]) {
    const { code, err } = await smf(...command, bad, "--format=github");
    assertEquals([code, err.length], [1, 1], command[0]);
    const { level, file, message } = read(err[0]);
    assertEquals([level, file], ["error", bad]);
    assertMatch(message, /: Cannot .*\nnext: \w/);
  }
  const json = await smf("verify", bad, "--format=github", "--json");
  assertEquals([JSON.parse(json.out[0]).sound, json.err.length], [false, 1]);

  const usage = await smf("link", "--format=github");
  assertEquals(usage, { code: 2, out: [], err: ["::error::smf link: name the files to link"] });
  const text = await smf("verify", bad, "--format=text");
  assertEquals(text.err, []);

  const objects = ["fixtures/c/arith.o", "fixtures/c/arith.o"];
  const link = await smf("link", ...objects, "-o", folder.join("out.smf"), "--format", "github");
  assertEquals(link.code, 1);
  assert(link.err.length > 1);
  for (const line of link.err) {
    assertMatch(read(line).message, /already defined in .*\nnext: /);
    assertEquals(read(line).file, "fixtures/c/arith.o");
  }
});

testWithCompilers(
  ["cc"],
  "build: the compiler's text, and a command for each of its messages, from the current folder",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/smf.json`, JSON.stringify({ one: { sources: ["src/one.c"] } }));
    Deno.mkdirSync(`${folder}/src`);
    Deno.writeTextFileSync(
      `${folder}/src/one.c`,
      "int one(void) {\n  return missing;\n}\n#warning careful\n",
    );
    const { code, err } = await smf("build", "--project", `${folder}/smf.json`, "--format=github");
    assertEquals(code, 1);
    const commands = err.filter((line) => line.startsWith("::")).map(read);
    assertEquals(
      commands.map(({ level, file, line }) => [level, file, line]),
      [["error", `${folder}/src/one.c`, 2], ["warning", `${folder}/src/one.c`, 4]],
    );
    assertMatch(commands[0].message, /missing/);
    assert(err[0].includes("src/one.c"), err[0]);

    // A compiler that says nothing about a place.
    Deno.writeTextFileSync(
      `${folder}/silent`,
      '#!/bin/sh\n[ "$1" = --version ] && echo silent 1 && exit 0\nexit 3\n',
      {
        mode: 0o755,
      },
    );
    Deno.writeTextFileSync(
      `${folder}/smf.json`,
      JSON.stringify({ one: { sources: ["src/one.c"], compiler: `${folder}/silent` } }),
    );
    const silent = await smf("build", "--project", `${folder}/smf.json`, "--format=github");
    assertEquals(silent.code, 1);
    assertMatch(
      silent.err.join("\n"),
      /::error file=.*src\/one\.c::Cannot compile src\/one\.c: .*silent ends with exit code 3/,
    );
  },
);
