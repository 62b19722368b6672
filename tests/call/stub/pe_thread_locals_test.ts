// The DLL of thread-local variables: its tables, read as the system reads them.
import { assertEquals } from "@std/assert";
import { TLS_NUMBER, writePeThreadLocals } from "../../../src/call/stub/pe_thread_locals.ts";
import { PeReader } from "../../support/pe_reader.ts";

/** The preferred address, from which the addresses in the file count. */
const BASE = 0x1_8000_0000n;

Deno.test("the TLS directory has the bytes, the zeros behind them, and the place of the number", () => {
  for (const [length, size, alignment] of [[5, 24, 8], [0, 100, 1], [4000, 4000, 16]]) {
    const image = Uint8Array.from({ length }, (_, i) => i * 7);
    const library = new PeReader(writePeThreadLocals(image, size, alignment));
    const [directory, directorySize] = library.directories[9];
    assertEquals(directorySize, 40);
    const word = (offset: number) => Number(library.image.getBigUint64(directory + offset, true) - BASE);
    const [start, end, number] = [word(0), word(8), word(16)];
    assertEquals(end - start, length);
    assertEquals([...new Uint8Array(library.image.buffer, start, length)], [...image]);
    assertEquals(start % 16, 0);
    assertEquals(library.image.getBigUint64(directory + 24, true), 0n, "no functions");
    assertEquals(library.image.getUint32(directory + 32, true), size - length, "zeros");
    assertEquals(library.image.getUint32(directory + 36, true) >>> 20, Math.log2(alignment) + 1);
    assertEquals(library.find(TLS_NUMBER), number);
    assertEquals(library.image.getUint32(number, true), 0);
  }
});

Deno.test("the three addresses are relocated, and the section can be written", () => {
  const library = new PeReader(writePeThreadLocals(Uint8Array.of(1), 1, 1));
  const [at, size] = library.directories[5];
  const page = library.image.getUint32(at, true);
  assertEquals(library.image.getUint32(at + 4, true), size);
  const entries = Array.from(
    { length: (size - 8) / 2 },
    (_, i) => library.image.getUint16(at + 8 + 2 * i, true),
  );
  assertEquals(entries.filter((entry) => entry >>> 12 === 10).map((entry) => page + (entry & 0xfff)), [
    library.directories[9][0],
    library.directories[9][0] + 8,
    library.directories[9][0] + 16,
  ]);
  assertEquals(library.sections.length, 1);
  assertEquals(library.sections[0].characteristics >>> 0, 0xc000_0040);
});
