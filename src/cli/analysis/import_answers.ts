/**
 * Finds who could answer for a module's imports: the loader itself, or a library of the host that is on this machine.
 */
import { splitVersion } from "../../load/imports/symbol_version.ts";
import { C_LIBRARY } from "../../os/dynamic_linker.ts";
import { isLoaderName } from "../../os/loader_names.ts";
import { Platform } from "../../smf/enums.ts";
import type { ParsedSmf } from "../../smf/file.ts";

/** Imports that one source could answer for. */
export interface ImportAnswer {
  /** The source, such as `libm.so.6`. */
  readonly by: string;
  readonly names: readonly string[];
}

/** The source of names that nobody here has. */
export const ANOTHER_MODULE = "another module, or the option imports,";

/**
 * Groups imports by the first source that could answer, in the order in which a registry without options asks.
 *
 * @param namesOf Returns the names that a library of the host defines; undefined if it is not there.
 */
export function importAnswers(
  module: ParsedSmf,
  namesOf: (library: string) => ReadonlySet<string> | undefined,
): ImportAnswer[] {
  const isLinux = module.header.platform === Platform.Linux;
  const libraries = [...module.hostLibraries(), ...(isLinux ? [C_LIBRARY ?? "libc.so.6"] : [])]
    .map((name) => [name, namesOf(name)] as const);
  const found = new Map<string, string[]>();
  for (const name of module.imports()) {
    const { base } = splitVersion(name);
    const by = isLoaderName(base, isLinux)
      ? "the loader"
      : libraries.find(([, names]) => names?.has(base) === true)?.[0] ?? ANOTHER_MODULE;
    const names = found.get(by);
    if (names === undefined) found.set(by, [name]);
    else names.push(name);
  }
  return [...found].map(([by, names]) => ({ by, names }));
}
