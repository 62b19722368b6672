import { assert, assertEquals } from "@std/assert";
import { arrangeFixed, GOT_SLOT_SIZE, PLT_STUB_SIZE, type Region } from "../../src/image/arrange.ts";
import { planImage } from "../../src/image/plan.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { HeaderFlag, SectionType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { imageOffsets } from "../../src/smf/offsets.ts";
import { assertLoadError, randomFrom, stress } from "../support/testing.ts";

const { Code, RoData, Data, Bss } = SectionType;
const NO_SLOTS = { got: 0, plt: 0 };

/** The groups of sections: type, size in memory, alignment. */
const groupsOf = (...of: readonly (readonly [type: number, virtualSize: number, alignment?: number])[]) =>
  imageOffsets(of.map(([type, virtualSize, alignment = 1]) => ({ type, virtualSize, alignment }))).groups;

Deno.test("a fixed image without slots equals the file's own", () => {
  const plan = arrangeFixed(groupsOf([Code, 5000], [RoData, 10], [Data, 8], [Bss, 20_000]), NO_SLOTS);
  assertEquals(plan.groups.map(({ delta }) => delta), [0, 0, 0, 0]);
  assertEquals(plan.code, { offset: 0, length: 8192 });
  assertEquals(plan.rodata, { offset: 8192, length: 4096 });
  // Zeroed data begins at a page of its own, as in the file's image.
  assertEquals(plan.data, { offset: 12288, length: 4096 + 20480 });
  assertEquals([plan.size, plan.alignment], [36864, 4096]);
});

Deno.test("slots take the rest of a last page, and move nothing", () => {
  const plan = arrangeFixed(groupsOf([Code, 4000], [RoData, 3], [Data, 8]), { got: 511, plt: 6 });
  assertEquals(plan.groups.map(({ delta }) => delta), [0, 0, 0]);
  assertEquals([plan.plt, plan.got], [4000, 4096 + 8]);
  assertEquals(plan.gotRegion, plan.rodata);
  assertEquals(plan.size, 3 * 4096);
});

Deno.test("slots that do not fit there take pages in front, and all groups move alike", () => {
  const plan = arrangeFixed(groupsOf([Code, 4001], [RoData, 9], [Data, 8]), { got: 512, plt: 6 });
  assertEquals(plan.gotRegion, { offset: 0, length: 4096 });
  assertEquals([plan.got, plan.plt], [0, 4096]);
  assertEquals(plan.code, { offset: 4096, length: 8192 });
  assertEquals(plan.rodata, { offset: 12288, length: 4096 });
  assertEquals(plan.groups.map(({ delta }) => delta), [8192, 8192, 8192]);
  assertEquals(plan.size, 5 * 4096);
});

Deno.test("slots in front keep the largest alignment of the image", () => {
  const plan = arrangeFixed(groupsOf([Code, 4096], [Data, 8, 65536]), { got: 1, plt: 1 });
  assertEquals(plan.alignment, 65536);
  assertEquals(plan.groups.map(({ delta }) => delta), [65536, 65536]);
  assertEquals([plan.plt, plan.got], [65536 - 4096, 65536 - 8192]);
});

Deno.test("any fixed image keeps its distances, its alignments and its protections", () => {
  const random = randomFrom(21);
  for (let round = 0; round < stress(4000); round++) {
    const context = `round ${round}`;
    const groups = groupsOf(...Array.from({ length: random() % 8 }, () =>
      [
        [Code, RoData, Data, Bss][random() % 4],
        random() % [1, 40, 4096, 70_000][random() % 4],
        1 << (random() % 18),
      ] as const));
    const slots = { got: random() % 3 * 300, plt: random() % 3 * 300 };
    const plan = arrangeFixed(groups, slots);
    const [delta = 0] = plan.groups.map((group) => group.delta);
    const taken: [start: number, end: number][] = [];
    const inside = (region: Region, start: number, end: number): void => {
      assert(
        start >= region.offset && end <= region.offset + region.length,
        `${context}: outside its region`,
      );
      taken.push([start, end]);
    };
    const regions = { code: plan.code, rodata: plan.rodata, data: plan.data, bss: plan.data };
    groups.forEach(({ kind, start, end, alignment }, index) => {
      assertEquals(plan.groups[index].delta, delta, context);
      if (end === start) return;
      assertEquals(delta % alignment, 0, context);
      assertEquals(plan.alignment % alignment, 0, context);
      inside(regions[kind], start + delta, end + delta);
    });
    if (slots.got > 0) inside(plan.gotRegion, plan.got, plan.got + GOT_SLOT_SIZE * slots.got);
    if (slots.plt > 0) inside(plan.code, plan.plt, plan.plt + PLT_STUB_SIZE * slots.plt);
    assertEquals([plan.got % GOT_SLOT_SIZE, plan.plt % PLT_STUB_SIZE], [0, 0], context);
    taken.sort(([left], [right]) => left - right);
    for (let index = 1; index < taken.length; index++) {
      assert(taken[index - 1][1] <= taken[index][0], `${context}: two things in one place`);
    }
    const apart = [
      plan.code,
      plan.rodata,
      plan.data,
      ...plan.gotRegion === plan.rodata ? [] : [plan.gotRegion],
    ]
      .filter(({ length }) => length > 0).sort((left, right) => left.offset - right.offset);
    let end = 0;
    for (const { offset, length } of apart) {
      assertEquals([offset % 4096, length % 4096], [0, 0], context);
      assert(offset >= end, `${context}: regions that overlap`);
      end = offset + length;
    }
    assertEquals(plan.size, Math.max(end, 4096), context);
  }
});

Deno.test("a file that relies on its distances is refused where pages are larger", () => {
  const builder = new SmfBuilder({ flags: HeaderFlag.FixedLayout });
  builder.section({ name: "code", type: Code, bytes: new Uint8Array(16) });
  const file = parseSmf(builder.build());
  planImage(file, 4096, NO_SLOTS);
  for (const pageSize of [16384, 65536]) {
    const error = assertLoadError(() => planImage(file, pageSize, NO_SLOTS), "Unsupported", {
      value: pageSize,
    });
    assert(error.message.includes("pages of 4096 bytes"), error.message);
    assert(error.hint.includes("on x86-64"), error.hint);
  }
});
