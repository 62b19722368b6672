// The DLL that hears of threads: its tables, read as the system reads them.
import { assertEquals } from "@std/assert";
import { CALLBACK_WORDS, writePeThreadCallbacks } from "../../../src/call/stub/pe_thread_callbacks.ts";
import { PeReader } from "../../support/pe_reader.ts";

/** The preferred address, from which the addresses in the file count. */
const BASE = 0x1_8000_0000n;
const library = new PeReader(writePeThreadCallbacks());
const { image } = library;
const address = (at: number): number => Number(image.getBigUint64(at, true) - BASE);

Deno.test("the system finds one function, which lies in the code and has unwind data", () => {
  const [directory, size] = library.directories[9];
  assertEquals(size, 40);
  const list = address(directory + 24);
  const [code] = library.sections;
  assertEquals(address(list), code.virtualAddress);
  assertEquals(image.getBigUint64(list + 8, true), 0n, "the end of the list");
  assertEquals(address(directory + 8) - address(directory), 16, "a block");
  const [functions, functionsSize] = library.directories[3];
  assertEquals(functionsSize, 12);
  const [start, end, unwind] = [0, 4, 8].map((at) => image.getUint32(functions + at, true));
  assertEquals(start, code.virtualAddress);
  assertEquals(image.getUint8(end - 1), 0xc3, "ret");
  assertEquals(
    [image.getUint8(unwind), image.getUint8(unwind + 1)],
    [1, 6],
    "version 1, a prologue of 6 bytes",
  );
});

Deno.test("the code reads the words that the export leads to, which are zero", () => {
  const words = library.find(CALLBACK_WORDS)!;
  const [code] = library.sections;
  for (const [at, word] of [[17, 0], [26, 1], [52, 2]]) {
    const place = code.virtualAddress + at;
    assertEquals(place + 4 + image.getInt32(place, true), words + 8 * word);
    assertEquals(image.getBigUint64(words + 8 * word, true), 0n);
  }
});

Deno.test("all addresses are relocated", () => {
  const [at, size] = library.directories[5];
  const page = image.getUint32(at, true);
  const places: number[] = [];
  for (let entry = at + 8; entry < at + size; entry += 2) {
    const word = image.getUint16(entry, true);
    if (word >>> 12 === 10) places.push(page + (word & 0xfff));
  }
  const [directory] = library.directories[9];
  assertEquals(places, [0, 8, 16, 24, 40].map((offset) => directory + offset));
  assertEquals(library.sections.map(({ characteristics }) => characteristics >>> 0), [
    0x6000_0020,
    0xc000_0040,
  ]);
});
