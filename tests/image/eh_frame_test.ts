// Unwind tables are checked before an unwinder reads them.
import { assertEquals } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { countFrames } from "../../src/image/eh_frame.ts";
import { imageOffsets } from "../../src/smf/offsets.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { cie, type CieParts, END, fde, uint32 } from "../support/frame_bytes.ts";
import { assertLoadError, randomFrom } from "../support/testing.ts";

const START = 8192;
const CODE = { start: 0, end: 4096 };
const CIE = cie();
/** The distance from the first FDE's address field to the start of the code. */
const BACK = -(START + CIE.length + 8);

function count(...pieces: readonly (readonly number[])[]): number {
  return countFrames(Uint8Array.from(pieces.flat()), ".eh_frame", START, CODE);
}

function refused(problem: string, ...pieces: readonly (readonly number[])[]): void {
  const error = assertLoadError(() => count(...pieces), "InvalidFormat", { section: ".eh_frame" });
  assertEquals(error.message.includes(problem), true, error.message);
}

Deno.test("functions are counted, also those of several CIEs", () => {
  assertEquals(count(END), 0);
  assertEquals(count(CIE, END), 0);
  assertEquals(count(CIE, fde(CIE.length, BACK, 4096), END), 1);
  assertEquals(count(CIE, fde(CIE.length, BACK, 0), END), 0);
  const first = fde(CIE.length, BACK, 16);
  const second = fde(CIE.length + first.length, BACK - first.length + 4080, 16);
  const other = cie({ version: 3, augmentation: "zPLR", data: [7, 0x9b, 1, 2, 3, 4, 0x1b, 0x1b] });
  const third = fde(other.length, BACK - first.length - second.length - other.length, 1, [4, 0, 0, 0, 0]);
  assertEquals(count(CIE, first, second, other, third, END), 3);
});

Deno.test("bytes behind the end of the table do not count", () => {
  assertEquals(count(CIE, END, [1, 2, 3, 4, 5]), 0);
});

Deno.test("a table without an end, or with records that do not fit, is refused", () => {
  refused("it ends too early", []);
  refused("it ends too early", CIE);
  refused("it ends too early", CIE, [0, 0]);
  refused("longer than its table", uint32(12), uint32(0), END);
  refused("longer than its table", uint32(0xffffffff), uint32(0), uint32(0), END);
  refused("longer than its table", uint32(2), uint32(0), END);
  refused("it ends too early", uint32(4), uint32(0), END);
  refused("it ends too early", CIE, uint32(4), uint32(CIE.length + 4), END);
});

Deno.test("a record that belongs to no CIE is refused", () => {
  refused("belongs to no CIE before it", fde(0, 0, 1), END);
  refused("belongs to no CIE before it", CIE, fde(CIE.length + 4, BACK, 1), END);
  refused("belongs to no CIE before it", CIE, fde(-4096, BACK, 1), END);
  const first = fde(CIE.length, BACK, 16);
  refused("belongs to no CIE before it", CIE, first, fde(first.length, BACK - first.length, 16), END);
});

Deno.test("a function outside the code is refused", () => {
  for (
    const [distance, size] of [[BACK - 1, 1], [BACK + 4096, 1], [BACK, 4097], [BACK, 0xffffffff], [
      0x7fffffff,
      0,
    ]]
  ) {
    refused("a function is not in the code", CIE, fde(CIE.length, distance, size), END);
  }
});

Deno.test("records that unwinders do not understand are refused", () => {
  const parts: [string, CieParts][] = [
    ["version 4 is unknown", { version: 4 }],
    ["augmentation '' is unknown", { augmentation: "" }],
    ["augmentation 'eh' is unknown", { augmentation: "eh" }],
    ["augmentation 'zRX' is unknown", { augmentation: "zRX" }],
    ["augmentation 'zS' is unknown", { augmentation: "zS" }],
    ["addresses are not near ones", { data: [1, 0x00] }],
    ["addresses are not near ones", { data: [1, 0xff] }],
    ["pointer encoding 17 is unknown", { augmentation: "zLR", data: [2, 0x11, 0x1b] }],
    ["pointer encoding 59 is unknown", { augmentation: "zLR", data: [2, 0x3b, 0x1b] }],
    ["an augmentation is longer than its record", { data: [100, 0x1b] }],
    ["it ends too early", { augmentation: "zPR", data: [3, 0x9b, 0, 0x1b] }],
    ["it ends too early", { data: [0] }],
    ["a number is too large", { numbers: [0x80, 0x80, 0x80, 0x80, 0x80, 1, 1, 1] }],
  ];
  for (const [problem, part] of parts) refused(problem, cie(part), END);
});

Deno.test("an FDE's own augmentation must end inside it", () => {
  refused("it ends too early", CIE, fde(CIE.length, BACK, 1, [100]), END);
  refused("it ends too early", CIE, uint32(12), uint32(CIE.length + 4), uint32(BACK), uint32(1), END);
});

Deno.test("a compiler's table with any byte changed is counted or refused", () => {
  const file = parseSmf(Deno.readFileSync(new URL("../../fixtures/cpp/exceptions.smf", import.meta.url)));
  const index = file.sections.findIndex(({ name }) => name === ".eh_frame");
  const original = file.contents(file.sections[index]);
  const start = imageOffsets(file.sections).offsets[index]!;
  const random = randomFrom(6);
  let refusals = 0;
  for (let round = 0; round < 4000; round++) {
    const bytes = original.slice(0, random() % 4 === 0 ? random() % original.length : original.length);
    for (let change = random() % 4; change > 0 && bytes.length > 0; change--) {
      bytes[random() % bytes.length] = random();
    }
    try {
      // The table is not relocated, so the code may be anywhere.
      countFrames(bytes, ".eh_frame", start, { start: -(2 ** 33), end: 2 ** 33 });
    } catch (error) {
      if (!(error instanceof LoadError && error.kind === "InvalidFormat")) throw error;
      refusals++;
    }
  }
  assertEquals(refusals > 1000 && refusals < 4000, true, `${refusals}`);
});
