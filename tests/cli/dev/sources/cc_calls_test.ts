// Which calls of cc() are found in the text of a program, and with which arguments.
import { assertEquals } from "@std/assert";
import { type CcCalls, findCcCalls } from "../../../../src/cli/dev/sources/cc_calls.ts";
import { BUILD_EXPORTS, exportedNames } from "../../../../src/cli/dev/sources/imported_names.ts";
import { tokensOf } from "../../../../src/types/typescript/tokens.ts";

const URL_OF = (path: string): URL => new URL(path, "file:///p/");

/** The calls in a text that imports the package by its name. */
function find(text: string): CcCalls {
  return findCcCalls(
    URL_OF("app.ts").href,
    tokensOf(text),
    (specifier) => specifier === "build" ? BUILD_EXPORTS : undefined,
  );
}

/** The calls in a text behind an import of `cc`. */
function findWith(text: string): CcCalls {
  return find(`import { cc } from "build";\n${text}`);
}

Deno.test("files are found as paths, addresses and lists", () => {
  const { calls, computed } = findWith(`
    await cc("a.c");
    using x = await cc(new URL("b.c", import.meta.url), {});
    cc(["a.c", new URL("./lib/b.c", import.meta.url)],);
    cc(import.meta.dirname + "/c.c");
    (await cc(\`d.c\`)).symbols;`);
  assertEquals(computed, []);
  assertEquals(
    calls,
    [
      { line: 3, source: "a.c", options: {} },
      { line: 4, source: URL_OF("b.c"), options: {} },
      { line: 5, source: ["a.c", URL_OF("lib/b.c")], options: {} },
      { line: 6, source: "/p/c.c", options: {} },
      { line: 7, source: "d.c", options: {} },
    ].map((call) => call.line === 6 && Deno.build.os === "windows" ? { ...call, source: "\\p/c.c" } : call),
  );
});

Deno.test("texts are found as templates and objects; a template keeps the escapes of C", () => {
  const { calls } = findWith(
    "cc`int a(void) { return ${1 + \"\"} + '\\n'; }`;\ncc`\nint b;`;\n" +
      'cc({ text: "int\\tc;", language: "cpp" });\ncc({ text: `int d\\n;` });\ncc`x${"y"}${2}`',
  );
  assertEquals(
    calls,
    [
      { line: 3, source: { text: "\nint b;" }, options: {}, textLine: 3 },
      { line: 5, source: { text: "int\tc;", language: "cpp" }, options: {} },
      { line: 6, source: { text: "int d\n;", language: "c" }, options: {} },
      { line: 7, source: { text: "xy2" }, options: {}, textLine: 7 },
    ] as CcCalls["calls"],
  );
});

Deno.test("options that decide on the module are read, the others may be computed", () => {
  const { calls, computed } = findWith(`
    cc("a.c", { flags: ["-O3", "-DN=" + "1"], compiler: ["zig", "cc"], link: { hot: true }, target: undefined,
      registry, symbols: { f: { parameters: ["i32"], result } }, signal: make(1, 2), folder: "x", color: !Deno.noColor });
    cc("b.c", { flags } as const);
    cc("c.c", { ...rest });
    cc("d.c", { link: { defsym: { x: y() } } });
    cc("e.c", options);
    cc("f.c", { symbols() {} });`);
  assertEquals(calls, [
    {
      line: 3,
      source: "a.c",
      options: { compiler: ["zig", "cc"], flags: ["-O3", "-DN=1"], link: { hot: true }, folder: "x" },
    },
    { line: 9, source: "f.c", options: {} },
  ]);
  assertEquals(computed, [5, 6, 7, 8]);
});

Deno.test("names that are declared once as constants have their values", () => {
  const { calls, computed } = findWith(`
    const source = new URL("a.c", import.meta.url), more = 1
    const flags: string[] = [
      "-O3",
    ]
    const options = { flags } satisfies CcOptions;
    cc(source, options);
    let other = "b.c";
    cc(other);
    const twice = "c.c"; { const twice = "d.c"; cc(twice); }
    const itself = itself;
    cc(itself);
    cc(unknown);`);
  assertEquals(calls, [{ line: 8, source: URL_OF("a.c"), options: { flags: ["-O3"] } }]);
  assertEquals(computed, [10, 11, 13, 14]);
});

Deno.test("cc has the names that imports give it", () => {
  const lines = (text: string): number[] => find(text).calls.map(({ line }) => line);
  assertEquals(lines('import { build, cc as compile, type X } from "build";\ncompile("a.c");\ncc("b.c");'), [
    2,
  ]);
  assertEquals(lines('import * as b from "build";\nb.cc("a.c"); b.build("b.c");\nb.cc`int a;`'), [2, 3]);
  assertEquals(lines('import d, * as b from "build"; b.cc("a.c")'), [1]);
  assertEquals(lines('const { cc: c, build } = await import("build");\nc("a.c")'), [2]);
  assertEquals(lines('const b = await import("build");\nb.cc("a.c")'), [2]);
  assertEquals(lines('import { cc } from "other"; import "build";\ncc("a.c")'), []);
  assertEquals(lines('import { cc } from "build";\nx.cc("a.c"); cc; "cc(1)"; // cc("b.c")\n/cc("a")/;'), []);
  assertEquals(lines('import { cc } from "build"; f(`${await cc("a.c")}`)'), [1]);
});

Deno.test("texts that end in the middle of a call are computed, or none", () => {
  const text =
    'import { cc } from "build"; const s = "a.c"; cc(s, { flags: ["-O3", `x${1}`], link: { hot: true } });';
  for (let length = 0; length <= text.length; length++) {
    const { calls, computed } = find(text.slice(0, length));
    if (calls.length + computed.length > 1) throw new Error(text.slice(0, length));
  }
  assertEquals(find(text).calls.length, 1);
});

Deno.test("cc is found among the exports of a module, under each name, and by those who import it", () => {
  const exportsOf = (text: string): [string[], string[]] => {
    const { cc, namespaces } = exportedNames(
      tokensOf(text),
      (specifier) => specifier === "build" ? BUILD_EXPORTS : undefined,
    );
    return [[...cc], [...namespaces.keys()]];
  };
  const cases: readonly (readonly [text: string, cc: string[], namespaces?: string[]])[] = [
    ['export { cc } from "build";', ["cc"]],
    ['export { build, cc as compile } from "build";', ["compile"]],
    ['export * from "build";', ["cc"]],
    ['export * as native from "build";', [], ["native"]],
    ['import { cc } from "build";\nexport { cc as one, other };\nexport const cc2 = 1;', ["one"]],
    ['import * as native from "build"; export { native };', [], ["native"]],
    ['export { cc } from "other"; export * from "other";', []],
    ['import { cc } from "build"; cc("a.c"); export function f() {} export default 3;', []],
  ];
  for (const [text, cc, namespaces = []] of cases) assertEquals(exportsOf(text), [cc, namespaces], text);

  const lib = { cc: new Set(["compile"]), namespaces: new Map([["native", new Set(["cc"])]]) };
  const { calls } = findCcCalls(
    "file:///p/app.ts",
    tokensOf(`import { compile as make, native, other } from "lib";
    import * as all from "lib";
    make("a.c"); native.cc("b.c"); all.compile("c.c"); all.cc("d.c"); other("e.c"); native.compile("f.c");`),
    (specifier) => specifier === "lib" ? lib : undefined,
  );
  assertEquals(calls.map(({ source }) => source), ["a.c", "b.c", "c.c"]);
});
