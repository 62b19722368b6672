/** The fixtures with threads and thread-local variables. */
import { fromFileUrl } from "@std/path";
import { dialectsOf, FOLDER } from "../../fixtures/build_threads.ts";

/** Registers a test that needs Linux. */
export function linuxTest(name: string, fn: () => void | Promise<void>): void {
  const ignore = Deno.build.os !== "linux";
  Deno.test({ name: ignore ? `${name} (SKIPPED: needs Linux)` : name, ignore, fn });
}

/** The TLS dialects of this processor. */
export const DIALECTS: readonly string[] = dialectsOf(Deno.build.arch);

/** The path of a module. */
export function threadModule(source: string, dialect: string, version = 1): string {
  return fromFileUrl(new URL(`${source}-${dialect}_v${version}.smf`, FOLDER));
}

/** The functions of fixtures/threads/variables.c. */
export const VARIABLES = {
  next: { parameters: [], result: "i32" },
  greeting: { parameters: [], result: "pointer" },
  rename_to: { parameters: ["buffer"], result: "void" },
  step: { parameters: [], result: "i64" },
  is_aligned: { parameters: [], result: "i32" },
  where: { parameters: [], result: "usize" },
  in_thread: { parameters: ["i64"], result: "i64", nonblocking: true },
} as const satisfies Deno.ForeignLibraryInterface;

/** The result of `in_thread` in a version of the module. */
export function counted(version: number, times: number): bigint {
  // Each step() adds the next three natural numbers to a sum that starts at 6.
  const added = 3 * (times + 1);
  return BigInt((version * 100 + times) * 1000 + 6 + added * (added + 1) / 2);
}

const REGISTER = { parameters: ["i64"], result: "i32" } as const;

/** The functions of fixtures/threads/endings.c. */
export const ENDINGS = {
  write_to: { parameters: ["pointer"], result: "void" },
  at_end: REGISTER,
  at_end_and_on: REGISTER,
  at_exit: { parameters: [], result: "i32" },
  at_thread_end: REGISTER,
  at_thread_end_and_on: REGISTER,
  make_key: { parameters: [], result: "i32" },
  set_key: REGISTER,
  drop_key: { parameters: [], result: "i32" },
  in_thread: REGISTER,
  start_ticking: { parameters: ["pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The journal that the functions of endings.c write to. */
export class Journal {
  /** The count of numbers, then the numbers. */
  readonly words: BigInt64Array<ArrayBuffer>;

  constructor(words: BigInt64Array<ArrayBuffer> = new BigInt64Array(4096)) {
    this.words = words;
  }

  /** A journal that is never freed, for code that runs after the isolate has ended. */
  static outliving(): Journal {
    const library = Deno.dlopen("libc.so.6", {
      // void *calloc(size_t count, size_t size): NULL
      calloc: { parameters: ["usize", "usize"], result: "pointer" },
    });
    const memory = library.symbols.calloc(4096n, 8n)!;
    library.close();
    return new Journal(new BigInt64Array(Deno.UnsafePointerView.getArrayBuffer(memory, 8 * 4096)));
  }

  get pointer(): Deno.PointerValue {
    return Deno.UnsafePointer.of(this.words);
  }

  /** Takes the numbers that were written since the last call. */
  take(): number[] {
    const count = Number(this.words[0]);
    this.words[0] = 0n;
    return [...this.words.subarray(1, 1 + count)].map(Number);
  }
}
