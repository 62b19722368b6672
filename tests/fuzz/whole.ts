/**
 * The `module_hash` of this package's files, computed independently: the file's
 * size, then the XXH32 of the XXH32s of header (with the hash zeroed), section
 * table, symbols with names, and of every section.
 */
import { DIALECTS } from "./dialects.ts";
import { DWARF, headerStart, type Module, must } from "./format.ts";

/** Refuses a file of this package's writer whose bytes differ from its `module_hash`. */
export function checkWhole(bytes: Uint8Array, dialect: string, module: Module): void {
  const { header: { size, moduleHash: [at], mark } } = DIALECTS[dialect];
  const start = headerStart(bytes, dialect);
  const header = bytes.slice(start, start + size);
  const view = new DataView(header.buffer);
  const stored = view.getBigUint64(at, true);
  if (String.fromCharCode(...header.subarray(mark, mark + 5)) !== "XXH32" || stored === 0n) return;
  view.setBigUint64(at, 0n, true);
  const parts = [
    header,
    ...module.tables.map(([from, to]) => bytes.subarray(from, to)),
    // Debug information counts as empty.
    ...module.sections.map(({ type, offset, size }) =>
      type === DWARF ? bytes.subarray(0, 0) : bytes.subarray(size && offset, size && offset + size)
    ),
  ];
  const hashes = new DataView(new ArrayBuffer(4 * parts.length));
  parts.forEach((part, i) => hashes.setUint32(4 * i, Number(xxh32(part)), true));
  const low = xxh32(new Uint8Array(hashes.buffer));
  must(stored === (BigInt(bytes.length) << 32n | low), "a file that is not whole");
}

const WORD = (1n << 32n) - 1n;
const [P1, P2, P3, P4, P5] = [2654435761n, 2246822519n, 3266489917n, 668265263n, 374761393n];
const rotate = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (32n - by))) & WORD;

/** XXH32 with seed 0, written from its specification. */
export function xxh32(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number) => BigInt(view.getUint32(at, true));
  let at = 0;
  let hash = P5;
  if (bytes.length >= 16) {
    const lanes = [P1 + P2, P2, 0n, WORD + 1n - P1].map((lane) => lane & WORD);
    for (; at + 16 <= bytes.length; at += 16) {
      for (let i = 0; i < 4; i++) {
        lanes[i] = rotate((lanes[i] + word(at + 4 * i) * P2) & WORD, 13n) * P1 & WORD;
      }
    }
    hash = [1n, 7n, 12n, 18n].reduce((sum, by, i) => sum + rotate(lanes[i], by), 0n) & WORD;
  }
  hash = (hash + BigInt(bytes.length)) & WORD;
  for (; at + 4 <= bytes.length; at += 4) {
    hash = rotate((hash + word(at) * P3) & WORD, 17n) * P4 & WORD;
  }
  for (; at < bytes.length; at++) hash = rotate((hash + BigInt(bytes[at]) * P5) & WORD, 11n) * P1 & WORD;
  hash = (hash ^ (hash >> 15n)) * P2 & WORD;
  hash = (hash ^ (hash >> 13n)) * P3 & WORD;
  return hash ^ (hash >> 16n);
}
