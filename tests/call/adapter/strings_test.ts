/** Calls that take and return strings, of small functions and of the C library. */
import { assertEquals, assertStrictEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { FOLDER, TARGETS } from "../../../fixtures/build_platform.ts";
import { LiveLibrary, ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import { scratch } from "../../../src/call/adapter/scratch.ts";
import { linkObjects } from "../../../src/link/linker.ts";
import { cModule, newCRegistry } from "../../support/c_library.ts";
import { linuxTest, nativeTest, runChild, sample } from "../../support/modules.ts";
import { assertLoadError } from "../../support/testing.ts";

const HOST = `${Deno.build.os}-${Deno.build.arch}`;
const library = () => cModule({ length: "strlen", parse: "strtoll", search: "bsearch" });

/** The function returns the address that is its first argument plus its second. */
const OFFSET = { parameters: ["cstring", "usize"], result: "cstring", integers: "number" } as const;
const LENGTH = { parameters: ["cstring"], result: "usize", integers: "number" } as const;
/** void *bsearch(const void *key, const void *base, size_t count, size_t size, int (*compare)(key, element)) */
const SEARCH = {
  parameters: ["cstring", "pointer", "usize", "usize", "function"],
  result: "pointer",
  integers: "number",
} as const;

const TEXTS = [
  "",
  "a",
  "0123456789abcde",
  "0123456789abcdef",
  "0123456789abcdefg",
  "\u007f\u0001",
  "grüße",
  "日本",
  "🙂🙃",
  "x".repeat(1023),
  "x".repeat(1024),
  "x".repeat(1025),
  "y".repeat(21_000),
  "z".repeat(70_000),
  "ü".repeat(40_000),
];

for (const callPath of ["auto", "fast", "pointer"] as const) {
  nativeTest(`a string goes in and comes out, by ${callPath}`, () => {
    using module = new ModuleLoader().loadBytes(sample());
    const { offset } = module.bind({ offset: OFFSET }, { callPath }).symbols;
    for (let round = 0; round < 12; round++) {
      for (const text of TEXTS) {
        const same: string | null = offset(text, 0);
        assertStrictEquals(same, text);
      }
      assertEquals(offset("0123456789", 3), "3456789");
      assertEquals(offset(null, 0), null);
      // As TextEncoder has it.
      assertEquals(offset("a\ud800b", 0), "a\ufffdb");
      assertEquals(scratch.top, 1);
    }
  });

  nativeTest(`what is not a string, or not one of C, is refused before the call, by ${callPath}`, () => {
    using module = new ModuleLoader().loadBytes(sample());
    const { offset } = module.bind({ offset: OFFSET }, { callPath }).symbols;
    for (let round = 0; round < 12; round++) {
      assertThrows(() => offset("ab\0c", 0), RangeError, "Cannot call 'offset': parameter 1 has a NUL at 2");
      assertThrows(() => offset("ü\0", 0), RangeError, "has a NUL at 1");
      for (const wrong of [undefined, 1, {}, new String("a"), new Uint8Array(2)]) {
        assertThrows(() => offset(wrong as never, 0), TypeError, "not a string or null");
      }
      assertThrows(() => offset("a", 0.5), RangeError, "parameter 2");
      assertEquals(scratch.top, 1);
    }
  });

  nativeTest(`strings reach every place of parameters, by ${callPath}`, () => {
    const name = `${HOST}_adapters.o`;
    const { bytes } = linkObjects([{ name, bytes: Deno.readFileSync(new URL(name, FOLDER)) }], {
      platform: TARGETS[HOST].platform,
    });
    using module = new ModuleLoader().loadBytes(bytes);
    // int64_t f1(int64_t × 12) mixes its arguments.
    const types = Array.from({ length: 12 }, () => "cstring" as const);
    const mixed = module.getFunction("f1", { parameters: types, result: "i64" }, { callPath: "fast" })!;
    const texts = types.map((_, index) => index % 5 === 4 ? null : "abcdefghijkl".slice(index));
    let top = 1n;
    const addresses = texts.map((text) => {
      if (text === null) return 0n;
      const address = scratch.places.in + top;
      top += BigInt(text.length + 1);
      return address;
    });
    const plain = module.getFunction("f1", { parameters: types.map(() => "i64" as const), result: "i64" }, {
      callPath,
    })!;
    const all = plain as (...given: bigint[]) => bigint;
    assertEquals((mixed as (...given: unknown[]) => bigint)(...texts), all(...addresses));
  });

  nativeTest(`a callback that calls with other strings leaves those of its caller, by ${callPath}`, () => {
    using registry = newCRegistry();
    const { search } = registry.loadBytes("c", library()).bind({ search: SEARCH }, { callPath }).symbols;
    const element = Deno.UnsafePointer.of(new Uint8Array(8));
    const text = (pointer: Deno.PointerValue) => Deno.UnsafePointerView.getCString(pointer!);
    const seen: string[] = [];
    const compare = new Deno.UnsafeCallback({ parameters: ["pointer", "pointer"], result: "i32" }, (key) => {
      const before = text(key);
      const depth = Number(before.slice(0, 3));
      if (depth > 0) {
        search(
          `${String(depth - 1).padStart(3, "0")} ${"ä".repeat(depth % 3)}`,
          element,
          1,
          1,
          compare.pointer,
        );
      }
      seen.push(text(key));
      assertEquals(text(key), before);
      return 0;
    });
    for (let round = 0; round < 10; round++) {
      seen.length = 0;
      search("020 first", element, 1, 1, compare.pointer);
      assertEquals([seen.length, seen[20], scratch.top], [21, "020 first", 1]);
    }
    compare.close();
  });

  nativeTest(`strings go with errno and in nonblocking calls, by ${callPath}`, async () => {
    await using registry = newCRegistry();
    const module = registry.loadBytes("c", library());
    const parse = module.getFunction("parse", {
      parameters: ["cstring", "pointer", "i32"],
      result: "i64",
      integers: "number-or-bigint",
      captureErrno: true,
    }, { callPath })!;
    for (let round = 0; round < 12; round++) {
      assertEquals(parse("12", null, 10), { result: 12, errno: 0 });
      assertEquals(parse("99999999999999999999", null, 10), { result: 2n ** 63n - 1n, errno: 34 });
    }
    const length = module.getFunction("length", { ...LENGTH, nonblocking: true }, { callPath })!;
    const lengths: number[] = await Promise.all(["", "abc", "grüße"].map((text) => length(text)));
    assertEquals(lengths, [0, 3, 7]);
  });
}

nativeTest("a live function takes strings over reloads, in attached isolates too", () => {
  using registry = newCRegistry();
  registry.loadBytes("c", library());
  using live = registry.open("c", { length: LENGTH });
  using attached = LiveLibrary.attach(structuredClone(live.share()), { length: LENGTH });
  for (let version = 0; version < 2; version++) {
    for (let round = 0; round < 12; round++) {
      assertEquals([live.symbols.length("grüße"), attached.symbols.length("abc")], [7, 3]);
    }
    registry.reload("c", { bytes: library() });
  }
});

nativeTest("cstring is a type of parameters and results alone, of functions that JavaScript calls", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const bind = (definitions: unknown) => module.bind(definitions as Record<string, never>);
  assertThrows(() => bind({ counter: { type: "cstring" } }), TypeError, "Cannot bind static 'counter'");
  assertThrows(
    () => bind({ offset: { parameters: [{ struct: ["cstring"] }], result: "void" } }),
    TypeError,
    "Cannot bind function 'offset': parameter 1 is a struct whose field 1 is",
  );
  assertThrows(
    () =>
      new ModuleRegistry({
        imports: { note: { parameters: ["cstring"], result: "void", callback: () => {} } as never },
      }),
    TypeError,
    "Cannot import 'note': cstring, integers, resultBuffer and captureErrno are for functions that JavaScript calls",
  );
});

linuxTest("a cstring is compared with the types that a module keeps, as a pointer", () => {
  using registry = new ModuleRegistry();
  using library = registry.open("fixtures/c/typed.smf", {
    greeting: { parameters: [], result: "cstring" },
    count: { parameters: ["cstring", "u8"], result: "usize", integers: "number" },
  });
  for (let round = 0; round < 12; round++) {
    assertEquals([library.symbols.greeting(), library.symbols.count("banana", 97)], ["hello", 3]);
  }
  const error = assertLoadError(
    () => registry.open("fixtures/c/typed.smf", { add: { parameters: ["cstring", "i32"], result: "i32" } }),
    "Incompatible",
  );
  assertStringIncludes(error.message, "parameter 1 is int, the definition says cstring");
});

nativeTest(
  "arguments of nonblocking calls stay until their result is read, whatever is collected",
  async () => {
    const child = await runChild(new URL("./collected_arguments_child.ts", import.meta.url), {
      v8Flags: "--expose-gc",
    });
    assertEquals(child.code, 0, child.stderr);
    assertEquals(JSON.parse(child.stdout), []);
  },
);
