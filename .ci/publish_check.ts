/**
 * Builds the package as it is published, and checks the build:
 *
 * - the build's own tests pass, with its libraries, which the repository's lock file does not list;
 * - `deno publish --dry-run` takes it without a warning;
 * - its documentation is that of the sources, and no type has become `any`;
 * - `smf dev` reloads modules in a program, also where the package comes over the network;
 * - errors name lines of the sources, also where the package comes over the network, as from JSR;
 * - other projects, the examples, and the code of README and docs run with it.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join, toFileUrl } from "@std/path";
import { compilesForHere } from "../tests/support/compilers.ts";
import { DevSession } from "../tests/support/dev_session.ts";
import { build, built, entryPoints } from "./build/main.ts";

const ROOT = fromFileUrl(new URL("../", import.meta.url));
const work = Deno.makeTempDirSync({ prefix: "publish-check-" });
const folder = join(work, "package");

/** The names by which programs import the package, and the modules that they get. */
const imports: Readonly<Record<string, string>> = {
  ...JSON.parse(Deno.readTextFileSync(join(ROOT, ".ci", "smoke.json"))).imports,
};

interface Result {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs this Deno. */
function deno(args: readonly string[], cwd = ROOT, env: Record<string, string> = {}): Result {
  const { success, stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).outputSync();
  const text = new TextDecoder();
  return { success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Runs this Deno, shows its output, and fails if it does. */
function mustRun(args: readonly string[], env: Record<string, string> = {}): void {
  const { success, stdout, stderr } = deno(args, ROOT, env);
  console.log(stdout);
  assert(success, stderr);
}

/** The command loads its disassembler from npm when it is asked to disassemble, and only then. */
const EXPECTED_WARNING = "warning[unanalyzable-dynamic-import]";

function checkPublishing(): void {
  const { success, stderr } = deno(["publish", "--dry-run", "--allow-dirty"], folder);
  assert(success, stderr);
  const warnings = stderr.split("\n").filter((line) =>
    /warning/i.test(line) && !line.startsWith(EXPECTED_WARNING)
  );
  assertEquals(warnings, []);
  // The source and the bundle of one place.
  assertEquals(stderr.split(EXPECTED_WARNING).length - 1, 2, stderr);
}

/** The documentation by name and member, and how many types are `any`, as `deno doc` says. */
function documentation(paths: readonly string[], cwd: string): string[] {
  const { stdout, stderr } = deno(["doc", "--json", ...paths], cwd);
  assert(stdout !== "", stderr);
  const found: string[] = [];
  const collect = (value: unknown, place: string): void => {
    if (Array.isArray(value)) {
      return value.filter((item) => !implementsOverloads(item, value)).forEach((item) =>
        collect(item, place)
      );
    }
    if (typeof value !== "object" || value === null) return;
    const { name, jsDoc, ...others } = value as Record<string, unknown>;
    const inner = typeof name === "string" ? `${place}.${name}` : place;
    if (jsDoc !== undefined) found.push(`${inner}: ${JSON.stringify(jsDoc)}`);
    for (const other of Object.values(others)) collect(other, inner);
  };
  Object.values(JSON.parse(stdout).nodes).forEach((module, index) =>
    collect(module, paths[index].slice(-12))
  );
  return [...found.sort(), `${stdout.split('"repr":"any"').length - 1} types are any`];
}

/** Whether a function or method implements overloads; only sources have such. */
function implementsOverloads(item: Described, all: readonly Described[]): boolean {
  const hasBody = ({ functionDef, def }: Described) => (functionDef ?? def)?.hasBody === true;
  return hasBody(item ?? {}) && all.some((other) => other.name === item.name && !hasBody(other));
}

/** The part of a function or method that `deno doc` prints and that is used. */
interface Described {
  readonly name?: string;
  readonly functionDef?: { readonly hasBody?: boolean };
  readonly def?: { readonly hasBody?: boolean };
}

function checkDocumentation(): void {
  const withoutFolder = (text: string): string => text.replace(/^[^.]*\.[jt]s/, "");
  const sources = documentation(entryPoints, ROOT).map(withoutFolder).sort();
  const package_ = documentation(entryPoints.map(built), folder).map(withoutFolder).sort();
  assert(sources.length > 500);
  assertEquals(package_, sources);
}

/** Fails to read a module with the package at a URL, and checks that the stack names lines of the sources. */
function checkStack(url: string): void {
  const program = join(work, "fails.ts");
  Deno.writeTextFileSync(
    program,
    `import { parseSmf } from ${JSON.stringify(`${url}/built/mod.js`)};
try {
  parseSmf(new Uint8Array(4));
} catch (error) {
  console.log((error as Error).stack);
}`,
  );
  const { stdout, stderr } = deno(
    ["run", "--allow-all", "--no-check", "--no-config", "--reload", program],
    work,
  );
  const frames = [...stdout.matchAll(/at (?:\w+\.)?(\w+) \((.*)\/(src\/.*):(\d+):\d+\)/g)];
  assert(frames.length >= 3, stdout + stderr);
  for (const [frame, name, base, path, line] of frames) {
    assertEquals(base, url, frame);
    const lines = Deno.readTextFileSync(join(folder, path)).split("\n");
    // The function starts above the line; a bundle numbers names that several files have.
    const above = lines.slice(0, Number(line)).findLast((text) =>
      new RegExp(`\\b${name.replace(/\d+$/, "")}\\b.*[({]`).test(text)
    );
    assert(above !== undefined, `${frame}: no ${name} above`);
  }
  assertMatch(frames.map(([, name]) => name).join(), /,detect,readSmf,readFrom,inFile,parseSmf$/);
}

/** Serves the package over HTTP while `work` runs. */
async function served(work: (url: string) => void | Promise<void>): Promise<void> {
  const script = join(ROOT, ".ci", "build", "serve.ts");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-net=127.0.0.1", "--allow-read", script, folder],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    await work((await lines.read()).value!.trim());
  } finally {
    await lines.cancel();
    child.kill();
    await child.status;
  }
}

/** The program and the module of a project for `smf dev`, which prints numbers. */
const PROJECT = (url: string): Readonly<Record<string, string>> => ({
  "smf.json": '{ "counter": { "sources": ["counter.c"] } }',
  "counter.c": "static int total; int count(void) { return total += 1; }",
  "app.ts": `import { ModuleRegistry } from ${JSON.stringify(`${url}/built/mod.js`)};
    const { symbols } = new ModuleRegistry().open(new URL(".smf/counter.smf", import.meta.url));
    setInterval(() => console.log(symbols.count()), 50);`,
});

/** Runs a program under `smf dev` of the package at a URL, changes its module, and waits for the new code. */
async function checkDev(url: string): Promise<void> {
  const project = Deno.makeTempDirSync({ dir: work });
  for (const [name, text] of Object.entries(PROJECT(url))) Deno.writeTextFileSync(join(project, name), text);
  const command = ["--no-config", `${url}/built/src/cli/main.js`];
  await using session = new DevSession(project, ["--no-config", "-A", "app.ts"], ["--allow-all"], command);
  await session.line(/^1$/);
  Deno.writeTextFileSync(
    join(project, "counter.c"),
    PROJECT(url)["counter.c"].replace("+= 1", "+= 1000"),
  );
  await session.line(/^\d{3,}$/);
  console.log(`smf dev of ${url} reloads`);
}

/** Runs everything that uses the package by its name with the build. */
function checkPrograms(): void {
  const config = join(work, "deno.json");
  const names = entryPoints.map((path) => [nameOf(path), toFileUrl(join(folder, built(path))).href]);
  const standard = Object.entries(imports).filter(([name]) => name.startsWith("@std/"))
    .map(([name, path]) => [name, new URL(path, import.meta.url).href]);
  const assert_ = ["@std/assert", new URL("./std/assert/mod.ts", import.meta.url).href];
  Deno.writeTextFileSync(
    config,
    JSON.stringify({ imports: Object.fromEntries([...names, ...standard, assert_]) }),
  );
  mustRun(["run", "--allow-all", "--no-lock", "--config", config, ".ci/smoke.ts"]);
  mustRun(["test", "--doc", "--allow-all", "--no-lock", "--config", config, "README.md", "docs"]);
  mustRun(["run", "--allow-read", "--allow-run", ".ci/examples.ts", config]);
  mustRun(["test", "--allow-all", "tests/package_test.ts"], { SMF_PACKAGE: folder });
}

function nameOf(path: string): string {
  const { name, exports } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  const [key] = Object.entries(exports).find(([, value]) => value === `./${path}`)!;
  return `${name}${key.slice(1)}`;
}

try {
  mustRun(["test", "--allow-all", "--lock", ".ci/build/deno.lock", ".ci/build/tests/"]);
  await build(folder);
  checkPublishing();
  checkDocumentation();
  checkStack(toFileUrl(folder).href);
  await served(checkStack);
  if (compilesForHere()) {
    await checkDev(toFileUrl(folder).href);
    await served(checkDev);
  } else console.log("smf dev is not checked: there is no cc that makes objects for this system");
  checkPrograms();
} finally {
  Deno.removeSync(work, { recursive: true });
}
