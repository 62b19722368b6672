/**
 * `smf build`: builds the native modules of a project.
 */
import { CompileError } from "../../build/compile_error.ts";
import { findProject, type Project, type ProjectModule, readProject } from "../../build/project.ts";
import { LoadError } from "../../errors/load_error.ts";
import { within } from "../../build/files.ts";
import { signModule } from "../../smf/sign.ts";
import { BuildBar } from "../dev/build_bar.ts";
import { buildAndReport, type BuilderOptions, type ModuleOutcome } from "../dev/builder.ts";
import { printBytesFiles, printOpener } from "../packaging/embed.ts";
import { type PackagedModules, packageModules } from "../packaging/package.ts";
import type { PackagedTypes } from "../packaging/package_types.ts";
import { milliseconds } from "../dev/notes.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import { shownPath } from "../terminal/files.ts";
import { readPrivateKey } from "../terminal/keys.ts";
import { readOptions } from "../terminal/options.ts";
import { writeProblem } from "../terminal/problem_format.ts";
import { errorJson, reportingErrors } from "../terminal/problems.ts";
import type { Writer } from "../terminal/style.ts";
import { printable } from "../terminal/table.ts";

const HELP = `smf build [name...] [options]

Compiles and links the native modules that smf.json, or the field smf of deno.json,
lists; all, or those that are named. Sources that have not changed are not compiled.
Needs --allow-run of the compilers, and --allow-read and --allow-write of the project.

  --project FILE      the configuration; default: smf.json or deno.json in this folder or
                      the nearest one above
  --compiler COMMAND  the C and C++ compiler, before that of the configuration
  --target LIST       build for these systems, with commas: linux-x64, linux-arm64,
                      macos-x64, macos-arm64, windows-x64; C and C++ with zig, unless the
                      configuration names a compiler; without debug information. Writes
                      NAME.TARGET.smf, mod.ts, which opens the one for the system that
                      it runs on, and the types that the configuration names
  --embed             with --target: write the modules as TypeScript, mod.ts and the
                      folder mod.bytes (see smf embed)
  --out FOLDER        where to write them; default: native, beside the configuration
  --key FILE          sign the modules with this private key (see smf keygen, smf sign)
  --verbose           show the commands that run
  --json              print one JSON document
  --color WHEN        auto (default), always or never

A configuration; only sources are needed, paths start at its folder, and {target} in a
source stands for the system that is built for, such as linux-x64:
  { "smf": { "counter": {
    "sources": ["counter.c", "crate/Cargo.toml"],
    "flags": ["-Iinclude"], "compiler": "clang", "link": { "hot": true },
    "output": ".smf/counter.smf", "types": "counter.types.ts" } } }

Exit codes: 0 success, 1 a module that cannot be built, 2 wrong usage or a file that
cannot be read or written.

Examples:
  smf build --verbose
  smf build counter
  smf build --target linux-x64,linux-arm64,windows-x64
  smf build --target linux-x64,macos-arm64 --embed
  smf build --target linux-x64,windows-x64 --key release.pem`;

export const build: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(
      args,
      { values: ["project", "compiler", "target", "out", "key"], switches: ["verbose", "json", "embed"] },
      output,
    );
    const { writer, rest: names } = options;
    const json = options.has("json");
    const file = options.value("project");
    return reportingErrors(
      { command: "build", file: file ?? "project", writer, json, isModule: false },
      async () => {
        const project = projectOf(file);
        const unknown = names.find((name) => !project.modules.some((module) => module.name === name));
        if (unknown !== undefined) {
          const known = project.modules.map(({ name }) => name).join(", ");
          throw new UsageError(`${project.path} lists no module '${unknown}'; the modules are ${known}`);
        }
        const chosen = project.modules.filter(({ name }) => names.length === 0 || names.includes(name));
        const verbose = options.has("verbose");
        const targets = options.value("target");
        const out = options.value("out"), compiler = options.value("compiler");
        const embed = options.has("embed");
        for (const [option, isGiven] of [["out", out !== undefined], ["embed", embed]] as const) {
          if (targets === undefined && isGiven) throw new UsageError(`--${option} needs --target`);
        }
        const keyFile = options.value("key");
        const key = keyFile === undefined ? undefined : await readPrivateKey(keyFile);
        const how: BuilderOptions = {
          verbose,
          ...(compiler !== undefined && { compiler }),
          ...(key !== undefined && { sign: (bytes) => signModule(bytes, key) }),
        };
        const { outcomes, files, opener, types }: PackagedModules = targets === undefined
          ? { outcomes: await buildAll(project, chosen, how, writer), files: [], types: [] }
          : await packageModules(project, chosen, {
            targets: targets.split(","),
            out: out ?? "native",
            embed,
            ...how,
          }, writer);
        if (json) {
          printJson(writer, "build", {
            project: project.path,
            modules: outcomes.map(outcomeJson),
            ...(opener !== undefined && { written: [opener, ...types.map(({ path }) => path)] }),
            ...(embed && { files }),
          });
        } else {
          outcomes.forEach((outcome) => printOutcome(project, outcome, writer));
          if (opener !== undefined) printOpener(opener, chosen.map(({ name }) => name), writer);
          printBytesFiles(files, writer);
          types.forEach((written) => printTypes(project, written, writer));
        }
        return outcomes.every(({ built }) => built !== undefined) ? ExitCode.OK : ExitCode.BAD_INPUT;
      },
    );
  },
};

async function buildAll(
  project: Project,
  modules: readonly ProjectModule[],
  how: BuilderOptions,
  writer: Writer,
): Promise<ModuleOutcome[]> {
  using bar = new BuildBar(writer, modules);
  return await Promise.all(
    modules.map((module) =>
      bar.follow(module, (progress) => buildAndReport(project, module, writer, { ...how, progress }))
    ),
  );
}

/**
 * The project of a configuration; without one, that of the current folder.
 *
 * @throws {UsageError} if there is none.
 */
export function projectOf(file: string | undefined, folder = "."): Project {
  const path = file ?? findProject(folder);
  if (path !== undefined) return readProject(path);
  throw new UsageError(
    'there is no smf.json, nor a deno.json with a field "smf", here or above: smf init makes a project',
  );
}

function printOutcome(
  project: Project,
  { module: { name, output }, built, untyped }: ModuleOutcome,
  writer: Writer,
): void {
  const { style } = writer;
  if (built === undefined) return writer.print(style.bad(`${name}: not built`));
  const compiled = built.runs.filter(({ cached }) => !cached).length;
  const what = compiled === 0
    ? "nothing to compile"
    : `compiled ${compiled} of ${built.runs.length} in ${milliseconds(built.milliseconds.compile)}`;
  const file = printable(shownPath(within(project.folder, output)));
  const unchanged = built.isChanged ? "" : ", unchanged";
  writer.print(
    style.good(
      `${name}: ${file}, ${built.bytes.length} bytes: ${what}, linked in ${
        milliseconds(built.milliseconds.link)
      }${unchanged}`,
    ),
  );
  if (untyped !== undefined) writer.complain(`smf: ${name}: ${untyped}`);
}

/** Prints where definitions were written, and for which systems they are not. */
function printTypes(
  project: Project,
  { name, file, path, target, others }: PackagedTypes,
  writer: Writer,
): void {
  writer.print(writer.style.good(`${printable(shownPath(path))}: definitions of ${name}`));
  for (const { target: other, output } of others) {
    const module = within(project.folder, output);
    const message = `${name}: ${file} has the definitions for ${target}; those for ${other} are others: ` +
      `smf types ${shownPath(module)} --check ${shownPath(path)} lists them`;
    writeProblem({ level: "warning", file: path, message }, writer, [`smf: ${message}`]);
  }
}

function outcomeJson(
  { module: { name, output }, built, untyped, error }: ModuleOutcome,
): Readonly<Record<string, unknown>> {
  if (built === undefined) {
    return {
      name,
      error: error instanceof LoadError
        ? errorJson(error)
        : error instanceof CompileError
        ? { message: error.message, output: error.output }
        : { message: `${error}` },
    };
  }
  const { bytes, isChanged, milliseconds, runs } = built;
  const sources = runs.map(({ source, cached, milliseconds, output }) => ({
    source,
    cached,
    milliseconds,
    output,
  }));
  return {
    ...{ name, output, size: bytes.length, changed: isChanged, milliseconds, sources },
    ...(untyped !== undefined && { untyped }),
  };
}
