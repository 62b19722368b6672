/**
 * Benchmarks calls through adapters, against programs that do the same with `Deno.dlopen`.
 */
import { type FunctionDefinition, ModuleLoader } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { compile } from "./compiler.ts";
import { expressionLoop, interleave, loop, median, medianRatio, type Subject } from "./measure.ts";
import { columns } from "./report.ts";

/** One comparison. */
interface AdapterCase {
  readonly name: string;
  readonly symbol: string;
  readonly definition: FunctionDefinition;
  /** The arguments of our call, as source text: `i` is the loop's counter, and `adapterBench` defines the other names. */
  readonly parameters: string;
  /** The definition for `Deno.dlopen`, and the call of `f`, as source text. */
  readonly peer: { readonly definition: Deno.ForeignFunction; readonly call: string };
  /** The largest acceptable nanoseconds a call. */
  readonly goal: number;
}

/** Nanoseconds per call; the ratio is the median over the rounds. */
export interface AdapterRow {
  readonly name: string;
  readonly ours: number;
  readonly dlopen: number;
  readonly ratio: number;
  readonly goal: number;
}

/** The result of {@linkcode adapterBench}. */
export interface AdapterReport {
  readonly rows: readonly AdapterRow[];
  readonly skipped: readonly string[];
}

const pair = { struct: ["f64", "f64"] } as const;
const mixed = { struct: ["i64", "f64"] } as const;
const four = { struct: ["f64", "f64", "f64", "f64"] } as const;
const i64 = { parameters: ["i64", "i64"], result: "i64" } as const;
const i32 = { parameters: ["i32", "i32"], result: "i32" } as const;
const byte = { parameters: ["pointer", "usize"], result: "u8" } as const;
const bytes = { parameters: ["buffer", "usize"], result: "u8" } as const;
const swap = { parameters: [pair], result: pair } as const;
const turn = { parameters: [mixed], result: mixed } as const;
const rotate = { parameters: [four], result: four } as const;

const CASES: readonly AdapterCase[] = [
  {
    name: "i64 + i64 as numbers",
    symbol: "add",
    definition: { ...i64, integers: "number" },
    parameters: "i, 3",
    peer: { definition: i64, call: "Number(f(i, 3))" },
    goal: 12,
  },
  {
    name: "i64 + i64 as numbers of 50 bits",
    symbol: "add",
    definition: { ...i64, integers: "number" },
    parameters: "i * 1e9, 3",
    peer: { definition: i64, call: "Number(f(i * 1e9, 3))" },
    goal: 12,
  },
  {
    name: "i64 + i64, by bigints of the peer",
    symbol: "add",
    definition: { ...i64, integers: "number" },
    parameters: "i, 3",
    peer: { definition: i64, call: "Number(f(BigInt(i), 3n))" },
    goal: 12,
  },
  {
    name: "pointer, usize as a number",
    symbol: "byte",
    definition: { ...byte, integers: "number" },
    parameters: "pointer, 5",
    peer: { definition: byte, call: "f(pointer, 5)" },
    goal: 12,
  },
  {
    name: "buffer, usize as a number",
    symbol: "byte",
    definition: { ...bytes, integers: "number" },
    parameters: "buffer, 5",
    peer: { definition: bytes, call: "f(buffer, 5)" },
    goal: 20,
  },
  {
    name: "i32 + i32 with errno",
    symbol: "sum",
    definition: { ...i32, captureErrno: true },
    parameters: "i, 3",
    peer: { definition: i32, call: "f(i, 3)" },
    goal: 15,
  },
  {
    name: "string of 16 characters in",
    symbol: "first",
    definition: { parameters: ["cstring"], result: "u8" },
    parameters: "texts[i & 3]",
    peer: {
      definition: { parameters: ["buffer"], result: "u8" },
      call: "f(encoder.encode(`${texts[i & 3]}\\0`))",
    },
    goal: 150,
  },
  {
    name: "string of 16 characters out",
    symbol: "name",
    definition: { parameters: ["i32"], result: "cstring" },
    parameters: "i & 3",
    peer: {
      definition: { parameters: ["i32"], result: "pointer" },
      call: "Deno.UnsafePointerView.getCString(f(i & 3))",
    },
    goal: 150,
  },
  {
    name: "struct of 16 bytes, reused",
    symbol: "swap",
    definition: { ...swap, resultBuffer: "reused" },
    parameters: "buffer",
    peer: { definition: swap, call: "f(buffer)" },
    goal: 30,
  },
  {
    name: "struct of 16 bytes, caller's",
    symbol: "swap",
    definition: { ...swap, resultBuffer: "caller" },
    parameters: "buffer, result",
    peer: { definition: swap, call: "f(buffer)" },
    goal: 30,
  },
  {
    name: "struct of an integer and a double",
    symbol: "turn",
    definition: { ...turn, resultBuffer: "caller" },
    parameters: "buffer, result",
    peer: { definition: turn, call: "f(buffer)" },
    goal: 30,
  },
  {
    name: "struct of 32 bytes, caller's",
    symbol: "rotate",
    definition: { ...rotate, resultBuffer: "caller" },
    parameters: "buffer, result",
    peer: { definition: rotate, call: "f(buffer)" },
    goal: 60,
  },
];

const TEXTS = ["abcdefghijklmnop", "qrstuvwxyzabcdef", "ghijklmnopqrstuv", "wxyzabcdefghijkl"];

const SOURCE = `
__asm__(".text\\n.skip 256, 0xcc");
#include <stddef.h>
#include <stdint.h>
int64_t add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
int32_t sum(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
uint8_t first(const char *text) { return (uint8_t)*text; }
const char *name(int32_t index) {
  static const char *names[] = { "abcdefghijklmnop", "qrstuvwxyzabcdef", "ghijklmnopqrstuv", "wxyzabcdefghijkl" };
  return names[index];
}
uint8_t byte(const uint8_t *p, size_t n) { return p[n]; }
struct pair { double x, y; } swap(struct pair p) { return (struct pair){ p.y, p.x }; }
struct mixed { int64_t n; double x; } turn(struct mixed m) { return (struct mixed){ -m.n, -m.x }; }
struct four { double a, b, c, d; } rotate(struct four f) { return (struct four){ f.b, f.c, f.d, f.a }; }
`;

/** Measures every case. */
export async function adapterBench(rounds = 401): Promise<AdapterReport> {
  using compiled = await compile(SOURCE);
  if (compiled === undefined) return { rows: [], skipped: ["everything: there is no C compiler (cc)"] };
  using module = new ModuleLoader({ callPath: "fast" }).loadBytes(
    linkObjects([{ name: "adapters.o", bytes: compiled.object }]).bytes,
  );
  const buffer = new Uint8Array(64).fill(9);
  const scope = {
    buffer,
    result: new Uint8Array(64),
    pointer: Deno.UnsafePointer.of(buffer),
    encoder: new TextEncoder(),
    texts: TEXTS,
  };
  const rows = CASES.map(({ name, symbol, definition, parameters, peer, goal }): AdapterRow => {
    const library = Deno.dlopen(compiled.library, { [symbol]: peer.definition });
    const other = library.symbols[symbol] as (...parameters: never[]) => unknown;
    const own = module.getFunction(symbol, definition) as (...parameters: never[]) => unknown;
    // Rounds are short: the slower side makes an array in each call, and other programs interrupt long rounds.
    const subjects: Subject[] = [
      { name: "ours", run: loop(own, parameters, scope), calls: 10_000 },
      { name: "dlopen", run: expressionLoop(other, peer.call, scope), calls: 1_000 },
    ];
    const samples = interleave(subjects, rounds);
    library.close();
    const ours = samples.get("ours")!, dlopen = samples.get("dlopen")!;
    return { name, ours: median(ours), dlopen: median(dlopen), ratio: medianRatio(ours, dlopen), goal };
  });
  return { rows, skipped: [] };
}

/** Formats the report as text. */
export function adapterTable({ rows, skipped }: AdapterReport): string {
  const header = ["ns per call", "ours", "Deno.dlopen", "ratio", "goal", ""];
  const lines = rows.map(({ name, ours, dlopen, ratio, goal }) => [
    name,
    ours.toFixed(1),
    dlopen.toFixed(1),
    ratio.toFixed(3),
    String(goal),
    ours <= goal ? "met" : "MISSED",
  ]);
  return [...columns([header, ...lines]), ...skipped.map((reason) => `skipped ${reason}`)].join("\n");
}
