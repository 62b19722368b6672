/**
 * Integrity strings, as in `package-lock.json` and web pages (W3C Subresource
 * Integrity, "The integrity attribute"):
 *
 * ```text
 * integrity = hash *( space hash )
 * hash      = ( "sha256" / "sha384" / "sha512" ) "-" base64 [ "?" options ]
 * ```
 *
 * If there are several hashes, only those of the strongest algorithm count, and
 * one of these has to match; options are ignored, as in the specification. Unlike
 * a web page, which ignores hashes that it does not know, malformed and unknown
 * ones are errors, so that a check that was requested always takes place.
 */

import { LoadError } from "../errors/load_error.ts";
import { describeValue } from "../errors/options.ts";
import { didYouMean, nearestWord } from "../errors/names.ts";
import { builtinModule } from "./builtin.ts";

/** Algorithms of integrity strings. */
export type IntegrityAlgorithm = "sha256" | "sha384" | "sha512";

/** The size of each algorithm's digest in bytes; weakest algorithm first. */
const DIGEST_SIZES: ReadonlyMap<string, number> = new Map([["sha256", 32], ["sha384", 48], ["sha512", 64]]);

/** The part of `node:crypto` that this file uses. */
interface Crypto {
  createHash(algorithm: string): {
    update(bytes: Uint8Array): { digest(encoding: "base64"): string };
  };
}

/**
 * Computes the integrity string of a file's bytes, for the option `integrity`.
 *
 * @param bytes All bytes of the file.
 * @param algorithm The hash algorithm.
 * @returns a string such as `sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=`.
 * @throws {LoadError} `Unsupported` in a runtime without `node:crypto`.
 * @throws {TypeError} for another algorithm.
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
  if (!DIGEST_SIZES.has(algorithm)) {
    const known = [...DIGEST_SIZES.keys()];
    throw new TypeError(
      `Cannot hash bytes: the algorithm is ${describeValue(algorithm)}, not one of ${known.join(", ")}` +
        didYouMean(nearestWord(String(algorithm), known)),
    );
  }
  const { createHash } = builtinModule<Crypto>("node:crypto", ["createHash"]);
  return `${algorithm}-${createHash(algorithm).update(bytes).digest("base64")}`;
}

/** An integrity string that was parsed, against which bytes can be checked. */
export class Integrity {
  readonly #text: string;
  readonly #algorithm: IntegrityAlgorithm;
  /** The hashes of that algorithm, in the form of {@linkcode integrityOf}. */
  readonly #accepted: ReadonlySet<string>;

  /**
   * Parses an integrity string.
   *
   * @throws {LoadError} `InvalidIntegrity` if it is malformed, empty or of an unknown algorithm.
   * @throws {TypeError} If it is not a string.
   */
  constructor(text: string) {
    if (typeof text !== "string") {
      throw new TypeError(`Cannot check integrity: it is of type ${typeof text}, not a string`);
    }
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
   * Checks the bytes of a file.
   *
   * @returns the integrity string of the bytes.
   * @throws {LoadError} `IntegrityMismatch` if no hash matches.
   */
  check(bytes: Uint8Array): string {
    const actual = integrityOf(bytes, this.#algorithm);
    this.checkKnown(actual);
    return actual;
  }

  /**
   * Checks bytes that were loaded before, by the integrity string that was recorded for them.
   *
   * @param actual The result of an earlier {@linkcode Integrity.check}; undefined if there was none.
   * @throws {LoadError} `IntegrityMismatch` if it does not match or is of another algorithm.
   */
  checkKnown(actual: string | undefined): void {
    if (actual !== undefined && this.#accepted.has(actual)) return;
    const isComparable = actual?.startsWith(`${this.#algorithm}-`) ?? false;
    const reason = isComparable
      ? "they do not match the integrity string"
      : `they are already loaded, and were not checked with ${this.#algorithm}`;
    throw new LoadError("IntegrityMismatch", `Cannot use the module's bytes: ${reason}`, {
      expected: this.#text,
      ...(!isComparable && { hint: "unload the module and load it again with this integrity string" }),
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
    throw malformed(`'${algorithm}' is not one of ${[...DIGEST_SIZES.keys()].join(", ")}`, text);
  }
  const base64 = digest.replaceAll("-", "+").replaceAll("_", "/");
  if (!isDigest(base64, size)) {
    throw malformed(`'${hash}' does not encode the ${size} bytes of a ${algorithm} digest`, text);
  }
  return { algorithm, hash: `${algorithm}-${base64}` };
}

/** Whether the text has the length of `size` bytes in base64, padding included. */
function isDigest(base64: string, size: number): boolean {
  const padding = (3 - size % 3) % 3;
  return base64.length === (size + padding) / 3 * 4 &&
    base64.replace(/=+$/, "").length === base64.length - padding;
}

function malformed(reason: string, text: string): LoadError {
  return new LoadError("InvalidIntegrity", `Cannot parse the integrity string: ${reason}`, {
    expected: text,
  });
}
