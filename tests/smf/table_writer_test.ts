// Records of symbols and relocations that are written one by one.
import { assertEquals, assertThrows } from "@std/assert";
import { Binding, SymbolType } from "../../src/smf/enums.ts";
import { LAYOUTS } from "../../src/smf/layout.ts";
import { RelocationRecords, SymbolRecords } from "../../src/smf/table_writer.ts";

Deno.test("a name is exported once, and local symbols may share it", () => {
  const symbols = new SymbolRecords(LAYOUTS.H96);
  const name = symbols.names.add("f");
  const add = (binding: number): number => symbols.define(name, SymbolType.Function, binding, 1, 0, 16, 4);
  assertEquals([add(Binding.Global), add(Binding.Global), add(Binding.Local), add(Binding.Local)], [
    0,
    -1,
    1,
    2,
  ]);
  assertEquals([symbols.exportedCount, symbols.length, symbols.bytes.length], [1, 3, 3 * 56]);
});

Deno.test("values and sizes beyond 32 bits keep all their bits", () => {
  const symbols = new SymbolRecords(LAYOUTS.H72);
  symbols.define(0, SymbolType.Data, Binding.Local, 1, 0, 2 ** 52 + 3, 2 ** 40 + 5);
  const view = new DataView(symbols.bytes.buffer);
  assertEquals([view.getBigUint64(16, true), view.getBigUint64(24, true)], [2n ** 52n + 3n, 2n ** 40n + 5n]);
});

Deno.test("a layout without the type None refuses symbols of it", () => {
  const symbols = new SymbolRecords(LAYOUTS.P128);
  assertThrows(
    () => symbols.define(0, SymbolType.None, Binding.Local, 1, 0, 1, 0),
    TypeError,
    "no type None",
  );
  assertEquals(symbols.length, 0);
});

Deno.test("addends keep their sign at every width, also when more room is reserved", () => {
  const relocations = new RelocationRecords();
  const addends = [
    0,
    -1,
    2 ** 31 - 1,
    -(2 ** 31),
    2 ** 31,
    -(2 ** 40) - 7,
    2 ** 52,
    -(2n ** 63n),
    2n ** 63n - 1n,
  ];
  relocations.reserve(2);
  for (const addend of addends) relocations.add(2 ** 33 + 1, 7, 1, addend);
  relocations.reserve(100);
  const { bytes } = relocations, view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  assertEquals(addends.map((_, i) => view.getBigInt64(24 * i + 16, true)), addends.map(BigInt));
  assertEquals(view.getBigUint64(24, true), 2n ** 33n + 1n);
});
