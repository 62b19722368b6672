/** The hexadecimal digits of bytes. `Uint8Array.prototype.toHex` is younger than some versions of Deno that we support. */
export function hexBytes(bytes: Uint8Array, separator = ""): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(separator);
}
