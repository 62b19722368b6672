/**
 * Compression of sections, with the runtime's own zstd. It is looked up on first
 * use, so that importing this package loads no compressor.
 *
 * lz4 is refused: every JavaScript package for it that was examined (lz4js,
 * lz4-browser, lz4, lz4-ts) either reads past its input without noticing or is no
 * longer maintained, and the runtimes have no lz4 of their own.
 */

import { LoadError } from "../errors/load_error.ts";
import { builtinModule } from "./builtin.ts";
import { COPY_AGAIN } from "./hints.ts";

/** The part of `node:zlib` that this package uses. */
interface Zlib {
  zstdCompressSync(bytes: Uint8Array): Uint8Array;
  zstdDecompressSync(
    bytes: Uint8Array,
    options: { readonly maxOutputLength: number; readonly chunkSize?: number },
  ): Uint8Array;
}

function zstd(): Zlib {
  return builtinModule<Zlib>("node:zlib", ["zstdCompressSync", "zstdDecompressSync"]);
}

/** A frame of the one byte 0, uncompressed (RFC 8878, section 3.1.1). */
const SMALLEST_FRAME = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 9, 0, 0, 0);

/**
 * Asks whether zstd works at all: some runtimes have its functions, which throw
 * for every input.
 *
 * @throws {LoadError} `Unsupported` if it does not work.
 */
function requireWorking(zlib: Zlib): void {
  try {
    if (zlib.zstdDecompressSync(SMALLEST_FRAME, { maxOutputLength: 1 }).length === 1) return;
  } catch (cause) {
    throw lacksZstd(cause);
  }
  throw lacksZstd();
}

function lacksZstd(cause?: unknown): LoadError {
  return new LoadError("Unsupported", "Cannot use zstd: this runtime does not have it", {
    hint: "run deno upgrade, since 2.7.1 and newer have zstd, or store the sections uncompressed",
  }, { cause });
}

/**
 * Compresses with zstd. The same bytes compress to the same bytes.
 *
 * @throws {LoadError} `Unsupported` if this runtime has no zstd.
 */
export function compressZstd(bytes: Uint8Array): Uint8Array {
  const zlib = zstd();
  try {
    return Uint8Array.from(zlib.zstdCompressSync(bytes));
  } catch (cause) {
    requireWorking(zlib);
    throw cause;
  }
}

/** The smallest buffer that zlib takes for its output. */
const MIN_CHUNK = 64;

/**
 * Decompresses zstd into exactly `into.length` bytes. Never produces more than
 * that, whatever size the frame claims.
 *
 * @param section The section's name, for errors.
 * @throws {LoadError} `InvalidFormat` if the bytes are not a zstd frame of that
 * length; `Unsupported` if this runtime has no zstd.
 */
export function decompressZstd(bytes: Uint8Array, into: Uint8Array, section: string): void {
  const zlib = zstd();
  let plain: Uint8Array;
  try {
    plain = zlib.zstdDecompressSync(bytes, {
      maxOutputLength: Math.max(1, into.length),
      // One buffer for all output, one byte larger than it should be: many would be copied into one at the end.
      chunkSize: Math.max(MIN_CHUNK, into.length + 1),
    });
  } catch (cause) {
    const tooLong = cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE";
    if (!tooLong) requireWorking(zlib);
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
