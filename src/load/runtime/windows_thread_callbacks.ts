/**
 * Functions of a module that Windows calls when a thread begins or ends (`.CRT$XL*`), which Rust's standard library has
 * for the destructors of its thread-local variables. The system knows DLLs only, so a DLL of the loader's passes calls on.
 */
import { CALLBACK_WORDS, writePeThreadCallbacks } from "../../call/stub/pe_thread_callbacks.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { pointerCall } from "../../os/pointer.ts";
import { openWrittenLibrary, type WrittenLibrary } from "./windows_library.ts";

/** DllMain's reasons: the DLL is loaded, or unloaded. */
const [PROCESS_DETACH, PROCESS_ATTACH] = [0, 1];
const CALLBACK = { parameters: ["u64", "u32", "pointer"], result: "void" } as const;

/** The table of functions of one module. */
export interface CallbackTable {
  /** The addresses of its first entry and its end. */
  readonly start: bigint;
  readonly end: bigint;
  /** The functions, without the marks that the table may have. */
  readonly functions: readonly bigint[];
}

/** The functions of one module, which are called from {@linkcode start} to {@linkcode stop}. */
export class ThreadCallbacks implements Disposable {
  readonly #library: WrittenLibrary;
  readonly #words: BigUint64Array;
  readonly #table: CallbackTable;
  readonly #image: bigint;

  /**
   * Opens the DLL, which calls nothing yet.
   *
   * Safety: must be stopped, or disposed of, before the module's memory is freed.
   *
   * Platforms: Windows only.
   *
   * @param image The start of the module, which functions get as their first argument.
   * @throws {LoadError} As `openWrittenLibrary`.
   */
  constructor(image: bigint, table: CallbackTable) {
    const hint = "close modules that have functions for threads";
    const task = "call functions when threads begin and end";
    this.#library = openWrittenLibrary(writePeThreadCallbacks(), CALLBACK_WORDS, task, hint);
    this.#words = new BigUint64Array(bytesAt(this.#library.address, 24).buffer);
    this.#table = table;
    this.#image = image;
  }

  /** Calls the functions as for a DLL that is loaded, and from then on for each thread that begins or ends. */
  start(): void {
    const { start, end } = this.#table;
    this.#call(PROCESS_ATTACH);
    // The end last: until then the table is empty for threads.
    [this.#words[0], this.#words[2]] = [start, this.#image];
    Atomics.store(this.#words, 1, end);
  }

  /** Calls the functions as for a DLL that is unloaded, and never again. */
  stop(): void {
    Atomics.store(this.#words, 1, 0n);
    this.#call(PROCESS_DETACH);
  }

  /** Closes the DLL: the system waits until no thread is in it any more. */
  [Symbol.dispose](): void {
    Atomics.store(this.#words, 1, 0n);
    this.#library[Symbol.dispose]();
  }

  #call(reason: number): void {
    for (const address of this.#table.functions) pointerCall(address, CALLBACK)(this.#image, reason, null);
  }
}
