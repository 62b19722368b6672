/**
 * The options of the linker that the arguments of `smf link` and `smf ld` stand for.
 */
import { parseDefinition } from "../../link/defsym.ts";
import { readVersionScript, type VersionScript } from "../../link/elf/version_script.ts";
import type { LinkOptions } from "../../link/options.ts";
import { basename, isAbsolute, join } from "../../os/path.ts";
import { UsageError } from "../terminal/command.ts";
import { isFile, readInput } from "../terminal/files.ts";
import type { LdArguments } from "../terminal/ld_arguments.ts";
import { platformNamed } from "../terminal/platforms.ts";

/** The values of an option, in the order in which they were given. */
export function listOf({ values }: LdArguments, option: string): readonly string[] {
  return values.get(option) ?? [];
}

/** The last value of an option, which counts; undefined if it is not given. */
export function lastOf(given: LdArguments, option: string): string | undefined {
  return listOf(given, option).at(-1);
}

/**
 * The options of the linker that arguments stand for.
 *
 * @throws {UsageError} for a value that an option does not take.
 */
export function optionsOf(given: LdArguments): LinkOptions {
  const exports = listOf(given, "export");
  const read = (option: string): VersionScript[] =>
    listOf(given, option).map((path) => {
      const file = scriptPath(path, listOf(given, "library-path"));
      return readVersionScript(file, new TextDecoder().decode(readInput(file)));
    });
  const versions = read("version-script");
  // A script that does not hide all other names leaves them as they are.
  const hidesRest = versions.some(({ local }) => local.includes("*"));
  const hidden = versions.flatMap(({ local }) => local.filter((name) => name !== "*"));
  const lists = [...(hidesRest ? versions : []), ...read("dynamic-list")];
  const also = [
    ...listOf(given, "export-dynamic-symbol"),
    ...[...read("export-dynamic-symbol-list"), ...(hidesRest ? [] : versions)].flatMap(({ global }) =>
      global
    ),
  ];
  const [init, fini] = [lastOf(given, "init"), lastOf(given, "fini")];
  const entry = lastOf(given, "entry");
  const unwind = unwindOf(lastOf(given, "unwind") ?? "auto");
  const cpu = lastOf(given, "cpu"), platform = lastOf(given, "platform");
  const types = typesOf(lastOf(given, "types"));
  const debug = given.switches.has("strip-debug") ? "off" : lastOf(given, "debug");
  const spare = lastOf(given, "spare-virtuals");
  return {
    ...(exports.length > 0 && { exports }),
    ...(lists.length > 0 && { exportList: lists.flatMap(({ global }) => global) }),
    ...(hidden.length > 0 && { hide: hidden }),
    ...(also.length > 0 && { exportAlso: also }),
    ...(init !== undefined && { init }),
    ...(fini !== undefined && { fini }),
    ...(entry !== undefined && { entry }),
    ...(unwind !== undefined && { unwind }),
    ...(cpu !== undefined && { cpu }),
    ...(platform !== undefined && { platform: platformNamed(platform) }),
    ...(types !== undefined && { types }),
    ...(debug !== undefined && { debug: basename(debug) }),
    compressDebug: compressesDebug(lastOf(given, "compress-debug-sections") ?? "none"),
    keep: listOf(given, "keep"),
    requireDefined: listOf(given, "require-defined"),
    allowMultipleDefinition: given.switches.has("allow-multiple-definition"),
    undefined: listOf(given, "undefined"),
    wrap: listOf(given, "wrap"),
    defsym: Object.fromEntries(listOf(given, "defsym").map(definitionOf)),
    noUndefined: given.switches.has("no-undefined"),
    allowUndefined: listOf(given, "allow-undefined"),
    reloadable: given.switches.has("reloadable"),
    hot: given.switches.has("hot"),
    ...(spare !== undefined && { spareVirtuals: spareVirtuals(spare) }),
    cref: given.switches.has("cref"),
    strip: given.switches.has("strip"),
  };
}

/** The path of a version script, which is looked for in the library folders, too, as `ld` does. */
function scriptPath(path: string, folders: readonly string[]): string {
  const places = isAbsolute(path) ? [] : folders.map((folder) => join(folder, path));
  return [path, ...places].find(isFile) ?? path;
}

function spareVirtuals(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Infinity;
  if (count > 4096) throw new UsageError(`--spare-virtuals takes a number from 0 to 4096, not '${text}'`);
  return count;
}

/** Reads `NAME=VALUE`. */
function definitionOf(text: string): [name: string, value: string] {
  const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined) throw new UsageError(`--defsym takes NAME=VALUE, not '${text}'`);
  if (parseDefinition(value) === undefined) {
    throw new UsageError(
      `--defsym takes a number up to 2^53 - 1, a name, or a name with a number added or subtracted, not '${value}'`,
    );
  }
  return [name.trim(), value];
}

function typesOf(which: string | undefined): LinkOptions["types"] {
  switch (which) {
    case undefined:
    case "keep":
    case "require":
    case "off":
      return which;
    default:
      throw new UsageError(`--types takes keep, require or off, not '${which}'`);
  }
}

/** Whether debug information is compressed; the methods of other linkers stand for the one of modules. */
function compressesDebug(how: string): boolean {
  if (how === "none") return false;
  if (/^(?:zstd|zlib(?:-gabi|-gnu)?)$/.test(how)) return true;
  throw new UsageError(`--compress-debug-sections takes zstd or none, not '${how}'`);
}

function unwindOf(when: string): boolean | undefined {
  switch (when) {
    case "auto":
      return undefined;
    case "always":
      return true;
    case "never":
      return false;
    default:
      throw new UsageError(`--unwind takes auto, always or never, not '${when}'`);
  }
}
