// docs/cli.md against the program: help texts, options, numbers and file names.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { MAX_FINDINGS } from "../../src/cli/analysis/verify.ts";
import { IGNORED, IGNORED_VALUES } from "../../src/cli/terminal/ld_options.ts";
import { smf } from "../support/smf_command.ts";

const PAGE = Deno.readTextFileSync(fromFileUrl(new URL("../../docs/cli.md", import.meta.url)));
const BLOCKS = [...PAGE.matchAll(/^```text\n([^]*?)\n```$/gm)].map(([, text]) => text);

Deno.test("the page contains the help of the program and of each command, word for word", async () => {
  const { out } = await smf("--help");
  assertEquals(BLOCKS[0], out.join("\n"));
  const commands = [...out.join("\n").matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name);
  const sections = [...PAGE.matchAll(/^## smf (\w+)$/gm)].map(([, name]) => name);
  assertEquals(sections, commands);
  for (const [index, command] of commands.entries()) {
    assertEquals(BLOCKS[index + 1], (await smf(command, "--help")).out.join("\n"), command);
  }
});

/** Whether `smf ld` ignores an option, by its name alone or with a value. */
function isIgnored(name: string): boolean {
  return IGNORED_VALUES.has(name) || IGNORED.test(name) || IGNORED.test(`${name}=x`) ||
    IGNORED.test(`${name}x`);
}

Deno.test("every option on the page is an option of the program", () => {
  const known = new Set(BLOCKS.join("\n").match(/--[a-z-]+/g));
  const others = [
    "--preload",
    "--allow-env",
    "--allow-read",
    "--allow-write",
    "--allow-ffi",
    "--global",
    "--name",
  ];
  for (
    const [option] of PAGE.replaceAll(/^```text\n[^]*?\n```$/gm, "").matchAll(/(?<![-\w])--[a-z][a-z-]+/g)
  ) {
    assert(known.has(option) || others.includes(option) || isIgnored(option.slice(2)), option);
  }
});

Deno.test("the page's numbers are those of the program, and its files exist", () => {
  assertStringIncludes(PAGE, `After ${MAX_FINDINGS} findings`);
  for (const [, path] of PAGE.matchAll(/\b((?:fixtures|src)\/[\w./]+)/g)) {
    Deno.statSync(fromFileUrl(new URL(`../../${path}`, import.meta.url)));
  }
});
