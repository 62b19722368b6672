/**
 * Values and variables convert as with `Deno.dlopen`: the tests use the same
 * object code as a module and as a shared library.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ModuleLoader } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { compile } from "../bench/compiler.ts";
import { HERE } from "../support/modules.ts";

const C_TYPES = {
  bool: "_Bool",
  u8: "uint8_t",
  i8: "int8_t",
  u16: "uint16_t",
  i16: "int16_t",
  u32: "uint32_t",
  i32: "int32_t",
  u64: "uint64_t",
  i64: "int64_t",
  usize: "size_t",
  isize: "ssize_t",
  f32: "float",
  f64: "double",
  pointer: "void *",
  buffer: "const uint8_t *",
  function: "int32_t (*)(void)",
} as const;
type TypeName = keyof typeof C_TYPES;
const NUMBERS = Object.keys(C_TYPES).filter((type) =>
  type !== "pointer" && type !== "buffer" && type !== "function"
) as Exclude<TypeName, "pointer" | "buffer" | "function">[];

const power = (bits: number) => 2n ** BigInt(bits);
const integers = (bits: number, signed: boolean): (number | bigint)[] => {
  const [low, high] = signed ? [-power(bits - 1), power(bits - 1) - 1n] : [0n, power(bits) - 1n];
  const edges = [low, low + 1n, 0n, 1n, high - 1n, high];
  return bits === 64 ? [...edges, ...(signed ? [-1n] : []), 0, 5, 2 ** 53 - 1] : edges.map(Number);
};

/** Arguments for each type, at the edges of its range. */
const VALUES: Record<(typeof NUMBERS)[number], unknown[]> = {
  bool: [true, false],
  u8: integers(8, false),
  i8: integers(8, true),
  u16: integers(16, false),
  i16: integers(16, true),
  u32: integers(32, false),
  i32: integers(32, true),
  u64: integers(64, false),
  i64: integers(64, true),
  usize: integers(64, false),
  isize: integers(64, true),
  f32: [0, -0, 1.5, -(2 ** -149), 3.4028234663852886e38, Infinity, -Infinity, NaN, 1e39],
  f64: [0, -0, 1.5, 5e-324, Number.MAX_VALUE, Infinity, -Infinity, NaN],
};

/** Initial values of variables, as C writes them. */
const STATICS: Record<(typeof NUMBERS)[number], string[]> = {
  bool: ["0", "1"],
  u8: ["0", "255"],
  i8: ["-128", "127"],
  u16: ["0", "65535"],
  i16: ["-32768", "32767"],
  u32: ["0", "4294967295u"],
  i32: ["-2147483647 - 1", "2147483647"],
  u64: ["0", "9007199254740993u", "18446744073709551615u"],
  i64: ["-9223372036854775807 - 1", "9223372036854775807", "-1"],
  usize: ["0", "18446744073709551615u"],
  isize: ["-1", "9223372036854775807"],
  f32: ["-0.0f", "1.5f", "3.4028234663852886e38f"],
  f64: ["-0.0", "1.5", "5e-324"],
};

const SOURCE = `
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>
${NUMBERS.map((type) => `${C_TYPES[type]} same_${type}(${C_TYPES[type]} value) { return value; }`).join("\n")}
${
  NUMBERS.flatMap((type) =>
    STATICS[type].map((value, index) => `${C_TYPES[type]} static_${type}_${index} = ${value};`)
  ).join("\n")
}
uint8_t bytes[4] = { 1, 2, 3, 4 };
void *same_pointer(void *value) { return value; }
void *offset(void *value, size_t count) { return (char *)value + count; }
uint8_t sum(const uint8_t *bytes, size_t count) {
  uint8_t sum = 0;
  for (size_t index = 0; index < count; index++) sum += bytes[index];
  return sum;
}
void fill(uint8_t *bytes, size_t count, uint8_t value) {
  for (size_t index = 0; index < count; index++) bytes[index] = value + index;
}
const uint8_t *is_null(const uint8_t *bytes) { return bytes; }
struct mixed { uint8_t a; double b; int32_t c; };
struct mixed make(uint8_t a, double b, int32_t c) { return (struct mixed){ a, b, c }; }
double total(struct mixed value) { return value.a + value.b + value.c; }
double many(int32_t a, double b, int64_t c, float d, uint8_t e, double f, int32_t g, double h, int64_t i, double j) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j;
}
int32_t counter = 5;
void set_counter(int32_t value) { counter = value; }
int64_t (*chosen)(int64_t) = same_i64;
`;

const MIXED = { struct: ["u8", "f64", "i32"] } as const;
const FUNCTIONS = {
  ...Object.fromEntries(
    NUMBERS.map((type) => [`same_${type}`, { parameters: [type], result: type } as Deno.ForeignFunction]),
  ),
  same_pointer: { parameters: ["pointer"], result: "pointer" },
  offset: { parameters: ["pointer", "usize"], result: "pointer" },
  sum: { parameters: ["buffer", "usize"], result: "u8" },
  fill: { parameters: ["buffer", "usize", "u8"], result: "void" },
  is_null: { parameters: ["buffer"], result: "pointer" },
  make: { parameters: ["u8", "f64", "i32"], result: MIXED },
  total: { parameters: [MIXED], result: "f64" },
  many: {
    parameters: ["i32", "f64", "i64", "f32", "u8", "f64", "i32", "f64", "i64", "f64"],
    result: "f64",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The outcome of `work` in a form that can be compared: its value, or the class of its error. */
function outcome(work: () => unknown): unknown {
  try {
    const value = work();
    return { value, type: typeof value };
  } catch (error) {
    return { error: (error as Error).constructor.name };
  }
}

const compiled = HERE ? await compile(SOURCE, ["-O2", "-Wno-deprecated"]) : undefined;
globalThis.addEventListener("unload", () => compiled?.[Symbol.dispose]());
if (HERE && compiled === undefined) console.error("values_test: skipped, there is no C compiler (cc)");

/** Registers a test that gets the same object code as a module and as a shared library. */
function compare(
  name: string,
  run: (module: ReturnType<ModuleLoader["loadBytes"]>, library: string) => void | Promise<void>,
): void {
  Deno.test({
    name,
    ignore: compiled === undefined,
    async fn() {
      const { bytes } = linkObjects([{ name: "values.o", bytes: compiled!.object }]);
      using module = new ModuleLoader().loadBytes(bytes);
      await run(module, compiled!.library);
    },
  });
}

for (const callPath of ["auto", "fast", "pointer"] as const) {
  compare(
    `numbers of every type convert both ways as with Deno.dlopen, by ${callPath}`,
    (module, path) => {
      const library = Deno.dlopen(path, FUNCTIONS);
      const symbols = module.bind(FUNCTIONS, { callPath }).symbols;
      for (const type of NUMBERS) {
        const [ours, theirs] = [symbols, library.symbols].map((from) =>
          (from as unknown as Record<string, (value: unknown) => unknown>)[`same_${type}`]
        );
        for (const value of VALUES[type]) {
          assertEquals(outcome(() => ours(value)), outcome(() => theirs(value)), `${type} ${value}`);
        }
      }
      const values = [-7, 0.5, -(2n ** 40n), 1.25, 200, -0.125, 77, 1e10, 3n, 1e-3] as const;
      assertEquals(symbols.many(...values), library.symbols.many(...values));
      library.close();
    },
  );

  compare(`hot loops return the same as with Deno.dlopen, by ${callPath}`, (module, path) => {
    const library = Deno.dlopen(path, FUNCTIONS);
    const symbols = module.bind(FUNCTIONS, { callPath }).symbols;
    for (const type of NUMBERS) {
      const [ours, theirs] = [symbols, library.symbols].map((from) =>
        (from as unknown as Record<string, (value: unknown) => unknown>)[`same_${type}`]
      );
      const values = VALUES[type];
      const run = (call: (value: unknown) => unknown, rounds: number) => {
        const seen: unknown[] = [];
        for (let round = 0; round < rounds; round++) {
          const result = call(values[round % values.length]);
          if (round >= rounds - values.length) seen.push(result);
        }
        return seen;
      };
      const rounds = (callPath === "pointer" ? 100 : 2000) * values.length;
      assertEquals(run(ours, rounds), run(theirs, rounds), type);
    }
    library.close();
  });

  compare(`buffers and pointers are shared, not copied, by ${callPath}`, (module) => {
    const { sum, fill, is_null, same_pointer, offset } = module.bind(FUNCTIONS, { callPath }).symbols;
    const buffer = new Uint8Array(300);
    fill(buffer, 300n, 7);
    assertEquals([buffer[0], buffer[1], buffer[299]], [7, 8, (7 + 299) & 255]);
    assertEquals(sum(buffer, 2n), 15);
    assertEquals(sum(buffer.subarray(1, 3), 2n), 17, "a view is passed from its own first byte on");
    assertEquals(is_null(null), null);
    const pointer = Deno.UnsafePointer.of(buffer);
    assert(Deno.UnsafePointer.equals(same_pointer(pointer), pointer));
    assertEquals(same_pointer(null), null);
    assertEquals(
      Deno.UnsafePointer.value(offset(pointer, 5n)),
      (Deno.UnsafePointer.value(pointer) as bigint) + 5n,
    );
    for (const view of [new Float64Array(4), new DataView(new ArrayBuffer(8)), new ArrayBuffer(8)]) {
      fill(view, 8n, 1);
      assertEquals(new Uint8Array(view instanceof ArrayBuffer ? view : view.buffer)[7], 8);
    }
  });

  compare(`structs go in and come out as Deno.dlopen lays them out, by ${callPath}`, (module, path) => {
    const library = Deno.dlopen(path, FUNCTIONS);
    const { make, total } = module.bind(FUNCTIONS, { callPath }).symbols;
    const [ours, theirs] = [make, library.symbols.make].map((call) => call(200, -1.5, -9));
    assertEquals(ours.length, theirs.length);
    assertEquals([ours[0], new DataView(ours.buffer, ours.byteOffset).getFloat64(8, true)], [200, -1.5]);
    assertEquals(total(ours as Uint8Array<ArrayBuffer>), 200 - 1.5 - 9);
    assertEquals(library.symbols.total(theirs as Uint8Array<ArrayBuffer>), 200 - 1.5 - 9);
    library.close();
  });
}

compare("nonblocking calls get numbers that are not finite, by every path", async (module) => {
  for (const callPath of ["auto", "fast", "pointer"] as const) {
    for (const type of ["f32", "f64"] as const) {
      const definition = { parameters: [type], result: type, nonblocking: true } as const;
      const same = module.bind({ [`same_${type}`]: definition }, { callPath }).symbols[`same_${type}`];
      for (const value of [1.5, -0, Infinity, -Infinity, NaN]) assertEquals(await same(value), value);
    }
  }
});

compare("statics of every type read as those of Deno.dlopen", (module, path) => {
  for (const type of NUMBERS) {
    STATICS[type].forEach((initial, index) => {
      const name = `static_${type}_${index}`;
      const definitions = { value: { name, type } } as const;
      const library = Deno.dlopen(path, definitions);
      const ours = module.bind(definitions).symbols.value;
      assertEquals({ ours, type: typeof ours }, {
        ours: library.symbols.value,
        type: typeof library.symbols.value,
      }, `${type} ${initial}`);
      assert(Object.is(ours, library.symbols.value), `${type} ${initial}`);
      library.close();
    });
  }
});

compare(
  "statics that are pointers, buffers, functions and structs read as with Deno.dlopen",
  (module, path) => {
    const types: Deno.NativeType[] = ["pointer", "buffer", "function", { struct: ["u8", "u8", "u8", "u8"] }];
    for (const type of types) {
      const definitions = { value: { name: "bytes", type } };
      const read = (symbols: { value: unknown }) =>
        outcome(() => {
          const { value } = symbols;
          if (value === null || typeof value !== "object") return value;
          if (ArrayBuffer.isView(value)) {
            return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
          }
          return new Deno.UnsafePointerView(value as Deno.PointerObject).getUint32();
        });
      const theirs = outcome(() => {
        const library = Deno.dlopen(path, definitions);
        try {
          return read(library.symbols as { value: unknown });
        } finally {
          library.close();
        }
      });
      const ours = outcome(() => read(module.bind(definitions).symbols as { value: unknown }));
      assertEquals(ours, theirs, JSON.stringify(type));
    }
  },
);

compare("a static of type void is refused when it is bound", (module) => {
  const definitions = { value: { name: "bytes", type: "void" as unknown as "u8" } };
  assertThrows(() => module.bind(definitions), TypeError);
});

compare("a static is a getter that reads the current value, unlike that of Deno.dlopen", (module, path) => {
  const definitions = {
    counter: { type: "i32" },
    set_counter: { parameters: ["i32"], result: "void" },
  } as const;
  const library = Deno.dlopen(path, definitions);
  const { symbols } = module.bind(definitions);
  symbols.set_counter(99);
  library.symbols.set_counter(99);
  assertEquals([symbols.counter, library.symbols.counter], [99, 5]);
  library.close();
});

compare("a static that holds an address of the module's own code has the loaded one", (module) => {
  const { chosen } = module.bind({ chosen: { type: "pointer" } }).symbols;
  const address = new Deno.UnsafePointerView(chosen!).getBigUint64();
  const { codeMemory } = module;
  assert(address >= codeMemory.address && address < codeMemory.address + BigInt(codeMemory.size));
});
