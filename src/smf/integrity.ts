/**
 * Integrity strings, as `package-lock.json` and web pages have them (W3C
 * Subresource Integrity, "The integrity attribute"):
 *
 * ```text
 * integrity = hash *( space hash )
 * hash      = ( "sha256" / "sha384" / "sha512" ) "-" base64 [ "?" options ]
 * ```
 *
 * Of several hashes those of the strongest algorithm count, and one of them has
 * to match; options mean nothing yet. Unlike a web page, which ignores what it
 * does not know, nothing malformed or unknown is let through: a check that was
 * asked for takes place.
 */

import { LoadError } from "../errors.ts";
import { builtinModule } from "./builtin.ts";

/** Algorithms of integrity strings. */
export type IntegrityAlgorithm = "sha256" | "sha384" | "sha512";

/** Bytes in a digest; weakest algorithm first. */
const DIGEST_SIZES: ReadonlyMap<string, number> = new Map([["sha256", 32], ["sha384", 48], ["sha512", 64]]);

/** The part of `node:crypto` that is used. */
interface Crypto {
  createHash(algorithm: string): {
    update(bytes: Uint8Array): { digest(encoding: "base64"): string };
  };
}

/**
 * The integrity string of a file's bytes, to be checked when it is loaded.
 *
 * @param bytes All bytes of the file.
 * @param algorithm Of the hash.
 * @returns such as `sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=`.
 * @throws {LoadError} `Unsupported` in a runtime without `node:crypto`.
 *
 * @example
 * ```ts
 * import { integrityOf, ModuleLoader } from "@simple/loader";
 *
 * const integrity = integrityOf(Deno.readFileSync("fixtures/mylib.smf"));
 * using module = new ModuleLoader().load("fixtures/mylib.smf", undefined, { integrity });
 * ```
 */
export function integrityOf(bytes: Uint8Array, algorithm: IntegrityAlgorithm = "sha256"): string {
  const { createHash } = builtinModule<Crypto>("node:crypto", ["createHash"]);
  return `${algorithm}-${createHash(algorithm).update(bytes).digest("base64")}`;
}

/** What the bytes of a file have to be. */
export class Integrity {
  readonly #text: string;
  readonly #algorithm: IntegrityAlgorithm;
  /** Those of the algorithm, as {@linkcode integrityOf} writes them. */
  readonly #accepted: ReadonlySet<string>;

  /**
   * Understands an integrity string.
   *
   * @throws {LoadError} `InvalidIntegrity` if it is malformed, empty or of an unknown algorithm.
   */
  constructor(text: string) {
    this.#text = text;
    const hashes = text.split(/[\t\n\f\r ]+/).filter((hash) => hash !== "").map((hash) => parse(hash, text));
    if (hashes.length === 0) throw malformed("it has no hash", text);
    const strongest = [...DIGEST_SIZES.keys()].findLast((name) =>
      hashes.some(({ algorithm }) => algorithm === name)
    );
    this.#algorithm = strongest as IntegrityAlgorithm;
    this.#accepted = new Set(
      hashes.filter(({ algorithm }) => algorithm === strongest).map(({ hash }) => hash),
    );
  }

  /**
   * Checks bytes.
   *
   * @returns their own integrity string.
   * @throws {LoadError} `IntegrityMismatch`.
   */
  check(bytes: Uint8Array): string {
    const actual = integrityOf(bytes, this.#algorithm);
    this.checkKnown(actual);
    return actual;
  }

  /**
   * Checks bytes that are gone, of which only this is known.
   *
   * @param actual What {@linkcode Integrity.check} answered; undefined if nothing was checked.
   * @throws {LoadError} `IntegrityMismatch`, also if it is of another algorithm.
   */
  checkKnown(actual: string | undefined): void {
    if (actual !== undefined && this.#accepted.has(actual)) return;
    const isComparable = actual?.startsWith(`${this.#algorithm}-`) ?? false;
    const reason = isComparable
      ? "the bytes are not those that were expected"
      : `they were loaded before, without a check by ${this.#algorithm}`;
    throw new LoadError("IntegrityMismatch", `Cannot use the module's bytes: ${reason}`, {
      expected: this.#text,
      ...(actual !== undefined && { actual }),
    });
  }
}

function parse(hash: string, text: string): { algorithm: string; hash: string } {
  const [, algorithm, digest] = /^([A-Za-z0-9]+)-([A-Za-z0-9+/_-]+={0,2})(?:\?[\x21-\x7e]*)?$/.exec(hash) ??
    [];
  if (digest === undefined) throw malformed(`'${hash}' is not of the form algorithm-base64`, text);
  const size = DIGEST_SIZES.get(algorithm);
  if (size === undefined) {
    throw malformed(`'${algorithm}' is none of ${[...DIGEST_SIZES.keys()].join(", ")}`, text);
  }
  const base64 = digest.replaceAll("-", "+").replaceAll("_", "/");
  if (!isDigest(base64, size)) throw malformed(`'${hash}' is not ${size} bytes, as ${algorithm} has`, text);
  return { algorithm, hash: `${algorithm}-${base64}` };
}

/** Whether it is base64 of so many bytes, padding included. */
function isDigest(base64: string, size: number): boolean {
  const padding = (3 - size % 3) % 3;
  return base64.length === (size + padding) / 3 * 4 &&
    base64.replace(/=+$/, "").length === base64.length - padding;
}

function malformed(reason: string, text: string): LoadError {
  return new LoadError("InvalidIntegrity", `Cannot understand the integrity string: ${reason}`, {
    expected: text,
  });
}
