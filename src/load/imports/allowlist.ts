/**
 * Limits the names that modules may import.
 */

import { LoadError } from "../../errors/load_error.ts";
import { listNames } from "../../errors/names.ts";
import type { SmfFile } from "../../smf/file.ts";
import { NameMatcher } from "../../smf/glob.ts";
import { splitVersion } from "./symbol_version.ts";

/** The option `allowLibraries`: names and globs of the host libraries that modules may need. */
export class LibraryAllowlist {
  readonly #allowed: NameMatcher;

  constructor(allowed: readonly string[]) {
    this.#allowed = new NameMatcher(allowed);
  }

  /** Whether modules may use a library. */
  allows(name: string): boolean {
    return this.#allowed.matches(name);
  }

  /**
   * Refuses a module that needs other libraries.
   *
   * @throws {LoadError} `ForbiddenImport`, listing every library that is not allowed.
   */
  check(libraries: readonly string[]): void {
    const refused = libraries.filter((name) => !this.allows(name));
    if (refused.length === 0) return;
    const listed = refused.map((name) => `'${name}'`).join(", ");
    throw new LoadError(
      "ForbiddenImport",
      `Cannot load module: it needs ${listed}, which allowLibraries does not allow`,
      { symbols: refused, hint: "add the names to allowLibraries if the module may use these libraries" },
    );
  }
}

/**
 * The option `allowImports`: exact names, and globs in which `*` stands for any
 * characters and `?` for one. A name allows every version of itself.
 */
export class ImportAllowlist {
  readonly #allowed: NameMatcher;

  constructor(allowed: readonly string[]) {
    this.#allowed = new NameMatcher(allowed);
  }

  /**
   * Refuses a file that would import another name.
   *
   * @param symbols The indices of its undefined symbols.
   * @throws {LoadError} `ForbiddenImport`, listing every name that is not allowed.
   */
  check(file: SmfFile, symbols: readonly number[]): void {
    const refused = symbols.map((symbol) => file.symbols.name(symbol))
      .filter((name) => !this.#allowed.matches(name) && !this.#allowed.matches(splitVersion(name).base));
    if (refused.length === 0) return;
    throw new LoadError(
      "ForbiddenImport",
      `Cannot load module: it imports ${listNames(refused)}, which allowImports does not allow`,
      { symbols: refused },
    );
  }
}
