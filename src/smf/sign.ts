/**
 * Signs files.
 */

import { LoadError } from "../errors/load_error.ts";
import { checkOptions, kindOf, type OptionTable } from "../errors/options.ts";
import { decodeBase64 } from "./base64.ts";
import { SmfBuilder } from "./builder.ts";
import { SectionType } from "./enums.ts";
import { type ParsedSmf, parseSmf } from "./file.ts";
import { type KeyPair, parsePrivateKey, publicKeyInfo, publicKeyText, toPem } from "./keys.ts";
import {
  readSignatures,
  type SignatureList,
  SIGNATURES_SECTION,
  signaturesBytes,
  signedMessage,
} from "./signatures.ts";
import { verifySignature } from "./trust.ts";

/** Options of {@linkcode signModule}. */
export interface SignOptions {
  /**
   * How many signatures the file gets room for, if it has no section of them yet: a whole number from 1 to 1,000.
   *
   * @default 4
   */
  readonly room?: number;
}

/** The most signatures that a file gets room for. */
export const MOST_ROOM = 1000;
const SIGN_OPTIONS: OptionTable<SignOptions> = {
  room: kindOf(
    `a whole number from 1 to ${MOST_ROOM}`,
    (value) => Number.isInteger(value) && value as number >= 1 && value as number <= MOST_ROOM,
  ),
};

/**
 * Makes a pair of Ed25519 keys, as `openssl genpkey -algorithm ed25519` does.
 *
 * @example
 * ```ts
 * import { makeKeys, parsePublicKey } from "@simple/loader/format";
 * import { assertEquals } from "@std/assert";
 *
 * const { publicKey } = await makeKeys();
 * assertEquals(parsePublicKey(publicKey).length, 32);
 * ```
 */
export async function makeKeys(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]) as CryptoKeyPair;
  const exported = async (format: "pkcs8" | "raw", key: CryptoKey): Promise<Uint8Array<ArrayBuffer>> =>
    new Uint8Array(await crypto.subtle.exportKey(format, key));
  return {
    privateKey: toPem(await exported("pkcs8", pair.privateKey), "PRIVATE KEY"),
    publicKey: toPem(publicKeyInfo(await exported("raw", pair.publicKey)), "PUBLIC KEY"),
  };
}

/**
 * Signs a file: adds a signature to those that it has, in place of one by the same key.
 *
 * The result is what {@linkcode SmfBuilder.from} writes for the file, with a section of signatures. Signing once
 * more changes nothing else, so that earlier signatures stay valid; any other change makes all of them invalid.
 *
 * @param bytes All bytes of the file.
 * @param privateKey The private key in PEM, as {@linkcode makeKeys} and `openssl genpkey` write it.
 * @returns the bytes of the signed file.
 * @throws {LoadError} `InvalidKey`; `Untrusted` if the file was changed after it had been signed, or has no room for
 * another signature; and what {@linkcode parseSmf} throws.
 * @throws {TypeError} For a wrong option, and a file that a builder cannot write again.
 *
 * @example A registry that loads signed modules only
 * ```ts
 * import { ModuleRegistry } from "@simple/loader";
 * import { makeKeys, signModule } from "@simple/loader/format";
 * import { assertEquals } from "@std/assert";
 *
 * const { privateKey, publicKey } = await makeKeys();
 * const signed = await signModule(Deno.readFileSync("fixtures/mylib.smf"), privateKey);
 *
 * using registry = new ModuleRegistry({ trust: { keys: [publicKey] } });
 * using module = registry.loadBytes("mylib", signed);
 * assertEquals(module.isOpen, true);
 * ```
 */
export async function signModule(
  bytes: Uint8Array,
  privateKey: string,
  options: SignOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  checkOptions("sign module", options, SIGN_OPTIONS);
  const secret = await parsePrivateKey(privateKey);
  const key = await publicKeyOf(secret);
  const file = parseSmf(bytes);
  const { signatures, room } = readSignatures(file) ?? { signatures: [], room: options.room ?? 4 };
  if (signatures.length > 0) requireValid(file, bytes, signatures);
  const others = signatures.filter((other) => publicKeyText(other.key) !== publicKeyText(key));
  if (others.length === room) {
    throw new LoadError("Untrusted", `Cannot sign the module: it has room for ${room} signatures`, {
      value: room + 1,
      range: [0, room + 1],
      hint: "sign the file that has no signatures yet, with more room (smf sign --room)",
    });
  }
  const unsigned = withSignatures(file, { signatures: [], room });
  const message = signedMessage(parseSmf(unsigned), unsigned);
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", secret, message));
  return withSignatures(file, { signatures: [...others, { key, signature }], room });
}

function withSignatures(file: ParsedSmf, list: SignatureList): Uint8Array<ArrayBuffer> {
  const builder = SmfBuilder.from(file);
  builder.section({
    name: SIGNATURES_SECTION,
    type: SectionType.Signatures,
    alignment: 8,
    bytes: signaturesBytes(list),
  });
  return builder.build() as Uint8Array<ArrayBuffer>;
}

function requireValid(file: ParsedSmf, bytes: Uint8Array, signatures: SignatureList["signatures"]): void {
  const message = signedMessage(file, bytes);
  const wrong = signatures.find((signature) => !verifySignature(message, signature));
  if (wrong === undefined) return;
  throw new LoadError("Untrusted", "Cannot sign the module: it was changed after it had been signed", {
    actual: publicKeyText(wrong.key),
    hint: "sign the file that its signer signed, or write it without signatures first (smf convert)",
  });
}

/** Returns the public key that belongs to a private one. */
async function publicKeyOf(secret: CryptoKey): Promise<Uint8Array<ArrayBuffer>> {
  const { x } = await crypto.subtle.exportKey("jwk", secret);
  // 32 bytes, in the alphabet of RFC 7515, section 2, which leaves the padding out.
  return decodeBase64(`${x!.replaceAll("-", "+").replaceAll("_", "/")}=`);
}
