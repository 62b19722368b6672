// The checks of the bytes of types: each of them by a section that only it refuses.
import { assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { decodeTypes } from "../../src/types/decode.ts";

const HEAD = [0x53, 0x4d, 0x46, 0x54, 1];
/** The names "" and "a". */
const NAMES = [2, 3, 0, 0x61, 0];
const TYPES_AT = HEAD.length + NAMES.length;
/** `int` under the name "a": base, name 1, 4 bytes, signed. */
const INT = [1, 1, 4, 1];
/** A number above 2^53 - 1. */
const TOO_LARGE = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
/** 2^53 - 1. */
const LARGEST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];

/** A section of some records and addresses. */
function section(records: readonly number[][], addresses: readonly (readonly number[])[] = []): Uint8Array {
  return Uint8Array.from([
    ...[HEAD, NAMES, [records.length], ...records].flat(),
    addresses.length,
    ...addresses.flat(),
  ]);
}

function refused(bytes: Uint8Array, problem: string, offset?: number): void {
  const error = assertThrows(() => decodeTypes(bytes), LoadError, `Cannot read types: ${problem}`);
  assertEquals(error.kind, "InvalidFormat");
  if (offset !== undefined) assertEquals(error.data.offset, offset);
}

Deno.test("the magic and the version are checked", () => {
  decodeTypes(section([]));
  for (let at = 0; at < HEAD.length; at++) {
    refused(section([]).with(at, 0x7f), "it does not begin with SMFT and the version 1", at);
  }
});

Deno.test("names are as many as the section says, end in it, and are UTF-8", () => {
  const names = (...bytes: number[]): Uint8Array => Uint8Array.from([...HEAD, ...bytes, 0, 0]);
  decodeTypes(names(...NAMES));
  refused(names(2, 40, 0, 0x61, 0), "the names pass the end of the section");
  refused(names(1, 3, 0, 0x61, 0), "the names are not as many as it says");
  refused(names(3, 3, 0, 0x61, 0), "the names are not as many as it says");
  refused(names(2, 3, 0, 0x61, 0x61), "the names are not as many as it says");
  refused(names(2, 3, 0, 0xff, 0), "a name is not UTF-8");
  refused(section([[1, 2, 4, 1]]), "a name does not exist", TYPES_AT + 2);
});

Deno.test("records are of known kinds and encodings", () => {
  decodeTypes(section([INT]));
  refused(section([[0]]), "the kind of a type is unknown", TYPES_AT + 1);
  refused(section([[19]]), "the kind of a type is unknown", TYPES_AT + 1);
  refused(section([[1, 1, 4, 7]]), "the encoding of a type is unknown", TYPES_AT + 1);
});

Deno.test("types contain earlier ones only, and mention those that exist", () => {
  const constant = (to: number) => [5, to], pointer = (to: number) => [2, to];
  decodeTypes(section([INT, constant(1), pointer(3)]));
  refused(section([INT, constant(2)]), "a type contains one that comes behind it", TYPES_AT + 5);
  refused(section([constant(2), INT]), "a type contains one that comes behind it");
  refused(section([INT, pointer(3)]), "a type refers to one that does not exist", TYPES_AT + 5);
});

Deno.test("addresses ascend, are exact, and have types that exist", () => {
  assertEquals(decodeTypes(section([INT], [[0, 1], [8, 1]])).typed, [
    { address: 0, type: 1 },
    { address: 8, type: 1 },
  ]);
  refused(section([INT], [[8, 1], [0, 1]]), "an address has two types");
  refused(section([INT], [[8, 0]]), "an address has a type that does not exist");
  refused(section([INT], [[8, 2]]), "an address has a type that does not exist");
  assertEquals(
    decodeTypes(section([INT], [[...LARGEST, 1]])).typed[0].address,
    Number.MAX_SAFE_INTEGER,
  );
  refused(section([INT], [[...LARGEST, 1], [1, 1]]), "an address is above 2^53 - 1");
});

Deno.test("numbers are exact, and do not go on without end", () => {
  // An array of 2^53 - 2 elements; then one more.
  assertEquals(decodeTypes(section([INT, [10, 1, ...LARGEST]])).types[2], {
    kind: "array",
    of: 1,
    count: Number.MAX_SAFE_INTEGER - 1,
  });
  refused(section([INT, [10, 1, ...TOO_LARGE]]), "a number is above 2^53 - 1");
  const padded = (bytes: number) => [10, 1, 0x83, ...new Array(bytes).fill(0x80), 0];
  assertEquals(decodeTypes(section([INT, padded(7)])).types[2], { kind: "array", of: 1, count: 2 });
  refused(section([INT, padded(40)]), "a number has too many bytes");
});

Deno.test("the section ends with its last record", () => {
  refused(section([INT]).subarray(0, -1), "it ends inside a record");
  refused(Uint8Array.from([...section([INT]), 0]), "bytes follow the last record");
});
