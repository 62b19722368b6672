import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { ModuleLoader, ModuleRegistry, SmfBuilder } from "../../mod.ts";
import { Binding, SectionType, SymbolType } from "../../src/smf/mod.ts";
import { ANSWER, answering, build, importing, nativeTest, sample, turn } from "../support/modules.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../../src/load/runtime/host.ts";
import { assertLoadError } from "../support/testing.ts";

const ADD = { parameters: ["i32", "i32"], result: "i32" } as const;
const ODD_NAMES = ["__proto__", "constructor", "hasOwnProperty", "toString", "valueOf", "then", "0", " "];

nativeTest("getFunction finds functions of every binding", () => {
  using module = new ModuleLoader().loadBytes(
    build({
      routines: {
        global: { hex: "b8 01 00 00 00 c3" },
        weak: { hex: "b8 02 00 00 00 c3", binding: Binding.Weak },
        local: { hex: "b8 03 00 00 00 c3", binding: Binding.Local },
      },
    }),
  );
  assertEquals(["global", "weak", "local"].map((name) => module.getFunction(name, ANSWER)?.()), [1, 2, 3]);
});

nativeTest(
  "getFunction returns null for a name that is missing, is not a function, or is not defined here",
  () => {
    using registry = new ModuleRegistry();
    registry.loadBytes("provider", answering(3));
    const module = registry.loadBytes("importer", importing("value"));
    assertStrictEquals(module.getFunction("value", ANSWER), null, "an import is not the module's own");
    const own = registry.loadBytes("sample", sample());
    for (const name of ["missing", "counter", "Point", "", "ADD32", "add32 ", ...ODD_NAMES]) {
      assertStrictEquals(own.getFunction(name, ANSWER), null, name);
      assertStrictEquals(own.addressOf(`${name}!`), null, name);
    }
  },
);

nativeTest("functions may have names that every object has", () => {
  const routines = Object.fromEntries(
    ODD_NAMES.map((name, index) => [name, { hex: `b8 0${index} 00 00 00 c3` }]),
  );
  // An object literal cannot define a property of this name.
  Object.defineProperty(routines, "__proto__", { value: { hex: "b8 00 00 00 00 c3" }, enumerable: true });
  using module = new ModuleLoader().loadBytes(build({ routines }));
  const definitions = Object.fromEntries(ODD_NAMES.map((name) => [name, ANSWER]));
  Object.defineProperty(definitions, "__proto__", { value: ANSWER, enumerable: true });
  const symbols = module.bind(definitions).symbols as Record<string, () => number>;
  ODD_NAMES.forEach((name, index) => {
    assertEquals(module.getFunction(name, ANSWER)?.(), index, name);
    assertEquals(symbols[name](), index, name);
  });
  assertEquals(Object.keys(symbols).toSorted(), ODD_NAMES.toSorted());
});

nativeTest(
  "entryPoint is null unless the file is EXECUTABLE, else the function that the header names",
  () => {
    const routines = { first: { hex: "b8 01 00 00 00 c3" }, main: { hex: "b8 02 00 00 00 c3" } };
    const loader = new ModuleLoader();
    using program = loader.loadBytes(build({ routines, entry: "main" }));
    using library = loader.loadBytes(build({ routines }));
    assertEquals(program.entryPoint(ANSWER)?.(), 2);
    assertStrictEquals(library.entryPoint(ANSWER), null);
    program.close();
    assertLoadError(() => program.entryPoint(ANSWER), "Closed");
  },
);

nativeTest("bind takes names, leaves out what is optional, and freezes the result", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const { symbols } = module.bind({
    add32: ADD,
    plus: { ...ADD, name: "add32" },
    counter: { type: "i64" },
    start: { type: "i64", name: "counter" },
    absent: { parameters: [], result: "void", optional: true },
    absentDatum: { type: "i32", optional: true },
    notAFunction: { name: "counter", parameters: [], result: "void", optional: true },
    present: { ...ADD, name: "add32", optional: true },
  });
  assertEquals([symbols.add32(1, 2), symbols.plus(3, 4), symbols.present?.(5, 6)], [3, 7, 11]);
  assertEquals([symbols.counter, symbols.start], [40n, 40n]);
  assertEquals([symbols.absent, symbols.absentDatum, symbols.notAFunction], [null, null, null]);
  assert(Object.isFrozen(symbols));
  assertThrows(() => (symbols as { add32: unknown }).add32 = null, TypeError);
  assertThrows(() => (symbols as { counter: unknown }).counter = 1n, TypeError);
  assertThrows(() => (symbols as unknown as { more: unknown }).more = 1, TypeError);
  assertEquals(Object.keys(symbols).length, 8);
  assertEquals("toString" in symbols, false);
});

nativeTest("bind lists every missing name in one error, and binds nothing", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const error = assertLoadError(() =>
    module.bind({
      add32: ADD,
      one: ADD,
      two: { ...ADD, name: "renamed" },
      counter: ADD,
      three: { type: "i32" },
      Point: { type: "i32" },
      allowed: { ...ADD, optional: true },
    }), "UndefinedSymbol");
  assertEquals(error.data.symbols, ["one", "renamed", "counter", "three", "Point"]);
  for (const name of error.data.symbols!) assert(error.message.includes(`'${name}'`), error.message);
  assertEquals(module.callPaths(), []);
});

nativeTest("bind says what a name is that its definition takes for something else", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const asFunction = assertLoadError(() => module.bind({ counter: ADD }), "Incompatible");
  assertEquals(asFunction.data.symbols, ["counter"]);
  assert(asFunction.message.includes("'counter' is a variable, not a function"), asFunction.message);
  for (const type of ["i32", "pointer"] as const) {
    const asStatic = assertLoadError(() => module.bind({ add32: { type } }), "Incompatible");
    assert(asStatic.message.includes("'add32' is a function, not a variable"), asStatic.message);
  }
  const both = assertLoadError(() => module.bind({ counter: ADD, absent: ADD }), "UndefinedSymbol");
  assertMatch(both.message, /does not define 'absent'; 'counter' is a variable/);
  assertEquals(both.data.symbols, ["counter", "absent"]);
});

nativeTest("a static is read with the size of its variable, by bind and by open", () => {
  using registry = new ModuleRegistry();
  const module = registry.loadBytes("m", sample());
  for (const type of ["u8", "i16", "i32", "f32", "bool"] as const) {
    for (
      const bind of [
        () => module.bind({ counter: { type } }),
        () => registry.open("m", { counter: { type } }),
      ]
    ) {
      const error = assertLoadError(bind, "Incompatible", { symbol: "counter", range: [8, 9] });
      assertMatch(error.message, new RegExp(`as ${type}: the variable has 8 bytes, not [124]`));
    }
  }
  for (const type of ["i64", "u64", "f64", "isize", "usize", "pointer", "buffer", "function"] as const) {
    module.bind({ counter: { type } });
    registry.open("m", { counter: { type } }).close();
  }
  const wrong = () => registry.open("m", { counter: ADD, add32: { type: "pointer" } });
  assertEquals(assertLoadError(wrong, "Incompatible").data.symbols, ["counter", "add32"]);
});

nativeTest("symbols can be destructured and passed on: functions need no `this`", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const { add32 } = module.bind({ add32: ADD }).symbols;
  assertEquals([1, 2, 3].map((value) => add32(value, 10)), [11, 12, 13]);
  assertEquals(add32.call(null as never, 1, 1), 2);
});

nativeTest("a static is read at each access", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const { symbols } = module.bind({
    increment: { parameters: [], result: "i64" },
    counter: { type: "i64" },
  });
  assertEquals([symbols.counter, symbols.increment(), symbols.counter], [40n, 41n, 41n]);
});

nativeTest("a static that ends outside the module is Incompatible, with its size and a next step", () => {
  const builder = new SmfBuilder({ platform: HOST_PLATFORM, arch: HOST_ARCH });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(4096).fill(5) });
  builder.symbol({ name: "last", type: SymbolType.Data, value: 4095, size: 1 });
  using module = new ModuleLoader().loadBytes(builder.build());
  assertEquals(module.bind({ last: { type: "u8" } }).symbols.last, 5);
  for (const type of ["u16", "i32", "f64", "u64"] as const) {
    const error = assertLoadError(() => module.bind({ last: { type } }), "Incompatible");
    assertEquals(error.data.symbol, "last");
    assertEquals(error.data.size, { u16: 2, i32: 4, f64: 8, u64: 8 }[type]);
    assertMatch(error.hint, /the type that it is declared with/);
  }
});

nativeTest("addressOf leases addresses of functions and variables, not of types and imports", async () => {
  {
    using registry = new ModuleRegistry();
    const module = registry.loadBytes("sample", sample());
    const { codeMemory, dataMemory } = module;
    using add = module.addressOf("add32")!;
    using counter = module.addressOf("counter")!;
    using inner = module.addressOf("inner")!;
    for (
      const [{ address }, memory] of [[inner, codeMemory], [counter, dataMemory]] as const
    ) {
      assert(address >= memory.address && address < memory.address + BigInt(memory.size));
    }
    assertStrictEquals(add.address, registry.resolveSymbol("add32"));
    assertEquals(new Deno.UnsafePointerView(Deno.UnsafePointer.create(counter.address)!).getBigInt64(), 40n);
    assertStrictEquals(module.addressOf("Point"), null);
    registry.loadBytes("provider", answering(1));
    assertStrictEquals(registry.loadBytes("importer", importing("value")).addressOf("value"), null);
  }
  await turn();
});
