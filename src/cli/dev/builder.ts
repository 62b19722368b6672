/**
 * Builds the modules of a project, and shows the messages of compilers and linker.
 */
import { CompileError } from "../../build/compile_error.ts";
import type { BuiltModule } from "../../build/build.ts";
import { leavesOutTypes } from "../../build/dialects.ts";
import { hasBytes, replaceFile, within } from "../../build/files.ts";
import {
  buildModule,
  type BuildSteps,
  type Project,
  type ProjectBuild,
  type ProjectModule,
} from "../../build/project.ts";
import { LoadError } from "../../errors/load_error.ts";
import type { LinkCache } from "../../link/link_cache.ts";
import { parseSmf } from "../../smf/file.ts";
import { exportsWithTypes } from "../analysis/typed_exports.ts";
import { definitionsText } from "../analysis/definitions_text.ts";
import { dirname } from "../../os/path.ts";
import { compilerMessages } from "../terminal/compiler_messages.ts";
import { isFile } from "../terminal/files.ts";
import { writeProblem } from "../terminal/problem_format.ts";
import type { Writer } from "../terminal/style.ts";
import { reportModuleError } from "../terminal/problems.ts";

/** How modules are built. */
export interface BuilderOptions {
  /** Whether each command is shown before it is known to have failed. */
  readonly verbose: boolean;
  /** The C compiler, before that of the configuration. */
  readonly compiler?: string;
  /** The system to build for. Default: this one. */
  readonly target?: string;
  /** Keeps the results of reading the module's objects from one build to the next. */
  readonly linkCache?: LinkCache;
  /** Hears of a module whose file is about to be written. */
  readonly written?: (module: ProjectModule, built: BuiltModule) => void;
  readonly sign?: BuildSteps["sign"];
  readonly progress?: BuildSteps["progress"];
}

/** A build of one module that came to an end. */
export interface ModuleOutcome {
  readonly module: ProjectModule;
  /** Undefined if it failed. */
  readonly built: ProjectBuild | undefined;
  /** Says why the module keeps no types, so that no definitions were written, if its compiler tells none. */
  readonly untyped?: string;
  readonly error?: unknown;
}

/** Builds one module and writes its types; reports warnings and errors. */
export async function buildAndReport(
  project: Project,
  module: ProjectModule,
  writer: Writer,
  { verbose, compiler, target, linkCache, written, sign, progress }: BuilderOptions,
): Promise<ModuleOutcome> {
  const color = writer.terminals?.complain === true && !Deno.noColor && writer.format !== "github";
  try {
    const built = await buildModule(
      project,
      module,
      {
        color,
        ...(compiler !== undefined && { compiler }),
        ...(target !== undefined && { target }),
        ...(linkCache !== undefined && { linkCache }),
      },
      {
        written: (built) => written?.(module, built),
        progress,
        ...(sign !== undefined && { sign }),
      },
    );
    for (const { source, command, cached, output } of built.runs) {
      if (verbose && !cached) writer.complain(`+ ${command.join(" ")}`);
      if (!cached) complainText(output, project, source, writer);
    }
    const untyped = whyUntyped(project, module, built, target);
    if (module.types !== undefined && untyped === undefined) {
      writeTypes(project, module.types, typesText(module.output, built));
    }
    return { module, built, ...(untyped !== undefined && { untyped }) };
  } catch (error) {
    if (error instanceof CompileError) {
      for (const { path, command, code, output } of error.failures) {
        if (verbose) writer.complain(`+ ${command.join(" ")}`);
        const hasPlace = complainText(output, project, path, writer);
        const message = `Cannot compile ${path}: ${command[0]} ends with exit code ${code}`;
        const file = within(project.folder, path);
        if (!hasPlace) writeProblem({ level: "error", file, message }, writer, []);
      }
    } else if (error instanceof LoadError) {
      reportModuleError(error, within(project.folder, module.output), writer);
    } else throw error;
    return { module, built: undefined, error };
  }
}

/** Says why a module keeps no types, if that is because of its compiler; undefined otherwise. */
function whyUntyped(
  { folder }: Project,
  { output, types }: ProjectModule,
  { bytes, runs }: ProjectBuild,
  target: string | undefined,
): string | undefined {
  const { command: [program] = [] } = runs.find(({ command }) => leavesOutTypes(command)) ?? {};
  if (program === undefined || parseSmf(bytes, { path: output }).types() !== undefined) return undefined;
  const definitions = types === undefined
    ? "open it with definitions"
    : isFile(within(folder, types))
    ? `${types} stays as it is`
    : `build once with another compiler for ${types}`;
  const system = target === undefined ? "" : ` for ${target}`;
  return `${program} tells no types${system}: ${definitions}, and variables are kept by name and size`;
}

/**
 * Writes the text that a compiler has printed, unchanged, and its messages as problems in forms other than that text.
 *
 * @returns whether there is an error with a place among them.
 */
function complainText(text: string, { folder }: Project, source: string, writer: Writer): boolean {
  const trimmed = text.replace(/\n$/, "");
  if (trimmed !== "") writer.complain(trimmed);
  const messages = compilerMessages(text);
  // Compilers run in the project's folder, and Cargo in that of its manifest.
  const folders = [folder, dirname(within(folder, source))];
  for (const message of messages) {
    const paths = folders.map((each) => within(each, message.file!));
    writeProblem({ ...message, file: paths.find(isFile) ?? paths[0] }, writer, []);
  }
  return messages.some(({ level }) => level === "error");
}

/**
 * The definitions of a module.
 *
 * @param output The module's file, which the text names.
 */
export function typesText(output: string, { bytes }: ProjectBuild): string {
  return definitionsText(exportsWithTypes(parseSmf(bytes, { path: output }), output), output);
}

/** Writes definitions, unless the file has them already. */
export function writeTypes(project: Project, types: string, text: string): void {
  const bytes = new TextEncoder().encode(text);
  const path = within(project.folder, types);
  if (!hasBytes(path, bytes)) replaceFile(path, bytes);
}
