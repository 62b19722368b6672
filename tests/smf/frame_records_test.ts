import { assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { FrameRecords } from "../../src/smf/frame_records.ts";
import { cie, END, fde, uint32 } from "../support/frame_bytes.ts";

const CIE = cie();

function table(...pieces: readonly (readonly number[])[]): FrameRecords {
  return new FrameRecords(
    Uint8Array.from(pieces.flat()),
    (problem, offset) => new LoadError("InvalidFormat", problem, { offset }),
  );
}

/** Start, body, end and CIE of every record. */
function walk(records: FrameRecords): number[][] {
  const found: number[][] = [];
  while (records.next()) found.push([records.start, records.body, records.end, records.cie]);
  return found;
}

function refused(problem: string, offset: number, ...pieces: readonly (readonly number[])[]): void {
  const error = assertThrows(() => walk(table(...pieces)), LoadError, problem);
  assertEquals(error.data.offset, offset);
}

Deno.test("frame records are told apart, each FDE with its CIE", () => {
  const first = fde(CIE.length, 0, 1);
  const behind = CIE.length + first.length;
  const records = table(CIE, first, CIE, fde(behind + CIE.length, 0, 1), END, [1, 2, 3]);
  assertEquals(walk(records), [
    [0, 8, CIE.length, -1],
    [CIE.length, CIE.length + 8, behind, 0],
    [behind, behind + 8, behind + CIE.length, -1],
    [behind + CIE.length, behind + CIE.length + 8, 2 * behind, 0],
  ]);
  assertEquals(records.isTerminated, true);
});

Deno.test("a table of frame records may end without a terminator, which the reader tells", () => {
  for (const rest of [[], [0], [0, 0, 0]]) {
    const records = table(CIE, rest);
    assertEquals([walk(records).length, records.isTerminated], [1, false]);
  }
});

Deno.test("frame records that pass the end of their table are refused", () => {
  refused("longer than its table", 4, uint32(12), uint32(0), END);
  refused("longer than its table", 4, uint32(2), uint32(0), END);
  refused("longer than its table", CIE.length + 4, CIE, uint32(0xffffffff), uint32(0), uint32(0));
  refused("longer than its table", 4, uint32(4));
});

Deno.test("an FDE whose CIE does not come before it is refused", () => {
  refused("no CIE before it", 8, fde(0, 0, 1), END);
  refused("no CIE before it", CIE.length + 8, CIE, fde(CIE.length + 4, 0, 1), END);
  const first = fde(CIE.length, 0, 1);
  refused("no CIE before it", CIE.length + first.length + 8, CIE, first, fde(first.length, 0, 1), END);
});
