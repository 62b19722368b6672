/**
 * A module's file, read before it is loaded: whether it starts, and the types of its exports.
 */
import { attempt, ignore, LoadError } from "../../errors/load_error.ts";
import type { LoadedModule } from "../../module/handle.ts";
import type { ModuleRegistry } from "../../registry/registry.ts";
import { HeaderFlag } from "../../smf/enums.ts";
import { type ParsedSmf, parseSmf } from "../../smf/file.ts";
import { integrityOf } from "../../smf/integrity.ts";
import { exportsOf, type ModuleExports } from "../analysis/typed_exports.ts";
import { UsageError } from "../terminal/command.ts";
import { fileName, readInput } from "../terminal/files.ts";
import type { Options } from "../terminal/options.ts";

/** A file, or standard input, that is read once. */
export class ModuleFile {
  /** The path, or `-`. */
  readonly path: string;
  #bytes: Uint8Array | undefined;
  #parsed: ParsedSmf | undefined;

  /** Reads nothing yet. */
  constructor(path: string) {
    this.path = path;
  }

  /** Whether the module has an entry point; also if it cannot be read, which loading reports. */
  starts(): boolean {
    const parsed = this.#parse();
    return parsed === undefined || (parsed.header.flags & HeaderFlag.Executable) !== 0;
  }

  /** The exports with their types; undefined if the module keeps none, or cannot be read. */
  exports(): ModuleExports | undefined {
    const parsed = this.#parse();
    return attempt(ignore, () => {
      const types = parsed?.types();
      return parsed === undefined || types === undefined
        ? undefined
        : { types, exports: exportsOf(parsed, types) };
    });
  }

  /**
   * Loads the module.
   *
   * @param isRead Whether its types are used: then the bytes must be those that they were read from.
   */
  load(registry: ModuleRegistry, options: Options, isRead: boolean): LoadedModule {
    const integrity = options.value("integrity") ??
      (isRead && this.#bytes !== undefined ? integrityOf(this.#bytes) : undefined);
    const loadOptions = integrity === undefined ? {} : { integrity };
    return this.path === "-"
      ? registry.loadBytes(fileName(this.path), this.#bytes ?? readInput(this.path), loadOptions)
      : registry.load(this.path, loadOptions);
  }

  #parse(): ParsedSmf | undefined {
    try {
      this.#bytes ??= readInput(this.path);
      return this.#parsed ??= parseSmf(this.#bytes, { path: this.path });
    } catch (error) {
      if (error instanceof LoadError || error instanceof UsageError) return undefined;
      throw error;
    }
  }
}
