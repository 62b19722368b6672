/**
 * Compression of sections, with the runtime's own zstd. It is looked up on first
 * use, so that importing this package loads no compressor.
 *
 * lz4 is refused: every JavaScript package for it that was examined (lz4js,
 * lz4-browser, lz4, lz4-ts) either reads past its input without noticing or is no
 * longer maintained, and the runtimes have no lz4 of their own.
 */

import { LoadError } from "../errors.ts";
import { builtinModule } from "./builtin.ts";
import { COPY_AGAIN } from "./hints.ts";

/** The part of `node:zlib` that this package uses. */
interface Zlib {
  zstdCompressSync(bytes: Uint8Array): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

function zstd(): Zlib {
  return builtinModule<Zlib>("node:zlib", ["zstdCompressSync", "zstdDecompressSync"]);
}

/** Compresses with zstd. The same bytes compress to the same bytes. */
export function compressZstd(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(zstd().zstdCompressSync(bytes));
}

/**
 * Decompresses zstd into exactly `into.length` bytes. Never produces more than
 * that, whatever size the frame claims.
 *
 * @param section The section's name, for errors.
 * @throws {LoadError} `InvalidFormat` if the bytes are not a zstd frame of that length.
 */
export function decompressZstd(bytes: Uint8Array, into: Uint8Array, section: string): void {
  const zlib = zstd();
  let plain: Uint8Array;
  try {
    plain = zlib.zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, into.length) });
  } catch (cause) {
    const tooLong = cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE";
    const reason = tooLong
      ? "it decompresses to more bytes than its virtual size"
      : "its bytes are not a whole zstd frame";
    throw new LoadError(
      "InvalidFormat",
      `Cannot decompress the section: ${reason}`,
      { section, ...(tooLong ? { range: [into.length, into.length + 1] as const } : { hint: COPY_AGAIN }) },
      { cause },
    );
  }
  if (plain.length !== into.length) {
    throw new LoadError(
      "InvalidFormat",
      "Cannot decompress the section: its decompressed length is not its virtual size",
      {
        section,
        value: plain.length,
        range: [into.length, into.length + 1],
      },
    );
  }
  into.set(plain);
}
