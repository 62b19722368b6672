/**
 * The five sources that every compiler for every format compiles, and one that takes the headers of C++'s library. Each
 * exports `int32_t questions(void)` and
 * `int64_t answer(int32_t question)`, and the answers are the same everywhere.
 */
import { assertEquals } from "@std/assert";
import type { LoadedModule } from "../../mod.ts";

/** What a source is written in. */
export type Language = "C" | "C++" | "C++ with its library" | "Rust" | "assembly";

/** A program, whose first file holds the questions; the others are in a static library. */
export interface Source {
  readonly name: string;
  readonly language: Language;
  /** The files of a processor, below `sources/`. */
  files(arch: string): readonly string[];
  readonly answers: readonly bigint[];
  /** Checks more of a module than its answers, and closes it. */
  check?(module: LoadedModule): void;
}

const FOLDER = new URL("./sources/", import.meta.url);

/** The path of a source file. */
export function sourcePath(file: string): string {
  return new URL(file, FOLDER).pathname;
}

function libraryFiles(): string[] {
  const names = [...Deno.readDirSync(new URL("parts/", FOLDER))].map(({ name }) => name);
  const members = names.filter((name) => name.endsWith(".c") && name !== "main.c").sort();
  return ["main.c", ...members].map((name) => `parts/${name}`);
}

/** Calls with arguments of several kinds, a callback, and variables that JavaScript reads and writes. */
function checkData(module: LoadedModule): void {
  const { symbols } = module.bind({
    mix: { parameters: ["i32", "f64", "i64", "f32"], result: "f64" },
    apply: { parameters: ["function", "i32"], result: "i32" },
    replaceable: { parameters: ["i64"], result: "i64" },
    i8: { type: "i8" },
    u16: { type: "u16" },
    i32: { type: "i32" },
    u64: { type: "u64" },
    f64: { type: "f64" },
    f32: { type: "f32" },
  });
  assertEquals(symbols.mix(1, 2.5, -3n, 0.5), 1 + 5 - 9 + 2);
  assertEquals(symbols.replaceable(41n), 42n);
  const definition = { parameters: ["i32"], result: "i32" } as const;
  const callback = new Deno.UnsafeCallback(definition, (value) => value * 10);
  assertEquals(symbols.apply(callback.pointer, 7), 71);
  callback.close();
  assertEquals([symbols.i8, symbols.u16, symbols.i32, symbols.u64, symbols.f64, symbols.f32], [
    -8,
    60000,
    -2000000000,
    18000000000000n,
    1234.5,
    -0.25,
  ]);
  module.close();
}

/** The destructor of a static object writes, when the module ends, how many others are left, and which are gone. */
function checkClasses(module: LoadedModule): void {
  const { symbols } = module.bind({ watch_end: { parameters: ["pointer"], result: "void" } });
  const cell = new Int32Array([-1]);
  symbols.watch_end(Deno.UnsafePointer.of(cell));
  module.close();
  // 7 and 30 are the values of the thread's objects.
  assertEquals(
    cell[0],
    3704,
    "those of the thread and of a function are gone by then, those of the file are not",
  );
}

/** All of them. */
export const SOURCES: readonly Source[] = [
  {
    name: "data of every kind",
    language: "C",
    files: () => ["data.c"],
    // deno-fmt-ignore
    answers: [
      9002000044192n, -7431592083263455446n, 347125n, 4802492n, 4001002n, 1065353279n, 43330n, 119101n, 12851208364350n,
      1027132n, 34026120n, 414346n, 8000n, 110013n, 21n, 9n, 29426n, 17n, 1131n, 7060n, 10n,
    ],
    check: checkData,
  },
  {
    name: "exceptions and static objects",
    language: "C++",
    files: () => ["classes.cpp"],
    // deno-fmt-ignore
    answers: [
      117205212400416n, 132n, 13261012n, 1321017n, 17n, 470000n, 2121n, 4n, 60535n, 515n, 54n, 302n, 630n,
    ],
    check: checkClasses,
  },
  {
    name: "the standard library",
    language: "Rust",
    files: () => ["standard.rs"],
    // deno-fmt-ignore
    answers: [
      3095n, 57992260n, -1234567887622n, 17246n, 23411n, 109n, 1000100n, 1n, 1112n, 3n, 10154n, 584935594n, 14548n, 9721n,
    ],
  },
  {
    name: "a library of 20 files",
    language: "C",
    files: libraryFiles,
    // deno-fmt-ignore
    answers: [
      // The first is the check value of CRC-32.
      0xcbf43926n, 1757737011n, 1259703811n, 260177n, 149656n, 130729882200885n, 2101n, 226225n, 1101720787n, 7115n,
      489282123n, 24001n, 4835325n, 333n, 184n,
    ],
  },
  {
    name: "assembly",
    language: "assembly",
    files: (arch) => [`code_${arch}.S`],
    answers: [77n, 40n, 5006n, 5000n, 9n],
  },
  {
    name: "streams and containers",
    language: "C++ with its library",
    files: () => ["streams.cpp"],
    answers: [555912597n, 17002832n, 1n, 11111n, 8484933n, 1n, 201n],
  },
];
