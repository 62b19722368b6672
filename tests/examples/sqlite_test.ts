// SQLite as a package for two platforms: it is built, tested, published for a trial, and imported by another project.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join, toFileUrl } from "@std/path";
import { parseSmf } from "../../mod.ts";
import { Arch } from "../../src/smf/enums.ts";
import { hasCommand } from "../support/compilers.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));
const FOLDER = join(ROOT, "examples", "sqlite");

/** Whether this may be an emulator: what Deno makes of sources is the same there, and takes minutes. */
const IS_SLOW = Deno.build.os !== "linux" || Deno.build.arch !== "x86_64";
const CHECK = IS_SLOW ? ["--no-check"] : [];

/** Runs Deno in a folder. */
async function deno(cwd: string, ...args: string[]): Promise<{ success: boolean; text: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  return { success, text };
}

async function mustRun(cwd: string, ...args: string[]): Promise<string> {
  const { success, text } = await deno(cwd, ...args);
  assert(success, text);
  return text;
}

/** The packages that the example names, for projects in other folders. */
const LINKS = (JSON.parse(Deno.readTextFileSync(join(FOLDER, "deno.json"))).links as string[])
  .map((link) => toFileUrl(join(FOLDER, link)).href);

/** A copy of the example with SQLite's libraries; says why there is none. */
async function copyOfPackage(): Promise<{ folder: string } | { missing: string }> {
  if (Deno.build.os !== "linux") return { missing: "Linux" };
  const tool = ["apt-get", "dpkg-deb"].find((tool) => !hasCommand(tool));
  if (tool !== undefined) return { missing: tool };
  const folder = Deno.makeTempDirSync();
  addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  for (const { name, isFile } of Deno.readDirSync(FOLDER)) {
    if (isFile) Deno.copyFileSync(join(FOLDER, name), join(folder, name));
  }
  const config = JSON.parse(Deno.readTextFileSync(join(folder, "deno.json")));
  Deno.writeTextFileSync(join(folder, "deno.json"), JSON.stringify({ ...config, links: LINKS }));
  const { success, text } = await deno(folder, "run", "-A", "--no-check", "libraries.ts");
  return success ? { folder } : { missing: `Debian's archive: ${text.trim().split("\n").at(-1)}` };
}

const copy = await copyOfPackage();

let building: Promise<string> | undefined;

/** Builds the package once, for whichever test comes first; what smf build says. */
function built(folder: string): Promise<string> {
  return building ??= mustRun(folder, "task", "build");
}

/** Registers a test that gets the folder of the package, which is built. */
function testPackage(
  name: string,
  work: (folder: string, built: string) => Promise<void>,
  ignore = false,
): void {
  const missing = "missing" in copy;
  Deno.test({
    name: missing ? `${name} (SKIPPED: needs ${copy.missing})` : name,
    ignore: missing || ignore,
    async fn() {
      const { folder } = copy as { folder: string };
      await work(folder, await built(folder));
    },
  });
}

testPackage("smf build makes SQLite for two platforms, from an archive of each", (folder, text) => {
  for (const [target, arch] of [["linux-x64", Arch.X86_64], ["linux-arm64", Arch.Aarch64]] as const) {
    const file = join(folder, "native", `sqlite.${target}.smf`);
    assertStringIncludes(text, `sqlite.${target}.smf, ${Deno.statSync(file).size} bytes`);
    assertEquals(parseSmf(Deno.readFileSync(file)).header.arch, arch);
  }
  return Promise.resolve();
});

testPackage("the package's own tests pass, and its program runs", async (folder) => {
  await mustRun(folder, "task", "test", ...CHECK);
  const text = await mustRun(folder, "run", "--no-prompt", "--allow-ffi", "--allow-read", "main.ts");
  assertStringIncludes(text, "SqliteError 2067: UNIQUE constraint failed: note.text\n");
  assertStringIncludes(text, "2 paint the fence, 2 bytes of picture\n1 buy milk, no bytes of picture\n");
});

testPackage(
  "deno publish takes the package, with both modules and without what only builds it",
  async (folder) => {
    const text = await mustRun(folder, "publish", "--dry-run", "--allow-dirty", "--no-check");
    for (const file of ["native/sqlite.linux-x64.smf", "native/sqlite.linux-arm64.smf", "native/mod.ts"]) {
      assertStringIncludes(text, `/${file} (`);
    }
    assert(!/\/(libraries|main|mod_test)\.ts \(|\.a \(/.test(text), text);
  },
  IS_SLOW,
);

Deno.test({
  name: "the sources, which the repository's own checks leave out, are formatted and linted",
  ignore: IS_SLOW,
  async fn() {
    await mustRun(FOLDER, "fmt", "--check");
    await mustRun(FOLDER, "lint");
  },
});

/** A program of another project. */
const PROGRAM = `
  import { Database, SqliteError } from "@example/sqlite";

  using database = new Database();
  database.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, data BLOB)");
  using insert = database.prepare<[bigint, string, Uint8Array]>("INSERT INTO t VALUES (?, ?, ?)");
  insert.run(2n ** 60n, "näme", new Uint8Array([1, 2, 3]));
  // @ts-expect-error: the types of the parameters are those of the statement.
  try { insert.run("a", "b"); } catch (error) { console.log((error as Error).message); }
  const row = database.prepare<[], { id: bigint; name: string; data: Uint8Array }>("SELECT * FROM t").get()!;
  const data: number[] = [...row.data];
  console.log(row.id, row.name, data.join());
  try { database.exec("INSERT INTO t (name) VALUES (NULL)"); } catch (error) {
    if (error instanceof SqliteError) console.log(error.code, error.message);
  }`;

testPackage("another project imports the package by its name, with types", async (folder) => {
  const project = Deno.makeTempDirSync();
  try {
    const imports = { "@example/sqlite": "jsr:@example/sqlite@^0.1.0" };
    const config = { imports, links: [toFileUrl(folder).href, ...LINKS] };
    Deno.writeTextFileSync(join(project, "deno.json"), JSON.stringify(config));
    Deno.writeTextFileSync(join(project, "main.ts"), PROGRAM);
    const permissions = ["--no-prompt", "--allow-ffi", `--allow-read=${folder}`];
    const text = await mustRun(project, "run", CHECK[0] ?? "--check", "--no-lock", ...permissions, "main.ts");
    assertStringIncludes(
      text,
      "Cannot run the statement: it takes 3 parameters, not 2\n" +
        "1152921504606846976n näme 1,2,3\n" +
        "1299 NOT NULL constraint failed: t.name\n",
    );
  } finally {
    Deno.removeSync(project, { recursive: true });
  }
});
