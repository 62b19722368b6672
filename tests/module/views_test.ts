import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { CharArray, ModuleLoader } from "../../mod.ts";
import { compileModule } from "../support/compiled_module.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { build, linkTest, runChild, word } from "../support/modules.ts";
import { assertLoadError } from "../support/testing.ts";

const bytes = (length: number) => new Uint8Array(length);

/** A module with variables of 1 to 64 bytes and no code. */
const VARIABLES = build({
  routines: { nothing: { hex: "c3" } },
  data: { counter: word(40n), grid: bytes(64), one: bytes(1) },
});

Deno.test("a view of numbers is a typed array over the variable's own memory", () => {
  using module = new ModuleLoader().loadBytes(VARIABLES);
  const grid = module.view("grid", { type: "f32", count: 16 });
  assertEquals(grid, new Float32Array(16));
  grid[3] = 1.5;
  const { symbols } = module.bind({ grid: { type: "pointer" } });
  const memory = new Deno.UnsafePointerView(symbols.grid!);
  assertEquals(memory.getFloat32(12), 1.5);
  const [counter] = module.view("counter", { type: "i64" });
  assertEquals(counter, 40n);
});

Deno.test("without a count a view of numbers has as many as the variable", () => {
  using module = new ModuleLoader().loadBytes(VARIABLES);
  assertEquals(module.view("grid", { type: "f64" }).length, 8);
  assertEquals(module.view("grid", { type: "u16" }).length, 32);
  assertEquals(module.view("one", { type: "bool" }), new Uint8Array(1));
});

Deno.test("the same call gives the same view, another description another view of the same memory", () => {
  using module = new ModuleLoader().loadBytes(VARIABLES);
  const words = module.view("grid", { type: "u32" });
  assertStrictEquals(module.view("grid", { type: "u32" }), words);
  words[0] = 0x01020304;
  assertEquals([...module.view("grid", { type: "u8", count: 4 })], [4, 3, 2, 1]);
});

Deno.test("a described struct is laid out as C does, and is an accessor", () => {
  using module = new ModuleLoader().loadBytes(VARIABLES);
  const type = {
    struct: { tag: "u8", x: "f64", name: { type: "char", count: 8 }, on: "bool", next: "pointer", n: "u16" },
  } as const;
  const error = assertLoadError(() => module.view("grid", { type }), "Incompatible");
  assertEquals([error.data.symbol, error.data.size, error.data.range], ["grid", 48, [64, 65]]);
  const [item] = module.view("grid", { type, count: 1 });
  item.tag = 7;
  item.x = 2.5;
  (item as { name: unknown }).name = "Zoë";
  item.on = true;
  item.next = 0x1122334455667788n;
  item.n = 65537;
  const raw = module.view("grid", { type: "u8" });
  assertEquals(raw[0], 7);
  assertEquals(new DataView(raw.buffer).getFloat64(8, true), 2.5);
  assertEquals([...raw.slice(16, 25)], [0x5a, 0x6f, 0xc3, 0xab, 0, 0, 0, 0, 1]);
  assertEquals([...raw.slice(32, 42)], [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 1, 0]);
  assertEquals(item.name.text, "Zoë");
  assertEquals(JSON.parse(JSON.stringify({ x: item.x, n: item.n, on: item.on })), { x: 2.5, n: 1, on: true });
  assertThrows(() => item.name.text = "12345678", RangeError, "8 bytes and a zero byte");
});

Deno.test("an array of described structs is an array of accessors", () => {
  using module = new ModuleLoader().loadBytes(VARIABLES);
  const points = module.view("grid", {
    type: { struct: { x: "i32", y: { type: "i16", count: 2 } } },
    count: 8,
  });
  points.forEach((point, index) => {
    point.x = index;
    point.y.set([index, -index]);
  });
  assertEquals(points.length, 8);
  assertEquals(points.at(-1)!.x, 7);
  assertEquals(points.map(({ y }) => y[1]), [0, -1, -2, -3, -4, -5, -6, -7]);
  assertMatch(Deno.inspect(points[2]), /^struct \{ x: 2, y: Int16Array\(2\) \[ 2, -2 \] \}$/);
});

Deno.test("a description larger than the variable is refused", () => {
  using module = new ModuleLoader().loadBytes(VARIABLES);
  const error = assertLoadError(() => module.view("grid", { type: "f32", count: 17 }), "Incompatible");
  assertEquals([error.data.size, error.data.range], [68, [0, 65]]);
  assertLoadError(() => module.view("one", { type: "f64" }), "Incompatible");
});

Deno.test("names that are not variables are refused, each with its reason", () => {
  using module = new ModuleLoader().loadBytes(VARIABLES);
  assertLoadError(() => module.view("gird", { type: "f32" }), "UndefinedSymbol");
  assertMatch(assertLoadError(() => module.view("nothing"), "Incompatible").message, /a function/);
  assertMatch(assertLoadError(() => module.view("grid"), "Unsupported").data.hint!, /-g/);
  module.close();
  assertLoadError(() => module.view("grid", { type: "f32" }), "Closed");
});

Deno.test("a description that is not one is a TypeError", () => {
  using module = new ModuleLoader().loadBytes(VARIABLES);
  const circle: Record<string, unknown> = {};
  circle.struct = { circle };
  const wrong: unknown[] = [
    { type: "float" },
    { type: "f32", count: -1 },
    { type: "f32", count: 1.5 },
    { type: "f32", length: 4 },
    { type: { struct: { x: "long" } } },
    { type: circle },
    { type: null },
    {},
    "f32",
  ];
  for (const description of wrong) {
    assertThrows(
      () => module.view("grid", description as { type: "f32" }),
      TypeError,
      "Cannot view variable",
    );
  }
});

Deno.test("closing detaches views at once, of all handles and of parts of them", () => {
  const module = new ModuleLoader().loadBytes(VARIABLES);
  const grid = module.view("grid", { type: "f32" });
  const part = grid.subarray(2, 4);
  const [point] = module.view("grid", { type: { struct: { x: "i32" } }, count: 4 });
  point.x = 5;
  module.close();
  assertEquals([grid.length, part.length, grid[0]], [0, 0, undefined]);
  grid[0] = 1;
  assertThrows(() => point.x, TypeError);
  assertThrows(() => point.x = 1, TypeError);
});

linkTest("late accesses read nothing and never crash, in optimised code too", async () => {
  const child = await runChild(new URL("./views_child.ts", import.meta.url), {
    v8Flags: "--expose-gc,--no-lazy-feedback-allocation",
    args: ["late"],
  });
  assertEquals([child.signal, child.stderr], [null, ""]);
  assertEquals(child.stdout, "300 rounds, 0 wrong\n");
});

linkTest("a view keeps its version, and garbage collection ends both together", async () => {
  const child = await runChild(new URL("./views_child.ts", import.meta.url), {
    v8Flags: "--expose-gc",
    args: ["garbage"],
  });
  assertEquals([child.signal, child.stderr], [null, ""]);
  assertEquals(JSON.parse(child.stdout), { kept: 3, sum: 12, left: 0 });
});

linkTest("the memory behind a buffer that was moved to a Worker stays mapped after close", async () => {
  const child = await runChild(new URL("./views_child.ts", import.meta.url), {
    v8Flags: "--expose-gc",
    args: ["moved"],
  });
  assertEquals([child.signal, child.stderr], [null, ""]);
  assertEquals(child.stdout, "moved: 40 after close: 40\n");
});

linkTest("a Worker's views are detached at its next turn, and the memory stays until then", async () => {
  const child = await runChild(new URL("./views_child.ts", import.meta.url), { args: ["worker"] });
  assertEquals([child.signal, child.stderr], [null, ""]);
  assertEquals(child.stdout, "busy read: true detached: true\n");
});

/** Every kind of variable, beside functions that read and write what views write and read. */
const SOURCE = `
#include <stdbool.h>
#include <stdint.h>
enum mode { OFF, SLOW = 5, FAST = -1 };
union number { int i; float f; unsigned char bytes[4]; };
struct inner { double x, y; };
struct item {
  char tag;
  struct inner at;
  short marks[3];
  struct inner path[2];
  unsigned small : 3;
  int sign : 5;
  bool flag : 1;
  unsigned long long wide : 50;
  enum mode mode;
  char name[12];
  struct item *next;
  const char *text;
  bool on;
  union number number;
  struct { int left, right; };
  long double exact;
  float matrix[2][3];
  char names[2][4];
  int64_t big;
  signed char level;
};
struct __attribute__((packed)) tight { char c; double values[2]; int n; };
float grid[3][4] = {{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}};
int single = 7;
unsigned long count = 1ul << 60;
bool flags[3] = {true, false, true};
char title[16] = "hello";
int *pointers[2] = {&single, 0};
enum mode mode = FAST;
const int table[3] = {1, 2, 3};
struct item items[4] = {[1] = {.sign = -3, .small = 5, .wide = 0x123456789abcull, .mode = SLOW, .name = "one"}};
struct item other;
struct tight tight = {.values = {0.5, 1.5}, .n = 9};
static int hidden = 12;
int read_hidden(void) { return hidden++; }
int check(struct item *item) {
  return item->tag == 'x' && item->at.y == 2.5 && item->marks[2] == -7 && item->path[1].x == 8.5 &&
    item->small == 6 && item->sign == -11 && item->flag && item->wide == 0x2aaaaaaaaaaaaull &&
    item->mode == FAST && item->name[0] == 'n' && item->name[3] == 0 && item->next == item &&
    item->on && item->number.f == 1.0f && item->left == 3 && item->right == 4 &&
    item->matrix[1][2] == 6.5f && item->names[1][0] == 'b' && item->big == -5 && item->level == -128;
}
int check_tight(void) { return tight.values[1] == 4.5 && tight.n == -1 && tight.values[0] == 0.5; }
`;

testWithCompilers(["gcc"], "variables are views by the module's own types, of every kind", async (folder) => {
  for (const flags of [["-g", "-O2", "-fPIC"], ["-gdwarf-4", "-O0", "-fPIC"]]) {
    // After a lease the memory goes at the next turn.
    await using module = new ModuleLoader().load(await compileModule(folder, "views", SOURCE, { flags }));
    const grid = module.view<Float32Array>("grid");
    assertEquals(grid, new Float32Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]));
    assertEquals(module.view("single"), new Int32Array([7]));
    assertEquals(module.view("count"), new BigUint64Array([1n << 60n]));
    assertEquals(module.view("flags"), new Uint8Array([1, 0, 1]));
    assertEquals(module.view("mode"), new Int32Array([-1]));
    using lease = module.addressOf("single")!;
    assertEquals(module.view("pointers"), new BigUint64Array([lease.address, 0n]));
    const title = module.view<CharArray>("title");
    assert(title instanceof CharArray);
    assertEquals([title.text, title.length], ["hello", 16]);
    assertEquals(module.view<Int32Array>("hidden")[0], 12);
    assertEquals(module.getFunction("read_hidden", { parameters: [], result: "i32" })!(), 12);
    assertEquals(module.view<Int32Array>("hidden")[0], 13);
  }
});

// deno-lint-ignore no-explicit-any
type Any = any;

testWithCompilers(
  ["gcc"],
  "accessors read and write each kind of field as native code does",
  async (folder) => {
    const flags = ["-g", "-O2", "-fPIC"];
    // After a lease the memory goes at the next turn.
    await using module = new ModuleLoader().load(await compileModule(folder, "fields", SOURCE, { flags }));
    const items = module.view<Any[]>("items");
    assertEquals(items.length, 4);
    const [, one] = items;
    assertEquals([one.sign, one.small, one.wide, one.mode, one.name.text], [
      -3,
      5,
      0x123456789abcn,
      5,
      "one",
    ]);
    const item = module.view<Any>("other");
    using lease = module.addressOf("other")!;
    Object.assign(item, {
      tag: 120,
      at: { x: 1, y: 2.5 },
      marks: [1, 2, -7],
      path: [{ x: 0 }, { x: 8.5, y: 1 }],
      small: 14,
      sign: -11,
      flag: true,
      wide: 0x2aaaaaaaaaaaan,
      mode: -1,
      name: "nam",
      next: lease.address,
      on: true,
      number: { f: 1 },
      left: 3,
      right: 4,
      matrix: [0, 0, 0, 0, 0, 6.5],
      names: ["a", "b"],
      big: -5n,
      level: -128,
    });
    const check = module.getFunction("check", { parameters: ["pointer"], result: "i32" })!;
    assertEquals(check(Deno.UnsafePointer.create(lease.address)), 1);
    assertEquals(item.number.i, 0x3f800000);
    assertEquals(item.number.bytes, new Uint8Array([0, 0, 0x80, 0x3f]));
    assertEquals(item.marks, new Int16Array([1, 2, -7]));
    assertEquals([item.small, item.sign, item.flag, item.wide], [6, -11, true, 0x2aaaaaaaaaaaan]);
    assertEquals(item.names.map(({ text }: CharArray) => text), ["a", "b"]);
    assertStrictEquals(item.at, item.at);
    assertEquals(item.exact.length, 16);
    assertEquals(Object.keys(item.toJSON()).includes("left"), true);
    assertThrows(() => item.names = ["a", "b", "c"], RangeError);
    assertMatch(Deno.inspect(item.at), /^inner \{ x: 1, y: 2.5 \}$/);
  },
);

testWithCompilers(
  ["gcc"],
  "fields of packed structs are read where no typed array could begin",
  async (folder) => {
    const flags = ["-g", "-O2", "-fPIC"];
    const module = new ModuleLoader().load(await compileModule(folder, "packed", SOURCE, { flags }));
    const tight = module.view<Any>("tight");
    const { values } = tight;
    assertEquals([...values, tight.n], [0.5, 1.5, 9]);
    tight.values = [0.5, 4.5];
    tight.n = -1;
    assertEquals(module.getFunction("check_tight", { parameters: [], result: "i32" })!(), 1);
    module.close();
    assertEquals(values.length, 0);
  },
);

testWithCompilers(
  ["gcc"],
  "the view of a constant is a copy, which can be written without an effect",
  async (folder) => {
    const flags = ["-g", "-O2", "-fPIC"];
    using module = new ModuleLoader().load(await compileModule(folder, "constants", SOURCE, { flags }));
    const table = module.view<Int32Array>("table");
    assertEquals(table, new Int32Array([1, 2, 3]));
    table[1] = 5;
    assertEquals(module.view("table", { type: "i32", count: 2 }), new Int32Array([1, 2]));
  },
);

const CLASSES = `
struct base { int id; base() : id(4) {} };
struct derived : base { double weight; struct { short a, b; } pair; int &other; derived(int &o) : weight(2), other(o) {} };
int shared = 3;
derived object(shared);
`;

testWithCompilers(["g++"], "fields of C++ base classes are fields of the accessor", async (folder) => {
  const module = new ModuleLoader().load(
    await compileModule(folder, "classes", CLASSES, { flags: ["-g", "-O2", "-fPIC"], language: "cpp" }),
  );
  const object = module.view<Any>("object");
  using lease = module.addressOf("shared")!;
  assertEquals([object.id, object.weight, object.pair.a, object.other], [4, 2, 0, lease.address]);
  lease[Symbol.dispose]();
  await module.closeAsync();
});
