/**
 * The requests of objects, gathered over a link: exports, names that stand for others, libraries; and the pointers to
 * imports that code for Windows goes through.
 */
import { IMPORT_PREFIX, importObject } from "./coff/import_object.ts";
import type { Directives, NameAlias } from "./directives.ts";
import type { ElfObject } from "./elf/object.ts";
import { type Globals, State } from "./globals.ts";
import { LoadError } from "../errors/load_error.ts";
import { Platform, platformName } from "../smf/enums.ts";

/** The requests of all objects of a link. */
export class Requests {
  /** Names that stand for others, unless something defines them; the first request for a name counts. */
  readonly #aliases: Map<string, string> = new Map();
  /** The pointers to imports that were made, by name number. */
  readonly #pointers: Set<number> = new Set();
  /** What objects tell that must be the same in all of them, and the first object that does. */
  readonly #marks: Map<string, { readonly value: string; readonly path: string }> = new Map();
  /** The names that objects want exported. */
  readonly exports: Set<string> = new Set();
  /** Static libraries that objects want linked. */
  readonly libraries: Set<string> = new Set();
  /** Libraries of the host that have imports. */
  readonly hostLibraries: Set<string> = new Set();
  /** Names that objects want kept. */
  readonly required: Set<string> = new Set();
  /** The operating system that the code is for, if its format tells. */
  platform: number | undefined;
  /** The first object whose format tells it. */
  #platformFrom = "";

  /** Takes in the requests of an object. */
  add({ name, directives, platform }: ElfObject): void {
    if (platform !== undefined && this.platform !== undefined && platform !== this.platform) {
      const message = `Cannot link input: it is made for ${platformName(platform)}, and others for ${
        platformName(this.platform)
      }`;
      throw new LoadError("IncompatiblePlatform", message, {
        path: name,
        hint: "compile all inputs for one system",
      });
    }
    if (platform !== undefined && this.platform === undefined) {
      this.platform = platform;
      this.#platformFrom = name;
    }
    if (directives === undefined) return;
    for (const mark of directives.marks) this.#compare(name, mark);
    for (const { name, target } of directives.aliases) {
      if (!this.#aliases.has(name)) this.#aliases.set(name, target);
    }
    for (const name of directives.exports) this.exports.add(name);
    for (const name of directives.libraries) this.libraries.add(name);
    for (const name of directives.hostLibraries) this.hostLibraries.add(name);
    for (const name of directives.required) this.required.add(name);
  }

  /** Fails if an object of before tells another value. */
  #compare(path: string, { key, value }: Directives["marks"][number]): void {
    const known = this.#marks.get(key);
    if (known === undefined) this.#marks.set(key, { value, path });
    if (known === undefined || known.value === value) return;
    const problem = `its '${key}' is '${value}', and '${known.value}' in '${known.path}'`;
    throw new LoadError("Incompatible", `Cannot link input: ${problem}`, {
      path,
      hint: "compile all inputs with the same options, those of the libraries among them",
    });
  }

  /**
   * Returns the operating system of the module.
   *
   * @param wanted That of the option, which must be that of the code where its format tells it.
   */
  platformFor(wanted: number | undefined): number | undefined {
    const { platform } = this;
    // Other systems than Windows have one calling convention, up to functions with variable arguments on AArch64.
    const isFree = platform === Platform.MacOS && wanted !== Platform.Windows;
    if (isFree || wanted === undefined || platform === undefined || wanted === platform) {
      return wanted ?? platform;
    }
    const systems = `${platformName(platform)}, not ${platformName(wanted)}`;
    throw new LoadError("IncompatiblePlatform", `Cannot link module: the code is made for ${systems}`, {
      path: this.#platformFrom,
      value: wanted,
      hint: "leave the option `platform` out, or compile for that system",
    });
  }

  /** Takes the names that nothing defines, of those that may stand for others. */
  takeAliases(globals: Globals): NameAlias[] {
    const taken: NameAlias[] = [];
    for (const [name, target] of this.#aliases) {
      if (globals.isDefined(globals.names.find(name))) continue;
      taken.push({ name, target });
      this.#aliases.delete(name);
    }
    return taken;
  }

  /** Returns an object with the pointers to imports (`__imp_NAME`) that nothing defines; undefined without any. */
  missingPointers(globals: Globals): Uint8Array | undefined {
    if (this.platform !== Platform.Windows) return undefined;
    const { names } = globals;
    const missing: string[] = [];
    for (let id = 0; id < names.length; id++) {
      if (globals.state(id) !== State.UNDEFINED && globals.state(id) !== State.WEAK_UNDEFINED) continue;
      if (!names.begins(id, IMPORT_PREFIX) || this.#pointers.has(id)) continue;
      // Only once: an archive's index may have a name that is not UTF-8, which the object cannot define.
      this.#pointers.add(id);
      const name = names.text(id).slice(IMPORT_PREFIX.length);
      if (name !== "") missing.push(name);
    }
    if (missing.length === 0) return undefined;
    return importObject(missing.map((name) => ({ name, exported: name, isFunction: false })));
  }
}
