/**
 * Threads that may run a candidate's code while it is aimed: those that its initialisers have started.
 */

import { attempt, ignore, LoadError } from "../../errors/load_error.ts";
import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import { threadNumbers } from "../../load/runtime/threads.ts";
import { startCount } from "../../load/start.ts";

/** The functions that start threads, for systems that do not tell the threads of a process. */
const STARTERS =
  /^(?:pthread_create|thrd_create|clone3?|_ZNSt6thread.*|_?beginthread(?:ex)?|CreateThread|CreateRemoteThread)(?:@.*)?$/;

/** Whether a module imports a function that starts threads. */
export function mayStartThreads({ imports }: LoadedImage): boolean {
  return imports.some(({ name }) => STARTERS.test(name));
}

/** Watches for threads that begin after it was made. */
export class ThreadWatch {
  readonly #candidate: PlacedImage;
  readonly #before: ReadonlySet<bigint> | undefined;

  /** @param mayBegin Whether anything could begin one; else none is looked for. */
  constructor(candidate: PlacedImage, mayBegin = true) {
    this.#candidate = candidate;
    this.#before = mayBegin ? numbersIfKnown() : undefined;
  }

  /**
   * Whether a thread has begun since that is not held; where nobody knows, whether the candidate could begin one by
   * itself.
   */
  mayRun(): boolean {
    const now = this.#before === undefined ? undefined : numbersIfKnown();
    if (now !== undefined) {
      const held = this.#candidate.heldThreads?.threads ?? [];
      return !now.isSubsetOf(this.#before!.union(new Set(held.map(({ number }) => number))));
    }
    return startCount(this.#candidate) > 0 && mayStartThreads(this.#candidate);
  }

  /**
   * @param refused Called first, if a thread may be running the candidate's code.
   * @throws {LoadError} `Incompatible` then.
   */
  refuse(path: string, refused: () => void): void {
    if (startCount(this.#candidate) === 0 || !this.mayRun()) return;
    refused();
    throw new LoadError(
      "Incompatible",
      "Cannot keep variables: a thread began while the new version's initialisers ran, and may be running its code",
      {
        path,
        hint:
          'start threads in a function that is called once, or reload with state: "carry"; else try again',
      },
    );
  }
}

/** Where libraries in memory are forbidden, nobody tells the threads. */
function numbersIfKnown(): ReadonlySet<bigint> | undefined {
  return attempt(ignore, threadNumbers);
}
