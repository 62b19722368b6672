import { assertEquals, assertStringIncludes } from "@std/assert";
import { Integrity, type IntegrityAlgorithm, integrityOf } from "../../src/smf/integrity.ts";
import { assertLoadError } from "../support/testing.ts";
import { fromHex, toBase64 } from "../support/digits.ts";

const BYTES = new TextEncoder().encode("abc");
const OTHER = new TextEncoder().encode("abd");

// FIPS 180-2, appendices B.1 and C.1, and D.1: the digests of "abc".
const KNOWN: Record<IntegrityAlgorithm, string> = {
  sha256: "ba7816bf 8f01cfea 414140de 5dae2223 b00361a3 96177a9c b410ff61 f20015ad",
  sha384:
    "cb00753f45a35e8b b5a03d699ac65007 272c32ab0eded163 1a8b605a43ff5bed 8086072ba1e7cc23 58baeca134c825a7",
  sha512:
    "ddaf35a193617aba cc417349ae204131 12e6fa4e89a97ea2 0a9eeee64b55d39a 2192992a274fc1a8 36ba3c23a3feebbd 454d4423643ce80e 2a9ac94fa54ca49f",
};
const ALGORITHMS = Object.keys(KNOWN) as IntegrityAlgorithm[];

function known(algorithm: IntegrityAlgorithm): string {
  return `${algorithm}-${toBase64(fromHex(KNOWN[algorithm].replaceAll(" ", "")))}`;
}

for (const algorithm of ALGORITHMS) {
  Deno.test(`the ${algorithm} integrity of "abc" is that of the standard`, () => {
    assertEquals(integrityOf(BYTES, algorithm), known(algorithm));
  });

  Deno.test(`bytes match their own ${algorithm} integrity, and other bytes do not`, () => {
    const integrity = new Integrity(known(algorithm));
    assertEquals(integrity.check(BYTES), known(algorithm));
    assertLoadError(() => integrity.check(OTHER), "IntegrityMismatch", {
      expected: known(algorithm),
      actual: integrityOf(OTHER, algorithm),
    });
  });
}

Deno.test("sha256 is the default", () => {
  assertEquals(integrityOf(BYTES), known("sha256"));
});

Deno.test("one of several hashes of an algorithm has to match", () => {
  const both = `  ${integrityOf(OTHER)}\n\t${integrityOf(BYTES)} `;
  assertEquals(new Integrity(both).check(BYTES), integrityOf(BYTES));
  assertEquals(new Integrity(both).check(OTHER), integrityOf(OTHER));
  assertLoadError(() => new Integrity(both).check(new Uint8Array(3)), "IntegrityMismatch");
});

Deno.test("the strongest of several algorithms counts, in any order", () => {
  const right = { sha256: known("sha256"), sha512: known("sha512") };
  const wrong = { sha256: integrityOf(OTHER, "sha256"), sha512: integrityOf(OTHER, "sha512") };
  assertEquals(new Integrity(`${wrong.sha256} ${right.sha512}`).check(BYTES), right.sha512);
  assertEquals(new Integrity(`${right.sha512} ${wrong.sha256}`).check(BYTES), right.sha512);
  for (const text of [`${right.sha256} ${wrong.sha512}`, `${wrong.sha512} ${right.sha256}`]) {
    assertLoadError(() => new Integrity(text).check(BYTES), "IntegrityMismatch", {
      actual: right.sha512,
    });
  }
});

Deno.test("options after a hash are ignored, and URL-safe base64 is accepted", () => {
  const url = known("sha512").slice(7).replaceAll("+", "-").replaceAll("/", "_");
  assertEquals(new Integrity(`sha512-${url}?ct=application/octet-stream`).check(BYTES), known("sha512"));
});

Deno.test("bytes that were loaded before are checked by their recorded integrity", () => {
  const integrity = new Integrity(known("sha384"));
  integrity.checkKnown(known("sha384"));
  assertLoadError(() => integrity.checkKnown(integrityOf(OTHER, "sha384")), "IntegrityMismatch");
  assertLoadError(() => integrity.checkKnown(known("sha256")), "IntegrityMismatch");
  assertLoadError(() => integrity.checkKnown(undefined), "IntegrityMismatch", { expected: known("sha384") });
});

/** The reasons in errors, except of malformed digests. */
const REASONS: Record<string, string> = {
  "nothing": "no hash",
  "spaces": "no hash",
  "no algorithm": "of the form",
  "other characters": "of the form",
  "an unknown algorithm": "'md5' is not one of",
  "an unknown algorithm beside a known one": "'sha1' is not one of",
  "a name of Object.prototype": "'constructor' is not one of",
};

const MALFORMED: Record<string, string> = {
  "nothing": "",
  "spaces": " \t\n ",
  "no algorithm": known("sha256").slice(7),
  "an unknown algorithm": "md5-kAFQmDzST7DWlj99KOF/cg==",
  "an unknown algorithm beside a known one": `${known("sha256")} sha1-qZk+NkcGgWq6PiVxeFDCbJzQ2J0=`,
  "an algorithm in capitals": known("sha256").replace("sha", "SHA"),
  "a digest that is too short": "sha256-qZk+NkcGgWq6PiVxeFDCbJzQ2J0=",
  "a digest that is too long": `sha256-${known("sha512").slice(7)}`,
  "no padding": known("sha256").slice(0, -1),
  "too much padding": `${known("sha256").slice(0, -2)}==`,
  "padding where there is none": `${known("sha384").slice(0, -1)}=`,
  "other characters": known("sha256").replace(/.=$/, "*="),
  "hexadecimal": `sha256-${KNOWN.sha256.replaceAll(" ", "")}`,
  "a comma between hashes": `${known("sha256")},${known("sha384")}`,
  "a name of Object.prototype": `constructor-${known("sha256").slice(7)}`,
};

for (const [what, text] of Object.entries(MALFORMED)) {
  Deno.test(`an integrity string with ${what} is refused`, () => {
    const { message } = assertLoadError(() => new Integrity(text), "InvalidIntegrity", { expected: text });
    assertStringIncludes(message, REASONS[what] ?? "");
  });
}
