/**
 * Makes and collects the linker's errors, so that one link reports all problems of a pass at once.
 */
import { LoadError, type LoadErrorData } from "../errors/load_error.ts";

/** An `InvalidFormat` error about an input that cannot be read. */
export function malformed(path: string, problem: string, data: LoadErrorData = {}): LoadError {
  return new LoadError("InvalidFormat", `Cannot read input: ${problem}`, { path, ...data });
}

/** An `Unsupported` error about a well-formed input that has no counterpart in an SMF module. */
export function unsupported(path: string, problem: string, data: LoadErrorData = {}): LoadError {
  return new LoadError("Unsupported", `Cannot link input: ${problem}`, { path, ...data });
}

/** Returns the cause that a message names: what follows its first colon. */
export function causeOf({ message }: LoadError): string {
  return message.replace(/^[^:]*: /, "");
}

/** Further errors are dropped: a longer list does not help to repair the inputs. */
const MOST_ERRORS = 50;

/** The errors of one link. */
export class Problems {
  readonly #errors: LoadError[] = [];
  /** The problems that were met more than once: the position of each error, and how often. */
  readonly #repeated: Map<string, { readonly position: number; count: number }> = new Map();

  add(error: LoadError): void {
    if (this.#errors.length < MOST_ERRORS) this.#errors.push(error);
  }

  /**
   * Adds a problem that may come again with the same key: one error then says how often.
   *
   * @param make Makes the error, at least for a count of 1.
   */
  addRepeated(key: string, make: (count: number) => LoadError): void {
    const known = this.#repeated.get(key);
    if (known !== undefined) {
      this.#errors[known.position] = make(++known.count);
    } else if (this.#errors.length < MOST_ERRORS) {
      this.#repeated.set(key, { position: this.#errors.push(make(1)) - 1, count: 1 });
    }
  }

  /** Throws the first error if there is one; its `cause` holds all of them if there are several. */
  throwIfAny(): void {
    if (this.#errors.length === 0) return;
    const [first] = this.#errors;
    if (this.#errors.length > 1) {
      first.cause = new AggregateError(this.#errors, `${this.#errors.length} problems`);
    }
    throw first;
  }
}
