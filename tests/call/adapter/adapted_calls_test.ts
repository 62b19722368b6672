/** Calls whose values an adapter converts, or JavaScript: their arguments, results and errors, by every path. */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { type Definitions, LiveLibrary, ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import {
  build,
  linuxTest,
  mappingCount,
  nativeTest,
  ROUTINES,
  runChild,
  sample,
  turn,
  warm,
} from "../../support/modules.ts";
import { assertLoadError } from "../../support/testing.ts";

const MOST = Number.MAX_SAFE_INTEGER;
const PATHS = ["auto", "fast", "pointer"] as const;
const I64 = { parameters: ["i64", "i64"], result: "i64", integers: "number" } as const;
const U64 = { parameters: ["u64", "u64"], result: "u64", integers: "number" } as const;
const PAIR = { struct: ["i64", "i64"] } as const;

function rangeError(call: () => unknown, message: string, cause?: bigint): void {
  const error = assertThrows(call, RangeError, message);
  assertEquals(error.cause, cause);
}

for (const callPath of PATHS) {
  nativeTest(`integers of 64 bits are numbers if the definition says so, by ${callPath}`, () => {
    using module = new ModuleLoader().loadBytes(sample());
    const { add64, sub64, offset } = module.bind({
      add64: I64,
      sub64: I64,
      offset: { parameters: ["usize", "usize"], result: "usize", integers: "number" },
    }, { callPath }).symbols;
    for (let round = 0; round < 20; round++) {
      const sum: number = add64(round, 3);
      assertEquals(sum, round + 3);
      assertEquals(add64(MOST, 0), MOST);
      assertEquals(add64(-MOST, 0), -MOST);
      assertEquals(sub64(-5, 2 ** 40), -5 - 2 ** 40);
      assertEquals(offset(2 ** 47 - 1, 0), 2 ** 47 - 1);
      assert(Object.is(add64(-0, 0), 0));
    }
  });

  nativeTest(
    `a result that a number does not hold exactly is an error with the value, by ${callPath}`,
    () => {
      using module = new ModuleLoader().loadBytes(sample());
      const { add64 } = module.bind({ add64: I64 }, { callPath }).symbols;
      const unsigned = module.getFunction("sub64", U64, { callPath })!;
      for (let round = 0; round < 20; round++) {
        const message = "Cannot return the result of 'add64' as a number: it is ";
        rangeError(() => add64(MOST, 1), `${message}9007199254740992`, 2n ** 53n);
        rangeError(() => add64(-MOST, -1), `${message}-9007199254740992`, -(2n ** 53n));
        rangeError(() => unsigned(0, 1), "it is 18446744073709551615", 2n ** 64n - 1n);
        rangeError(() => unsigned(1, MOST), "as a number", 2n ** 64n + 1n - BigInt(MOST));
        assertEquals(add64(round, 1), round + 1);
      }
    },
  );

  nativeTest(`arguments that are not exact integers are refused before the call, by ${callPath}`, () => {
    using module = new ModuleLoader().loadBytes(
      build({
        routines: {
          add64: ROUTINES.add64,
          increment: {
            hex: "48 ff 05 00 00 00 00 48 8b 05 00 00 00 00 c3",
            refers: { 3: "counter", 10: "counter" },
          },
        },
        data: { counter: new Uint8Array(8) },
      }),
    );
    const symbols = module.bind({ add64: I64, counter: { type: "i64" } }, { callPath }).symbols;
    // The function ignores its arguments, and counts its calls.
    const count = module.getFunction("increment", I64, { callPath })!;
    const unsigned = module.getFunction("increment", U64, { callPath })!;
    const wrong: unknown[] = [1.5, NaN, Infinity, -Infinity, MOST + 1, -MOST - 1, 1e300, 2 ** 63];
    for (let round = 0; round < 12; round++) {
      const before = symbols.counter;
      for (const value of wrong) {
        for (const call of [count, unsigned] as ((...given: unknown[]) => number)[]) {
          rangeError(
            () => call(value, 0),
            `Cannot call 'increment': parameter 1 is ${value}, not an integer`,
          );
          rangeError(() => call(0, value), "parameter 2");
        }
      }
      rangeError(() => unsigned(-1, 0), "parameter 1 is -1, which an unsigned integer cannot be");
      for (const value of ["1", null, undefined, true, {}, 3n, Symbol.iterator]) {
        assertThrows(
          () => (count as (...given: unknown[]) => number)(value, 0),
          TypeError,
          "Cannot call 'increment': parameter 1 is",
        );
      }
      assertEquals(symbols.counter, before);
      assertEquals(count(0, 0), Number(before) + 1);
    }
  });

  nativeTest(`number-or-bigint takes both and returns what holds the value, by ${callPath}`, () => {
    using module = new ModuleLoader().loadBytes(sample());
    const add = module.getFunction("add64", { ...I64, integers: "number-or-bigint" }, { callPath })!;
    const unsigned = module.getFunction("sub64", { ...U64, integers: "number-or-bigint" }, { callPath })!;
    for (let round = 0; round < 20; round++) {
      const sum: number | bigint = add(round, 1n);
      assertEquals(sum, round + 1);
      assertEquals(add(MOST, 1), 2n ** 53n);
      assertEquals(add(2n ** 62n, 2n ** 61n), 2n ** 62n + 2n ** 61n);
      assertEquals(add(2n ** 62n, -(2n ** 62n)), 0);
      assertEquals(unsigned(0, 1n), 2n ** 64n - 1n);
      rangeError(() => add(2n ** 63n, 0), "parameter 1 is 9223372036854775808, beyond 64 bits");
      rangeError(() => unsigned(-1n, 0), "parameter 1 is -1, beyond 64 bits");
      assertThrows(() => add("1" as never, 0), TypeError, "not a number or a bigint");
    }
  });

  nativeTest(`an array of a struct may be longer, not shorter, by ${callPath}`, () => {
    using module = new ModuleLoader().loadBytes(sample());
    const { sumPair } = module.bind({
      sumPair: { parameters: [{ struct: ["f64", "f64"] }], result: "f64" },
    }, { callPath }).symbols;
    const numbers = new Float64Array([1.5, 2, 8]);
    for (let round = 0; round < 20; round++) {
      assertEquals(sumPair(numbers), 3.5);
      assertEquals(sumPair(numbers.subarray(1)), 10);
      assertEquals(sumPair(numbers.buffer), 3.5);
      assertEquals(sumPair(new DataView(numbers.buffer, 8)), 10);
      rangeError(
        () => sumPair(numbers.subarray(2)),
        "Cannot call 'sumPair': parameter 1 has 8 bytes, the struct has 16",
      );
      assertThrows(() => sumPair(null as never), TypeError);
      assertThrows(() => sumPair({ byteLength: 16 } as never), TypeError);
    }
  });

  nativeTest(`a struct result is in a new array, the same, or the caller's, by ${callPath}`, () => {
    using module = new ModuleLoader().loadBytes(sample());
    const bind = <D extends Definitions>(definitions: D) => module.bind(definitions, { callPath }).symbols;
    const signature = { parameters: ["i64", "i64"], result: PAIR, integers: "number" } as const;
    const { pair } = bind({ pair: signature } as const);
    const { pair: reusing } = bind({ pair: { ...signature, resultBuffer: "reused" } } as const);
    const { pair: filling } = bind({ pair: { ...signature, resultBuffer: "caller" } } as const);
    const of = (bytes: Uint8Array) => [...new BigInt64Array(bytes.slice().buffer)];
    const shared = reusing(1, 2);
    const target = new Uint8Array(40);
    for (let round = 0; round < 20; round++) {
      const first = pair(round, -1), second = pair(2, 3);
      assertEquals([of(first), of(second)], [[BigInt(round), -1n], [2n, 3n]]);
      assertStrictEquals(reusing(round, 7), shared);
      assertEquals(of(shared), [BigInt(round), 7n]);
      assertStrictEquals(filling(round, 9, target), target);
      assertEquals(of(target.subarray(0, 16)), [BigInt(round), 9n]);
      rangeError(
        () => filling(1, 2, new Uint8Array(15)),
        "parameter 3, the array of the result, has 15 bytes, the struct has 16",
      );
      for (const wrong of [undefined, null, new Float64Array(2), {}]) {
        assertThrows(() => filling(1, 2, wrong as never), TypeError, "not a Uint8Array");
      }
    }
    assertEquals([pair.length, reusing.length, filling.length], [2, 2, 3]);
  });

  nativeTest(`a nonblocking call converts the same values, by ${callPath}`, async () => {
    await using module = new ModuleLoader().loadBytes(sample());
    const { add64 } = module.bind({ add64: { ...I64, nonblocking: true } }, { callPath }).symbols;
    const pair = module.getFunction("pair", {
      parameters: ["i64", "i64"],
      result: PAIR,
      resultBuffer: "caller",
      integers: "number",
      nonblocking: true,
    }, { callPath })!;
    const sum: Promise<number> = add64(2, 3);
    assertEquals(await sum, 5);
    rangeError(() => add64(0.5, 1), "parameter 1 is 0.5");
    const beyond = await add64(MOST, 2).catch((error: unknown) => error);
    assert(beyond instanceof RangeError && beyond.cause === 2n ** 53n + 1n);
    const target = new Uint8Array(16);
    assertStrictEquals(await pair(4, 5, target), target);
    assertEquals(new BigInt64Array(target.buffer), new BigInt64Array([4n, 5n]));
  });

  nativeTest(
    `a call of the same function from its callback changes no result of the first, by ${callPath}`,
    () => {
      using module = new ModuleLoader().loadBytes(
        build({ routines: { call: { hex: "48 83 ec 08 48 89 f8 89 f7 ff d0 48 83 c4 08 c3" } } }),
      );
      // The callback's result has 32 bits that matter; the function passes all 64 on.
      const call = module.getFunction("call", {
        parameters: ["function", "i32"],
        result: "i64",
        integers: "number-or-bigint",
      }, { callPath })!;
      const values = [2n ** 60n, 5n, -(2n ** 61n), 2n ** 54n];
      const seen: unknown[] = [];
      const callback = new Deno.UnsafeCallback({ parameters: ["i32"], result: "i64" }, (depth) => {
        if (depth > 0) seen.push(call(callback.pointer, depth - 1));
        return values[depth];
      });
      for (let round = 0; round < 12; round++) {
        seen.length = 0;
        assertEquals(call(callback.pointer, 3), 2n ** 54n);
        assertEquals(seen, [2n ** 60n, 5, -(2n ** 61n)]);
      }
      callback.close();
    },
  );
}

for (const kind of ["a module", "a live library"]) {
  nativeTest(
    `${kind} that is closed in a callback keeps its adapters until the call has returned`,
    async () => {
      for (let round = 0; round < 6; round++) {
        using registry = new ModuleRegistry();
        const handle = registry.loadBytes("sample", sample());
        const definition = {
          call: { parameters: ["function", "i32"], result: "i64", integers: "number", captureErrno: true },
        } as const;
        const options = { callPath: round % 2 === 0 ? "fast" : "auto" } as const;
        const owner = kind === "a module" ? handle : registry.open("sample", definition, options);
        const { call } = owner instanceof LiveLibrary
          ? owner.symbols
          : owner.bind(definition, options).symbols;
        let closes = false;
        const callback = new Deno.UnsafeCallback({ parameters: ["i32"], result: "i64" }, (value) => {
          if (closes) {
            if (!(owner instanceof LiveLibrary)) registry.unload("sample", { force: true });
            owner.close();
            assertLoadError(() => call(callback.pointer, 1), "Closed");
          }
          return BigInt(value) + 2n ** 40n;
        });
        for (let count = 0; count < 12; count++) {
          assertEquals(call(callback.pointer, count).result, count + 2 ** 40);
        }
        closes = true;
        assertEquals(call(callback.pointer, 7).result, 7 + 2 ** 40);
        assertLoadError(() => call(callback.pointer, 1), "Closed");
        await turn();
        callback.close();
      }
    },
  );
}

nativeTest("a call after close is an error", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const { add64, pair } = module.bind({
    add64: I64,
    pair: { parameters: ["i64", "i64"], result: PAIR },
  }, { callPath: "fast" }).symbols;
  for (let round = 0; round < 100; round++) add64(round, 1);
  module.close();
  assertLoadError(() => add64(1, 2), "Closed");
  assertLoadError(() => pair(1n, 2n), "Closed");
});

linuxTest("modules that are closed leave no adapters behind", () => {
  const round = () => {
    using module = new ModuleLoader().loadBytes(sample());
    assertEquals(module.getFunction("add64", I64, { callPath: "fast" })!(1, 2), 3);
  };
  for (let count = 0; count < 20; count++) round();
  const before = mappingCount();
  for (let count = 0; count < 200; count++) round();
  assert(mappingCount() < before + 100, "each adapter has mappings of its own");
});

nativeTest("a live function with an adapter follows reloads, in attached isolates too", async () => {
  await using registry = new ModuleRegistry();
  const version = (routine: keyof typeof ROUTINES) => build({ routines: { work: ROUTINES[routine] } });
  registry.loadBytes("work", version("add64"));
  using library = registry.open("work", { work: I64 });
  using attached = LiveLibrary.attach(structuredClone(library.share()), { work: I64 });
  const { work } = library.symbols;
  for (let round = 0; round < 20; round++) assertEquals([work(9, 4), attached.symbols.work(9, 4)], [13, 13]);
  registry.reload("work", { bytes: version("sub64") });
  for (let round = 0; round < 20; round++) assertEquals([work(9, 4), attached.symbols.work(9, 4)], [5, 5]);
});

nativeTest("equal definitions share a function, others do not", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const of = (integers: "number" | "number-or-bigint" | "bigint") =>
    module.getFunction("add64", { parameters: ["i64", "i64"], result: "i64", integers })!;
  assertStrictEquals(of("number"), of("number"));
  assert(of("number") as unknown !== of("bigint") && of("number") as unknown !== of("number-or-bigint"));
});

nativeTest("a wrong option is a TypeError with the function's name when it is bound", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const refuse = (definition: Record<string, unknown>, message: string) =>
    assertThrows(
      () => module.bind({ add64: { parameters: ["i64", "i64"], result: "i64", ...definition } as never }),
      TypeError,
      `Cannot bind function 'add64': ${message}`,
    );
  refuse(
    { integers: "Number" },
    "integers is the string 'Number', not one of bigint, number, number-or-bigint (did you mean",
  );
  refuse({ integers: true }, "integers is true");
  refuse({ resultBuffer: "new" }, "resultBuffer is given, but its result is i64, not a struct");
  refuse(
    { resultBuffer: "mine", result: PAIR },
    "resultBuffer is the string 'mine', not one of new, reused, caller",
  );
  refuse(
    { resultBuffer: "reused", result: PAIR, nonblocking: true },
    "resultBuffer is 'reused', which calls in flight would overwrite",
  );
});

nativeTest("functions without definitions take the option of the binding, definitions refuse it", () => {
  using registry = new ModuleRegistry();
  const path = "fixtures/c/typed.smf";
  assertThrows(
    () => registry.open(path, { add: { parameters: ["i32", "i32"], result: "i32" } }, { integers: "number" }),
    TypeError,
    "Cannot bind: option 'integers' is for functions without definitions",
  );
  assertThrows(() => registry.open(path, [], { integers: "numbers" as never }), TypeError, "integers");
});

linuxTest("the option of a binding makes integers numbers by the module's types", () => {
  using registry = new ModuleRegistry();
  using library = registry.open("fixtures/c/typed.smf", undefined, { integers: "number" });
  const { count, add, counter } = library.symbols;
  const text = new TextEncoder().encode("banana\0");
  for (let round = 0; round < 20; round++) {
    assertEquals(count(Deno.UnsafePointer.of(text), 97), 3);
    assertEquals(add(round, 1), round + 1);
  }
  assertEquals(counter, 40);
  const handle = registry.load("fixtures/c/typed.smf");
  assertEquals(
    handle.getFunction("count", undefined, { integers: "number" })!(Deno.UnsafePointer.of(text), 98),
    1,
  );
  assertEquals(handle.getFunction("count")!(Deno.UnsafePointer.of(text), 98), 1n);
  const definition = { parameters: ["pointer", "i8"], result: "usize" } as const;
  assertThrows(() => handle.getFunction("count", definition, { integers: "number" }), TypeError, "integers");
});

nativeTest("where no code is made from strings, adapters serve all the same", async () => {
  const result = await runChild(new URL("./no_strings_child.ts", import.meta.url), {
    v8Flags: "--disallow-code-generation-from-strings",
  });
  assertEquals(result.code, 0, result.stderr);
  assertEquals(JSON.parse(result.stdout), {
    forbidden: true,
    path: "fast",
    results: [5, "9007199254740992", "RangeError", "7,8"],
  });
});

nativeTest("a large frame has no adapter, and is called all the same", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const large = { struct: Array.from({ length: 600 }, () => "i64" as const) } as const;
  const { add64 } = module.bind({
    add64: { parameters: ["i64", "i64", large], result: "i64", integers: "number" },
  }).symbols;
  assertEquals(module.callPaths().map(({ path }) => path), ["pointer"]);
  assertEquals(warm(() => add64(40, 2, new Uint8Array(4800))), 42);
});
