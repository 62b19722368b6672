/**
 * Reads the types of a file and all that is told of them.
 */
import { LoadError } from "../../src/errors/load_error.ts";
import { type ParsedSmf, parseSmf } from "../../src/smf/file.ts";
import type { ModuleTypes } from "../../src/smf/types.ts";
import { sizeOf } from "../../src/types/layout.ts";
import { nativeFunction, nativeValue } from "../../src/types/native.ts";
import { Finding } from "./outcome.ts";

/** The most characters of a declaration: types that mention each other would otherwise make any number. */
const MAX_DECLARATION = 2 ** 20;

/**
 * Reads types.
 *
 * @param isOwn Whether the linker has written the file, whose types must then be right.
 */
export function tryTypes(bytes: Uint8Array, isOwn: boolean): void {
  let file: ParsedSmf;
  let types: ModuleTypes | undefined;
  try {
    file = parseSmf(bytes);
    types = file.types();
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    if (isOwn && error.message.startsWith("Cannot read types")) {
      throw new Finding(`written types: ${error.message}`);
    }
    return;
  }
  if (types === undefined) return;
  for (const [id, type] of types.types.entries()) {
    types.layoutHash(id);
    sizeOf(types.types, id);
    nativeValue(types.types, id);
    if (type?.kind === "function") nativeFunction(types.types, type);
    const { length } = types.declaration("name", id);
    if (length > MAX_DECLARATION) throw new Finding(`a declaration of ${length} characters`);
  }
}
