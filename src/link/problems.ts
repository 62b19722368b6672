/**
 * Collects errors, so that one link reports all of a kind at once.
 */
import type { LoadError } from "../errors.ts";

/** More than this helps nobody. */
const MOST = 50;

/** Errors of one link. */
export class Problems {
  readonly #errors: LoadError[] = [];

  add(error: LoadError): void {
    if (this.#errors.length < MOST) this.#errors.push(error);
  }

  /** Throws the first error, if there is one; its `cause` holds them all when there are several. */
  throwIfAny(): void {
    if (this.#errors.length === 0) return;
    const [first] = this.#errors;
    if (this.#errors.length > 1) {
      first.cause = new AggregateError(this.#errors, `${this.#errors.length} problems`);
    }
    throw first;
  }
}
