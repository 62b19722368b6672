import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { compressZstd, decompressZstd } from "../../src/smf/compress.ts";
import { SectionFlag } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { assertLoadError } from "../support/testing.ts";
import { bytesOf, withHeader, withSection } from "../support/sample_files.ts";
import { zstdTest } from "../support/deno_version.ts";

const DATA = Uint8Array.from({ length: 10_000 }, (_, i) => i % 7);

function compressedFile(
  options: { bytes: Uint8Array; virtualSize?: number; compressed?: boolean },
): Uint8Array {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: 1, bytes: bytesOf(0xc3) });
  builder.section({ name: ".data", type: 2, compress: !options.compressed, ...options });
  return withHeader(builder.build(), "module_hash", 0);
}

const contents = (bytes: Uint8Array) => {
  const file = parseSmf(bytes, { path: "a.smf" });
  return file.contents(file.sections[1]);
};

zstdTest("compressed bytes are decompressed, with zeros up to the virtual size", () => {
  const file = parseSmf(compressedFile({ bytes: DATA, virtualSize: 12_000 }));
  const [, section] = file.sections;
  assertEquals([section.compressed, section.virtualSize, section.flags], [
    true,
    12_000,
    3 | SectionFlag.Compressed,
  ]);
  assert(section.size < 200);
  const found = file.contents(section);
  assertEquals(found.subarray(0, 10_000), DATA);
  assertEquals(found.subarray(10_000), new Uint8Array(2000));
});

zstdTest("a length other than the virtual size is refused (row 15)", () => {
  const file = compressedFile({ bytes: DATA });
  const error = assertLoadError(
    () => contents(withSection(file, 1, "virtual_size", 10_001)),
    "InvalidFormat",
    {
      path: "a.smf",
      section: ".data",
      value: 10_000,
    },
  );
  assertMatch(error.message, /its decompressed length is not its virtual size/);
  assertMatch(
    assertLoadError(() => contents(withSection(file, 1, "virtual_size", 9_999)), "InvalidFormat").message,
    /more bytes than its virtual size/,
  );
  assertLoadError(() => contents(withSection(file, 1, "virtual_size", 0)), "InvalidFormat");
});

zstdTest("a zip bomb decompresses to no more than the virtual size (row 15)", () => {
  const bomb = compressZstd(new Uint8Array(50_000_000));
  assert(bomb.length < 10_000);
  const before = Deno.memoryUsage().rss;
  const file = compressedFile({ bytes: bomb, virtualSize: 1000, compressed: true });
  for (let i = 0; i < 20; i++) assertLoadError(() => contents(file), "InvalidFormat", { section: ".data" });
  assert(Deno.memoryUsage().rss - before < 200_000_000);
});

Deno.test("sections that expand by too much are refused before they are decompressed, alone and together", () => {
  const sections = (count: number, virtualSize: number): Uint8Array => {
    const builder = new SmfBuilder();
    builder.section({ name: "code", type: 1, bytes: bytesOf(0xc3) });
    // Not a zstd frame: nobody may look at it.
    const bytes = new Uint8Array(100);
    for (let index = 0; index < count; index++) {
      builder.section({ name: `s${index}`, type: 2, bytes, virtualSize, compressed: true });
    }
    return builder.build();
  };
  const limit = 2 ** 25;
  for (const [count, virtualSize] of [[1, 2 ** 29], [1, limit + 102_401], [16, 2 ** 22]] as const) {
    const error = assertLoadError(() => parseSmf(sections(count, virtualSize)), "Unsupported", {
      value: count * virtualSize,
      range: [0, limit + 102_400 * count + 1],
    });
    assertMatch(error.hint, /uncompressed/);
  }
  parseSmf(sections(1, limit + 102_400));
});

zstdTest("the builder stores what would expand by too much as it is", () => {
  const build = (bytes: Uint8Array) => {
    const builder = new SmfBuilder();
    builder.section({ name: "code", type: 1, bytes: bytesOf(0xc3) });
    builder.section({ name: ".data", type: 2, bytes, compress: true });
    return parseSmf(builder.build());
  };
  const zeros = build(new Uint8Array(40_000_000));
  assertEquals([zeros.sections[1].compressed, zeros.sections[1].size], [false, 40_000_000]);
  const text = build(Uint8Array.from({ length: 100_000 }, (_, index) => index % 251 ^ index >> 8));
  assertEquals(text.sections[1].compressed, true);
});

zstdTest("a runtime without zstd is said to lack it, whatever the file is like", () => {
  const process = (globalThis as { process?: { getBuiltinModule?: unknown } }).process!;
  const original = process.getBuiltinModule;
  // As in Deno 2.6, whose functions are there and never work.
  const lacking = () => {
    throw new TypeError("binding.ZstdDecompress is not a constructor");
  };
  const file = compressedFile({ bytes: compressZstd(DATA), virtualSize: 10_000, compressed: true });
  for (const functions of [{ zstdCompressSync: lacking, zstdDecompressSync: lacking }, {}]) {
    process.getBuiltinModule = () => functions;
    try {
      const error = assertLoadError(() => contents(file), "Unsupported");
      assertMatch(error.hint, /newer/);
      assertLoadError(() => compressZstd(DATA), "Unsupported");
    } finally {
      process.getBuiltinModule = original;
    }
  }
  contents(file);
});

zstdTest("bytes that are not a whole zstd frame are refused (row 15)", () => {
  const frame = compressZstd(DATA);
  for (const bytes of [bytesOf(), bytesOf(1, 2, 3, 4, 5), frame.subarray(0, 4), frame.subarray(0, -1)]) {
    const file = compressedFile({ bytes, virtualSize: 10_000, compressed: true });
    assertLoadError(() => contents(file), "InvalidFormat", { section: ".data" });
  }
  const flipped = frame.slice();
  for (let i = 0; i < flipped.length; i++) {
    flipped[i] ^= 0xff;
    try {
      decompressZstd(flipped, new Uint8Array(10_000), "x"); // frames have no checksum, so that some changes are not detected
    } catch (error) {
      assertEquals((error as Error).name, "LoadError");
    }
    flipped[i] ^= 0xff;
  }
});

zstdTest("an empty section can be compressed", () => {
  assertEquals(contents(compressedFile({ bytes: bytesOf() })), bytesOf());
});

zstdTest("the same bytes compress to the same bytes", () => {
  assertEquals(compressZstd(DATA), compressZstd(DATA.slice()));
});

Deno.test("zstd is looked up only for the first compressed section", () => {
  const process = (globalThis as { process?: { getBuiltinModule?: unknown } }).process!;
  const original = process.getBuiltinModule;
  process.getBuiltinModule = () => undefined;
  try {
    const file = compressedFile({ bytes: bytesOf(1), virtualSize: 1, compressed: true });
    const plain = parseSmf(file);
    assertEquals(plain.contents(plain.sections[0]), bytesOf(0xc3));
    assertLoadError(() => contents(file), "Unsupported");
  } finally {
    process.getBuiltinModule = original;
  }
});

zstdTest("layouts without a field for the method refuse to compress", () => {
  const builder = new SmfBuilder({ layout: "H72" });
  builder.section({ name: ".data", type: 2, bytes: DATA, compress: true });
  assertThrows(() => builder.build(), TypeError, "compression");
});
