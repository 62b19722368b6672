/**
 * Bytes as hexadecimal and base64 digits. The methods of `Uint8Array` for them are
 * younger than the oldest Deno that the tests run on.
 */
export { hexBytes } from "../../src/smf/hex_bytes.ts";

/** The bytes of hexadecimal digits, two a byte. */
export function fromHex(digits: string): Uint8Array<ArrayBuffer> {
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new SyntaxError(`'${digits}' is not hexadecimal`);
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, at) => parseInt(digits.slice(2 * at, 2 * at + 2), 16),
  );
}

/** The bytes of base64 digits. */
export function fromBase64(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(digits), (character) => character.charCodeAt(0));
}

/** The base64 digits of bytes. */
export function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
