import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/cli/terminal/command.ts";
import { parseSignature } from "../../../src/cli/commands/signature.ts";

Deno.test("a signature becomes result and parameters of a definition for Deno", () => {
  const cases: [text: string, parameters: Deno.NativeType[], result: Deno.NativeResultType][] = [
    ["i64(i64,i64)", ["i64", "i64"], "i64"],
    [" void ( ) ", [], "void"],
    ["i32(void)", [], "i32"],
    ["f64( f32 , bool,u8 )", ["f32", "bool", "u8"], "f64"],
    ["cstring(cstring, pointer)", ["buffer", "usize"], "usize"],
    ["pointer(isize)", ["isize"], "usize"],
  ];
  for (const [text, parameters, result] of cases) {
    assertEquals(parseSignature(text).definition, { parameters, result });
  }
});

Deno.test("arguments are converted to their types, in any base", () => {
  const values = (type: string, ...texts: string[]) => parseSignature(`void(${type})`).values(texts);
  assertEquals(values("i64, u8, i32", "-0x10", "255", "-5"), [-16n, 255, -5]);
  assertEquals(values("u64", "18446744073709551615"), [2n ** 64n - 1n]);
  assertEquals(values("f64, f32, f64", "1e3", "-.5", "NaN"), [1000, -0.5, NaN]);
  assertEquals(values("bool, bool", "true", "false"), [true, false]);
  assertEquals(values("cstring", "hé"), [new Uint8Array([0x68, 0xc3, 0xa9, 0])]);
  assertEquals(values("pointer", "0x10"), [16n]);
});

Deno.test("results are formatted by their types", () => {
  const text = (type: string, value: unknown) => parseSignature(`${type}()`).text(value);
  assertEquals(text("i64", -5n), "-5");
  assertEquals(text("f64", 0.5), "0.5");
  assertEquals(text("bool", true), "true");
  assertEquals(text("pointer", 255n), "0xff");
  assertEquals(text("cstring", 0n), "NULL");
  assertEquals(text("void", undefined), undefined);
});

Deno.test("a malformed signature and arguments that do not fit are usage errors", () => {
  for (const text of ["", "i64", "i64(", "i64(i64))", "(i64)", "i64 i64()", "i64(i64,)", "i64(,)"]) {
    assertThrows(() => parseSignature(text), UsageError);
  }
  assertThrows(
    () => parseSignature("integer()"),
    UsageError,
    "there is no type 'integer' (did you mean 'int'?); the types are void (as a result), i8",
  );
  assertThrows(() => parseSignature("i32(toString)"), UsageError, "there is no type 'toString'");
  const cases: [type: string, text: string, message: string][] = [
    ["i8", "128", "128 is not in [-128, 128)"],
    ["u8", "-1", "-1 is not in [0, 256)"],
    ["u64", "18446744073709551616", "is not in [0,"],
    ["i32", "1.5", "is not a whole number"],
    ["i32", "", "is not a whole number"],
    ["i32", "--5", "is not a whole number"],
    ["f64", "", "is not a number"],
    ["f64", "x", "is not a number"],
    ["bool", "1", "neither true nor false"],
  ];
  for (const [type, text, message] of cases) {
    assertThrows(() => parseSignature(`void(${type})`).values([text]), UsageError, message);
  }
  assertThrows(() => parseSignature("void(i32)").values([]), UsageError, "takes 1 argument, not 0");
  assertThrows(() => parseSignature("void(i32,i32)").values(["1"]), UsageError, "takes 2 arguments, not 1");
});

Deno.test("a signature may be a declaration of C", () => {
  const long = Deno.build.os === "windows" ? "i32" : "i64";
  const cases: [text: string, parameters: Deno.NativeType[], result: Deno.NativeResultType][] = [
    ["int f(const char *, size_t)", ["buffer", "usize"], "i32"],
    ["int f(const char *path, size_t length);", ["buffer", "usize"], "i32"],
    ["void *malloc(size_t size)", ["usize"], "usize"],
    ["const char *name(void)", [], "usize"],
    ["unsigned long long int f(unsigned, short int, signed char)", ["u32", "i16", "i8"], "u64"],
    ["long f(long int l, int long)", [long, long], long],
    ["extern _Bool f(bool b, float, double)", ["bool", "f32", "f64"], "bool"],
    [
      "double sum(double values[], int n, struct point *p, char **names)",
      ["usize", "i32", "usize", "usize"],
      "f64",
    ],
    ["uint8_t f(int64_t a, uintptr_t b, ptrdiff_t)", ["i64", "usize", "isize"], "u8"],
    ["i64 f(u8 a, cstring)", ["u8", "buffer"], "i64"],
    ["int (int, enum colour)", ["i32", "i32"], "i32"],
  ];
  for (const [text, parameters, result] of cases) {
    assertEquals(parseSignature(text).definition, { parameters, result }, text);
  }
  assertEquals(parseSignature("int f(int a)").name, "f");
  assertEquals(parseSignature("int(int a)").name, undefined);
});

Deno.test("types that signatures cannot have are usage errors, with what was meant", () => {
  const cases = [
    ["int f(sizet)", "no type 'sizet' (did you mean 'size_t'?)"],
    ["int f(long double)", "no type 'long double'"],
    ["struct p f(int)", "no type 'struct p f'"],
    ["int f(void, int)", "'void' is not a parameter"],
    ["int f(...)", "no type '...'"],
    ["* f(int)", "no type '* f'"],
    ["int f(int *const * x y)", "no type"],
  ];
  for (const [text, message] of cases) assertThrows(() => parseSignature(text), UsageError, message);
});
