import { assertEquals } from "@std/assert";
import { SectionType } from "../../src/smf/enums.ts";
import { alignUp, imageOffsets, isLoaded, type SectionExtent } from "../../src/smf/offsets.ts";

const { Code, RoData, Data, Bss, Reloc } = SectionType;
const section = (type: number, virtualSize: number, alignment = 1): SectionExtent => ({
  type,
  virtualSize,
  alignment,
});

Deno.test("code is packed from 0 in file order, whatever its alignment", () => {
  const { offsets, end, groups } = imageOffsets([
    section(Code, 5, 16),
    section(Code, 7, 64),
    section(Code, 1),
  ]);
  assertEquals(offsets, [0, 5, 12]);
  assertEquals(end, 13);
  assertEquals(groups, [{ kind: "code", start: 0, end: 13, alignment: 64 }]);
});

Deno.test("groups follow in their own order from 4096 boundaries, sections at their alignment", () => {
  const { offsets, end, groups } = imageOffsets([
    section(Bss, 10, 8),
    section(Data, 3, 1),
    section(Reloc, 48, 8),
    section(Data, 8, 16),
    section(RoData, 4097, 4),
    section(Code, 4096, 16),
  ]);
  assertEquals(offsets, [16384, 12288, undefined, 12304, 4096, 0]);
  assertEquals(end, 16394);
  assertEquals(groups, [
    { kind: "code", start: 0, end: 4096, alignment: 16 },
    { kind: "rodata", start: 4096, end: 8193, alignment: 4 },
    { kind: "data", start: 12288, end: 12312, alignment: 16 },
    { kind: "bss", start: 16384, end: 16394, alignment: 8 },
  ]);
});

Deno.test("an alignment above 4096 is kept within a group that starts at a 4096 boundary", () => {
  const { offsets, groups } = imageOffsets([
    section(Code, 1),
    section(Data, 1, 65536),
    section(Data, 1, 65536),
  ]);
  assertEquals(offsets, [0, 65536, 131072]);
  assertEquals(groups[1], { kind: "data", start: 4096, end: 131073, alignment: 65536 });
});

Deno.test("missing groups and empty sections take no space", () => {
  assertEquals(imageOffsets([]), { offsets: [], end: 0, groups: [] });
  assertEquals(imageOffsets([section(Data, 4)]).offsets, [0]);
  const { offsets, groups } = imageOffsets([section(Code, 0, 16), section(RoData, 0, 1), section(Bss, 5, 1)]);
  assertEquals(offsets, [0, 0, 0]);
  assertEquals(groups.map(({ kind }) => kind), ["code", "rodata", "bss"]);
});

Deno.test("sections of unknown types and tables are not part of the image", () => {
  for (let type = 0; type < 256; type++) assertEquals(isLoaded(type), type >= 1 && type <= 4);
});

Deno.test("alignUp is exact above 32 bits", () => {
  assertEquals(alignUp(2 ** 40 + 1, 4096), 2 ** 40 + 4096);
  assertEquals(alignUp(2 ** 40, 4096), 2 ** 40);
  assertEquals(alignUp(0, 16), 0);
  assertEquals(alignUp(5, 1), 5);
});
