import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { LiveLibrary, LoadedModule, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { nativeTest, sample } from "../support/modules.ts";
import { assertLoadError, fixtureTest, TemporaryDirectory } from "../support/testing.ts";
import { commonTypes, TYPED_PARTS, typedModule, typedSample } from "../support/typed_modules.ts";

const LEFT_OUT = {
  nothing: "the module does not know its type: its object was compiled without -g",
  call: "it is variadic",
  flag: "the compiler has stored it in another way than its type, int, says",
};
const NAMES = [...Object.keys(TYPED_PARTS.routines!), ...Object.keys(TYPED_PARTS.data!)]
  .filter((name) => !(name in LEFT_OUT)).sort();

const text = (pointer: Deno.PointerValue) => Deno.UnsafePointerView.getCString(pointer!);

nativeTest("bind without definitions gives all exports by their types, and says what it leaves out", () => {
  using module = new ModuleLoader().loadBytes(typedSample());
  const { symbols, leftOut } = module.bind();
  assertEquals(Object.keys(symbols).sort(), NAMES);
  assertEquals(Object.fromEntries(leftOut), LEFT_OUT);
  assert(Object.isFrozen(symbols));
  assertEquals(symbols.add32(2, 3), 5);
  assertEquals(symbols.add64(2n, 3), 5n);
  assertEquals(symbols.addf32(0.5, 0.25), 0.75);
  assertEquals(symbols.sum8(1, 2, 3, 4, 5, 6, 7, 8), 36n);
  assertEquals(symbols.sumPair(new Uint8Array(new Float64Array([1.5, 2]).buffer)), 3.5);
  assertEquals(new BigInt64Array(symbols.pair(3n, 4n).buffer), new BigInt64Array([3n, 4n]));
  assertEquals(symbols.counter, 40n);
  symbols.increment();
  assertEquals(symbols.counter, 41n);
  assertEquals(text(symbols.text), "typed", "an array is its address");
  assertEquals(text(symbols.offset(symbols.text, 2)), "ped");
  assertStrictEquals(symbols.offset(null, 0), null);
});

nativeTest("bind of names gives these alone", () => {
  using module = new ModuleLoader().loadBytes(typedSample(), undefined, { name: "sample" });
  const { symbols, leftOut } = module.bind(["add32", "counter", "add32"]);
  assertEquals(Object.keys(symbols).sort(), ["add32", "counter"]);
  assertEquals([symbols.add32(2, 3), symbols.counter, leftOut.size], [5, 40n, 0]);
  assertEquals(Object.keys(module.bind([]).symbols), []);
  assertEquals(module.getFunction("add64")?.(2n, 3n), 5n);
  assertEquals(module.bind(["add32"], { callPath: "pointer" }).symbols.add32(2, 3), 5);
});

nativeTest("a name that cannot be bound is an error with the reason", () => {
  using module = new ModuleLoader().loadBytes(typedSample(), undefined, { name: "sample" });
  const error = assertLoadError(() => module.bind(["add32", "call", "nothing"]), "Incompatible");
  assertEquals(error.data.symbols, ["call", "nothing"]);
  assertEquals(
    error.message,
    `Cannot bind 'call': ${LEFT_OUT.call}, 'nothing': ${LEFT_OUT.nothing} (file 'sample', symbol 'call')`,
  );
  assertEquals(assertLoadError(() => module.getFunction("call"), "Incompatible").data.symbol, "call");
  assertEquals(assertLoadError(() => module.bind(["ad32", "call"]), "UndefinedSymbol").data.symbols, [
    "ad32",
  ]);
  assertStrictEquals(module.getFunction("ad32"), null);
  assertStrictEquals(module.getFunction("counter"), null);
});

nativeTest("what is not a list of names, or not an option, is a TypeError before anything is loaded", () => {
  using registry = new ModuleRegistry();
  using module = new ModuleLoader().loadBytes(typedSample());
  const five = 5 as unknown as string;
  assertThrows(() => module.bind([five]), TypeError, "Cannot bind: a name is 5, not a string");
  assertThrows(() => registry.open("absent.smf", [five]), TypeError, "a name is 5");
  assertThrows(() => module.bind(null as unknown as string[]), TypeError, "the definitions are null");
  const ignore = { types: "ignore" } as const;
  assertThrows(() => module.bind(undefined, ignore), TypeError, "there are no definitions");
  assertThrows(() => registry.open("absent.smf", undefined, ignore), TypeError, "there are no definitions");
  assertThrows(() => module.getFunction("add32", undefined, ignore), TypeError, "there are no definitions");
});

nativeTest(
  "a module without types cannot be bound without definitions, and the error says what to do",
  () => {
    using registry = new ModuleRegistry();
    const module = registry.loadBytes("sample", sample());
    const bindings = [
      () => module.bind(),
      () => module.bind(["add32"]),
      () => module.getFunction("add32"),
      () => registry.open("sample"),
      () => registry.open("sample", ["add32"]),
    ];
    for (const bind of bindings) {
      const error = assertLoadError(bind, "Unsupported");
      assertEquals(error.message, "Cannot bind without definitions: the module has no types (file 'sample')");
      assert(error.hint.includes("-g"), error.hint);
    }
  },
);

nativeTest("open without definitions follows reloads, and other isolates attach by types", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("sample", typedSample());
  using library = registry.open("sample");
  assertEquals(Object.keys(library.symbols).sort(), NAMES);
  assertEquals(Object.fromEntries(library.leftOut), LEFT_OUT);
  using two = registry.open("sample", ["increment", "counter"]);
  assertEquals([two.symbols.increment(), two.symbols.counter, two.leftOut.size], [41n, 41n, 0]);
  using attached = LiveLibrary.attach(structuredClone(two.share()));
  assertEquals(Object.fromEntries(attached.leftOut), LEFT_OUT);
  using named = LiveLibrary.attach(structuredClone(library.share()), ["counter"]);

  registry.reload("sample", { bytes: typedSample() });
  assertEquals([library.symbols.counter, attached.symbols.counter, named.symbols.counter], [40n, 40n, 40n]);
  assertEquals([library.symbols.increment(), attached.symbols.increment(), two.symbols.counter], [
    41n,
    42n,
    42n,
  ]);
  assertLoadError(() => registry.open("sample", ["call"]), "Incompatible");
  assertLoadError(() => LiveLibrary.attach(two.share(), ["call"]), "Incompatible");
});

nativeTest("an attached module is bound by its types", () => {
  using module = new ModuleLoader().loadBytes(typedSample());
  using attached = LoadedModule.attach(structuredClone(module.share()));
  assertEquals(Object.fromEntries(attached.bind().leftOut), LEFT_OUT);
  assertEquals(attached.bind(["add32"]).symbols.add32(2, 3), 5);
});

nativeTest(
  "types are those of the file that was loaded, whatever is in its place when something is bound",
  () => {
    using directory = new TemporaryDirectory();
    const path = directory.file("a.smf", typedSample());
    using registry = new ModuleRegistry();
    const module = registry.load(path);
    Deno.removeSync(path);
    assertEquals(module.bind(["add32"]).symbols.add32(2, 3), 5);
    using library = registry.open(path);
    assertEquals(library.symbols.add32(2, 3), 5);
  },
);

nativeTest("functions are bound under names that every object has", () => {
  const names = ["__proto__", "constructor", "toString"];
  const routines = Object.fromEntries(names.map((name) => [name, { hex: "b8 02 00 00 00 c3" }]));
  Object.defineProperty(routines, "__proto__", { value: { hex: "b8 02 00 00 00 c3" }, enumerable: true });
  const { types, int } = commonTypes();
  const typeOf: Record<string, number> = Object.create(null);
  for (const name of names) typeOf[name] = types.function(int);
  using module = new ModuleLoader().loadBytes(typedModule({ routines }, types.list, typeOf));
  const { symbols } = module.bind();
  assertEquals(names.map((name) => symbols[name]()), [2, 2, 2]);
});

fixtureTest("a module of a compiler is used without a signature", () => {
  using registry = new ModuleRegistry();
  using library = registry.open("fixtures/c/typed.smf");
  const { symbols } = library;
  assertEquals([...library.leftOut], [["sum_of", "it is variadic"]]);
  assertEquals(symbols.add(2, 3), 5);
  assertEquals(text(symbols.greeting()), "hello");
  assertEquals([symbols.counter, symbols.factor, symbols.colour], [40, 1.5, 5]);
  assertEquals(symbols.next(0), 5);
  const scaled = symbols.scale(new Uint8Array(new Float64Array([1, 2]).buffer), 3);
  assertEquals(new Float64Array(scaled.buffer), new Float64Array([3, 6]));
  const origin = new Deno.UnsafePointerView(symbols.origin);
  assertEquals([origin.getFloat64(), origin.getFloat64(8)], [3, 4]);
  // A pointer variable is its own address, as for Deno.dlopen.
  assertEquals(text(new Deno.UnsafePointerView(symbols.title).getPointer()), "a title");
  const twice = new Deno.UnsafeCallback({ parameters: ["i32"], result: "i32" }, (value) => 2 * value);
  assertEquals(symbols.apply(twice.pointer, 21), 42);
  twice.close();
});
