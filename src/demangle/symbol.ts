/**
 * Chooses the grammar of a mangled name.
 */
import { demangleItanium } from "./itanium/encoding.ts";
import { demangleRustLegacy } from "./rust/legacy.ts";
import { demangleRustV0 } from "./rust/v0.ts";

/**
 * Demangles a name that begins as mangled names do.
 *
 * @throws {Undemangled} if it is malformed, or not within the bounds.
 */
export function demangleSymbol(name: string): string | undefined {
  const start = name.startsWith("__") ? 3 : 2;
  if (name[start - 1] === "R") return demangleRustV0(name, start);
  const legacy = name[start] === "N" ? demangleRustLegacy(name, start + 1) : undefined;
  return legacy ?? demangleItanium(name, start);
}
