/**
 * Writes the types of modules that were built for several systems.
 */
import { within } from "../../build/files.ts";
import type { Project, ProjectBuild, ProjectModule } from "../../build/project.ts";
import { hostTarget } from "../../build/targets.ts";
import { parseSmf } from "../../smf/file.ts";
import { typesText, writeTypes } from "../dev/builder.ts";

/** A module as it was built for one system. */
export interface TargetBuild {
  readonly name: string;
  readonly target: string;
  /** The module's file, from the project's folder. */
  readonly output: string;
  readonly built: ProjectBuild;
}

/** Definitions that were written. */
export interface PackagedTypes {
  /** The name of the module. */
  readonly name: string;
  /** The file, as the configuration names it, and its path. */
  readonly file: string;
  readonly path: string;
  /** The system whose types they are. */
  readonly target: string;
  /** The systems for which the module has other ones. */
  readonly others: readonly Pick<TargetBuild, "target" | "output">[];
}

/**
 * Writes the definitions of the modules whose configuration names a file for them: those for this system if it is
 * among the systems, else those for the first that keeps types. A module that keeps none leaves its file as it is.
 */
export function writePackagedTypes(
  project: Project,
  modules: readonly ProjectModule[],
  builds: readonly TargetBuild[],
): PackagedTypes[] {
  const host = hostTarget();
  return modules.flatMap(({ name, output, types: file }) => {
    const typed = builds.filter((each) =>
      each.name === name && parseSmf(each.built.bytes, { path: output }).types() !== undefined
    );
    const [first] = typed.toSorted((a, b) => Number(b.target === host) - Number(a.target === host));
    if (file === undefined || first === undefined) return [];
    // The name of the module for this system, as smf build and smf dev write it.
    const text = typesText(output, first.built);
    writeTypes(project, file, text);
    const others = typed.filter(({ built }) => typesText(output, built) !== text);
    return [{ name, file, path: within(project.folder, file), target: first.target, others }];
  });
}
