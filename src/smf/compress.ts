/**
 * Compressed sections. The runtime's own zstd is looked up when the first one is
 * met, so that importing this package loads no compressor.
 *
 * lz4 is refused: every JavaScript package for it that was looked at (lz4js,
 * lz4-browser, lz4, lz4-ts) either reads past its input without noticing or is
 * no longer looked after, and the runtimes have no lz4 of their own.
 */

import { LoadError } from "../errors.ts";
import { builtinModule } from "./builtin.ts";

/** The part of `node:zlib` that is used. */
interface Zlib {
  zstdCompressSync(bytes: Uint8Array): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

function zstd(): Zlib {
  return builtinModule<Zlib>("node:zlib", ["zstdCompressSync", "zstdDecompressSync"]);
}

/** Compresses with zstd. */
export function compressZstd(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(zstd().zstdCompressSync(bytes));
}

/**
 * Decompresses zstd into exactly `into.length` bytes. Never makes more than
 * that, whatever the bytes say of themselves.
 *
 * @param section What is decompressed, for errors.
 */
export function decompressZstd(bytes: Uint8Array, into: Uint8Array, section: string): void {
  const zlib = zstd();
  let plain: Uint8Array;
  try {
    plain = zlib.zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, into.length) });
  } catch (cause) {
    const tooLong = cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE";
    const reason = tooLong ? "it has more bytes than its virtual size" : "its bytes are no whole zstd frame";
    throw new LoadError(
      "InvalidFormat",
      `Cannot decompress the section: ${reason}`,
      { section, ...(tooLong && { range: [into.length, into.length + 1] as const }) },
      { cause },
    );
  }
  if (plain.length !== into.length) {
    throw new LoadError(
      "InvalidFormat",
      "Cannot decompress the section: its length is not its virtual size",
      {
        section,
        value: plain.length,
        range: [into.length, into.length + 1],
      },
    );
  }
  into.set(plain);
}
