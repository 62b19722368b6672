// Follows the README step by step as a newcomer would: runs its commands, writes its code to files.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname, join } from "@std/path";
import { TextLineStream } from "../fuzz/lines.ts";
import { TemporaryDirectory } from "../support/testing.ts";
import { Markdown, ROOT } from "../support/markdown.ts";

const README = new Markdown("README.md");

/** Returns the code blocks of the chapter that ends in a live reload, by language. */
function steps(): { c: string; ts: string; commands: string[] } {
  const from = README.text.indexOf("## From C to a live reload");
  const chapter = README.text.slice(from, README.text.indexOf("\n## ", from));
  const blocks = README.blocks.filter(({ text }) => chapter.includes(text));
  const one = (language: string): string => {
    const found = blocks.filter((block) => block.language.startsWith(language));
    assertEquals(found.length, 1, language);
    return found[0].text;
  };
  return { c: one("c"), ts: one("ts"), commands: one("sh").trim().split("\n") };
}

/** Whether this machine cannot run the steps: they need Linux and a C compiler for its processor. */
function cannotRunSteps(): boolean {
  if (Deno.build.os !== "linux") return true;
  try {
    // In an emulator the compiler may make objects for another processor, which cannot be loaded.
    const { stdout } = new Deno.Command("cc", { args: ["-dumpmachine"] }).outputSync();
    return !new TextDecoder().decode(stdout).startsWith(Deno.build.arch);
  } catch {
    return true;
  }
}

Deno.test("the chapter is short: ten lines of code", () => {
  const { c, ts, commands } = steps();
  const lines = [c, ts].join("").split("\n").filter((line) => line !== "" && !line.startsWith("//"));
  assert(lines.length <= 10, lines.join("\n"));
  assertEquals(commands.length, 3);
  // The first line of each block names its file.
  assertMatch(c, /^\/\/ counter\.c\n/);
  assertMatch(ts, /^\/\/ live\.ts\n/);
});

Deno.test({
  name: "from C to a live reload, by the README alone",
  ignore: cannotRunSteps(),
  async fn() {
    const { c, ts, commands } = steps();
    using directory = new TemporaryDirectory();
    const cwd = directory.join("live");
    Deno.mkdirSync(cwd);
    Deno.symlinkSync(ROOT, directory.join("loader"));
    const env = { PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`, NO_COLOR: "1" };
    const run = async (command: string): Promise<void> => {
      const { success, stderr } = await new Deno.Command("sh", { args: ["-c", command], cwd, env }).output();
      assert(success, `${command}\n${new TextDecoder().decode(stderr)}`);
    };
    const source = join(cwd, "counter.c");
    Deno.writeTextFileSync(source, c);
    Deno.writeTextFileSync(join(cwd, "live.ts"), ts);
    await run(commands[0]);
    await run(commands[1]);

    await using program = new Deno.Command("sh", {
      args: ["-c", `exec ${commands[2]}`],
      cwd,
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines = program.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    const seen: string[] = [];
    const numbers = (): bigint[] =>
      seen.filter((line) => /^\d+n$/.test(line)).map((line) => BigInt(line.slice(0, -1)));
    let before: bigint | undefined;
    /** Lists the field names in a printed event. */
    const fields = (text: string): string[] => [...text.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
    // A slow machine is not a failure; a program that prints nothing is.
    const watchdog = setTimeout(() => program.kill("SIGKILL"), 180_000);
    for await (const line of lines) {
      seen.push(line);
      if (seen.length === 2) {
        const [, old, fresh] = /Change `([^`]+)` to `([^`]+)`/.exec(README.prose)!;
        assert(c.includes(old));
        Deno.writeTextFileSync(source, c.replace(old, fresh));
        await run(commands[0]);
        await run(commands[1]);
      }
      if (line.includes("kind:")) {
        assertMatch(line, /"reloaded"/, seen.join("\n"));
        before = numbers().at(-1);
      } else if (before !== undefined && numbers().at(-1) !== before) break;
    }
    clearTimeout(watchdog);
    program.kill("SIGKILL");
    assert(before !== undefined, `there was no reload: ${seen.join("\n")}`);
    assertEquals(numbers().slice(0, 2), [1n, 2n]);
    assertEquals(numbers().at(-1), before + 10n, seen.join("\n"));
    const shown = README.blocks.find(({ text }) => text.includes('kind: "reloaded"'));
    assertEquals(fields(seen.join("\n")), fields(shown!.text));
    assertMatch(seen.join(" "), /carried: \[ "total" \]/);
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
