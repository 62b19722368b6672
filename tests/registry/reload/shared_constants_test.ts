// Constants that a new version has as the version before are stored once; whatever differs, or leads elsewhere, is not.
import { assert, assertEquals } from "@std/assert";
import { testWithCompilers } from "../../support/compilers.ts";
import { KeptModule } from "../../support/kept_module.ts";
import { NOT_LINUX_X86_64 } from "../../support/testing.ts";

const OPTIONS = { flags: ["-O2", "-g", "-fPIC", "-fdata-sections"], link: { hot: true } } as const;

/** The compilers whose code is tried; none where nothing is shared. */
const [GCC, GXX] = NOT_LINUX_X86_64 ? [["none"], ["none"]] : [["gcc"], ["g++"]];

const ENTRIES = 16_384;

/** Many constants, and a variable that keeps an address of one. */
function source(version: number, entry = (index: number) => index): string {
  const values = Array.from({ length: ENTRIES }, (_, index) => entry(index));
  return `
    const int table[${ENTRIES}] = {${values.join(",")}};
    static const int *kept;
    int keep(int index) { kept = &table[index]; return *kept; }
    int value(void) { return *kept; }
    int at(int index) { return table[index]; }
    int version(void) { return ${version}; }`;
}

testWithCompilers(
  GCC,
  "an unchanged table is stored once for all versions, and the report counts it once",
  async (folder) => {
    await using module = new KeptModule(folder, OPTIONS);
    await module.load(source(1));
    assertEquals(module.call("keep", 9_000), 9_000);
    const sizes: number[] = [];
    for (let version = 2; version <= 6; version++) {
      const { unused } = await module.reload(source(version));
      assert(unused!.sharedBytes > 60_000, `${unused!.sharedBytes} bytes`);
      sizes.push(unused!.addedBytes);
      for (const index of [0, 1, 5_000, ENTRIES - 1]) assertEquals(module.call("at", index), index);
      assertEquals([module.call("version"), module.call("value")], [version, 9_000]);
    }
    assert(sizes.every((size) => size < 60_000), `${sizes}`);
    module.rollback();
    assertEquals([module.call("version"), module.call("at", 7_777), module.call("value")], [5, 7_777, 9_000]);
  },
);

testWithCompilers(
  GCC,
  "only the part of a table that is as before is shared, and each version reads its own",
  async (folder) => {
    await using module = new KeptModule(folder, OPTIONS);
    await module.load(source(1));
    assertEquals(module.call("keep", 8_000), 8_000);
    const all = (await module.reload(source(2))).unused!.sharedBytes;
    const { unused } = await module.reload(source(3, (index) => index === 8_000 ? -1 : index));
    assertEquals(all - unused!.sharedBytes, 4096);
    const found = [module.call("value"), module.call("at", 8_000), module.call("at", 7_999)];
    assertEquals(found, [8_000, -1, 7_999]);
    // All of it is new, then as it was at first.
    const { unused: other } = await module.reload(source(4, (index) => 2 * index + 1));
    assert(other!.sharedBytes < all - 60_000, `${other!.sharedBytes} bytes`);
    assertEquals([module.call("value"), module.call("at", 8_000)], [8_000, 16_001]);
    await module.reload(source(5));
    assertEquals([module.call("keep", 8_000), module.call("value")], [8_000, 8_000]);
  },
);

testWithCompilers(
  GCC,
  "tables of distances to code lead into the code of their own version, and tables of functions to entries",
  async (folder) => {
    /** The distances are those of the lengths of the code; constants from 128 on have the same length. */
    const jumps = (version: number): string => {
      const cases = Array.from(
        { length: 5_200 },
        (_, index) => `case ${index}: asm volatile("" : "+r"(x)); return x + ${index + version};`,
      );
      const functions = Array.from({ length: 4_000 }, (_, index) => `f${index % 10}`);
      const body = (index: number) =>
        `__attribute__((noinline)) int f${index}(int x) { return x + ${index + version}; }`;
      return `${Array.from({ length: 10 }, (_, index) => body(index)).join("\n")}
        int (*const functions[])(int) = {${functions.join(",")}};
        int choose(int which, int x) { switch (which) { ${cases.join("\n")} } return -1; }
        int through(int which, int x) { return functions[which](x); }`;
    };
    await using module = new KeptModule(folder, { ...OPTIONS, flags: ["-O1", "-fPIC", "-fdata-sections"] });
    await module.load(jumps(1_000));
    const shared: boolean[] = [];
    for (const version of [1_001, 1 << 20, 1, 2]) {
      shared.push((await module.reload(jumps(version))).unused!.sharedBytes > 16_000);
      for (const which of [0, 1, 2_500, 5_199]) {
        assertEquals(module.call("choose", which, 3), 3 + which + version);
      }
      for (const which of [0, 5, 3_999]) {
        assertEquals(module.call("through", which, 3), 3 + which % 10 + version);
      }
    }
    assertEquals(shared, [true, true, false, false]);
  },
);

testWithCompilers(
  GXX,
  "virtual tables that grow in place are not shared, whatever is beside them",
  async (folder) => {
    const shape = (version: number, appended: string): string => `
      extern const char text[65536] = {1, 2, 3};
      struct shape { virtual int area(); virtual ~shape(); ${appended} int width = 3; };
      int shape::area() { return width * ${version}; } shape::~shape() {}
      ${appended === "" ? "" : "int shape::side() { return width + 1; }"}
      static shape *first = 0;
      extern "C" int make() { first = new shape; return first->area(); }
      extern "C" int area() { return first->area(); }
      extern "C" int side() { return ${appended === "" ? "0" : "first->side()"}; }
      extern "C" int sum(int from) { return text[from] + text[from + 1] + text[from + 2]; }`;
    await using module = new KeptModule(folder, { ...OPTIONS, compiler: "g++" });
    await module.load(shape(1, ""));
    assertEquals(module.call("make"), 3);
    for (let version = 2; version <= 5; version++) {
      const { unused } = await module.reload(shape(version, ""));
      assert(unused!.sharedBytes > 50_000, `${unused!.sharedBytes} bytes`);
      assertEquals([module.call("area"), module.call("sum", 0)], [3 * version, 6]);
    }
    const { unused, tables } = await module.reload(shape(6, "virtual int side();"));
    assertEquals(tables.some(({ fate }) => fate === "appended"), true);
    assert(unused!.sharedBytes > 50_000, `${unused!.sharedBytes} bytes`);
    assertEquals([module.call("area"), module.call("side"), module.call("sum", 0)], [18, 4, 6]);
    module.rollback();
    assertEquals([module.call("area"), module.call("side"), module.call("sum", 0)], [15, 0, 6]);
  },
);
