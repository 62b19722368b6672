// The rules of the house that a reader cannot see in any one file.
import { assert, assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join, relative } from "@std/path";

const ROOT = fromFileUrl(new URL("..", import.meta.url));

/**
 * The units of src/, top first. A unit may import from units on lower lines
 * only: units on one line know nothing of each other. A unit is a folder, or a
 * file directly in src/.
 */
const LAYERS: readonly (readonly string[])[] = [
  ["cli"],
  ["registry"],
  ["group", "registry_options"],
  ["checked", "import_scope", "live_source", "succession", "watched"],
  ["catalog", "live", "reload"],
  ["export_index", "module_loader", "stable_exports", "watch"],
  ["data_followers", "module", "slots"],
  ["carry", "exported"],
  ["version"],
  ["frames", "lifetime", "share", "start"],
  ["loader"],
  ["runtime"],
  ["call"],
  ["compatibility", "imported_data", "relocate", "link", "thread_locals"],
  ["frame_table", "host", "image", "imports", "scan", "source"],
  ["file_stamp", "read_ahead", "relocation"],
  ["arrangement"],
  ["smf", "memory"],
  ["system"],
  ["errors"],
];

/** Units that stand on fewer others than their line allows. */
const STANDS_ON: Readonly<Record<string, readonly string[]>> = {
  link: ["smf", "errors"],
  smf: ["errors"],
  memory: ["system", "errors"],
  call: ["memory", "system", "errors"],
  system: ["errors"],
};

/** Units without any use of Deno: they work on bytes alone. */
const PURE = [
  "arrangement",
  "compatibility",
  "errors",
  "frame_table",
  "image",
  "link",
  "relocate",
  "relocation",
  "scan",
  "smf",
  "thread_locals",
];

/** The only units that touch raw memory or native functions. */
const UNSAFE = ["call", "imports", "memory", "runtime", "system"];

/** The only files that look at which system this is, and what for. */
const PLATFORM_READERS: Readonly<Record<string, string>> = {
  "src/host.ts": "the format's number of this system, to refuse modules of another",
  "src/memory/allocator.ts": "chooses the allocator",
  "src/call/stub_library.ts": "chooses how a stub library is made",
  "src/system/dynamic_linker.ts": "chooses how the system finds shared libraries",
  "src/system/path.ts": "knows where a path can name another host",
  "src/system/unwinder.ts": "knows where there is an unwinder that can be told of frames",
  "src/system/process.ts": "chooses the library function that tells processes apart",
};

/** Lines of code, comments and blank lines not counted, that one idea may take. */
const LONGEST_FILE = 330;

interface Source {
  readonly path: string;
  readonly unit: string;
  /** The text without its comments. */
  readonly code: string;
  /** Paths relative to the root, or bare specifiers. */
  readonly imports: readonly string[];
  /** Those of `imports` that still exist when the types are gone. */
  readonly runtimeImports: readonly string[];
}

/** Blanks comments out and keeps strings; templates count as strings, whatever is in them. */
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
  const imports = specifiersIn(code);
  const runtimeImports = specifiersIn(code.replace(/\b(?:import|export) type\b[^;]*?\bfrom\s*"[^"]+"/g, ""));
  const unit = path.replace(/^src\//, "").replace(/\/.*|\.ts$/, "");
  return { path, unit, code, imports, runtimeImports };
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
const layerOf = (unit: string): number => LAYERS.findIndex((layer) => layer.includes(unit));
const importedUnits = (source: Source): string[] =>
  source.imports.filter((path) => path.startsWith("src/")).map((path) => read(path).unit);

/** Asserts that nothing breaks a rule, and lists all that does. */
function assertNone(violations: readonly string[]): void {
  assertEquals(violations, []);
}

Deno.test("every file of src/ has its place in the layers", () => {
  assert(SOURCES.length > 0);
  assertNone(SOURCES.filter(({ unit }) => layerOf(unit) < 0).map(({ path }) => path));
});

Deno.test("imports run downward only, and never sideways", () => {
  assertNone(SOURCES.flatMap((source) =>
    importedUnits(source)
      .filter((unit) => unit !== source.unit && layerOf(unit) <= layerOf(source.unit))
      .map((unit) => `${source.path} imports from ${unit}`)
  ));
});

Deno.test("smf stands on errors alone, memory on system, link on smf, call on memory", () => {
  assertNone(SOURCES.flatMap((source) =>
    importedUnits(source)
      .filter((unit) => unit !== source.unit && !(STANDS_ON[source.unit]?.includes(unit) ?? true))
      .map((unit) => `${source.path} imports from ${unit}`)
  ));
});

Deno.test("no file imports itself through others, types apart", () => {
  const byPath = new Map(SOURCES.map((source) => [source.path, source]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: string[]): void => {
    const known = trail.indexOf(path);
    if (known >= 0) cycles.push([...trail.slice(known), path].join(" → "));
    if (known >= 0 || done.has(path)) return;
    for (const next of byPath.get(path)?.runtimeImports ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const { path } of SOURCES) visit(path, []);
  assertNone(cycles);
});

Deno.test("src/ imports nothing that is not src/, node: or in the import map", () => {
  const map = Object.keys(JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json"))).imports);
  const known = (specifier: string): boolean =>
    specifier.startsWith("src/") || specifier.startsWith("node:") ||
    map.some((name) => specifier === name || specifier.startsWith(`${name}/`));
  assertNone(
    SOURCES.flatMap(({ path, imports }) =>
      imports.filter((specifier) => !known(specifier)).map((specifier) => `${path} imports ${specifier}`)
    ),
  );
});

Deno.test("the library's entry points only re-export, and nothing of the command line", () => {
  for (const path of ["mod.ts", "src/smf/mod.ts", "src/link/mod.ts"]) {
    const { code, imports } = read(path);
    assertEquals(code.replace(/export (?:(?:type )?\{[^}]*\}|\*) from "[^"]+";/g, "").trim(), "", path);
    assertNone(imports.filter((path) => path.startsWith("src/cli/")));
  }
});

Deno.test("what works on bytes alone does not use Deno", () => {
  assertNone(
    SOURCES.filter(({ unit, code }) => PURE.includes(unit) && /\bDeno\b/.test(code)).map(
      ({ path }) => path,
    ),
  );
});

Deno.test("raw memory and native functions are touched in few units alone", () => {
  const unsafe = /\bDeno\.dlopen\b|\bnew Deno\.Unsafe\w+|\bDeno\.Unsafe\w+\.|\binstanceof Deno\.Unsafe\w+/;
  assertNone(
    SOURCES.filter(({ unit, code }) => !UNSAFE.includes(unit) && unsafe.test(code)).map(
      ({ path }) => path,
    ),
  );
});

Deno.test("which system this is, is read in few places, each for a reason", () => {
  const readers = SOURCES.filter(({ code }) =>
    /(?<!typeof )\bDeno\.build\b(?!\.arch\b)|\bnavigator\.platform\b|\bprocess\.platform\b/.test(code)
  );
  assertNone(readers.map(({ path }) => path).filter((path) => !(path in PLATFORM_READERS)));
});

Deno.test("no file holds more than one idea's worth of code", () => {
  const lengths = SOURCES.map(({ path, code }) => ({
    path,
    lines: code.split("\n").filter((line) => line.trim() !== "").length,
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
