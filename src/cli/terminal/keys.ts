/**
 * Public keys that a command is given: as text, or as the path of a file.
 */
import { LoadError } from "../../errors/load_error.ts";
import { parsePublicKey, publicKeyText } from "../../smf/keys.ts";
import { UsageError } from "./command.ts";
import { readInput } from "./files.ts";

/**
 * Reads public keys, each a text (`ed25519-…`) or the path of a file in PEM.
 *
 * @returns their texts.
 * @throws {UsageError} for anything else.
 */
export function readPublicKeys(keys: readonly string[]): string[] {
  return keys.map((key) => {
    const text = key.startsWith("ed25519-") ? key : new TextDecoder().decode(readInput(key));
    try {
      return publicKeyText(parsePublicKey(text));
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      throw new UsageError(`${key}: ${error.message}`);
    }
  });
}
