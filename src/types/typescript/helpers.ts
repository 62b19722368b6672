/**
 * Functions that generated modules contain if their classes call them.
 */

/** The functions by name; types of these names get others. */
export const HELPERS = {
  bytesOf: `\
function bytesOf(
  bytes: Uint8Array<ArrayBuffer> | ArrayBuffer,
  size: number,
): Uint8Array<ArrayBuffer> {
  const all = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
  if (all.length < size) {
    throw new RangeError(\`\${all.length} bytes are fewer than \${size}\`);
  }
  return all.subarray(0, size);
}`,
  elements: `\
function elements<T>(
  bytes: Uint8Array<ArrayBuffer>,
  offset: number,
  count: number,
  type: { new (bytes: Uint8Array<ArrayBuffer>): T; readonly size: number },
): T[] {
  return Array.from({ length: count }, (_, index) => {
    const start = offset + index * type.size;
    return new type(bytes.subarray(start, start + type.size));
  });
}`,
  setElements: `\
function setElements(
  bytes: Uint8Array<ArrayBuffer>,
  elements: readonly { readonly $bytes: Uint8Array<ArrayBuffer> }[],
): void {
  let offset = 0;
  for (const element of elements) {
    bytes.set(element.$bytes, offset);
    offset += element.$bytes.length;
  }
}`,
  bitsOf: `\
function bitsOf(
  bytes: Uint8Array<ArrayBuffer>,
  first: number,
  count: number,
): bigint {
  let bits = 0n;
  for (let bit = first + count - 1; bit >= first; bit--) {
    bits = (bits << 1n) | BigInt((bytes[bit >> 3] >> (bit & 7)) & 1);
  }
  return bits;
}`,
  setBits: `\
function setBits(
  bytes: Uint8Array<ArrayBuffer>,
  first: number,
  count: number,
  value: bigint | number | boolean,
): void {
  let bits = BigInt.asUintN(count, BigInt(value));
  for (let bit = first; bit < first + count; bit++, bits >>= 1n) {
    const mask = 1 << (bit & 7);
    if ((bits & 1n) === 1n) bytes[bit >> 3] |= mask;
    else bytes[bit >> 3] &= ~mask;
  }
}`,
} as const;

/** The name of one of the functions. */
export type Helper = keyof typeof HELPERS;

/** Writes the functions that classes call. */
export function helperTexts(used: ReadonlySet<Helper>): string[] {
  return Object.entries(HELPERS).filter(([name]) => used.has(name as Helper)).map(([, text]) => text);
}
