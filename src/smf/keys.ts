/**
 * Ed25519 keys (RFC 8032) as people pass them around.
 *
 * | form            | public key                                 | private key                |
 * | --------------- | ------------------------------------------ | -------------------------- |
 * | text            | `ed25519-` and base64 of its 32 bytes      |                            |
 * | PEM (RFC 7468)  | `PUBLIC KEY`: SubjectPublicKeyInfo         | `PRIVATE KEY`: PKCS #8     |
 *
 * Both structures are in DER, and of one length for this algorithm (RFC 8410, sections 4 and 7), so a public key
 * follows a fixed head.
 */

import { LoadError } from "../errors/load_error.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";

/** Bytes of a public key. */
export const PUBLIC_KEY_SIZE = 32;

/** A pair of keys. */
export interface KeyPair {
  /** In PEM. Whoever has it can sign: keep it secret. */
  readonly privateKey: string;
  /** In PEM. */
  readonly publicKey: string;
}

const PREFIX = "ed25519-";
/** The bytes of a SubjectPublicKeyInfo before the key: two sequences, the algorithm 1.3.101.112, a bit string. */
const PUBLIC_HEAD: readonly number[] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/**
 * Reads a public key, as text or PEM.
 *
 * @returns its 32 bytes.
 * @throws {LoadError} `InvalidKey`.
 */
export function parsePublicKey(text: string): Uint8Array<ArrayBuffer> {
  const trimmed = text.trim();
  if (trimmed.startsWith("-----")) {
    const der = pemBody(trimmed, "PUBLIC KEY");
    const isKey = der.length === PUBLIC_HEAD.length + PUBLIC_KEY_SIZE &&
      PUBLIC_HEAD.every((byte, at) => der[at] === byte);
    if (!isKey) throw invalidKey("the public key is not one of Ed25519");
    return der.slice(PUBLIC_HEAD.length);
  }
  const bytes = trimmed.startsWith(PREFIX) ? fromBase64(trimmed.slice(PREFIX.length)) : undefined;
  if (bytes?.length !== PUBLIC_KEY_SIZE) {
    throw invalidKey(`'${shortened(trimmed)}' is not '${PREFIX}' and the base64 of ${PUBLIC_KEY_SIZE} bytes`);
  }
  return bytes;
}

/** Returns a public key as text. */
export function publicKeyText(key: Uint8Array): string {
  return PREFIX + encodeBase64(key);
}

/** Returns a public key as a SubjectPublicKeyInfo in DER. */
export function publicKeyInfo(key: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...PUBLIC_HEAD, ...key]);
}

/**
 * Reads a private key in PEM.
 *
 * @throws {LoadError} `InvalidKey`.
 */
export async function parsePrivateKey(text: string): Promise<CryptoKey> {
  const der = pemBody(text.trim(), "PRIVATE KEY");
  try {
    return await crypto.subtle.importKey("pkcs8", der, "Ed25519", true, ["sign"]);
  } catch (cause) {
    throw invalidKey("the private key is not one of Ed25519", cause);
  }
}

/** Writes bytes as PEM. */
export function toPem(bytes: Uint8Array, label: "PUBLIC KEY" | "PRIVATE KEY"): string {
  const lines = encodeBase64(bytes).match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

function pemBody(text: string, label: string): Uint8Array<ArrayBuffer> {
  const [, found, body] =
    /^-----BEGIN ([A-Z0-9 ]+)-----\s+([A-Za-z0-9+/=][A-Za-z0-9+/=\s]*)-----END \1-----$/.exec(text) ??
      [];
  const bytes = body === undefined ? undefined : fromBase64(body.replaceAll(/\s+/g, ""));
  if (bytes === undefined) throw invalidKey("it is not in PEM");
  if (found !== label) throw invalidKey(`it is a ${found}, not a ${label}`);
  return bytes;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return undefined;
  const bytes = decodeBase64(text);
  // Unused bits must be zero, so that a key has one text.
  return encodeBase64(bytes) === text ? bytes : undefined;
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function invalidKey(problem: string, cause?: unknown): LoadError {
  return new LoadError("InvalidKey", `Cannot read the key: ${problem}`, {}, { cause });
}
