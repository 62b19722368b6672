// Checks the files, commands and names that the documents mention.
import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import { STARTERS } from "../../src/cli/init/languages.ts";
import { projectFiles } from "../../src/cli/init/project_files.ts";
import { documents, Markdown, ROOT } from "../support/markdown.ts";

const DOCUMENTS = documents();
const CONFIG = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
const TASKS: Readonly<Record<string, unknown>> = CONFIG.tasks;

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Collects the problems of all documents, so that one run shows all of them. */
function problems(find: (document: Markdown) => readonly string[]): string[] {
  return DOCUMENTS.flatMap((document) => find(document).map((problem) => `${document.path}: ${problem}`));
}

Deno.test("the documents that people look for exist", () => {
  const paths = DOCUMENTS.map(({ path }) => path);
  for (const path of ["CHANGELOG.md", "CONTRIBUTING.md", "README.md", "docs/design.md", "docs/format.md"]) {
    assert(paths.includes(path), path);
  }
});

Deno.test("links inside the repository have a target", () => {
  const anchorsOf = (path: string) => new Markdown(path).anchors();
  assertEquals(
    problems((document) =>
      document.links().filter((target) => !/^[a-z]+:/.test(target)).filter((target) => {
        const [file, anchor] = target.split("#");
        const path = file === "" ? document.path : join(dirname(document.path), file).replaceAll("\\", "/");
        if (!exists(join(ROOT, path))) return true;
        return anchor !== undefined && path.endsWith(".md") && !anchorsOf(path).includes(anchor);
      })
    ),
    [],
  );
});

Deno.test("every document of docs/ can be reached from the README", () => {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path) || !exists(join(ROOT, path))) return;
    seen.add(path);
    if (!path.endsWith(".md")) return;
    for (const target of new Markdown(path).links()) {
      if (!/^[a-z]+:|^#/.test(target)) {
        visit(join(dirname(path), target.split("#")[0]).replaceAll("\\", "/"));
      }
    }
  };
  visit("README.md");
  assertEquals(DOCUMENTS.map(({ path }) => path).filter((path) => !seen.has(path)), []);
});

/** The tasks of a project that `smf init` makes. */
const PROJECT_TASKS: Record<string, string> =
  JSON.parse(projectFiles(STARTERS.c, { specifier: "", links: [], schema: "" })["deno.json"]).tasks;

/** The tasks of an example that is a project of its own. */
function tasksBeside(path: string): Readonly<Record<string, unknown>> {
  const config = join(ROOT, dirname(path), "deno.json");
  return exists(config) ? JSON.parse(Deno.readTextFileSync(config)).tasks : {};
}

Deno.test("every task that a document names exists, and CONTRIBUTING.md lists all of them", () => {
  assertEquals(
    problems(({ path, text }) => {
      const tasks = { ...TASKS, ...PROJECT_TASKS, ...tasksBeside(path) };
      return [...text.matchAll(/deno task (?:-\S+ )*([\w-]+)/g)].map(([, name]) => name)
        .filter((name) => !(name in tasks));
    }),
    [],
  );
  const listed = new Markdown("CONTRIBUTING.md").table("Tasks").map(({ task }) =>
    task.replace("deno task ", "")
  );
  assertEquals(listed.toSorted(), Object.keys(TASKS).toSorted());
});

Deno.test("every file that a document names exists", () => {
  // Looks at backticks and commands; placeholders have capital letters or a star.
  const paths = /(?<![\w./-])(?:\.ci|\.github|docs|examples|fixtures|src|tests)\/[\w./-]*(?![\w./$-])/g;
  assertEquals(
    problems((document) =>
      [...document.spans(), ...document.blocks.map(({ text }) => text)].flatMap((text) =>
        [...text.matchAll(paths)].map(([path]) => path)
      ).filter((path) => !/\b[a-z]\b/.test(path.replace(/\.\w+$/, ""))).filter((path) =>
        !exists(join(ROOT, path))
      )
    ),
    [],
  );
});

/** Collects every name that `deno doc` lists for the package's entry points, members included. */
async function publicNames(): Promise<Set<string>> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...Object.values(CONFIG.exports as Record<string, string>)],
    cwd: ROOT,
    stdin: "null",
  }).output();
  assert(success);
  const names = new Set<string>();
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) return void value.forEach(collect);
    if (typeof value !== "object" || value === null) return;
    const { name, string } = value as { name?: unknown; string?: unknown };
    if (typeof name === "string") names.add(name);
    // Literals of unions, such as kinds of errors and events.
    if (typeof string === "string") names.add(string);
    Object.values(value).forEach(collect);
  };
  collect(JSON.parse(new TextDecoder().decode(stdout)).nodes);
  return names;
}

/** Names of the language, of Deno and of other subjects of the documents, which this package does not export. */
const FOREIGN = [
  "Atomics",
  "BigUint64Array",
  "Constructor",
  "Deno",
  "DisposableStack",
  "Error",
  "FinalizationRegistry",
  "Float64Array",
  "IsBadReadPtr",
  "None",
  "RangeError",
  "RtlAddFunctionTable",
  "RtlUnwindEx",
  "SetThreadStackGuarantee",
  "SharedArrayBuffer",
  "SqliteError",
  "TerminateProcess",
  "TypeError",
  "terminate",
  "void",
  "Uint8Array",
  "UnhandledExceptionFilter",
  "UnsafeFnPointer",
  "VirtualQuery",
];

/** Names that CHANGELOG.md lists as removed. */
const REMOVED = [
  "LinuxAllocator",
  "MacosAllocator",
  "PagedAllocator",
  "Pages",
  "PosixSystem",
  "SystemLibrary",
  "WindowsAllocator",
  "WindowsSystem",
];

Deno.test("every name of the package that a document mentions exists", async () => {
  const names = await publicNames();
  assertEquals(REMOVED.filter((name) => names.has(name)), []);
  const known = (name: string, { path }: Markdown) =>
    names.has(name) || FOREIGN.includes(name) || (path === "CHANGELOG.md" && REMOVED.includes(name));
  assertEquals(
    problems((document) =>
      document.spans().flatMap((span) => {
        // Names of the package look like `Type`, `call()` or `Type.member`; other spans are not checked.
        const [, type, call] = /^([A-Z][a-z]\w*)(?:\.\w+)*(?:\(.*\))?$|^([a-z]\w*)\(.*\)$/.exec(span) ?? [];
        const name = type ?? call;
        return name === undefined || /^[A-Z]+\d*$/.test(name) || known(name, document) ? [] : [span];
      })
    ),
    [],
  );
});
