import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { GOT_SLOT_SIZE, PLT_STUB_SIZE } from "../../src/image/arrange.ts";
import { ImagePlan, isAddress, planImage } from "../../src/image/plan.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { Binding, HeaderFlag, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { assertLoadError, randomFrom, sections, stress } from "../support/testing.ts";

const { Code, RoData, Data, Bss, Debug } = SectionType;
const NO_SLOTS = { got: 0, plt: 0 };
const PAGE_SIZES = [4096, 16384, 65536];

const offsetsOf = (plan: ImagePlan) => plan.sections.map(({ offset }) => offset);

Deno.test("code sections are packed in file order, without regard to their alignment", () => {
  const plan = new ImagePlan(sections([Code, 5, 16], [Code, 1, 64], [Code, 100, 16]), 4096, NO_SLOTS);
  assertEquals(offsetsOf(plan), [0, 5, 6]);
  assertEquals(plan.code, { offset: 0, length: 4096 });
  assertEquals(plan.size, 4096);
});

Deno.test("code, constants and variables have pages of their own, in that order", () => {
  const plan = new ImagePlan(sections([Bss, 1], [Data, 8], [RoData, 3], [Code, 10]), 4096, NO_SLOTS);
  assertEquals(plan.code, { offset: 0, length: 4096 });
  assertEquals(plan.rodata, { offset: 4096, length: 4096 });
  assertEquals(plan.data, { offset: 8192, length: 4096 });
  assertEquals(plan.size, 12288);
  // Zeroed data follows data: they have one protection.
  assertEquals(offsetsOf(plan), [8200, 8192, 4096, 0]);
});

for (const pageSize of PAGE_SIZES) {
  Deno.test(`offsets of the file's own image mean the same bytes on pages of ${pageSize}`, () => {
    const plan = new ImagePlan(
      sections([Code, 4097, 16], [RoData, 10, 8], [RoData, 6, 8], [Data, 5000, 16], [Bss, 40, 32]),
      pageSize,
      NO_SLOTS,
    );
    // In the file: code 0..4097, rodata 8192..8202 and 8208..8214, data 12288..17288, bss 20480..20520.
    const codeEnd = Math.ceil(4097 / pageSize) * pageSize;
    const data = codeEnd + pageSize;
    const bss = data + Math.ceil(5000 / 32) * 32;
    assertEquals(offsetsOf(plan), [0, codeEnd, codeEnd + 16, data, bss]);
    assertEquals(plan.place(0, 4097), 0);
    assertEquals(plan.place(8192, 10), codeEnd);
    assertEquals(plan.place(8208, 6), codeEnd + 16);
    assertEquals(plan.place(12288 + 77, 8), data + 77);
    assertEquals(plan.place(20480, 40), bss);
    assertEquals(plan.size % pageSize, 0);
  });
}

Deno.test("an alignment above the page size is that of the range and of the section's place", () => {
  const plan = new ImagePlan(sections([Code, 1], [RoData, 16, 65536], [Data, 8, 1 << 20]), 4096, NO_SLOTS);
  assertEquals(plan.alignment, 1 << 20);
  assertEquals(offsetsOf(plan), [0, 65536, 1 << 20]);
  assertEquals(plan.rodata.offset, 4096);
  assertEquals(plan.data.offset + plan.data.length, plan.size);
});

Deno.test("the range has the alignment of code, so the first section has it, too", () => {
  assertEquals(new ImagePlan(sections([Code, 1, 32768]), 4096, NO_SLOTS).alignment, 32768);
  assertEquals(new ImagePlan(sections([Code, 1, 32768]), 65536, NO_SLOTS).alignment, 65536);
});

Deno.test("an aligned section behind an unaligned one of its group is found where the file says", () => {
  // The file's image: data at 4096 and, aligned to 8192, at 8192.
  const plan = new ImagePlan(sections([Code, 16], [Data, 3, 1], [Data, 8, 8192]), 4096, NO_SLOTS);
  assertEquals(plan.place(4096, 3) % 8192, 4096);
  assertEquals(plan.place(8192, 8) % 8192, 0);
  assertEquals(plan.place(8192, 8) - plan.place(4096, 3), 4096);
});

Deno.test("sections that are not loaded and empty ones take no bytes", () => {
  const plan = new ImagePlan(sections([Debug, 50], [Code, 0], [Data, 0], [Code, 4]), 4096, NO_SLOTS);
  assertEquals(plan.sections.map(({ section }) => section.index), [3]);
  assertEquals(plan.size, 4096);
  assertEquals(plan.data.length, 0);
  assertEquals(plan.rodata.length, 0);
});

Deno.test("a range is never empty", () => {
  for (const pageSize of PAGE_SIZES) {
    const plan = new ImagePlan([], pageSize, NO_SLOTS);
    assertEquals([plan.size, plan.code.length, plan.rodata.length, plan.data.length], [pageSize, 0, 0, 0]);
    assertEquals(plan.place(0, 0), 0);
    assertEquals(plan.place(0, 1), -1);
  }
});

Deno.test("PLT stubs lie in executable pages, GOT slots in read-only ones, both aligned", () => {
  const plan = new ImagePlan(sections([Code, 5], [RoData, 3], [Data, 1]), 4096, { got: 3, plt: 2 });
  assertEquals(plan.plt, 16);
  assertEquals(plan.code, { offset: 0, length: 4096 });
  assertEquals(plan.got, 4096 + 8);
  assertEquals(plan.rodata, { offset: 4096, length: 4096 });
  assertEquals(plan.data.offset, 8192);
});

Deno.test("slots fit also where the sections fill their pages", () => {
  const plan = new ImagePlan(sections([Code, 4096], [RoData, 4096]), 4096, { got: 513, plt: 257 });
  assertEquals([plan.plt, plan.code.length], [4096, 3 * 4096]);
  assertEquals([plan.got, plan.rodata.length], [4 * 4096, 3 * 4096]);
  assertEquals(plan.size, 6 * 4096);
});

Deno.test("slots get pages even if no section has pages of that kind", () => {
  const plan = new ImagePlan(sections([Data, 8]), 4096, { got: 1, plt: 1 });
  assertEquals([plan.plt, plan.code.length], [0, 4096]);
  assertEquals([plan.got, plan.rodata.length], [4096, 4096]);
});

Deno.test("bytes have a place only if they are wholly inside one group", () => {
  const plan = new ImagePlan(sections([Code, 10], [Code, 6], [Data, 8]), 4096, NO_SLOTS);
  assertEquals(plan.place(0, 16), 0, "across two packed code sections");
  assertEquals(plan.place(8, 8), 8);
  assertEquals(plan.place(9, 8), -1, "across the end of code");
  assertEquals(plan.place(16, 1), -1, "past the end of code");
  assertEquals(plan.place(4095, 1), -1, "between the groups");
  assertEquals(plan.place(4095, 2), -1, "into a group from before it");
  assertEquals(plan.place(4096, 8), 4096);
  assertEquals(plan.place(4097, 8), -1);
  assertEquals(plan.place(2 ** 53 - 1, 8), -1);
  assertEquals(plan.place(0, 2 ** 53), -1);
});

Deno.test("the end of a group is a place for symbols of size 0, and for nothing else", () => {
  const plan = new ImagePlan(sections([Code, 16], [Data, 8]), 4096, NO_SLOTS);
  assertEquals(plan.place(16, 0), 16);
  assertEquals(plan.place(16, 1), -1);
  assertEquals(plan.place(4104, 0), 4104);
  assertEquals(plan.place(17, 0), -1);
  assertEquals(plan.place(4105, 0), -1);
});

Deno.test("an offset at which one group ends and another begins belongs to the latter", () => {
  const plan = new ImagePlan(sections([Code, 4096], [Data, 8]), 16384, NO_SLOTS);
  assertEquals(plan.place(4095, 1), 4095);
  assertEquals(plan.place(4096, 0), 16384);
  assertEquals(plan.place(4096, 8), 16384);
  assertEquals(plan.place(4095, 2), -1);
});

Deno.test("only offsets in Code sections are code", () => {
  const plan = new ImagePlan(sections([Code, 16], [RoData, 16]), 4096, NO_SLOTS);
  assertEquals([0, 15, 16, 4096, -1].map((offset) => plan.isCode(offset)), [true, true, false, false, false]);
});

Deno.test("any sections keep their size, alignment and protection, on any page size", () => {
  const random = randomFrom(20);
  const types = [Code, RoData, Data, Bss, Debug];
  for (let round = 0; round < stress(4000); round++) {
    const pageSize = PAGE_SIZES[random() % 3];
    const list = sections(...Array.from({ length: random() % 8 }, () =>
      [
        types[random() % 5],
        random() % [1, 40, 9000, 70_000][random() % 4],
        1 << (random() % 18),
      ] as const));
    const slots = { got: random() % 3 * 300, plt: random() % 3 * 300 };
    const plan = new ImagePlan(list, pageSize, slots);
    const context = `round ${round}`;
    assert(plan.size > 0 && plan.size % pageSize === 0, context);
    assert(plan.alignment % pageSize === 0, context);
    let end = 0;
    for (const region of [plan.code, plan.rodata, plan.data]) {
      assertEquals(region.offset, end, context);
      assertEquals(region.length % pageSize, 0, context);
      end += region.length;
    }
    assertEquals(plan.size, Math.max(end, pageSize), context);

    const taken: [start: number, end: number][] = [];
    const regionOf = { [Code]: plan.code, [RoData]: plan.rodata, [Data]: plan.data, [Bss]: plan.data };
    for (const { section, offset } of plan.sections) {
      const region = regionOf[section.type as keyof typeof regionOf];
      assert(offset >= region.offset, context);
      assert(offset + section.virtualSize <= region.offset + region.length, context);
      assertEquals(plan.alignment % section.alignment, 0, context);
      if (section.type !== Code) assertEquals(offset % section.alignment, 0, context);
      taken.push([offset, offset + section.virtualSize]);
    }
    const loaded = list.filter(({ type, virtualSize }) => type !== Debug && virtualSize > 0);
    assertEquals(plan.sections.map(({ section }) => section), loaded, context);
    if (slots.got > 0) {
      assertEquals(plan.got % GOT_SLOT_SIZE, 0, context);
      taken.push([plan.got, plan.got + GOT_SLOT_SIZE * slots.got]);
      assert(taken.at(-1)![0] >= plan.rodata.offset && taken.at(-1)![1] <= plan.data.offset, context);
    }
    if (slots.plt > 0) {
      assertEquals(plan.plt % PLT_STUB_SIZE, 0, context);
      taken.push([plan.plt, plan.plt + PLT_STUB_SIZE * slots.plt]);
      assert(taken.at(-1)![1] <= plan.rodata.offset, context);
    }
    taken.sort(([left], [right]) => left - right);
    for (let index = 1; index < taken.length; index++) {
      assert(taken[index - 1][1] <= taken[index][0], `${context}: two things in one place`);
    }
  }
});

/** A file with 16 bytes of code at 0, 8 of constants at 4096, 8 of data at 8192, 8 zeroed at 12288. */
function fileWith(symbol: {
  type?: number;
  value?: number;
  size?: number;
  binding?: number;
  entryPoint?: number;
  flags?: number;
}) {
  const { type = SymbolType.Function, value = 0, size = 0, binding = Binding.Global } = symbol;
  const builder = new SmfBuilder({ flags: symbol.flags ?? 0, entryPoint: symbol.entryPoint ?? 0 });
  builder.section({ name: "code", type: Code, bytes: new Uint8Array(16) });
  builder.section({ name: "rodata", type: RoData, bytes: new Uint8Array(8) });
  builder.section({ name: "data", type: Data, bytes: new Uint8Array(8) });
  builder.section({ name: "bss", type: Bss, virtualSize: 8 });
  builder.symbol({ name: "it", type, value, size, binding });
  return parseSmf(builder.build());
}

Deno.test("symbols that lie inside the image have a plan", () => {
  for (const value of [0, 15, 4096, 8199, 12288]) {
    planImage(fileWith({ type: SymbolType.Data, value, size: 1 }), 4096, NO_SLOTS);
  }
  planImage(fileWith({ value: 0, size: 16 }), 4096, NO_SLOTS);
  planImage(fileWith({ type: SymbolType.Data, value: 16 }), 4096, NO_SLOTS);
  planImage(fileWith({ type: SymbolType.None, value: 12296 }), 4096, NO_SLOTS);
});

Deno.test("a symbol that lies outside the image is refused with its name and value", () => {
  const outside: [value: number, size: number][] = [
    [0, 17],
    [16, 1],
    [17, 0],
    [4095, 1],
    [8199, 2],
    [12296, 1],
    [12297, 0],
    [16, 2 ** 31],
    [0, 2 ** 31],
    [0, 2 ** 32],
    [0, 2 ** 32 + 8],
    [2 ** 31, 0],
    [2 ** 31 + 8, 1],
    [2 ** 32, 0],
    [2 ** 32 + 8, 1],
    [16384, 0],
    [2 ** 40, 0],
    [2 ** 53 - 1, 0],
    [8, 2 ** 53 - 1],
  ];
  for (const type of [SymbolType.None, SymbolType.Data, SymbolType.Constant]) {
    for (const binding of [Binding.Local, Binding.Global, Binding.Weak]) {
      for (const [value, size] of outside) {
        const file = fileWith({ type, value, size, binding });
        assertLoadError(() => planImage(file, 4096, NO_SLOTS), "InvalidFormat", { symbol: "it", value });
      }
    }
  }
});

Deno.test("a symbol across two groups is refused even if they touch", () => {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: Code, bytes: new Uint8Array(4096) });
  builder.section({ name: "data", type: Data, bytes: new Uint8Array(8) });
  builder.symbol({ name: "it", type: SymbolType.Data, value: 4092, size: 8 });
  const file = parseSmf(builder.build());
  assertLoadError(() => planImage(file, 4096, NO_SLOTS), "InvalidFormat", { symbol: "it", value: 4092 });
});

Deno.test("a function outside code is refused, whatever its binding", () => {
  for (const binding of [Binding.Local, Binding.Global, Binding.Weak]) {
    for (const value of [16, 4096, 8192, 12288]) {
      const file = fileWith({ value, binding });
      const error = assertLoadError(() => planImage(file, 4096, NO_SLOTS), "InvalidFormat", {
        symbol: "it",
        value,
      });
      assert(error.message.includes("Code section"), error.message);
    }
  }
});

Deno.test("a function at the end of code is outside, also where code ends with a page", () => {
  for (const [size, behind] of [[4096, true], [4096, false], [4095, true]] as const) {
    const builder = new SmfBuilder();
    builder.section({ name: "code", type: Code, bytes: new Uint8Array(size) });
    if (behind) builder.section({ name: "data", type: Data, bytes: new Uint8Array(8) });
    builder.symbol({ name: "it", type: SymbolType.Function, value: size });
    const file = parseSmf(builder.build());
    const error = assertLoadError(() => planImage(file, 4096, NO_SLOTS), "InvalidFormat", { symbol: "it" });
    assert(error.message.includes("Code section"), error.message);
  }
});

Deno.test("every wrong symbol is reported, on pages of any size", () => {
  for (const pageSize of PAGE_SIZES) {
    const builder = new SmfBuilder();
    builder.section({ name: "code", type: Code, bytes: new Uint8Array(16) });
    builder.section({ name: "rodata", type: RoData, bytes: new Uint8Array(16) });
    const values = [0, 17, 4096, 12288, 4096 + 17, 8, 4096 + 16, 2 ** 31];
    values.forEach((value) => builder.symbol({ name: `at${value}`, type: SymbolType.Data, value }));
    const problems: unknown[] = [];
    planImage(parseSmf(builder.build()), pageSize, NO_SLOTS, ({ data }) => problems.push(data.value));
    assertEquals(problems, [17, 12288, 4096 + 17, 2 ** 31]);
  }
});

Deno.test("types, traits and actors describe the program and may have any value", () => {
  for (const type of [SymbolType.Type, SymbolType.Trait, SymbolType.Actor]) {
    assertEquals(isAddress(type), false);
    planImage(fileWith({ type, value: 2 ** 50, size: 2 ** 50 }), 4096, NO_SLOTS);
  }
});

Deno.test("an import needs no place", () => {
  const builder = new SmfBuilder();
  builder.section({ name: "data", type: Data, bytes: new Uint8Array(8) });
  builder.symbol({ name: "elsewhere", type: SymbolType.Function, defined: false });
  planImage(parseSmf(builder.build()), 4096, NO_SLOTS);
});

Deno.test("an entry point outside code is refused if the file is marked EXECUTABLE", () => {
  for (const entryPoint of [16, 4096, 8192, 12288, 2 ** 53 - 1]) {
    const file = fileWith({ flags: HeaderFlag.Executable, entryPoint });
    assertLoadError(() => planImage(file, 4096, NO_SLOTS), "InvalidFormat", { value: entryPoint });
    planImage(fileWith({ entryPoint }), 4096, NO_SLOTS);
  }
  planImage(fileWith({ flags: HeaderFlag.Executable, entryPoint: 15 }), 4096, NO_SLOTS);
});

Deno.test("an executable without code has no entry point to start at", () => {
  const builder = new SmfBuilder({ flags: HeaderFlag.Executable });
  builder.section({ name: "data", type: Data, bytes: new Uint8Array(8) });
  assertLoadError(() => planImage(parseSmf(builder.build()), 4096, NO_SLOTS), "InvalidFormat", { value: 0 });
});

Deno.test("a symbol in an empty section has a place: the end of the section before it", () => {
  const plan = new ImagePlan(sections([Code, 16], [RoData, 0], [Data, 8], [Bss, 0]), 4096, NO_SLOTS);
  // The file's image: rodata 4096..4096, data 4096..4104, bss 8192..8192.
  assertEquals(plan.place(4096, 0), 4096);
  assertEquals(plan.place(8192, 0), 4096 + 8);
  assertEquals(plan.place(8192, 1), -1);
  assertNotEquals(plan.size, 0);
});
