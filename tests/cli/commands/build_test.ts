// smf build: the modules of a project.
import { assertEquals, assertMatch } from "@std/assert";
import { testWithCompilers } from "../../support/compilers.ts";
import { smf } from "../../support/smf_command.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

testWithCompilers(["cc"], "builds modules and types; a second run has nothing to do", async (folder) => {
  const config = {
    smf: { one: { sources: ["one.c"], types: "one.ts" }, two: { sources: ["two.c"], output: "x/2.smf" } },
  };
  Deno.writeTextFileSync(`${folder}/deno.json`, JSON.stringify(config));
  Deno.writeTextFileSync(`${folder}/one.c`, "int one(void) { return 1; }");
  Deno.writeTextFileSync(`${folder}/two.c`, "int two(void) { int unused; return 2; }");
  const project = ["--project", `${folder}/deno.json`];
  const first = await smf("build", ...project);
  assertEquals(first.code, 0, first.err.join("\n"));
  assertMatch(first.out[0], /^one: .*\.smf\/one\.smf, \d+ bytes: compiled 1 of 1 in .* ms, linked in .* ms$/);
  assertMatch(first.out[1], /^two: .*x\/2\.smf, /);
  assertMatch(Deno.readTextFileSync(`${folder}/one.ts`), /one: \{ parameters: \[\], result: "i32" \}/);
  const second = await smf("build", "two", ...project);
  assertMatch(second.out.join("\n"), /^two: .*: nothing to compile, .*, unchanged$/);

  const { out: [json] } = await smf("build", "--json", ...project);
  const { command, modules } = JSON.parse(json);
  assertEquals([command, modules.length], ["build", 2]);
  assertEquals(modules[0].sources[0], { source: "one.c", cached: true, milliseconds: 0, output: "" });
  const run = await smf("run", `${folder}/.smf/one.smf`, "one");
  assertEquals(run.out, ["1"]);
});

testWithCompilers(
  ["cc"],
  "a source that does not compile: the compiler's text, exit code 1, and the others are built",
  async (folder) => {
    Deno.writeTextFileSync(
      `${folder}/smf.json`,
      JSON.stringify({ a: { sources: ["a.c"] }, b: { sources: ["b.c"] } }),
    );
    Deno.writeTextFileSync(`${folder}/a.c`, "int a(void) { return }");
    Deno.writeTextFileSync(`${folder}/b.c`, "int b(void) { return 1; }");
    const project = ["--project", `${folder}/smf.json`];
    const { code, out, err } = await smf("build", ...project);
    assertEquals([code, out.length], [1, 2]);
    assertEquals(out[0], "a: not built");
    assertMatch(err[0], /^a\.c:/);
    const { out: [json] } = await smf("build", "--json", ...project);
    assertMatch(JSON.parse(json).modules[0].error.output, /error:/);
  },
);

testWithCompilers(
  ["cc"],
  "files in the current folder are told by their paths from there",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/smf.json`, JSON.stringify({ one: { sources: ["one.c"] } }));
    Deno.writeTextFileSync(`${folder}/one.c`, "int one(int x) { return x + 1; }");
    const here = Deno.cwd();
    Deno.chdir(folder);
    try {
      assertMatch((await smf("build")).out[0], /^one: \.smf.one\.smf, \d+ bytes: /);
    } finally {
      Deno.chdir(here);
    }
  },
);

Deno.test("a configuration that is wrong is told with the place and the next step", async () => {
  using folder = new TemporaryDirectory();
  const write = (text: string) => folder.file("smf.json", new TextEncoder().encode(text));
  for (
    const [text, message] of [
      ["{", /smf\.json: Cannot read project: .*JSON/],
      ["[]", /it has no object with a module for each name/],
      ["{}", /it lists no modules/],
      [`{"a": {"sources": []}}`, /module 'a': it has no 'sources'/],
      [`{"a": {"source": ["a.c"]}}`, /no option 'source' \(did you mean 'sources'\?\)/],
      [`{"a": {"sources": ["a.c"], "link": {"hott": true}}}`, /no option 'hott' \(did you mean 'hot'\?\)/],
      [`{"../a": {"sources": ["a.c"]}}`, /'\.\.\/a' is not a name/],
      [
        `{"a": {"sources": ["a.c"]}, "b": {"sources": ["b.c"], "output": ".smf/a.smf"}}`,
        /have the same output/,
      ],
    ] as const
  ) {
    const path = write(text);
    const { code, err } = await smf("build", "--project", path);
    assertEquals(code, 1, err.join("\n"));
    assertMatch(err[0], message, text);
    assertMatch(err.at(-1)!, /^next: /);
  }
  const { code, err } = await smf("build", "no", "--project", write(`{"a": {"sources": ["a.c"]}}`));
  assertEquals(code, 2);
  assertMatch(err[0], /lists no module 'no'; the modules are a$/);
});
