/**
 * The functions that the call benchmark calls, the same for all competitors.
 */

/** A signature, with a function that has it. */
export interface CallCase {
  readonly name: string;
  /** The name of the C function. */
  readonly symbol: string;
  readonly definition: Deno.ForeignFunction;
  /** The arguments as source text; `i` is the loop's counter, `buffer` 64 bytes, `pointer` their address. */
  readonly parameters: string;
  /** The function's work in plain JavaScript: the body of a function of `a`, `b`, … */
  readonly plain: string;
}

const repeated = <T>(value: T, count: number): T[] => Array.from({ length: count }, () => value);

/** All cases of the call benchmark. */
export const CALL_CASES: readonly CallCase[] = [
  {
    name: "void()",
    symbol: "bench_void",
    definition: { parameters: [], result: "void" },
    parameters: "",
    plain: "",
  },
  {
    name: "i32+i32",
    symbol: "bench_i32",
    definition: { parameters: ["i32", "i32"], result: "i32" },
    parameters: "i, 3",
    plain: "return (a + b) | 0;",
  },
  {
    name: "f64+f64",
    symbol: "bench_f64",
    definition: { parameters: ["f64", "f64"], result: "f64" },
    parameters: "i, 0.5",
    plain: "return a + b;",
  },
  {
    name: "i64+i64",
    symbol: "bench_i64",
    definition: { parameters: ["i64", "i64"], result: "i64" },
    parameters: "7n, 3n",
    plain: "return BigInt.asIntN(64, a + b);",
  },
  {
    name: "pointer+usize",
    symbol: "bench_pointer",
    definition: { parameters: ["pointer", "usize"], result: "u8" },
    parameters: "pointer, 5n",
    plain: "return a === null ? 0 : Number(b & 255n);",
  },
  {
    name: "buffer",
    symbol: "bench_buffer",
    definition: { parameters: ["buffer", "i32"], result: "u8" },
    parameters: "buffer, 5",
    plain: "return a[b];",
  },
  {
    name: "8 × i32",
    symbol: "bench_eight",
    definition: { parameters: repeated("i32", 8), result: "i32" },
    parameters: "i, 2, 3, 4, 5, 6, 7, 8",
    plain: "return (a + b + c + d + e + f + g + h) | 0;",
  },
];

/**
 * The C source of the functions. The bytes in front keep them away from the start
 * of a page, where no function of a shared library lies: calls of a function there
 * take a fraction of a nanosecond longer, which would distort the comparison.
 */
export const CALL_SOURCE = `
__asm__(".text\\n.skip 256, 0xcc");
#include <stddef.h>
#include <stdint.h>
void bench_void(void) {}
int32_t bench_i32(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
double bench_f64(double a, double b) { return a + b; }
int64_t bench_i64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
uint8_t bench_pointer(const uint8_t *p, size_t n) { return p[n]; }
uint8_t bench_buffer(const uint8_t *p, int32_t n) { return p[n]; }
int32_t bench_eight(int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f, int32_t g, int32_t h) {
  return (int32_t)((uint32_t)a + (uint32_t)b + (uint32_t)c + (uint32_t)d + (uint32_t)e + (uint32_t)f + (uint32_t)g +
                   (uint32_t)h);
}
`;
