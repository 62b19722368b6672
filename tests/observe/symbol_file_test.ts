// Symbol files: what leads into the image leads into memory, and nothing else has changed.
import { assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { companionSections } from "../../src/observe/companion.ts";
import { sourceMapOf } from "../../src/observe/source_map.ts";
import { writeSymbolFile } from "../../src/observe/symbol_file.ts";
import { DEBUG_PLACES } from "../../src/smf/debug.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { imageOffsets } from "../../src/smf/offsets.ts";
import { typesFixture } from "../support/types.ts";

const object = { name: "sample.o", bytes: typesFixture("sample.o") };
const { debugFile, map } = linkObjects([object], { debug: "sample.debug" });
const debug = companionSections(debugFile!);
const file = parseSmf(linkObjects([object]).bytes);
const BASE = 0x12_3000;

/** The module as it would be in memory, with everything at one distance from its offset in the image. */
function symbolFile(addressOf = (offset: number): bigint | undefined => BigInt(BASE + offset)): Uint8Array {
  const { offsets } = imageOffsets(file.sections);
  const sections = file.sections.flatMap((section, index) =>
    offsets[index] === undefined ? [] : [{ section, address: BigInt(BASE + offsets[index]!) }]
  );
  return writeSymbolFile({ file, sections, addressOf }, debug);
}

Deno.test("addresses in debug information are those in memory", () => {
  const moved = companionSections(symbolFile());
  assertEquals(moved.has(DEBUG_PLACES), false);
  const [before, after] = [sourceMapOf(debug)!, sourceMapOf(moved)!];
  let compared = 0;
  for (const { address, size, kind } of map.exports) {
    if (kind !== "function") continue;
    for (let offset = 0; offset < size; offset++) {
      const frames = before.find(address + offset);
      assertEquals(frames.length > 0, true);
      assertEquals(after.find(BASE + address + offset), frames);
      compared++;
    }
  }
  assertEquals(compared > 20, true);
});

Deno.test("what has no address in memory has one that no module has", () => {
  const gone = companionSections(symbolFile(() => undefined));
  const map_ = sourceMapOf(gone)!;
  for (const { address } of map.exports) {
    assertEquals(map_.find(address), []);
    assertEquals(map_.find(BASE + address), []);
  }
});

Deno.test("symbols have their addresses, sizes and sections", () => {
  const bytes = symbolFile();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number) => Number(view.getBigUint64(at, true));
  assertEquals([view.getUint16(16, true), view.getUint16(18, true)], [2, 62]);
  const table = word(40), header = (index: number) => table + 64 * index;
  const count = view.getUint16(60, true);
  const symtab = Array.from({ length: count }, (_, index) => header(index)).find((at) =>
    view.getUint32(at + 4, true) === 2
  )!;
  const strings = word(header(view.getUint32(symtab + 40, true)) + 24);
  const found = new Map<string, [value: number, size: number]>();
  for (let at = word(symtab + 24); at < word(symtab + 24) + word(symtab + 32); at += 24) {
    const start = strings + view.getUint32(at, true);
    const name = new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
    const section = header(view.getUint16(at + 6, true));
    if (name === "") continue;
    found.set(name, [word(at + 8), word(at + 16)]);
    const [from, size] = [word(section + 16), word(section + 32)];
    assertEquals(word(at + 8) >= from && word(at + 8) < from + size, true, name);
  }
  for (const { name, address, size } of map.exports) {
    assertEquals(found.get(name), [BASE + address, size], name);
  }
});

Deno.test("a damaged list of places is refused", () => {
  const sections = new Map(debug);
  sections.set(DEBUG_PLACES, Uint8Array.of(1, 2, 3));
  const error = assertThrows(
    () => writeSymbolFile({ file, sections: [], addressOf: () => 0n }, sections),
    LoadError,
  );
  assertEquals(error.kind, "InvalidFormat");
});
