/**
 * The threads that the initialisers of a module's next version start: they are held in front of the module's code
 * until it is aimed at the variables that stay (native/held_threads.c, native/thread_starts.c). Then each goes on, or ends without having run
 * anything.
 */

import type { ResolvedImports } from "../imports/resolve.ts";
import { attempt, ignore } from "../../errors/load_error.ts";
import { Platform } from "../../smf/enums.ts";
import { EXITS_LIBRARY, EXITS_NAME } from "./atexit_library.ts";
import { HOST_PLATFORM } from "./host.ts";
import { NativeLibrary } from "./native_library.ts";

/** The functions that start threads, as the library numbers them. */
const STARTERS: ReadonlyMap<string, number> = new Map([
  ["pthread_create", 0],
  ["thrd_create", 1],
  // std::thread::_M_start_thread(std::unique_ptr<std::thread::_State>, void (*)()), since GCC 5.
  ["_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE", 2],
]);

/**
 * The library's functions.
 *
 * | C declaration | failure |
 * |---|---|
 * | `int smf_starts_threads(int kind, uintptr_t function)` | never |
 * | `uintptr_t smf_holding(int kind, uintptr_t function)` | 0 |
 * | `struct hold *smf_hold_begin(void)` | NULL |
 * | `int64_t smf_hold_end(struct hold *)` | −1 |
 * | `void smf_hold_tell(struct hold *, int64_t (*threads)[2])` | never |
 * | `void smf_hold_decide(struct hold *, const uint8_t *go_on)` | never |
 */
const FUNCTIONS = {
  smf_starts_threads: { parameters: ["i32", "usize"], result: "i32" },
  smf_holding: { parameters: ["i32", "usize"], result: "usize" },
  smf_hold_begin: { parameters: [], result: "pointer" },
  smf_hold_end: { parameters: ["pointer"], result: "i64" },
  smf_hold_tell: { parameters: ["pointer", "buffer"], result: "void" },
  smf_hold_decide: { parameters: ["pointer", "buffer"], result: "void" },
} as const satisfies Record<string, Deno.ForeignFunction>;

const call = new NativeLibrary(EXITS_NAME, EXITS_LIBRARY).caller(FUNCTIONS);

/** A thread that waits in front of the module's code. */
export interface HeldThread {
  /** Its `pthread_t`, which is what the module calls it by. */
  readonly handle: bigint;
  /** Its number in the kernel. */
  readonly number: bigint;
}

/**
 * What became of the threads that initialisers have started and that were held: there were none; they have ended, but
 * objects of the module may know them; or they may be running its code.
 */
export type DroppedThreads = "none" | "ended" | "running";

/** The threads of one version's initialisers. */
export class HeldThreads {
  #isArmed = false;
  #hold: Deno.PointerValue = null;
  #threads: readonly HeldThread[] = [];
  #areOverdue = false;

  /** Has the threads held that initialisers will start; else they run at once. */
  arm(): void {
    this.#isArmed = true;
  }

  /** Begins to hold, on the thread on which initialisers are about to run. */
  begin(): void {
    if (this.#isArmed) this.#hold = call("smf_hold_begin") as Deno.PointerValue;
  }

  /** Ends it, once initialisers have run. A thread that one of them waited for may be running, with all others. */
  end(): void {
    if (this.#hold === null) return;
    const count = Number(call("smf_hold_end", this.#hold));
    this.#areOverdue = count < 0;
    if (count > 0) {
      const told = new BigInt64Array(2 * count);
      call("smf_hold_tell", this.#hold, told);
      this.#threads = Array.from({ length: count }, (_, index) => {
        return { handle: told[2 * index], number: told[2 * index + 1] };
      });
    } else this.#decide(null);
  }

  /** The threads that are held; none if they are running. */
  get threads(): readonly HeldThread[] {
    return this.#threads;
  }

  /** Lets threads go on, and ends the others: what is said of each, in their order. */
  goOn(which: readonly boolean[]): void {
    if (this.#hold === null) return;
    this.#decide(Uint8Array.from(which, Number));
    this.#threads = [];
  }

  /** Ends the threads that are still held, without having run anything. */
  drop(): DroppedThreads {
    if (this.#hold !== null) this.#decide(null);
    const dropped = this.#areOverdue ? "running" : this.#threads.length > 0 ? "ended" : "none";
    this.#threads = [];
    return dropped;
  }

  #decide(which: Uint8Array<ArrayBuffer> | null): void {
    call("smf_hold_decide", this.#hold, which);
    this.#hold = null;
  }
}

/** A function that starts threads, among the imports of a module. */
interface Starter {
  readonly position: number;
  readonly kind: number;
}

/**
 * Finds the functions that start threads among resolved imports, before anything else stands in their place.
 *
 * Platforms: Linux. Elsewhere, and where the system refuses the library, no thread is held.
 */
export function startersAmong({ records, addresses }: ResolvedImports): Starter[] {
  if (HOST_PLATFORM !== Platform.Linux) return [];
  return records.flatMap(({ name }, position) => {
    const kind = STARTERS.get(name);
    if (kind === undefined) return [];
    const isOne = attempt(ignore, () => call("smf_starts_threads", kind, addresses[position]) !== 0);
    return isOne === true ? [{ position, kind }] : [];
  });
}

/**
 * Has a module call the library where it starts threads, in place of what is among its resolved imports.
 *
 * @returns undefined if it starts none.
 */
export function holdStarts(
  { addresses }: ResolvedImports,
  starters: readonly Starter[],
): HeldThreads | undefined {
  let areHeld = false;
  for (const { position, kind } of starters) {
    const held = call("smf_holding", kind, addresses[position]) as bigint;
    if (held === 0n) continue;
    addresses[position] = held;
    areHeld = true;
  }
  return areHeld ? new HeldThreads() : undefined;
}
