import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { hex, inFile, LoadError, type LoadErrorData } from "../../src/errors/load_error.ts";

Deno.test("hex writes offsets and addresses of either kind and sign", () => {
  assertEquals(hex(0), "0x0");
  assertEquals(hex(4096), "0x1000");
  assertEquals(hex(-4n), "-0x4");
  assertEquals(hex(0xffff_ffff_ffff_ffffn), "0xffffffffffffffff");
});

Deno.test("a LoadError is an Error with a kind, a name and the facts", () => {
  const data: LoadErrorData = { section: ".text", offset: 16 };
  const error = new LoadError("InvalidFormat", "Cannot read section: it ends outside the file", data);
  assertInstanceOf(error, Error);
  assertEquals(error.name, "LoadError");
  assertEquals(error.kind, "InvalidFormat");
  assertStrictEquals(error.data, data);
  assert(error.stack?.includes("load_error_test.ts"));
});

Deno.test("a message without facts is the problem alone", () => {
  const problem = "Cannot call function: the module is closed";
  assertEquals(new LoadError("Closed", problem).message, problem);
});

Deno.test("every fact is in the message, most general first", () => {
  const error = new LoadError("RelocationFailed", "Cannot relocate: the displacement does not fit", {
    size: 4,
    errno: 12,
    call: "mmap",
    range: [-2147483648n, 2147483648n],
    value: 4294967296n,
    offset: 0x1234,
    symbol: "printf",
    section: ".text",
    path: "a.smf",
  });
  assertEquals(
    error.message,
    "Cannot relocate: the displacement does not fit (file 'a.smf', section '.text', symbol 'printf', " +
      "offset 0x1234, value 4294967296, allowed [-2147483648, 2147483648), call mmap, errno 12, size 4)",
  );
});

Deno.test("facts that are zero or empty are facts", () => {
  const error = new LoadError("InvalidFormat", "Cannot read", { offset: 0, symbol: "", value: 0, errno: 0 });
  assertEquals(error.message, "Cannot read (symbol '', offset 0x0, value 0, errno 0)");
});

Deno.test("several symbols are data, not part of the brackets", () => {
  const error = new LoadError("UndefinedSymbol", "Cannot resolve: a, b", { symbols: ["a", "b"] });
  assertEquals(error.message, "Cannot resolve: a, b");
  assertEquals(error.data.symbols, ["a", "b"]);
});

Deno.test("locate adds what an outer layer knows and keeps what is there", () => {
  const error = new LoadError("Io", "Cannot read file", { path: "inner.smf" });
  assertStrictEquals(error.locate({ path: "outer.smf", offset: 8 }), error);
  assertEquals(error.data, { path: "inner.smf", offset: 8 });
  assertEquals(error.message, "Cannot read file (file 'inner.smf', offset 0x8)");
});

Deno.test("the message is no enumerable property", () => {
  assert(!Object.keys(new LoadError("Io", "Cannot read file")).includes("message"));
});

Deno.test("the cause is kept", () => {
  const cause = new Error("below");
  assertStrictEquals(new LoadError("Io", "Cannot read file", {}, { cause }).cause, cause);
});

Deno.test("inFile gives a LoadError its file, once, and leaves everything else alone", () => {
  const failing = (error: unknown) => (): never => {
    throw error;
  };
  const failure = new LoadError("InvalidFormat", "Cannot read header");
  const located = assertThrows(() => inFile("outer", () => inFile("inner", failing(failure))), LoadError);
  assertStrictEquals(located, failure);
  assertEquals(located.data.path, "inner");

  const unnamed = new LoadError("InvalidFormat", "Cannot read header");
  assertThrows(() => inFile(undefined, failing(unnamed)), LoadError);
  assertEquals(unnamed.data.path, undefined);

  assertThrows(() => inFile("a.smf", failing(new TypeError("other"))), TypeError, "other");
  assertEquals(inFile("a.smf", () => 3), 3);
});

Deno.test("a message has names as sources write them, except those that are suggested; facts have those of linkers", () => {
  const { message, data } = new LoadError("UndefinedSymbol", "undefined symbol '_ZN3geo5scaleEi'", {
    symbol: "_ZN3geo5scaleEi",
  });
  assertEquals(message, "undefined symbol 'geo::scale(int)' (symbol '_ZN3geo5scaleEi')");
  assertEquals(data.symbol, "_ZN3geo5scaleEi");
  const suggested = new LoadError("UndefinedSymbol", "no 'geo::scal' (did you mean '_ZN3geo5scaleEi'?)");
  assertEquals(suggested.message, "no 'geo::scal' (did you mean '_ZN3geo5scaleEi'?)");
});
