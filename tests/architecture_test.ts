// The rules of the house that a reader cannot see in any one file.
import { assert, assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join, relative } from "@std/path";

const ROOT = fromFileUrl(new URL("..", import.meta.url));

/**
 * The rooms of src/ by floor, top first. A room imports from lower floors only,
 * never from its own: rooms of one floor know nothing of each other.
 */
const FLOORS: readonly (readonly string[])[] = [
  ["cli"],
  ["registry"],
  ["module"],
  ["load"],
  ["image", "link", "call"],
  ["smf", "os"],
  ["errors"],
];

/** Rooms without any use of Deno: they work on bytes alone. */
const PURE = ["errors", "image", "link", "smf"];

/** The only rooms that touch raw memory or native functions. */
const UNSAFE = ["call", "load", "os"];

/** The only files that look at which system this is, and what for. */
const PLATFORM_READERS: Readonly<Record<string, string>> = {
  "src/load/runtime/host.ts": "the format's number of this system, to refuse modules of another",
  "src/os/memory/allocator.ts": "chooses the allocator",
  "src/call/stub/library.ts": "chooses how a stub library is made",
  "src/os/dynamic_linker.ts": "chooses how the system finds shared libraries",
  "src/os/path.ts": "knows where a path can name another host",
  "src/os/unwinder.ts": "knows where there is an unwinder that can be told of frames",
  "src/os/process.ts": "chooses the library function that tells processes apart",
};

/** Lines of code, comments and blank lines not counted, that one idea may take. */
const LONGEST_FILE = 330;

interface Source {
  readonly path: string;
  /** The folder of src/ that it is in, or the file itself. */
  readonly room: string;
  /** The text without its comments. */
  readonly code: string;
  /** Paths relative to the root, or bare specifiers. */
  readonly imports: readonly string[];
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
const importedRooms = (source: Source): string[] =>
  source.imports.filter((path) => path.startsWith("src/")).map((path) => read(path).room);

/** Asserts that nothing breaks a rule, and lists all that does. */
function assertNone(violations: readonly string[]): void {
  assertEquals(violations, []);
}

Deno.test("every file of src/ is in one of the rooms", () => {
  assert(SOURCES.length > 0);
  assertNone(SOURCES.filter(({ room }) => floorOf(room) < 0).map(({ path }) => path));
});

Deno.test("a room imports from lower floors only, never from its own", () => {
  assertNone(SOURCES.flatMap((source) =>
    importedRooms(source)
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
    SOURCES.filter(({ room, code }) => PURE.includes(room) && /\bDeno\b/.test(code)).map(
      ({ path }) => path,
    ),
  );
});

Deno.test("raw memory and native functions are touched in few rooms only", () => {
  const unsafe = /\bDeno\.dlopen\b|\bnew Deno\.Unsafe\w+|\bDeno\.Unsafe\w+\.|\binstanceof Deno\.Unsafe\w+/;
  assertNone(
    SOURCES.filter(({ room, code }) => !UNSAFE.includes(room) && unsafe.test(code)).map(
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
