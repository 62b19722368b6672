/**
 * Adapters pass values as Deno's own calls do: functions of many signatures, compiled for each platform, are called
 * with an adapter and without one, and return a digest of their arguments.
 */
import { assert, assertEquals } from "@std/assert";
import { ADAPTER_SIGNATURES, type SignatureDefinition } from "../../../fixtures/adapter_signatures.ts";
import { FOLDER, TARGETS } from "../../../fixtures/build_platform.ts";
import { type Definitions, type Integers, type LoadedModule, ModuleLoader } from "../../../mod.ts";
import { linkObjects } from "../../../src/link/linker.ts";
import { layoutOf } from "../../../src/types/definition_words.ts";
import { randomFrom } from "../../support/testing.ts";

const HOST = `${Deno.build.os}-${Deno.build.arch}`;
/** macOS has no fixture, since nobody could run its modules. */
const NO_FIXTURE = !(HOST in TARGETS);

type AnyFunction = (...parameters: unknown[]) => unknown;

function loadFunctions(): LoadedModule {
  const name = `${HOST}_adapters.o`;
  const { bytes } = linkObjects([{ name, bytes: Deno.readFileSync(new URL(name, FOLDER)) }], {
    platform: TARGETS[HOST].platform,
  });
  return new ModuleLoader().loadBytes(bytes);
}

/** A random argument. */
function argument(type: Deno.NativeType, integers: Integers, random: () => number): unknown {
  if (typeof type === "object") {
    // The bytes lie in the middle of others, at any address: none of those may be read or written.
    const { size } = layoutOf(type);
    return Uint8Array.from({ length: size + 5 }, random).subarray(3, 3 + size);
  }
  if (type === "bool") return random() % 2 === 0;
  if (type === "f32" || type === "f64") return Math.fround((random() - 2 ** 31) / 256);
  if (type === "pointer") return Deno.UnsafePointer.create(BigInt(random()) << 8n);
  const bits = Number(/\d+/.exec(type)?.[0] ?? 64);
  const isSigned = type.startsWith("i");
  // Deno refuses −0.
  if (bits < 64) return (isSigned ? random() | 0 : random()) % 2 ** (bits - 1) + 0;
  if (integers === "number-or-bigint" && random() % 4 === 0) {
    const wide = BigInt(random()) << 32n | BigInt(random());
    return isSigned ? BigInt.asIntN(64, wide) : wide;
  }
  const wide = random() % 9 === 0 ? 0 : (random() % 2 ** 21) * 2 ** 32 + random();
  return isSigned && random() % 2 === 0 ? -wide : wide;
}

/** A value that can be compared. */
function comparable(value: unknown, type: Deno.NativeResultType): unknown {
  if (typeof type === "object") return wordsOf(type, value as Uint8Array);
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    return Deno.UnsafePointer.value(value as Deno.PointerObject);
  }
  return value;
}

const VARIANTS = [
  { integers: "bigint", captureErrno: false },
  { integers: "number-or-bigint", captureErrno: false },
  { integers: "bigint", captureErrno: true },
  { integers: "number-or-bigint", captureErrno: true },
] as const;

for (const options of VARIANTS) {
  const { integers, captureErrno } = options;
  Deno.test({
    name: `functions of many signatures get the same by an adapter as by their address: ${
      JSON.stringify(options)
    }`,
    ignore: NO_FIXTURE,
    fn() {
      using module = loadFunctions();
      const definitions: Definitions = { last: { parameters: [], result: "u64" } };
      const capturing: Definitions = { ...definitions };
      for (const [name, signature] of Object.entries(ADAPTER_SIGNATURES)) {
        definitions[name] = { ...signature, integers };
        capturing[name] = { ...signature, integers, captureErrno };
      }
      const bind = (definitions: Definitions, callPath: "fast" | "pointer") =>
        module.bind(definitions, { callPath }).symbols as Record<string, AnyFunction>;
      const fast = bind(capturing, "fast"), pointer = bind(definitions, "pointer");
      // The long way has an adapter of its own where errno is captured.
      const long = captureErrno ? bind(capturing, "pointer") : undefined;
      const resultOf = (value: unknown): unknown => {
        if (!captureErrno) return value;
        const { result, errno } = value as { result: unknown; errno: number };
        assertEquals(errno, 0);
        return result;
      };
      const random = randomFrom(5);
      let results = 0;
      for (const [name, { parameters, result }] of Object.entries(ADAPTER_SIGNATURES)) {
        const text = `${name}: ${JSON.stringify(definitions[name])}`;
        for (let round = 0; round < 4; round++) {
          const given = parameters.map((type) => argument(type, integers, random));
          const expected = comparable(pointer[name](...given), result);
          const seen = pointer.last();
          assertEquals(comparable(resultOf(fast[name](...given)), result), expected, text);
          assertEquals(fast.last(), seen, text);
          if (long !== undefined) {
            assertEquals(comparable(resultOf(long[name](...given)), result), expected, text);
            assertEquals(fast.last(), seen, text);
          }
          results++;
        }
      }
      assertEquals(new Set(module.callPaths().map(({ path }) => path)), new Set(["fast", "pointer"]));
      assertEquals(results, 4 * Object.keys(ADAPTER_SIGNATURES).length);
    },
  });
}

Deno.test({
  name: "a struct result is exactly as long as the struct, in each kind of array",
  ignore: NO_FIXTURE,
  fn() {
    using module = loadFunctions();
    const structs = Object.entries(ADAPTER_SIGNATURES).filter(([, { result }]) => typeof result === "object");
    assert(structs.length > 40);
    const bind = (resultBuffer: "new" | "reused" | "caller", callPath: "fast" | "pointer") =>
      module.bind(
        Object.fromEntries(
          structs.map(([name, signature]) => [name, { ...signature, resultBuffer } as SignatureDefinition]),
        ),
        { callPath },
      ).symbols as Record<string, AnyFunction>;
    const random = randomFrom(6);
    for (const callPath of ["fast", "pointer"] as const) {
      const fresh = bind("new", callPath),
        reused = bind("reused", callPath),
        caller = bind("caller", callPath);
      for (const [name, { parameters, result }] of structs) {
        const { size } = layoutOf(result as Deno.NativeStructType);
        const given = parameters.map((type) => argument(type, "bigint", random));
        const expected = fresh[name](...given) as Uint8Array;
        assertEquals(expected.length, size);
        const again = reused[name](...given) as Uint8Array;
        const words = wordsOf(result as Deno.NativeStructType, expected);
        assertEquals(wordsOf(result as Deno.NativeStructType, again), words);
        assert(reused[name](...given) === again);
        // Bytes between the words of a struct are the compiler's to write; those around it are not.
        const around = new Uint8Array(size + 16).fill(0xee);
        const target = around.subarray(8, 8 + size);
        assert(caller[name](...given, target) === target);
        assertEquals([around.subarray(0, 8), around.subarray(8 + size)], [
          new Uint8Array(8).fill(0xee),
          new Uint8Array(8).fill(0xee),
        ]);
        assertEquals(wordsOf(result as Deno.NativeStructType, target), words);
      }
    }
  },
});

/** The bytes of a struct's words, without those between them. */
function wordsOf(type: Deno.NativeStructType, bytes: Uint8Array): number[][] {
  const found: number[][] = [];
  let end = 0;
  for (const field of type.struct) {
    const { size, alignment } = layoutOf(field);
    end = Math.ceil(end / alignment) * alignment;
    const part = bytes.subarray(end, end + size);
    found.push(...(typeof field === "object" ? wordsOf(field, part) : [[...part]]));
    end += size;
  }
  return found;
}
