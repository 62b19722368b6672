// The configuration that lists modules, and the schema by which editors check it.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Ajv } from "ajv";
import { LoadError } from "../../src/errors/load_error.ts";
import type { OptionKind } from "../../src/errors/options.ts";
import { findProject, MODULE_SETTINGS, readProject } from "../../src/build/project.ts";
import { LINK_OPTIONS } from "../../src/link/options.ts";
import { STARTERS } from "../../src/cli/init/languages.ts";
import { projectFiles } from "../../src/cli/init/project_files.ts";
import { TemporaryDirectory } from "../support/testing.ts";

const SCHEMA = JSON.parse(Deno.readTextFileSync(new URL("../../smf.schema.json", import.meta.url)));
const MODULE = SCHEMA.definitions.module.properties;
const LINK = MODULE.link.properties;
const validate = new Ajv({ allowUnionTypes: true }).compile(SCHEMA);

/** What the code says about a configuration: undefined if it takes it. */
function problemOf(config: unknown, name = "smf.json"): string | undefined {
  using folder = new TemporaryDirectory();
  const path = folder.file(name, new TextEncoder().encode(JSON.stringify(config)));
  try {
    readProject(path);
  } catch (error) {
    assert(error instanceof LoadError);
    assertEquals([error.kind, error.data.path], ["InvalidFormat", path]);
    return error.message;
  }
  return undefined;
}

Deno.test("the schema has every key that the code reads, and none more", () => {
  assertEquals(Object.keys(MODULE).sort(), Object.keys(MODULE_SETTINGS).sort());
  // A Set, which JSON cannot have.
  const { provided: _, ...link } = LINK_OPTIONS;
  assertEquals(Object.keys(LINK).sort(), Object.keys(link).sort());
  for (const [name, { description }] of Object.entries<{ description: string }>({ ...MODULE, ...LINK })) {
    assert(description.length > 15 && description.endsWith("."), name);
  }
});

/** One value of each kind that JSON has, and the words that some options take. */
const VALUES = [null, true, 5, "", "keep", "off", "require", "H96", [], ["a"], [1], {}, { a: 1 }, { a: "b" }];
/** Keys of which the schema knows more than their kind, and what it says. */
const NARROWER: Readonly<Record<string, (value: unknown) => boolean>> = {
  sources: (value) => (value as unknown[]).length > 0,
};

Deno.test("for each key, schema and code take the same values", () => {
  const settings = (name: string, value: unknown) => ({ m: { sources: ["a.c"], [name]: value } });
  const link = (name: string, value: unknown) => ({ m: { sources: ["a.c"], link: { [name]: value } } });
  const check = (name: string, kind: OptionKind, configOf: (name: string, value: unknown) => unknown) => {
    for (const value of VALUES) {
      // Other keys of `link` are another test.
      if (name === "link" && Object.keys(value ?? {}).length > 0) continue;
      const config = configOf(name, value);
      const isTaken = kind.accepts(value) && (NARROWER[name]?.(value) ?? true);
      assertEquals(validate(config), isTaken, `${name}: ${JSON.stringify(value)}`);
      assertEquals(problemOf(config) === undefined, isTaken, `${name}: ${JSON.stringify(value)}`);
    }
  };
  for (const [name, kind] of Object.entries(MODULE_SETTINGS)) check(name, kind, settings);
  for (const [name, kind] of Object.entries(LINK_OPTIONS)) if (name !== "provided") check(name, kind, link);
});

const ONE = { sources: ["a.c"] };

Deno.test("configurations that are as they should be", () => {
  const configs = [
    { counter: ONE },
    { $schema: "smf.schema.json", counter: ONE, "a.b-c_1": { ...ONE, output: "b.smf" } },
    { smf: { counter: ONE } },
    { $schema: "deno.json", tasks: {}, smf: { counter: ONE } },
    {
      counter: {
        ...ONE,
        flags: ["-O3"],
        compiler: ["zig", "cc"],
        link: { hot: true, defsym: { a: 1, b: "a+2" } },
      },
    },
    // As in the help of smf build.
    {
      smf: {
        counter: {
          sources: ["counter.c", "crate/Cargo.toml"],
          ...{ flags: ["-Iinclude"], compiler: "clang", link: { hot: true } },
          ...{ output: ".smf/counter.smf", types: "counter.types.ts" },
        },
      },
    },
  ];
  for (const config of configs) {
    assert(validate(config), JSON.stringify([config, validate.errors]));
    assertEquals(problemOf(config), undefined);
  }
  for (const starter of Object.values(STARTERS)) {
    const files = projectFiles(starter, { specifier: "jsr:x", links: [], schema: "../smf.schema.json" });
    const config = JSON.parse(files["smf.json"]);
    assertEquals(config.$schema, "../smf.schema.json");
    assert(validate(config));
    assertEquals(problemOf(config), undefined);
  }
});

Deno.test("docs/cli.md shows the schema of this version", () => {
  const read = (path: string): string => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
  const { name, version, publish } = JSON.parse(read("deno.json"));
  assertStringIncludes(read("docs/cli.md"), `"$schema": "https://jsr.io/${name}/${version}/smf.schema.json"`);
  assert(publish.include.includes("smf.schema.json"));
});

Deno.test("configurations that are wrong, and what the code says", () => {
  const wrong: readonly [config: unknown, message: RegExp][] = [
    [[], /it has no object with a module for each name/],
    [{}, /it lists no modules/],
    [{ $schema: "smf.schema.json" }, /it lists no modules/],
    [{ smf: {} }, /it lists no modules/],
    [{ smf: [] }, /it has no object/],
    [{ "a b": ONE }, /'a b' is not a name of letters/],
    [{ "../a": ONE }, /is not a name of letters/],
    [{ $schema: 5, a: ONE }, /'\$schema' is not a name/],
    [{ smf: { $schema: "x", a: ONE } }, /'\$schema' is not a name/],
    [{ a: "a.c" }, /the options are the string 'a\.c', not an object/],
    [{ a: {} }, /it has no 'sources'/],
    [{ a: { sources: [] } }, /it has no 'sources'/],
    [{ a: { sources: "a.c" } }, /option 'sources' is the string 'a\.c', not an array of strings/],
    [{ a: { ...ONE, flag: ["-g"] } }, /there is no option 'flag' \(did you mean 'flags'\?\)/],
    [{ a: { ...ONE, link: { hots: true } } }, /there is no option 'hots' \(did you mean 'hot'\?\)/],
    [{ a: { ...ONE, link: { types: "all" } } }, /option 'types' is the string 'all'/],
    [{ a: { ...ONE, link: { provided: ["a"] } } }, /option 'provided' is an array of string, not a Set/],
  ];
  for (const [config, message] of wrong) {
    assertEquals(validate(config), false, JSON.stringify(config));
    assertMatch(problemOf(config) ?? "", message);
  }
});

Deno.test("smf.json is found before deno.json, in the nearest folder; deno.json only with the field smf", () => {
  using folder = new TemporaryDirectory();
  const write = (name: string, value: unknown) =>
    folder.file(name, new TextEncoder().encode(JSON.stringify(value)));
  Deno.mkdirSync(folder.join("a/b"), { recursive: true });
  const outer = write("smf.json", { outer: ONE });
  write("a/deno.json", { tasks: {} });
  assertEquals(findProject(folder.join("a/b")), outer);
  const own = write("a/deno.json", { smf: { inner: ONE } });
  assertEquals(findProject(folder.join("a/b"))?.replaceAll("\\", "/"), own.replaceAll("\\", "/"));
  const nearest = write("a/smf.json", { $schema: "x", inner: ONE });
  assertEquals(findProject(folder.join("a/b"))?.replaceAll("\\", "/"), nearest.replaceAll("\\", "/"));
  assertEquals(readProject(nearest).modules.map(({ name }) => name), ["inner"]);
});
