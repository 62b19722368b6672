// Programs in C++, Rust and Zig, as questions and answers: the same wherever and however they are linked.
import { assertEquals } from "@std/assert";

/** `int64_t f(int32_t n)` */
const NUMBER = { parameters: ["i32"], result: "i64" } as const;
/** `size_t f(int32_t n, char *out, size_t capacity)`: returns the length of the text that it writes */
const TEXT = { parameters: ["i32", "buffer", "usize"], result: "usize" } as const;

/** A function, its arguments, and its answers: numbers or texts. */
interface Question {
  readonly name: string;
  readonly arguments: readonly number[];
  readonly answers: readonly (number | string)[];
  /** Whether threads may ask at once. */
  readonly atOnce: boolean;
}

/** A module, or several that import from each other. */
export interface Program {
  readonly name: string;
  readonly questions: readonly Question[];
}

type Definition = typeof NUMBER | typeof TEXT;
/** The functions of a program, by name. */
export type Functions = Record<string, (...parameters: unknown[]) => unknown>;

function asks(
  name: string,
  answers: Readonly<Record<number, number | string>>,
  atOnce = true,
): Question {
  const given = Object.keys(answers).map(Number);
  return { name, arguments: given, answers: given.map((n) => answers[n]), atOnce };
}

/** The definitions of a program's functions, for `Deno.dlopen` and `bind`. */
export function definitionsOf(program: Program): Record<string, Definition> {
  return Object.fromEntries(
    program.questions.map(({ name, answers }) => [name, typeof answers[0] === "number" ? NUMBER : TEXT]),
  );
}

/** The nonblocking definitions of a program's functions, whose calls run on other threads. */
export function nonblockingDefinitionsOf(
  program: Program,
): Record<string, Definition & { nonblocking: true }> {
  return Object.fromEntries(
    Object.entries(definitionsOf(program)).map((
      [name, definition],
    ) => [name, { ...definition, nonblocking: true }]),
  );
}

const CAPACITY = 512;

function textOf(buffer: Uint8Array, length: unknown): string {
  return new TextDecoder().decode(buffer.subarray(0, Number(length)));
}

/** Asks all questions, in order. */
export function answersOf(program: Program, functions: Functions): (number | string)[] {
  return program.questions.flatMap(({ name, arguments: given, answers }) =>
    given.map((n) => {
      if (typeof answers[0] === "number") return Number(functions[name](n));
      const out = new Uint8Array(CAPACITY);
      return textOf(out, functions[name](n, out, BigInt(CAPACITY)));
    })
  );
}

/** The right result of {@linkcode answersOf}. */
export function expectedOf(program: Program): (number | string)[] {
  return program.questions.flatMap(({ answers }) => answers);
}

/** Asks nonblocking functions all questions that threads may ask at once, `rounds` times; asserts all answers. */
export async function askAtOnce(program: Program, functions: Functions, rounds: number): Promise<void> {
  const asked: Promise<void>[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const { name, arguments: given, answers, atOnce } of program.questions) {
      if (!atOnce) continue;
      given.forEach((n, index) => {
        const ask = async (): Promise<void> => {
          const out = new Uint8Array(CAPACITY);
          const isNumber = typeof answers[0] === "number";
          const answer = await (isNumber ? functions[name](n) : functions[name](n, out, BigInt(CAPACITY)));
          assertEquals(isNumber ? Number(answer) : textOf(out, answer), answers[index], `${name}(${n})`);
        };
        asked.push(ask());
      });
    }
  }
  await Promise.all(asked);
}

/** Exceptions and run-time types inside a module. */
export const EXCEPTIONS: Program = {
  name: "exceptions",
  questions: [
    asks("caught_as", { 5: 5, 101: 101_000, [-12]: -13 }),
    asks("unwound", { 0: "a:bottom", 4: "abcde:bottom" }),
    asks("through_qsort", { 4: "3 4 5 9 ", 13: "unlucky" }),
    asks("thrown_again", { 0: "0", 3: "0 outer < negative: -3" }),
    asks("thrown_by_runtime", {
      0: "St12out_of_range",
      1: "St8bad_cast",
      2: "St10bad_typeid",
      3: "St9bad_alloc",
      4: "St12out_of_range",
    }),
    asks("cast", { 0: 1000, 1: 11_407 }),
  ],
};

/** Two modules: one throws, the other catches and answers the questions. */
export const CATCHER: Program = {
  name: "catcher",
  questions: [
    asks("caught_from_other", {
      0: "answer 0",
      1: "problem: a problem 11",
      2: "worse: a worse one 22",
      3: "something",
    }),
    asks("caught_behind_other", { 3: 4, 6: -6 }),
    asks("kind_in_other", { 0: 0, 1: 1, 2: 2 }),
  ],
};

/** The C++ library. */
export const TOUR: Program = {
  name: "tour",
  questions: [
    asks("counted_words", { 7: "7=1;and=2;bird=1;cat=1;dog=1;the=3;" }),
    asks("formatted", { 42: "......42 0x2a 6.000 true\n" }),
    asks("sorted", { 0: 0, 500: 659_815_273 }),
    asks("shared", { 0: 1, 100: 49_501 }),
    asks("hashed", { 10: 5 * 2 ** 32 + 25 }),
    asks("streams", { 0: 7 }),
  ],
};

/** Two objects with the same templates, and static objects with constructors. */
export const SHARED: Program = {
  name: "shared",
  questions: [
    asks("both_add", { 7: 12 }, false),
    asks("numbers_apart", { 0: 2, 5: 7 }, false),
    asks("one_variable", { 3: 4 }),
    asks("constructed", { 0: "abc", 1: "abcd" }, false),
  ],
};

/** Threads and thread-local variables. */
export const THREADS: Program = {
  name: "threads",
  questions: [
    asks("threads_apart", { 4: 194_010 }, false),
    asks("locked", { 1000: 1_998_000 }),
    asks("from_other_thread", { 1: "1", 2: "thread 2" }),
  ],
};

/** Rust's standard library: collections, text, threads, and panics that are caught. */
export const RUST: Program = {
  name: "rust",
  questions: [
    asks("vector_sum", { 0: 0, 100: 112_761 }),
    asks("formatted", { 42: '    42|0x2a|6.000|Some("42")|+4.2e1' }),
    asks("counted_words", { 7: "7=1;and=2;bird=1;cat=1;dog=1;the=3;" }),
    asks("dispatched", { 5: 551 }),
    asks("threads_apart", { 4: 10_004 }),
    asks("locked", { 1000: 1_998_000 }),
    asks("through_channel", { 100: 4950 }),
    asks("caught", { 1: 102, 7: 99 }),
    asks("message", { 0: "calm", 3: "panicked with 3" }),
    asks("from_other_thread", {
      0: "Ok(1)",
      2: 'Err(Some("a digit"))',
      9: 'Err(Some("called `Option::unwrap()` on a `None` value"))',
    }),
    asks("poisoned", { 4: -49 }),
  ],
};

/** Zig's standard library. */
export const ZIG: Program = {
  name: "zig",
  questions: [
    asks("formatted", { 42: "....42|2a|6.000|text" }),
    asks("listed", { 0: 0, 100: 8_332_500 }),
    asks("counted", { 37: 6839 }),
    asks("error_name", { 5: "5", 500: "TooLarge", [-5]: "TooSmall" }),
    asks("calls_here", { 3: 3 }),
  ],
};
