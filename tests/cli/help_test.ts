// Every command explains itself to people, and answers programs.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { smf } from "../support/smf_command.ts";

const { out: PROGRAM } = await smf("--help");
const COMMANDS = [...PROGRAM.join("\n").matchAll(/^ {2}(\w+) +\S/gm)].map(([, name]) => name);

/** Commands without --json, each with the reason. */
const FOR_PEOPLE: Readonly<Record<string, string>> = {
  completions: "prints a script for a shell, which is its result",
  dev: "shares the terminal with the program that it runs; smf watch --json tells of reloads",
};

/** The part of a help text behind a title. */
function part(help: string, title: string): string {
  return help.split(`\n${title}`)[1] ?? "";
}

Deno.test("every command has help with options, exit codes and examples of itself", async () => {
  assert(COMMANDS.length > 15);
  for (const command of COMMANDS) {
    const { code, out } = await smf(command, "--help");
    const help = out.join("\n");
    assertEquals(code, 0, command);
    assert(help.startsWith(`smf ${command} `), command);
    assertStringIncludes(help, "--color WHEN", command);
    const codes = part(help, "Exit codes: ").split("\n\n")[0];
    assert(/\b2 wrong\s+usage/.test(codes), `${command} says no exit codes`);
    const examples = part(help, "Examples:\n").trimEnd().split("\n");
    assert(examples.some((line) => line.includes(`smf ${command}`)), `${command} has no example`);
    assertEquals((await smf("help", command)).out, out);
    assertEquals((await smf(command, "-h")).out, out, command);
    for (const line of out) assert(line.length <= 100, `${command}: ${line}`);
  }
});

Deno.test("a program can read the result of every command that it would call", async () => {
  for (const command of COMMANDS) {
    const { out } = await smf(command, "--help");
    assertEquals(out.some((line) => /^ {2}--json /.test(line)), !(command in FOR_PEOPLE), command);
  }
});

Deno.test("what a command prints with --json is one document, also about a bad file", async () => {
  const bad = Deno.makeTempFileSync();
  try {
    for (const command of ["inspect", "nm", "types", "verify", "hash", "symbolize"]) {
      for (const file of ["fixtures/mylib.smf", bad]) {
        const { out } = await smf(command, "--json", file, ...command === "symbolize" ? ["0"] : []);
        assertEquals(out.length, 1, `${command} ${file}`);
        const document = JSON.parse(out[0]);
        assertEquals([document.version, document.command], [1, command]);
      }
    }
  } finally {
    Deno.removeSync(bad);
  }
});
