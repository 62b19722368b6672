/**
 * Builds modules for several systems, and the TypeScript module that picks the one for the system that it runs on.
 */
import { CACHE_FOLDER, replaceFile, within } from "../../build/files.ts";
import type { Project, ProjectModule } from "../../build/project.ts";
import { TARGETS } from "../../build/targets.ts";
import { didYouMean, nearestWord } from "../../errors/names.ts";
import { integrityOf } from "../../smf/integrity.ts";
import { UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { BuildBar } from "../dev/build_bar.ts";
import { buildAndReport, type BuilderOptions, type ModuleOutcome } from "../dev/builder.ts";
import { type BytesFile, embeddedModules, writeEmbedded } from "./embed.ts";
import { type PackagedTypes, writePackagedTypes } from "./package_types.ts";
import { pickerText } from "./picker.ts";

/** The systems to build for, and the folder to write to. */
export interface PackageOptions extends Pick<BuilderOptions, "verbose" | "compiler" | "sign"> {
  /** The names of systems. */
  readonly targets: readonly string[];
  /** The folder to write to, from the project's. */
  readonly out: string;
  /** Whether the modules are written as TypeScript; their files go to the folder for builds then. */
  readonly embed: boolean;
}

/** The modules that were built, and the files with embedded bytes. */
export interface PackagedModules {
  readonly outcomes: readonly ModuleOutcome[];
  readonly files: readonly BytesFile[];
  /** The TypeScript module that opens them; undefined if not all could be built. */
  readonly opener?: string;
  /** The definitions that were written. */
  readonly types: readonly PackagedTypes[];
}

/**
 * Builds each module for each system. If all could be built, writes `mod.ts`, which opens them, and their types.
 *
 * @throws {UsageError} for a system that modules are not built for.
 */
export async function packageModules(
  project: Project,
  modules: readonly ProjectModule[],
  { targets, out, embed, ...how }: PackageOptions,
  writer: Writer,
): Promise<PackagedModules> {
  const names = [...new Set(targets.map((name) => name.trim()))];
  for (const name of names) requireTarget(name);
  const jobs = modules.flatMap((module) =>
    names.map((target) => ({ target, module: packaged(module, target, embed ? CACHE_FOLDER : out) }))
  );
  using bar = new BuildBar(writer, jobs.map(({ module }) => module));
  const outcomes = await Promise.all(
    jobs.map(({ target, module }) =>
      bar.follow(module, (progress) => buildAndReport(project, module, writer, { ...how, target, progress }))
    ),
  );
  const built = outcomes.flatMap(({ module, built }, index) =>
    built === undefined ? [] : [{ name: module.name, target: jobs[index].target, bytes: built.bytes }]
  );
  if (built.length < outcomes.length) return { outcomes, files: [], types: [] };
  const types = writePackagedTypes(
    project,
    modules,
    outcomes.map(({ module: { name, output }, built }, index) => ({
      name,
      output,
      target: jobs[index].target,
      built: built!,
    })),
  );
  const path = within(project.folder, `${out}/mod.ts`);
  if (embed) {
    const modules = built.flatMap(({ name, target, bytes }) =>
      embeddedModules(name, fileName(name, target), bytes)
    );
    const files = writeEmbedded(path, modules, "smf build --target --embed");
    return { outcomes, files, opener: path, types };
  }
  const files = built.map(({ name, target, bytes }) => ({
    name,
    system: TARGETS[target].system,
    file: fileName(name, target),
    integrity: integrityOf(bytes),
  }));
  replaceFile(path, new TextEncoder().encode(pickerText(files)));
  return { outcomes, files: [], opener: path, types };
}

function requireTarget(name: string): void {
  const known = Object.keys(TARGETS);
  if (known.includes(name)) return;
  const suggestion = didYouMean(nearestWord(name, known));
  throw new UsageError(`--target takes ${known.join(", ")}, not '${name}'${suggestion}`);
}

/** A module as it is shipped: in a file of its own for each system, without debug information. */
function packaged({ types: _, ...module }: ProjectModule, target: string, out: string): ProjectModule {
  return {
    ...module,
    output: `${out}/${fileName(module.name, target)}`,
    link: { debug: "off", ...module.link },
  };
}

function fileName(name: string, target: string): string {
  return `${name}.${target}.smf`;
}
