/**
 * Writes native modules as TypeScript: one module that opens them, and beside it a file with the bytes for each system.
 */
import { replaceFile } from "../../build/files.ts";
import { LoadError } from "../../errors/load_error.ts";
import { basename, dirname, join } from "../../os/path.ts";
import { encodeBase64 } from "../../smf/base64.ts";
import { Arch, archName, Platform, platformName } from "../../smf/enums.ts";
import { parseSmf } from "../../smf/file.ts";
import { integrityOf } from "../../smf/integrity.ts";
import { UsageError } from "../terminal/command.ts";
import { shownPath } from "../terminal/files.ts";
import { PLATFORMS } from "../terminal/platforms.ts";
import type { Writer } from "../terminal/style.ts";
import { printable } from "../terminal/table.ts";
import { BYTES_HEADING, bytesText, embeddedText, type PackagedModule } from "./picker.ts";

/** A module for one system, to be embedded. */
export interface EmbeddedModule extends PackagedModule {
  /** The file that it comes from, for messages. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A file with the bytes for one system. */
export interface BytesFile {
  readonly path: string;
  readonly system: string;
  /** The names of the modules in it. */
  readonly names: readonly string[];
  /** The size of the file in bytes, and that of the modules. */
  readonly size: number;
  readonly moduleSize: number;
}

const PROCESSORS: Readonly<Record<number, string>> = {
  [Arch.X86_64]: "x86_64",
  [Arch.Aarch64]: "aarch64",
};

/**
 * The module in a file, once for each system that its header names.
 *
 * @throws {LoadError} `InvalidFormat` for a file that is not a module; `Unsupported` for a system without Deno.
 */
export function embeddedModules(name: string, path: string, bytes: Uint8Array): EmbeddedModule[] {
  const { platform, arch } = parseSmf(bytes, { path }).header;
  const processor = PROCESSORS[arch] as string | undefined;
  const all = Object.keys(PLATFORMS);
  const systems = platform === Platform.Any ? all : all.filter((system) => PLATFORMS[system] === platform);
  if (processor === undefined || systems.length === 0) {
    throw new LoadError(
      "Unsupported",
      `Cannot embed module: it is for ${platformName(platform)} on ${
        archName(arch)
      }, where Deno does not run`,
      { path, hint: `give modules for ${all.join(", ")}, on x86_64 or aarch64` },
    );
  }
  const integrity = integrityOf(bytes);
  return systems.map((each) => ({ name, path, bytes, integrity, system: `${each}-${processor}` }));
}

/**
 * Requires that each module is there once for each system.
 *
 * @throws {UsageError} for two modules of one name for one system, and for one that is missing.
 */
export function checkComplete(modules: readonly EmbeddedModule[]): void {
  const byName = Map.groupBy(modules, ({ name }) => name);
  const systems = new Set(modules.map(({ system }) => system));
  for (const [name, those] of byName) {
    for (const system of systems) {
      const [found, another] = those.filter((each) => each.system === system);
      if (another !== undefined) {
        throw new UsageError(
          `${found.path} and ${another.path} are both '${name}' for ${system}: leave one out, or give them ` +
            `the names of two modules, as in one.${system}.smf and two.${system}.smf`,
        );
      }
      if (found === undefined) {
        const other = modules.find((each) => each.system === system)!;
        throw new UsageError(
          `there is no '${name}' for ${system}, for which ${other.path} is: give one, or embed '${name}' by itself`,
        );
      }
    }
  }
}

/**
 * Writes the TypeScript module and its folder of bytes, from which files for systems that are not among these are
 * removed.
 *
 * @param target The path of the TypeScript module.
 * @param command The command that is noted in the files.
 * @throws {LoadError} `Io` or `PermissionDenied`.
 */
export function writeEmbedded(
  target: string,
  modules: readonly EmbeddedModule[],
  command: string,
): BytesFile[] {
  const folder = `${basename(target).replace(/\.m?ts$/, "")}.bytes`;
  const place = join(dirname(target), folder);
  makeFolder(place);
  const written = [...Map.groupBy(modules, ({ system }) => system)].map(([system, those]) => {
    const digits = those.map(({ name, bytes }) => [name, encodeBase64(bytes)]);
    const text = new TextEncoder().encode(bytesText(command, system, Object.fromEntries(digits)));
    const path = join(place, `${system}.ts`);
    replaceFile(path, text);
    const moduleSize = those.reduce((sum, { bytes }) => sum + bytes.length, 0);
    return { path, system, names: those.map(({ name }) => name), size: text.length, moduleSize };
  });
  replaceFile(target, new TextEncoder().encode(embeddedText(command, folder, modules)));
  removeOthers(place, written.map(({ path }) => basename(path)));
  return written;
}

/** Prints where the functions are that open modules. */
export function printOpener(path: string, names: readonly string[], writer: Writer): void {
  const calls = [...new Set(names)].map((name) => `open("${name}")`);
  writer.print(writer.style.good(`${printable(shownPath(path))}: ${calls.join(", ")}`));
}

/** Prints the sizes of the files with bytes. */
export function printBytesFiles(files: readonly BytesFile[], writer: Writer): void {
  for (const { path, moduleSize, size } of files) {
    writer.print(`${printable(shownPath(path))}: ${moduleSize} bytes, ${size} as TypeScript`);
  }
}

function makeFolder(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new UsageError(`Cannot make the folder ${path}: ${(error as Error).message}`);
  }
}

/** Removes files of an earlier run: `deno compile` and `deno publish` take the whole folder. */
function removeOthers(folder: string, kept: readonly string[]): void {
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    if (!isFile || !name.endsWith(".ts") || kept.includes(name)) continue;
    const path = join(folder, name);
    if (Deno.readTextFileSync(path).startsWith(BYTES_HEADING)) Deno.removeSync(path);
  }
}
