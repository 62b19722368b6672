import { assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { LiveLibrary, ModuleRegistry } from "../../mod.ts";
import { build, linkTest, runChild, word } from "../support/modules.ts";
import { assertLoadError } from "../support/testing.ts";
import { commonTypes, typedModule } from "../support/typed_modules.ts";

const ROUTINES = { nothing: { hex: "c3" } } as const;

/** A version with a grid of floats, and a counter. */
function version(first: number, length = 64): Uint8Array<ArrayBuffer> {
  const grid = new Uint8Array(length);
  new DataView(grid.buffer).setFloat32(0, first, true);
  return build({ routines: ROUTINES, data: { counter: word(BigInt(first)), grid } });
}

/** A version whose `points` are structs with a third field, or without. */
function typedVersion(hasMass: boolean): Uint8Array<ArrayBuffer> {
  const { types, double } = commonTypes();
  const fields: Record<string, readonly [number, number]> = { x: [double, 0], y: [double, 8] };
  if (hasMass) fields.mass = [double, 16];
  const size = hasMass ? 24 : 16;
  const point = types.struct("point", size, fields);
  const points = types.add({ kind: "array", of: point, count: 3 });
  const parts = { routines: ROUTINES, data: { points: new Uint8Array(3 * size) } };
  return typedModule(parts, types.list, { points });
}

const COUNTER = { counter: { type: "i64" } } as const;

Deno.test("a live view reads the new version after a reload, which detaches the value of the old one", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", version(1));
  using live = registry.open("m", {});
  const grid = live.view("grid", { type: "f32" });
  assertStrictEquals(live.view("grid", { type: "f32" }), grid);
  const { value } = grid;
  assertStrictEquals(grid.value, value);
  assertEquals([value[0], value.length, grid.name], [1, 16, "grid"]);
  registry.reload("m", { bytes: version(2, 128) });
  assertEquals([value.length, value[0]], [0, undefined]);
  assertNotStrictEquals(grid.value, value);
  assertEquals([grid.value[0], grid.value.length], [2, 32]);
  registry.rollback("m");
  assertEquals([grid.value[0], grid.value.length], [1, 16]);
});

Deno.test("a view of one version stays with it while its handle is open, whatever live views do", async () => {
  await using registry = new ModuleRegistry({ keepVersions: 0 });
  const first = registry.loadBytes("m", version(1));
  using live = registry.open("m", {});
  const liveGrid = live.view("grid", { type: "f32" });
  const grid = first.view("grid", { type: "f32" });
  const second = registry.reload("m", { bytes: version(2) });
  assertEquals([grid[0], liveGrid.value[0]], [1, 2]);
  assertEquals(second.view("grid", { type: "f32" })[0], 2);
  live.close();
  assertLoadError(() => liveGrid.value, "Closed");
  assertEquals(second.view("grid", { type: "f32" })[0], 2);
  first.close();
  assertEquals(grid.length, 0);
});

Deno.test("a live view by types has the fields of the version that it reads", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", typedVersion(false));
  using live = registry.open("m", {});
  const points = live.view<{ x: number; mass?: number }[]>("points");
  const [old] = points.value;
  old.x = 3;
  assertEquals("mass" in old, false);
  registry.reload("m", { bytes: typedVersion(true) });
  assertThrows(() => old.x, TypeError);
  assertEquals(points.value.length, 3);
  points.value[2].mass = 5;
  assertEquals(points.value.map(({ mass }) => mass), [0, 0, 5]);
});

Deno.test("a version without the variable is refused while a live view uses it", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", version(1));
  using live = registry.open("m", {});
  const grid = live.view("grid", { type: "f32", count: 16 });
  const none = build({ routines: ROUTINES, data: { counter: word(1n) } });
  assertLoadError(() => registry.reload("m", { bytes: none }), "Incompatible");
  assertEquals(grid.value[0], 1);
  registry.reload("m", { bytes: version(2, 32) });
  assertLoadError(() => grid.value, "Incompatible");
  registry.reload("m", { bytes: version(3) });
  assertEquals(grid.value[0], 3);
  registry.reload("m", { bytes: none, compatibility: "allow" });
  assertLoadError(() => grid.value, "UndefinedSymbol");
});

Deno.test("names that cannot be viewed are refused, and are not in use then", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", version(1));
  using live = registry.open("m", {});
  assertLoadError(() => live.view("grid"), "Unsupported");
  assertLoadError(() => live.view("gird", { type: "f32" }), "UndefinedSymbol");
  assertLoadError(() => live.view("nothing", { type: "f32" }), "Incompatible");
  assertLoadError(() => live.view("grid", { type: "f32", count: 17 }), "Incompatible");
  assertThrows(() => live.view("grid", { type: "real" } as never), TypeError);
  registry.reload("m", { bytes: build({ routines: ROUTINES, data: { counter: word(1n) } }) });
  live.close();
  assertLoadError(() => live.view("counter", { type: "i64" }), "Closed");
});

Deno.test("in an isolate that has attached, live views say where to view instead", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", version(1));
  const token = structuredClone(registry.open("m", COUNTER).share());
  using attached = LiveLibrary.attach(token, COUNTER);
  assertEquals(attached.symbols.counter, 1n);
  assertLoadError(() => attached.view("grid", { type: "f32" }), "Unsupported");
  registry.reload("m", { bytes: version(2) });
  assertEquals(attached.symbols.counter, 2n);
});

Deno.test("live statics read the current version, over reloads and rollbacks, and not after the end", async () => {
  await using registry = new ModuleRegistry({ keepVersions: 1 });
  registry.loadBytes("m", version(0));
  const live = registry.open("m", COUNTER);
  for (let number = 1; number < 20; number++) {
    registry.reload("m", { bytes: version(number) });
    if (number % 3 !== 0) assertEquals(live.symbols.counter, BigInt(number));
  }
  registry.rollback("m");
  assertEquals(live.symbols.counter, 18n);
  live.close();
  assertLoadError(() => live.symbols.counter, "Closed");
});

Deno.test("statics of every type have the values that a pointer view reads", () => {
  const types = [
    "bool",
    "i8",
    "u8",
    "i16",
    "u16",
    "i32",
    "u32",
    "i64",
    "u64",
    "isize",
    "usize",
    "f32",
    "f64",
  ] as const;
  const sizes: Record<string, number> = { bool: 1, i8: 1, u8: 1, i16: 2, u16: 2, i32: 4, u32: 4, f32: 4 };
  const data = Object.fromEntries(
    types.map((type) => [`v_${type}`, new Uint8Array(sizes[type] ?? 8).fill(0xc1)]),
  );
  using registry = new ModuleRegistry();
  const handle = registry.loadBytes("m", build({ routines: ROUTINES, data }));
  const definitions = Object.fromEntries(types.map((type) => [`v_${type}`, { type }]));
  using live = registry.open("m", definitions);
  const bound = handle.bind(definitions).symbols;
  const expected = new DataView(new Uint8Array(8).fill(0xc1).buffer);
  const values = {
    v_bool: true,
    v_i8: -63,
    v_u8: 0xc1,
    v_i16: -15935,
    v_u16: 0xc1c1,
    v_i32: expected.getInt32(0),
    v_u32: 0xc1c1c1c1,
    v_i64: expected.getBigInt64(0),
    v_u64: 0xc1c1c1c1c1c1c1c1n,
    v_isize: expected.getBigInt64(0),
    v_usize: 0xc1c1c1c1c1c1c1c1n,
    v_f32: expected.getFloat32(0),
    v_f64: expected.getFloat64(0),
  };
  assertEquals({ ...bound } as unknown, values);
  assertEquals({ ...live.symbols } as unknown, values);
});

linkTest("live views and statics of versions that are gone never crash", async () => {
  const child = await runChild(new URL("./live_variables_child.ts", import.meta.url), {
    v8Flags: "--expose-gc",
  });
  assertEquals([child.signal, child.stderr], [null, ""]);
  assertEquals(child.stdout, "200 reloads, 0 wrong\n");
});
