/**
 * Which names modules may import at all.
 */

import { LoadError } from "../../errors.ts";
import type { SmfFile } from "../../smf/file.ts";

/** A pattern as an expression: everything but `*` and `?` stands for itself. */
function toExpression(pattern: string): RegExp {
  const letters = pattern.replace(/[\\^$.|+()[\]{}]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${letters}$`, "su");
}

/** Names, and globs in which `*` and `?` stand for any letters. */
export class ImportAllowlist {
  readonly #patterns: readonly RegExp[];

  constructor(allowed: readonly string[]) {
    this.#patterns = allowed.map(toExpression);
  }

  /**
   * Refuses a file that would import another name.
   *
   * @param symbols The indices of its undefined symbols.
   * @throws {LoadError} `ForbiddenImport`, listing every name that is not allowed.
   */
  check(file: SmfFile, symbols: readonly number[]): void {
    const refused = symbols.map((symbol) => file.symbols.name(symbol)).filter((name) => !this.#allows(name));
    if (refused.length === 0) return;
    const listed = refused.map((name) => `'${name}'`).join(", ");
    throw new LoadError(
      "ForbiddenImport",
      `Cannot load module: it imports ${listed}, which allowImports does not allow`,
      {
        symbols: refused,
      },
    );
  }

  #allows(name: string): boolean {
    return this.#patterns.some((pattern) => pattern.test(name));
  }
}
