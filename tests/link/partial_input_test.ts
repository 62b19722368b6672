// Inputs that are read in parts: the same module as of inputs in memory, with fewer bytes read.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { makeArchive } from "../../src/link/elf/thin_archive.ts";
import { hashInputs } from "../../src/link/input_hash.ts";
import { linkObjects, type LinkOptions, linkReporting } from "../../src/link/linker.ts";
import { type InputSource, PartialInputs } from "../../src/link/partial_input.ts";
import { LoadError } from "../../src/errors/load_error.ts";
import { SectionFlag } from "../../src/os/elf.ts";
import { archive, ElfWriter, functionObject } from "../support/objects.ts";
import { randomFrom } from "../support/testing.ts";

/** A file in memory that counts what is read. */
class CountedSource implements InputSource {
  total = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  read(offset: number, into: Uint8Array): void {
    assert(offset + into.length <= this.#bytes.length, "reads beyond the end");
    into.set(this.#bytes.subarray(offset, offset + into.length));
    this.total += into.length;
  }
}

/** Bytes that differ from their neighbours at every distance. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) * 13) & 0xff);
}

Deno.test("bytes are the file's, in whatever order and lengths they are asked for", () => {
  const files = [pattern(3_000_000), pattern(5_000).reverse()];
  const inputs = new PartialInputs();
  const parts = files.map((bytes) => inputs.open(new CountedSource(bytes)));
  let seed = 1;
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let round = 0; round < 500; round++) {
    const which = random(4) === 0 ? 1 : 0, bytes = files[which], part = parts[which];
    const start = random(bytes.length);
    const end = Math.min(bytes.length, start + random(round % 50 === 0 ? 2_000_000 : 3_000));
    const wanted = bytes.subarray(start, end);
    if (round % 3 === 0) assertEquals(part.peek(start, end), wanted);
    else if (round % 3 === 1) {
      part.load(start, end);
      assertEquals(part.bytes.subarray(start, end), wanted);
    } else {
      const into = new Uint8Array(end - start);
      part.part(start, end).copy(0, into);
      assertEquals(into, wanted);
    }
  }
});

Deno.test("what is read in order is read about once", () => {
  const source = new CountedSource(pattern(4_000_000));
  const part = new PartialInputs().open(source);
  for (let at = 0; at < 4_000_000; at += 1_000) part.peek(at, at + 600);
  assert(source.total < 4_200_000, `${source.total}`);
});

Deno.test("a source that fails once is read again", () => {
  const bytes = pattern(100);
  let fails = true;
  const part = new PartialInputs().open({
    size: 100,
    read(offset, into) {
      if (fails) throw new Error("gone");
      into.set(bytes.subarray(offset, offset + into.length));
    },
  });
  assertThrows(() => part.peek(0, 10), Error, "gone");
  fails = false;
  assertEquals(part.peek(0, 10), bytes.subarray(0, 10));
});

Deno.test("the hash of inputs is that of all their bytes", () => {
  const bytes = pattern(1_000_003);
  const partial = new PartialInputs().open(new CountedSource(bytes));
  const other = { bytes: pattern(5) };
  assertEquals(hashInputs([other, { bytes: partial.bytes, partial }]), hashInputs([other, { bytes }]));
});

/** Links an archive in memory and one that is read in parts; returns how much of the second was read but for the hash. */
function linksAlike(bytes: Uint8Array, options: LinkOptions, whole: boolean): number {
  const main = { name: "main.o", bytes: functionObject("main", 0xc3, ["f0"]) };
  const wanted = linkObjects([main, { name: "lib.a", bytes, whole }], options);
  const source = new CountedSource(bytes), partial = new PartialInputs().open(source);
  partial.load(0, 8);
  const input = { name: "lib.a", bytes: partial.bytes, partial, whole };
  const { file, map } = linkReporting([main, input], options);
  assertEquals(file.join(), wanted.bytes);
  assertEquals({ ...map }, wanted.map);
  return source.total - bytes.length;
}

const LARGE = 100_000;

/** An archive of functions, each of which calls the next but the last, and has a large table beside it. */
function library(count: number): Uint8Array {
  return archive(Array.from({ length: count }, (_, i) => {
    const writer = new ElfWriter();
    const text = writer.section({
      name: `.text.f${i}`,
      flags: SectionFlag.ALLOC | SectionFlag.EXECINSTR,
      bytes: new Uint8Array([0xe8, 0, 0, 0, 0, 0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xc3]),
    });
    writer.symbol({ name: `f${i}`, section: text, size: 13 });
    const table = writer.section({ name: ".rodata", flags: SectionFlag.ALLOC, bytes: pattern(LARGE) });
    const symbol = writer.symbol({ name: `table${i}`, section: table, size: LARGE });
    const next = writer.symbol({ name: i % 2 === 0 && i < 4 ? `f${i + 1}` : `f${i}` });
    writer.relocation(text, { offset: 1, symbol: next, type: 4, addend: -4 });
    writer.relocation(text, { offset: 8, symbol, type: 2, addend: -4 });
    return { name: `${i}.o`, bytes: writer.build(), symbols: [`f${i}`] };
  }));
}

for (const whole of [false, true]) {
  for (const options of [{}, { reloadable: true }, { hot: true }, { exports: ["f*"], strip: true }]) {
    Deno.test(`a library links alike, whole: ${whole}, ${JSON.stringify(options)}`, () => {
      linksAlike(library(6), options, whole);
    });
  }
}

for (const options of [{}, { debug: "off", types: "off" }, { hot: true }] as const) {
  Deno.test(`objects with types, unwind tables and groups link alike, ${JSON.stringify(options)}`, () => {
    const paths = ["c/arith.o", "c/typed.o", "cpp/shared_a.o", "cpp/shared_b.o", "cpp/catcher.o"];
    const members = paths.map((path) => ({
      name: path.replace(/.*\//, ""),
      bytes: Deno.readFileSync(`fixtures/${path}`),
    }));
    const library = archive(members, { withIndex: false });
    linksAlike(library, { ...options, allowMultipleDefinition: true }, true);
  });
}

Deno.test("damaged section headers have the same effect, whether a library is read in parts or as a whole", () => {
  const paths = ["c/arith.o", "c/typed.o", "cpp/shared_a.o", "cpp/catcher.o"];
  const members = paths.map((path) => ({
    name: path.replace(/.*\//, ""),
    bytes: Deno.readFileSync(`fixtures/${path}`),
  }));
  const intact = archive(members, { withIndex: false }), random = randomFrom(1204);
  const options: LinkOptions = { exports: ["*"], allowUndefined: ["*"], allowMultipleDefinition: true };
  let linked = 0;
  for (let mutant = 0; mutant < 400; mutant++) {
    const bytes = intact.slice(), view = new DataView(bytes.buffer);
    const member = intact.indexOf(0x7f, random() % intact.length);
    if (member < 0 || view.getUint32(member) !== 0x7f454c46) continue;
    const table = member + Number(view.getBigUint64(member + 40, true)),
      count = view.getUint16(member + 60, true);
    const at = table + 64 * (random() % count) + random() % 64;
    bytes[at] = random() % 2 === 0 ? random() % 16 : bytes[at] ^ 1 << random() % 8;
    const partial = new PartialInputs().open(new CountedSource(bytes));
    partial.load(0, 8);
    const input = { name: "lib.a", bytes: partial.bytes, partial, whole: true };
    const inParts = outcomeOf(() => linkReporting([input], options).file.join());
    assertEquals(
      inParts,
      outcomeOf(() => linkObjects([{ name: "lib.a", bytes, whole: true }], options).bytes),
      `${at}`,
    );
    if (typeof inParts !== "string") linked++;
  }
  assert(linked > 20, `${linked}`);
});

/** The module, or the message of the error. */
function outcomeOf(link: () => Uint8Array): Uint8Array | string {
  try {
    return link();
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return error.message;
  }
}

Deno.test("members that nothing needs are not read but for the hash", () => {
  const bytes = library(40);
  const read = linksAlike(bytes, {}, false);
  // Those of f0 and f1, the table of each once more, and the headers of all.
  assert(read < 10 * LARGE, `${read} of ${bytes.length}`);
});

for (const path of ["fixtures/coff/long_imports.a", "fixtures/macho/libparts_x86_64.a"]) {
  Deno.test(`members that are not in ELF are read as a whole: ${path}`, () => {
    const bytes = Deno.readFileSync(path), partial = new PartialInputs().open(new CountedSource(bytes));
    partial.load(0, 8);
    const options = { keep: ["*"], exports: ["*"] };
    const link = (input: { name: string; bytes: Uint8Array; whole: boolean }) =>
      linkReporting([input], options);
    assertEquals(
      link({ name: path, bytes: partial.bytes, partial, whole: true } as Parameters<typeof link>[0]).file
        .join(),
      link({ name: path, bytes, whole: true }).file.join(),
    );
  });
}

Deno.test("broken members are refused as those in memory are", () => {
  const bytes = makeArchive([{ name: "a.o", bytes: functionObject("main", 0xc3).slice(0, 100) }]);
  const partial = new PartialInputs().open(new CountedSource(bytes));
  partial.load(0, 8);
  const message = (input: object): string =>
    assertThrows(() => linkReporting([{ name: "lib.a", bytes, whole: true, ...input }], {}), LoadError)
      .message;
  assertEquals(message({ bytes: partial.bytes, partial }), message({}));
});
