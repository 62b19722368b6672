// Progress of work over a second: a bar on a terminal, nothing in a pipe.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import type { ProjectModule } from "../../../src/build/project.ts";
import { BuildBar } from "../../../src/cli/dev/build_bar.ts";
import { Progress } from "../../../src/cli/terminal/progress.ts";
import { writerFor } from "../../../src/cli/terminal/style.ts";
import { hasCommand, testWithCompilers } from "../../support/compilers.ts";
import { smfCommand } from "../../support/smf_command.ts";

const ROOT = fromFileUrl(new URL("../../..", import.meta.url));

/** An output that collects what is drawn. */
function recorder(isTerminal: boolean) {
  const drawn: string[] = [];
  return {
    drawn,
    print: () => {},
    complain: () => {},
    draw: (text: string) => {
      drawn.push(text);
    },
    terminals: { print: false, complain: isTerminal },
  };
}

Deno.test("a bar, percents, step and time; removed at the end", () => {
  const output = recorder(true);
  {
    using progress = new Progress(output, 0);
    progress.show("reading", 0);
    progress.show("linking", 0.5);
    progress.show("writing", 1);
    progress.show("checking");
  }
  assertEquals(output.drawn.map((text) => text.replace(/\d+\.\d s/, "T")), [
    "[------------------------]   0 % reading, T",
    "[############------------]  50 % linking, T",
    "[########################] 100 % writing, T",
    "checking, T",
    "",
  ]);
});

Deno.test("nothing before a second, nothing without a terminal, and few pictures of one step", () => {
  for (const [isTerminal, delay] of [[true, undefined], [false, 0]] as const) {
    const output = recorder(isTerminal);
    using progress = new Progress(output, delay);
    for (let part = 0; part < 1; part += 0.01) progress.show("linking", part);
    assertEquals(output.drawn, []);
  }
  const output = recorder(true);
  using progress = new Progress(output, 0);
  const start = performance.now();
  for (let i = 0; i < 10_000; i++) progress.show("linking", i / 10_000);
  assert(output.drawn.length <= 2 + (performance.now() - start) / 100, `${output.drawn.length}`);
});

Deno.test("the clock goes on while the command waits", async () => {
  const output = recorder(true);
  {
    using progress = new Progress(output, 0);
    progress.show("waiting", 0);
    progress.startClock();
    await new Promise((resolve) => setTimeout(resolve, 450));
  }
  const { length } = output.drawn;
  assert(length >= 3, `${length}`);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assertEquals(output.drawn.length, length);
});

Deno.test("of several builds, each source and each link is a part", async () => {
  const output = recorder(true);
  const modules = ["one", "two"].map((name): ProjectModule => ({ name, sources: ["a", "b"], output: name }));
  {
    using bar = new BuildBar(writerFor(output, undefined), modules);
    // The delay of a second is that of the command; here it has passed.
    await new Promise((resolve) => setTimeout(resolve, 1050));
    for (const module of modules) {
      await bar.follow(module, (progress) => {
        progress!.compiled();
        progress!.compiled();
        progress!.linking("writing the module", 1, 1);
        return Promise.resolve();
      });
    }
  }
  const shown = output.drawn.map((text) => text.replace(/^\[.*?\] */, "").replace(/, \d+\.\d s/, ""));
  assertEquals(shown.slice(-9), [
    ...["16 % compiled 1 of 4", "33 % compiled 2 of 4", "50 % linking one", "50 % compiled 2 of 4"],
    ...["66 % compiled 3 of 4", "83 % compiled 4 of 4", "100 % linking two", "100 % compiled 4 of 4", ""],
  ]);
  using none = new BuildBar(writerFor(recorder(false), undefined), modules);
  await none.follow(modules[0], (progress) => Promise.resolve(assertEquals(progress, undefined)));
});

/** A project whose compiler takes a while. */
function slowProject(folder: string, seconds: number): string {
  const compiler = `${folder}/slow`;
  Deno.writeTextFileSync(
    compiler,
    `#!/bin/sh\n[ "$1" = --version ] || sleep ${seconds}\nexec cc "$@"\n`,
    { mode: 0o755 },
  );
  Deno.writeTextFileSync(`${folder}/one.c`, "int one(void) { return 1; }");
  Deno.writeTextFileSync(`${folder}/smf.json`, JSON.stringify({ one: { sources: ["one.c"], compiler } }));
  return `${folder}/smf.json`;
}

/** Runs the command in a terminal, as `script` of util-linux makes one; what the terminal gets. */
async function inTerminal(...args: string[]): Promise<string> {
  const command = ["run", "--no-check", "--allow-all", "src/cli/main.ts", ...args];
  const { stdout } = await new Deno.Command("script", {
    args: ["-qec", [Deno.execPath(), ...command].map((word) => `'${word}'`).join(" "), "/dev/null"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

testWithCompilers(
  hasCommand("script") ? ["cc"] : ["cc", "script"],
  "a build of more than a second has a bar on a terminal, and no trace of it in a pipe",
  async (folder) => {
    const project = slowProject(folder, 1.6);
    const text = await inTerminal("build", "--project", project);
    // deno-lint-ignore no-control-regex
    const pictures = [...text.matchAll(/\r\x1b\[2K([^\r\n]*)/g)].map(([, picture]) => picture);
    assertMatch(pictures[0], /^\[-{24}\] {3}0 % compiled 0 of 1, [1-9]\d*\.\d s$/);
    assert(pictures.length >= 3, text);
    assertEquals(pictures.at(-1)!.slice(0, 5), "one: ", "the line of the result takes the place of the bar");

    Deno.removeSync(`${folder}/.smf`, { recursive: true });
    const permissions = ["--allow-all"];
    const piped = await smfCommand(["build", "--project", project], { permissions }, { stdin: "null" })
      .output();
    assertEquals([piped.success, new TextDecoder().decode(piped.stderr)], [true, ""]);
  },
);

testWithCompilers(
  hasCommand("script") ? ["cc"] : ["cc", "script"],
  "a build shows nothing on a terminal within its first second",
  async (folder) => {
    const text = await inTerminal("build", "--project", slowProject(folder, 0));
    // A machine with other work may take longer.
    assert(!/, 0\.\d s\b/.test(text), JSON.stringify(text));
    if (/ in \d{1,3}(?:\.\d)? ms, linked in \d{1,2}(?:\.\d)? ms/.test(text)) {
      assert(!text.includes("\x1b[2K"), JSON.stringify(text));
    }
    assertMatch(text, /one: .*compiled 1 of 1/);
  },
);
