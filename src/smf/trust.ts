/**
 * Checks that a trusted key has signed a file. Loading is synchronous, and WebCrypto is not: so `node:crypto` checks
 * signatures.
 */

import { LoadError } from "../errors/load_error.ts";
import { builtinModule } from "./builtin.ts";
import { type ParsedSmf, parseSmf } from "./file.ts";
import { parsePublicKey, publicKeyInfo, publicKeyText } from "./keys.ts";
import { type ModuleSignature, readSignatures, signedMessage } from "./signatures.ts";

/** The part of `node:crypto` that this file uses. */
interface Crypto {
  createPublicKey(key: { key: Uint8Array; format: "der"; type: "spki" }): unknown;
  verify(algorithm: null, data: Uint8Array, key: unknown, signature: Uint8Array): boolean;
}

/**
 * Whether a signature is one of this message by its key.
 *
 * @throws {LoadError} `Unsupported` in a runtime without `node:crypto`.
 */
export function verifySignature(message: Uint8Array, { key, signature }: ModuleSignature): boolean {
  const { createPublicKey, verify } = builtinModule<Crypto>("node:crypto", ["createPublicKey", "verify"]);
  try {
    const spki = createPublicKey({ key: publicKeyInfo(key), format: "der", type: "spki" });
    return verify(null, message, spki, signature);
  } catch {
    // The bytes are not a point of the curve.
    return false;
  }
}

/** Public keys whose signatures count. */
export class TrustedKeys {
  readonly #keys: ReadonlySet<string>;

  /**
   * Parses the keys.
   *
   * @param keys Public keys as text or PEM; at least one.
   * @throws {LoadError} `InvalidKey`.
   */
  constructor(keys: readonly string[]) {
    this.#keys = new Set(keys.map((key) => publicKeyText(parsePublicKey(key))));
    if (this.#keys.size === 0) {
      throw new LoadError("InvalidKey", "Cannot trust modules: there are no keys");
    }
  }

  /**
   * Checks the bytes of a file.
   *
   * @param file The same file, if it is parsed already.
   * @returns the keys among these that have signed it, as text.
   * @throws {LoadError} `Untrusted` if none has; `InvalidFormat` if the file, or its list of signatures, is damaged.
   */
  check(bytes: Uint8Array, file: ParsedSmf = parseSmf(bytes)): string[] {
    const signatures = readSignatures(file)?.signatures ?? [];
    const trusted = signatures.filter(({ key }) => this.#keys.has(publicKeyText(key)));
    const message = trusted.length === 0 ? new Uint8Array(0) : signedMessage(file, bytes);
    const valid = trusted.filter((signature) => verifySignature(message, signature));
    if (valid.length > 0) return valid.map(({ key }) => publicKeyText(key));
    const problem = signatures.length === 0
      ? "nobody has signed it"
      : trusted.length === 0
      ? "no trusted key has signed it"
      : "it was changed after it had been signed";
    throw new LoadError("Untrusted", `Cannot use the module's bytes: ${problem}`, {
      expected: [...this.#keys].join(" "),
      ...(signatures.length > 0 && { actual: signatures.map(({ key }) => publicKeyText(key)).join(" ") }),
    });
  }
}
