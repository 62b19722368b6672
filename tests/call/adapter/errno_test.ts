/** Calls that return `errno` beside their result, of functions of the C library. */
import { assertEquals, assertThrows } from "@std/assert";
import { LiveLibrary } from "../../../mod.ts";
import { cModule, newCRegistry } from "../../support/c_library.ts";
import { nativeTest } from "../../support/modules.ts";

const ENOENT = 2, ERANGE = 34;
/** int chdir(const char *path); −1. Its name in the C library. */
const CHDIR = Deno.build.os === "windows" ? "_chdir" : "chdir";

const library = () => cModule({ change: CHDIR, parse: "strtoll", divide: "lldiv" });

const bytes = (text: string) => new TextEncoder().encode(`${text}\0`);
const CHANGE = { parameters: ["buffer"], result: "i32", captureErrno: true } as const;
const PARSE = {
  parameters: ["buffer", "pointer", "i32"],
  result: "i64",
  integers: "number-or-bigint",
  captureErrno: true,
} as const;

for (const callPath of ["auto", "fast", "pointer"] as const) {
  nativeTest(`errno comes with the result, and is 0 where nothing has failed, by ${callPath}`, () => {
    using registry = newCRegistry();
    const module = registry.loadBytes("c", library());
    const { change, parse } = module.bind({ change: CHANGE, parse: PARSE }, { callPath }).symbols;
    for (let round = 0; round < 20; round++) {
      const failed: { result: number; errno: number } = change(bytes("/no/such/folder"));
      assertEquals(failed, { result: -1, errno: ENOENT });
      assertEquals(parse(bytes("12"), null, 10), { result: 12, errno: 0 });
      assertEquals(parse(bytes("99999999999999999999"), null, 10), { result: 2n ** 63n - 1n, errno: ERANGE });
      assertEquals(parse(bytes("-7"), null, 10), { result: -7, errno: 0 });
    }
  });

  nativeTest(`errno comes with bigints and with structs, by ${callPath}`, () => {
    using registry = newCRegistry();
    const module = registry.loadBytes("c", library());
    const parse = module.getFunction("parse", { ...PARSE, integers: "bigint" }, { callPath })!;
    const divide = module.getFunction("divide", {
      parameters: ["i64", "i64"],
      result: { struct: ["i64", "i64"] },
      resultBuffer: "reused",
      captureErrno: true,
    }, { callPath })!;
    for (let round = 0; round < 20; round++) {
      assertEquals(parse(bytes("12"), null, 10), { result: 12n, errno: 0 });
      const { result, errno } = divide(17n, 5n);
      assertEquals([...new BigInt64Array(result.slice().buffer), errno], [3n, 2n, 0]);
    }
  });

  nativeTest(`a nonblocking call has an errno of its own, by ${callPath}`, async () => {
    await using registry = newCRegistry();
    const module = registry.loadBytes("c", library());
    const { parse } = module.bind({ parse: { ...PARSE, nonblocking: true } }, { callPath }).symbols;
    const texts = ["1", "99999999999999999999", "2", "-99999999999999999999", "x"];
    const results = await Promise.all(texts.map((text) => parse(bytes(text), null, 10)));
    assertEquals(results.map(({ errno }) => errno), [0, ERANGE, 0, ERANGE, results[4].errno]);
    assertEquals(results.map(({ result }) => result), [1, 2n ** 63n - 1n, 2, -(2n ** 63n), 0]);
    const divide = module.getFunction("divide", {
      parameters: ["i64", "i64"],
      result: { struct: ["i64", "i64"] },
      nonblocking: true,
      captureErrno: true,
    }, { callPath })!;
    const { result, errno } = await divide(9n, 4n);
    assertEquals([...new BigInt64Array(result.slice().buffer), errno], [2n, 1n, 0]);
  });
}

nativeTest("a live function captures errno over reloads, in attached isolates too", () => {
  using registry = newCRegistry();
  registry.loadBytes("c", library());
  using live = registry.open("c", { parse: PARSE });
  using attached = LiveLibrary.attach(structuredClone(live.share()), { parse: PARSE });
  for (let version = 0; version < 2; version++) {
    for (let round = 0; round < 12; round++) {
      for (const { parse } of [live.symbols, attached.symbols]) {
        assertEquals(parse(bytes("99999999999999999999"), null, 10).errno, ERANGE);
      }
    }
    registry.reload("c", { bytes: library() });
  }
});

nativeTest("captureErrno is true or false", () => {
  using registry = newCRegistry();
  const module = registry.loadBytes("c", library());
  assertThrows(
    () => module.bind({ change: { ...CHANGE, captureErrno: 1 as never } }),
    TypeError,
    "Cannot bind function 'change': captureErrno is 1, not true or false",
  );
});
