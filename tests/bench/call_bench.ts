/**
 * Benchmarks calls: through this package, through `Deno.dlopen`, in plain
 * JavaScript, and through the foreign function interfaces of Bun and koffi.
 */
import { ModuleLoader } from "../../mod.ts";
import { HAS_GUARDS } from "../../src/load/runtime/crash_guard.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { CALL_CASES, CALL_SOURCE } from "./call_cases.ts";
import { compile } from "./compiler.ts";
import { foreignCalls } from "./foreign.ts";
import { interleave, loop, median, medianRatio, plainFunction, type Subject } from "./measure.ts";

/** Nanoseconds per call; null if it could not be measured. */
export interface CallRow {
  readonly signature: string;
  readonly smf: number;
  /** With `onCrash: "throw"`; null where there are no guards. */
  readonly guarded: number | null;
  readonly pointer: number;
  readonly dlopen: number | null;
  readonly plain: number;
  readonly bun: number | null;
  readonly koffi: number | null;
  /** Median over the rounds of smf / dlopen. */
  readonly smfToDlopen: number | null;
  /** Median ratio of two loops over the same function of dlopen; its distance from 1 is noise. */
  readonly dlopenToItself: number | null;
  /** Median over the rounds of pointer / smf. */
  readonly pointerToSmf: number;
}

/** The result of {@linkcode callBench}. */
export interface CallReport {
  readonly rows: readonly CallRow[];
  /** Reasons for empty columns. */
  readonly skipped: readonly string[];
}

/** The amount of measuring. */
export interface CallBenchOptions {
  /** @default 201 */
  readonly rounds?: number;
  /** Calls per round, on the fast path. @default 200_000 */
  readonly calls?: number;
}

type AnyFunction = (...parameters: never[]) => unknown;

/** Measures every case of {@linkcode CALL_CASES}. */
export async function callBench(options: CallBenchOptions = {}): Promise<CallReport> {
  const { rounds = 201, calls = 200_000 } = options;
  using compiled = await compile(CALL_SOURCE);
  if (compiled === undefined) return { rows: [], skipped: ["everything: there is no C compiler (cc)"] };
  const { bytes } = linkObjects([{ name: "calls.o", bytes: compiled.object }]);
  const loader = new ModuleLoader();
  closeAnother(loader, bytes);
  using module = loader.loadBytes(bytes);
  const definitions = Object.fromEntries(CALL_CASES.map(({ symbol, definition }) => [symbol, definition]));
  const fast = module.bind(definitions).symbols as Record<string, AnyFunction>;
  const slow = module.bind(definitions, { callPath: "pointer" }).symbols as Record<string, AnyFunction>;
  const guarded = HAS_GUARDS ? new ModuleLoader({ onCrash: "throw" }).loadBytes(bytes) : undefined;
  using _guarded = guarded;
  const survivable = guarded?.bind(definitions).symbols as Record<string, AnyFunction> | undefined;
  const library = Deno.dlopen(compiled.library, definitions);
  const skipped: string[] = [];
  const [bun, koffi] = [
    await foreignCalls("bun", compiled.library, skipped),
    await foreignCalls("koffi", compiled.library, skipped),
  ];
  const buffer = new Uint8Array(64).fill(9);
  const scope = { buffer, pointer: Deno.UnsafePointer.of(buffer) };
  const rows = CALL_CASES.map(({ name, symbol, definition, parameters, plain }): CallRow => {
    const subject = (subjectName: string, target: AnyFunction, count = calls): Subject => ({
      name: subjectName,
      run: loop(target, parameters, scope),
      calls: count,
    });
    const samples = interleave([
      subject("smf", fast[symbol]),
      ...survivable === undefined ? [] : [subject("guarded", survivable[symbol])],
      subject("dlopen", library.symbols[symbol] as AnyFunction),
      subject("control", library.symbols[symbol] as AnyFunction),
      subject("plain", plainFunction(plain, definition.parameters.length)),
      subject("pointer", slow[symbol], Math.ceil(calls / 400)),
    ], rounds);
    const of = (subjectName: string) => samples.get(subjectName)!;
    return {
      signature: name,
      smf: median(of("smf")),
      guarded: survivable === undefined ? null : median(of("guarded")),
      pointer: median(of("pointer")),
      dlopen: median(of("dlopen")),
      plain: median(of("plain")),
      bun: bun?.[name] ?? null,
      koffi: koffi?.[name] ?? null,
      smfToDlopen: medianRatio(of("smf"), of("dlopen")),
      dlopenToItself: medianRatio(of("control"), of("dlopen")),
      pointerToSmf: medianRatio(of("pointer"), of("smf")),
    };
  });
  library.close();
  return { rows, skipped };
}

/** Binds, calls and closes another module, as real programs do, so that V8 sees the effects of closing. */
function closeAnother(loader: ModuleLoader, bytes: Uint8Array): void {
  using module = loader.loadBytes(bytes);
  const { bench_i32 } = module.bind({ bench_i32: { parameters: ["i32", "i32"], result: "i32" } }).symbols;
  loop(bench_i32 as AnyFunction, "i, 1")(100_000);
}

/** Formats the report as text. */
export function callTable({ rows, skipped }: CallReport): string {
  const number = (value: number | null, digits = 2) => value === null ? "–" : value.toFixed(digits);
  const header = [
    "ns per call",
    "SMF bound",
    "guarded",
    "Deno.dlopen",
    "ratio",
    "(noise)",
    "UnsafeFnPointer",
    "ratio",
    "plain JS",
    "bun:ffi",
    "koffi",
  ];
  const lines = rows.map((row) => [
    row.signature,
    number(row.smf),
    number(row.guarded),
    number(row.dlopen),
    number(row.smfToDlopen, 3),
    number(row.dlopenToItself, 3),
    number(row.pointer, 0),
    number(row.pointerToSmf, 0),
    number(row.plain),
    number(row.bun),
    number(row.koffi),
  ]);
  const widths = header.map((cell, column) =>
    Math.max(cell.length, ...lines.map((line) => line[column].length))
  );
  const format = (line: string[]) =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join(
      "  ",
    );
  return [format(header), ...lines.map(format), ...skipped.map((reason) => `skipped ${reason}`)].join("\n");
}
