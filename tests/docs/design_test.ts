// Compares docs/design.md and CONTRIBUTING.md with the code.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { GOT_SLOT_SIZE, PLT_STUB_SIZE } from "../../src/image/arrange.ts";
import { MAX_ATTACHMENTS } from "../../src/module/share/words.ts";
import { MAX_FILE_SIZE } from "../../src/load/file/source.ts";
import { READ_ATTEMPTS } from "../../src/registry/watch/options.ts";
import { Markdown, ROOT } from "../support/markdown.ts";

const DESIGN = new Markdown("docs/design.md");
const CONTRIBUTING = new Markdown("CONTRIBUTING.md");
const read = (path: string): string => Deno.readTextFileSync(join(ROOT, path)).replaceAll("\r\n", "\n");

/** Asserts that a document contains a sentence, wherever its lines break. */
function assertSays({ path, prose }: Markdown, sentence: string): void {
  assert(prose.replace(/\s+/g, " ").includes(sentence), `${path} does not say: ${sentence}`);
}

Deno.test("the floors are those of the architecture test", () => {
  const [, source] = /const FLOORS[^=]*= (\[[^;]*\]);/.exec(read("tests/architecture_test.ts")) ?? [];
  const floors: string[][] = JSON.parse(source.replace(/,(\s*\])/g, "$1"));
  assertEquals(
    DESIGN.table("The house").map(({ floor, rooms }) => [Number(floor), ...rooms.split(", ")]),
    floors.map((rooms, index) => [floors.length - index, ...rooms]),
  );
});

Deno.test("the rooms that touch raw memory are those of the architecture test", () => {
  const [, rooms] = /const UNSAFE = (\[[^\]]*\]);/.exec(read("tests/architecture_test.ts")) ?? [];
  const [last, ...others] = (JSON.parse(rooms) as string[]).toReversed().map((room) => `\`${room}\``);
  assertSays(DESIGN, `are touched in ${others.toReversed().join(", ")} and ${last} only`);
});

Deno.test("every kind of error is documented, in the order of the code", () => {
  const source = read("src/errors/load_error.ts");
  const [, union] = /export type LoadErrorKind =([^;]*);/.exec(source) ?? [];
  const kinds = [...union.matchAll(/"(\w+)"/g)].map(([, kind]) => kind);
  assert(kinds.length > 10);
  const rows = DESIGN.table("Errors");
  assertEquals(rows.map(({ kind }) => kind), kinds);
  for (const row of rows) assert(row["what to do"].length > 5, row.kind);
  // The comment on the type has the same table.
  for (const kind of kinds) assertStringIncludes(source, ` * | \`${kind}\` |`);
});

Deno.test("the states of a version are those of the code", () => {
  const [, union] = /export type LifetimeState = ([^;]*);/.exec(read("src/module/lifetime.ts")) ?? [];
  const states = [...union.matchAll(/"(\w+)"/g)].map(([, state]) => `\`${state}\``);
  assertSays(DESIGN, `goes through ${states.join(", ")};`);
});

Deno.test("numbers in the text are those of the code", () => {
  assertEquals(MAX_FILE_SIZE, 2 ** 30);
  for (
    const sentence of [
      "a regular file of at most 1 GiB",
      `The GOT (${GOT_SLOT_SIZE} bytes a slot)`,
      `A PLT stub has ${PLT_STUB_SIZE} bytes`,
      `looked at again up to ${READ_ATTEMPTS} times`,
      `up to ${MAX_ATTACHMENTS} isolates`,
    ]
  ) assertSays(DESIGN, sentence);

  const [, longest] = /LONGEST_FILE = (\d+);/.exec(read("tests/architecture_test.ts")) ?? [];
  assertSays(CONTRIBUTING, `one idea and at most ${longest} lines, all lines counted`);
  const [, share] = /"SMF_STRESS"\) \?\? "([\d.]+)"/.exec(read("tests/support/testing.ts")) ?? [];
  assertSays(CONTRIBUTING, `${share} by default, 1 for all`);
});

Deno.test("deno task ok runs the same checks as CI", () => {
  const { tasks } = JSON.parse(read("deno.json"));
  const ci = read(".ci/run");
  for (const command of (tasks.ok.command as string).split(" && ")) {
    // CI runs the tests by the README's second command.
    if (command === "deno task test") continue;
    const [, words] = /^deno (.*)$/.exec(command) ?? [];
    assertStringIncludes(ci, `"$DENO" ${words}\n`);
  }
  assertMatch(read("README.md"), /^npx -y deno task test$/m);
  assertStringIncludes(read(".github/workflows/ci.yml"), "deno task ok");
});
