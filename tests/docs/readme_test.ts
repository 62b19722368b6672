// Follows the README step by step as a newcomer would: runs its commands, writes its code to files.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname, join } from "@std/path";
import { TextLineStream } from "../fuzz/lines.ts";
import { compilesForHere } from "../support/compilers.ts";
import { TemporaryDirectory } from "../support/testing.ts";
import { Markdown, ROOT } from "../support/markdown.ts";

const README = new Markdown("README.md");

/** The code blocks of the chapter that ends in a live reload, by language. */
function steps(): { c: string; commands: string[]; shown: string } {
  const from = README.text.indexOf("## From C to a live reload");
  const chapter = README.text.slice(from, README.text.indexOf("\n## ", from));
  const blocks = README.blocks.filter(({ text }) => chapter.includes(text));
  const one = (language: string): string => {
    const found = blocks.filter((block) => block.language === language);
    assertEquals(found.length, 1, language);
    return found[0].text;
  };
  return { c: one("c"), commands: one("sh").trim().split("\n"), shown: one("console") };
}

Deno.test({
  name: "from C to a live reload, by the README alone",
  ignore: !compilesForHere(),
  async fn() {
    const { c, commands, shown } = steps();
    const [init, cd, run] = commands;
    assertEquals(commands.length, 3);
    assertEquals(cd, "cd demo");
    using directory = new TemporaryDirectory();
    Deno.symlinkSync(ROOT, directory.join("loader"));
    const env = { PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`, NO_COLOR: "1" };
    const made = await new Deno.Command("sh", { args: ["-c", init], cwd: directory.path, env }).output();
    assert(made.success, new TextDecoder().decode(made.stderr));
    const source = directory.join("demo/native/counter.c");
    assertEquals(c, `// native/counter.c\n${Deno.readTextFileSync(source)}`);

    await using program = new Deno.Command("sh", {
      args: ["-c", `exec ${run} 2>&1`],
      cwd: directory.join("demo"),
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines = program.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    const seen: string[] = [];
    const numbers = (): number[] => seen.filter((line) => /^\d+$/.test(line)).map(Number);
    // A slow machine is not a failure; a program that prints nothing is.
    const watchdog = setTimeout(() => program.kill("SIGKILL"), 180_000);
    let old = "", fresh = "", before: number | undefined;
    for await (const line of lines) {
      seen.push(line);
      if (numbers().length === 2 && old === "") {
        [, old, fresh] = /Change `([^`]+)` to `([^`]+)`/.exec(README.prose)!;
        assert(c.includes(old));
        Deno.writeTextFileSync(source, Deno.readTextFileSync(source).replace(old, fresh));
      }
      if (/^smf: counter: version 2/.test(line)) before = numbers().length;
      if (before !== undefined && numbers().length > before) break;
    }
    clearTimeout(watchdog);
    program.kill("SIGTERM");
    assert(before !== undefined, `there was no reload: ${seen.join("\n")}`);
    // Twice a second a larger number, and behind the reload a hundred of it.
    const sum = (count: number): number => count * (count + 1) / 2;
    const switched = numbers().findIndex((value, index) => value !== sum(index + 1));
    assertEquals(numbers()[switched], sum(switched) + 100 * (switched + 1), seen.join("\n"));
    /** Lines with the numbers in them left out, which differ each time. */
    const shapes = (lines: readonly string[]): string[] =>
      lines.filter((line) => line.startsWith("smf: ")).map((line) => line.replace(/\d+(?:\.\d+)?/g, "N"));
    assertEquals(shapes(seen), shapes(shown.split("\n")));
  },
});

Deno.test("the first two commands, which CI runs, exist", () => {
  const commands = README.text.split("\n").filter((line) => line.startsWith("npx -y deno "));
  assertEquals(commands.length, 2);
  for (const command of commands) {
    const [, file] = / (\S+\.ts)$/.exec(command) ?? [];
    if (file !== undefined) Deno.statSync(join(ROOT, file));
  }
});

Deno.test("the recorded session shows the example's sources", () => {
  const example = Deno.readTextFileSync(join(ROOT, "examples", "live_coding", "main.ts"));
  const recorded = [...README.text.matchAll(/^\$ gcc: .*?\(long width\) \{ (.*) \}$/gm)].map(([, body]) =>
    body
  );
  const written = [...example.matchAll(/^ {2}"(.*)",$/gm)].map(([, body]) => body);
  assertEquals(recorded, written);
});

Deno.test("the permissions are those of the permissions test", () => {
  const tried = Deno.readTextFileSync(join(ROOT, "tests", "permissions_test.ts"));
  const rows = README.table("Permissions");
  const needs = [...tried.matchAll(/^ {2}\["(\w+)[^"]*", "([^"]*)"/gm)];
  assert(needs.length > 10);
  for (const [, feature, flags] of needs) {
    const name = feature === "import" ? "importing the package" : feature;
    const row = rows.find((row) => new RegExp(`\\b${name}\\b`).test(row["what you use"]));
    assertEquals(row?.needs.replace(/, of the file$/, ""), flags === "" ? "nothing" : flags, feature);
  }
});

Deno.test("the chapters have the order of a newcomer's questions", () => {
  const chapters = [...README.prose.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  assertEquals(chapters, [
    "From C to a live reload",
    "Why not `Deno.dlopen`",
    "What a reload takes along",
    "Permissions",
    "Speed",
    "Platforms",
    "Safety",
    "The command",
    "Using it",
    "More",
  ]);
});

Deno.test("the commands are those of the program", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "src/cli/main.ts", "--help"],
    cwd: ROOT,
  }).output();
  const help = new TextDecoder().decode(stdout);
  const commands = [...help.matchAll(/^ {2}(\w+) {2,}\w/gm)].map(([, command]) => command);
  assertEquals(README.table("The command").map(({ command }) => command), commands);
});

Deno.test("every example is listed", () => {
  const examples = [...Deno.readDirSync(join(ROOT, "examples"))].map(({ name }) => name);
  const listed = README.table("Using it").map(({ example }) => /\[(\w+)\]/.exec(example)![1]);
  assertEquals(listed.toSorted(), examples.toSorted());
});

Deno.test("figures are those of docs/performance.md", () => {
  const performance = new Markdown("docs/performance.md");
  const known = performance.table("Figures")
    .map(({ what, size, ours, peer, ratio }) => [what, size, ours, peer, ratio].join(" | "));
  for (const { signature, module, "Deno.dlopen": peer, ratio } of performance.table("Calls")) {
    known.push(["call a function", signature, `${module} ns`, `${peer} ns`, ratio].join(" | "));
  }
  const shown = README.table("Speed").map((row) => Object.values(row).join(" | "));
  assertEquals(shown.length, 5);
  assertEquals(shown.filter((row) => !known.includes(row)), []);
  const range = /1\.1 to 1\.5 plain loads/;
  assertMatch(performance.prose, range);
  assertMatch(README.prose, range);
});
