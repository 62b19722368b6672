/**
 * Keys that a command is given: public ones as text, or as the path of a file, and private ones as a file.
 */
import { LoadError } from "../../errors/load_error.ts";
import { parsePrivateKey, parsePublicKey, publicKeyText } from "../../smf/keys.ts";
import { UsageError } from "./command.ts";
import { fileName, readInput } from "./files.ts";

/**
 * Reads a private key in PEM from a file, or from standard input for `-`.
 *
 * @returns its text.
 * @throws {UsageError} if it is not one.
 */
export async function readPrivateKey(path: string): Promise<string> {
  const key = new TextDecoder().decode(readInput(path));
  await parsePrivateKey(key).catch((error: Error) => {
    throw new UsageError(`${fileName(path)}: ${error.message}`);
  });
  return key;
}

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
