// zlib from Debian's static library, against the same package's shared library.
import { assert, assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { staticLibrary, testWith } from "../support/real_archives.ts";

const FUNCTIONS = {
  zlibVersion: { parameters: [], result: "pointer" },
  zlibCompileFlags: { parameters: [], result: "u64" },
  crc32: { parameters: ["u64", "buffer", "u32"], result: "u64" },
  crc32_combine: { parameters: ["u64", "u64", "i64"], result: "u64" },
  adler32: { parameters: ["u64", "buffer", "u32"], result: "u64" },
  compressBound: { parameters: ["u64"], result: "u64" },
  deflateInit2_: {
    parameters: ["buffer", "i32", "i32", "i32", "i32", "i32", "pointer", "i32"],
    result: "i32",
  },
  deflate: { parameters: ["buffer", "i32"], result: "i32" },
  deflateEnd: { parameters: ["buffer"], result: "i32" },
  inflateInit2_: { parameters: ["buffer", "i32", "pointer", "i32"], result: "i32" },
  inflate: { parameters: ["buffer", "i32"], result: "i32" },
  inflateEnd: { parameters: ["buffer"], result: "i32" },
  zError: { parameters: ["i32"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

type Zlib = Deno.StaticForeignLibraryInterface<typeof FUNCTIONS>;

const Z_FINISH = 4, Z_STREAM_END = 1, Z_OK = 0, Z_DEFLATED = 8;

/** The offsets of fields in z_stream. */
const Z = { nextIn: 0, availIn: 8, nextOut: 24, availOut: 32, size: 112 };

/** Runs one direction of zlib over `input`, with an output buffer of `step` bytes. */
function pump(
  input: Uint8Array<ArrayBuffer>,
  step: number,
  begin: (stream: Uint8Array<ArrayBuffer>) => number,
  turn: (stream: Uint8Array<ArrayBuffer>, flush: number) => number,
  end: (stream: Uint8Array<ArrayBuffer>) => number,
): { output: Uint8Array; last: number } {
  const stream = new Uint8Array(Z.size);
  const view = new DataView(stream.buffer);
  const out = new Uint8Array(step);
  const addressOf = (bytes: Uint8Array<ArrayBuffer>) =>
    BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
  assertEquals(begin(stream), Z_OK);
  view.setBigUint64(Z.nextIn, input.length === 0 ? 0n : addressOf(input), true);
  view.setUint32(Z.availIn, input.length, true);
  const pieces: Uint8Array[] = [];
  let last = Z_OK;
  do {
    view.setBigUint64(Z.nextOut, addressOf(out), true);
    view.setUint32(Z.availOut, step, true);
    last = turn(stream, Z_FINISH);
    pieces.push(out.slice(0, step - view.getUint32(Z.availOut, true)));
  } while ((last === Z_OK || last === -5) && view.getUint32(Z.availOut, true) === 0);
  assertEquals(end(stream), Z_OK);
  const output = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    output.set(piece, at);
    at += piece.length;
  }
  return { output, last };
}

function deflate(
  zlib: Zlib,
  input: Uint8Array<ArrayBuffer>,
  level: number,
  window: number,
  strategy: number,
) {
  return pump(
    input,
    4099,
    (stream) =>
      zlib.deflateInit2_(stream, level, Z_DEFLATED, window, 8, strategy, zlib.zlibVersion(), Z.size),
    zlib.deflate,
    zlib.deflateEnd,
  );
}

function inflate(zlib: Zlib, input: Uint8Array<ArrayBuffer>, window: number) {
  return pump(
    input,
    3001,
    (stream) => zlib.inflateInit2_(stream, window, zlib.zlibVersion(), Z.size),
    zlib.inflate,
    zlib.inflateEnd,
  );
}

/** Data of every sort: real machine code, text, runs, noise, nothing. */
function samples(): Record<string, Uint8Array<ArrayBuffer>> {
  const archive = staticLibrary("libz.a")!;
  let state = 1;
  const noise = Uint8Array.from(
    { length: 70_000 },
    () => (state = Math.imul(state, 1103515245) + 12345 | 0) >>> 16,
  );
  return {
    code: archive.slice(0, 120_000) as Uint8Array<ArrayBuffer>,
    text: new TextEncoder().encode(Deno.readTextFileSync(new URL(import.meta.url)).repeat(3)) as Uint8Array<
      ArrayBuffer
    >,
    runs: new Uint8Array(100_000).fill(65, 500, 90_000),
    noise,
    nothing: new Uint8Array(0),
  };
}

/** Runs `work` with zlib from a module and from the shared library. */
function withBoth(archive: Uint8Array, work: (module: Zlib, shared: Zlib) => void): void {
  const { bytes } = linkObjects([{ name: "libz.a", bytes: archive }], { exports: Object.keys(FUNCTIONS) });
  using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
  using module = registry.loadBytes("zlib", bytes);
  const shared = Deno.dlopen("libz.so.1", FUNCTIONS);
  try {
    work(module.bind(FUNCTIONS).symbols as unknown as Zlib, shared.symbols);
  } finally {
    shared.close();
  }
}

testWith(
  "zlib: checksums are those of the shared library",
  "libz.a",
  "zlib1g-dev",
  (archive) =>
    withBoth(archive, (module, shared) => {
      const text = (pointer: Deno.PointerValue) => Deno.UnsafePointerView.getCString(pointer!);
      assertEquals(text(module.zlibVersion()), text(shared.zlibVersion()));
      assertEquals(module.zlibCompileFlags(), shared.zlibCompileFlags());
      for (const [name, data] of Object.entries(samples())) {
        assertEquals(module.crc32(0n, data, data.length), shared.crc32(0n, data, data.length), name);
        assertEquals(module.adler32(1n, data, data.length), shared.adler32(1n, data, data.length), name);
      }
      assertEquals(
        module.crc32(0n, new TextEncoder().encode("123456789"), 9),
        0xcbf43926n,
        "the check value of CRC-32",
      );
      assertEquals(
        module.crc32_combine(0x12345678n, 0x9abcdef0n, 77n),
        shared.crc32_combine(0x12345678n, 0x9abcdef0n, 77n),
      );
      assertEquals(text(module.zError(-3)), "data error");
    }),
);

testWith(
  "zlib: deflate writes the same bytes at every level and strategy",
  "libz.a",
  "zlib1g-dev",
  (archive) =>
    withBoth(archive, (module, shared) => {
      for (const [name, data] of Object.entries(samples())) {
        for (
          const [level, window, strategy] of [
            [0, 15, 0],
            [1, 15, 0],
            [6, 15, 0],
            [9, -15, 0],
            [6, 31, 1],
            [4, 9, 2],
            [6, 15, 3],
            [9, 15, 4],
          ]
        ) {
          const ours = deflate(module, data, level, window, strategy);
          const theirs = deflate(shared, data, level, window, strategy);
          assertEquals(ours.last, Z_STREAM_END);
          assert(
            ours.output.every((byte, i) => byte === theirs.output[i]) &&
              ours.output.length === theirs.output.length,
            name,
          );
          const back = inflate(module, ours.output as Uint8Array<ArrayBuffer>, window);
          assertEquals(back.last, Z_STREAM_END);
          assert(
            back.output.length === data.length && back.output.every((byte, i) => byte === data[i]),
            name,
          );
        }
      }
    }),
);

testWith(
  "zlib: what one deflates the platform inflates, and damage is noticed",
  "libz.a",
  "zlib1g-dev",
  (archive) =>
    withBoth(archive, (module, shared) => {
      const { code } = samples();
      const packed = deflate(module, code, 9, 15, 0).output as Uint8Array<ArrayBuffer>;
      assertEquals(inflate(shared, packed, 15).output.length, code.length);
      packed[packed.length >> 1] ^= 0xff;
      assertEquals(inflate(module, packed, 15).last, inflate(shared, packed, 15).last);
      assertEquals(inflate(module, packed, 15).last, -3);
    }),
);
