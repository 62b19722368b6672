// The rules of the house that no single file can show: floors, purity, raw memory, lengths.
import { assert, assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join, relative } from "@std/path";
import { addModule, TemporaryDirectory } from "./support/testing.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));

/**
 * The rooms of src/ by floor, top first. A room imports from lower floors only,
 * never from its own floor: rooms of one floor know nothing of each other.
 */
const FLOORS: readonly (readonly string[])[] = [
  ["cli"],
  ["build"],
  ["registry"],
  ["module"],
  ["load"],
  ["image", "link", "call", "observe"],
  ["smf", "os"],
  ["types"],
  ["errors"],
  ["demangle"],
];

/** The rooms that work on bytes alone and do not use Deno. */
const PURE = ["demangle", "errors", "image", "link", "observe", "smf", "types"];

/** Writes TypeScript that uses Deno, and uses none itself: its strings are not its code. */
const WRITER = "src/types/typescript/";

/** Write files of projects: imports in their templates are those of the files. */
const TEMPLATES = ["src/cli/packaging/picker.ts", "src/cli/init/project_files.ts"];

/** The only rooms that touch raw memory or native functions. */
const UNSAFE = ["call", "load", "os"];

/** The only files that read which system they run on, each with its reason. */
const PLATFORM_READERS: Readonly<Record<string, string>> = {
  "src/cli/packaging/picker.ts": "writes a program that chooses the module for its system",
  "src/load/runtime/host.ts": "refuses modules for another system by the format's number of this one",
  "src/os/memory/allocator.ts": "chooses the allocator",
  "src/call/stub/library.ts": "chooses how a stub library is made",
  "src/call/adapter/system.ts":
    "chooses the calling convention of adapters, and how their frames are registered",
  "src/os/debuggers.ts": "knows where debuggers can be told",
  "src/os/dynamic_linker.ts": "chooses how the system finds shared libraries",
  "src/os/errno.ts": "knows the C library that has errno",
  "src/os/path.ts": "chooses how paths are read and written",
  "src/os/function_table.ts": "knows where function tables can be registered",
  "src/os/unwinder.ts": "knows where there is an unwinder that takes registrations of frames",
  "src/os/processor.ts": "chooses how the processor is asked for its features",
  "src/os/float_results.ts": "knows where a struct of one number comes back like the number",
  "src/os/process.ts": "chooses the library function that tells processes apart",
};

/** The most lines that a file may have, comments and blank lines included. */
const LONGEST_FILE = 330;

interface Source {
  readonly path: string;
  /** The folder of src/ that has the file, or the file's own name. */
  readonly room: string;
  /** The text without its comments. */
  readonly code: string;
  /** Paths relative to the root, or bare specifiers. */
  readonly imports: readonly string[];
}

/** Removes comments and keeps strings; a template counts as one string, expressions included. */
function withoutComments(text: string): string {
  const token = /\/\*[^]*?\*\/|\/\/.*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
  return text.replace(token, (match) => match.startsWith("/*") || match.startsWith("//") ? "" : match);
}

function read(path: string): Source {
  const code = withoutComments(Deno.readTextFileSync(join(ROOT, path)));
  const specifiersIn = (text: string): string[] =>
    [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map(([, specifier]) =>
      specifier.startsWith(".") ? slashed(join(dirname(path), specifier)) : specifier
    );
  const imports = specifiersIn(TEMPLATES.includes(path) ? code.replace(/`(?:\\.|[^`\\])*`/g, "``") : code);
  const room = path.replace(/^src\//, "").replace(/\/.*|\.ts$/, "");
  return { path, room, code, imports };
}

function slashed(path: string): string {
  return path.replaceAll("\\", "/");
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(join(ROOT, folder))].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : name.endsWith(".ts") ? [`${folder}/${name}`] : []
  );
}

const SOURCES = filesBelow("src").map(read);
const floorOf = (room: string): number => FLOORS.findIndex((floor) => floor.includes(room));
const roomsImportedBy = (source: Source): string[] =>
  source.imports.filter((path) => path.startsWith("src/")).map((path) => read(path).room);

/** Asserts that no violation was found, and lists all of them otherwise. */
function assertNone(violations: readonly string[]): void {
  assertEquals(violations, []);
}

Deno.test("every file of src/ is in one of the rooms", () => {
  assert(SOURCES.length > 0);
  assertNone(SOURCES.filter(({ room }) => floorOf(room) < 0).map(({ path }) => path));
});

Deno.test("a room imports from lower floors only, never from its own floor", () => {
  assertNone(SOURCES.flatMap((source) =>
    roomsImportedBy(source)
      .filter((room) => room !== source.room && floorOf(room) <= floorOf(source.room))
      .map((room) => `${source.path} imports from ${room}`)
  ));
});

Deno.test("no file imports itself through others, types included", () => {
  const byPath = new Map(SOURCES.map((source) => [source.path, source]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: string[]): void => {
    const known = trail.indexOf(path);
    if (known >= 0) cycles.push([...trail.slice(known), path].join(" → "));
    if (known >= 0 || done.has(path)) return;
    for (const next of byPath.get(path)?.imports ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const { path } of SOURCES) visit(path, []);
  assertNone(cycles);
});

Deno.test("src/ imports only from src/, from node: and what the import map has", () => {
  const { imports } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  // By its name, or by its address where names of linked packages are not found everywhere.
  const map = [
    ...Object.keys(imports),
    ...Object.values<string>(imports).filter((address) => /^npm:/.test(address)),
  ];
  const known = (specifier: string): boolean =>
    specifier.startsWith("src/") || specifier.startsWith("node:") ||
    map.some((name) => specifier === name || specifier.startsWith(`${name}/`));
  assertNone(
    SOURCES.flatMap(({ path, imports }) =>
      imports.filter((specifier) => !known(specifier)).map((specifier) => `${path} imports ${specifier}`)
    ),
  );
});

Deno.test("the library's entry points only re-export, and nothing from the command", () => {
  for (
    const path of [
      "mod.ts",
      "src/smf/mod.ts",
      "src/link/mod.ts",
      "src/module/share/mod.ts",
      "src/build/mod.ts",
    ]
  ) {
    const { code, imports } = read(path);
    // Refuses an old Deno before anything else; Deno leaves out `export {} from`.
    const rest = code.replace(/import "[./\w]*\/os\/runtime_version\.ts";/, "");
    assertEquals(rest.replace(/export (?:(?:type )?\{[^}]*\}|\*) from "[^"]+";/g, "").trim(), "", path);
    assertNone(imports.filter((path) => path.startsWith("src/cli/")));
  }
});

Deno.test("the pure rooms do not use Deno", () => {
  assertNone(
    SOURCES.filter(({ path, room, code }) =>
      PURE.includes(room) && !path.startsWith(WRITER) && /\bDeno\b/.test(code)
    ).map(({ path }) => path),
  );
});

Deno.test("raw memory and native functions are touched in few rooms only", () => {
  const unsafe = /\bDeno\.dlopen\b|\bnew Deno\.Unsafe\w+|\bDeno\.Unsafe\w+\.|\binstanceof Deno\.Unsafe\w+/;
  assertNone(
    SOURCES.filter(({ path, room, code }) =>
      !UNSAFE.includes(room) && !path.startsWith(WRITER) && unsafe.test(code)
    ).map(({ path }) => path),
  );
});

Deno.test("only the listed files read which system they run on", () => {
  const readers = SOURCES.filter(({ code }) =>
    /(?<!typeof )\bDeno\.build\b(?!\.arch\b)|\bnavigator\.platform\b|\bprocess\.platform\b/.test(code)
  );
  assertNone(readers.map(({ path }) => path).filter((path) => !(path in PLATFORM_READERS)));
});

Deno.test("no file is longer than one idea takes", () => {
  const lengths = SOURCES.map(({ path }) => ({
    path,
    lines: Deno.readTextFileSync(join(ROOT, path)).trimEnd().split("\n").length,
  }));
  assertNone(
    lengths.filter(({ lines }) => lines > LONGEST_FILE).map(({ path, lines }) => `${path}: ${lines}`),
  );
});

Deno.test("importing mod.ts opens nothing and asks for no permission", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", relative(Deno.cwd(), join(ROOT, "mod.ts"))],
    stdin: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
});

/** Globals with getters that start a part of Deno at the first look: its Node layer (23 ms), its timers (4 ms). */
const SLOW_GLOBALS = ["process", "setTimeout", "clearTimeout", "setInterval"];

/** Runs a text that prepares, one that loads a module by the package and calls it, and one that prints; the output. */
async function aroundFirstCall(prepare: string, print: string): Promise<{ out: string; err: string }> {
  using directory = new TemporaryDirectory();
  const path = directory.file("add.smf", addModule());
  const program = `
    ${prepare}
    const { ModuleRegistry } = await import("./mod.ts");
    {
      using registry = new ModuleRegistry();
      const module = registry.load(${JSON.stringify(path)});
      module.bind({ add: { parameters: ["i64", "i64"], result: "i64" } }).symbols.add(2n, 3n);
    }
    ${print}
  `;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", program],
    cwd: ROOT,
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { out: text.decode(stdout).trim(), err: text.decode(stderr) };
}

Deno.test("loading and calling a module makes no error: the first one has Deno read all source maps", async () => {
  const { out, err } = await aroundFirstCall(
    `
    let errors = 0;
    const count = { construct: (...args) => (errors++, Reflect.construct(...args)) };
    for (const name of ["Error", "TypeError", "RangeError"]) globalThis[name] = new Proxy(globalThis[name], count);
    `,
    `
    const before = errors;
    new (class extends Error {})();
    console.log(before, errors - before);
    `,
  );
  // The last error is the test's own: it shows that errors are counted.
  assertEquals(out, "0 1", err);
});

Deno.test("loading and calling a module never looks at globals that are slow to start", async () => {
  const { out, err } = await aroundFirstCall(
    `
    const looks = [];
    for (const name of ${JSON.stringify(SLOW_GLOBALS)}) {
      const { get, value } = Object.getOwnPropertyDescriptor(globalThis, name);
      const look = () => (looks.push(name), get === undefined ? value : get.call(globalThis));
      Object.defineProperty(globalThis, name, { get: look, configurable: true });
    }
    `,
    `
    const before = looks.join();
    globalThis.process;
    console.log(JSON.stringify([before, looks.includes("process")]));
    `,
  );
  // The last look is the test's own: it shows that looks are counted.
  assertEquals(out, '["",true]', err);
});
