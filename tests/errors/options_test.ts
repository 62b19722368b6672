import { assertEquals, assertThrows } from "@std/assert";
import {
  AMOUNT,
  arrayOf,
  BOOLEAN,
  checkOptions,
  describeValue,
  oneOf,
  type OptionTable,
  RECORD,
} from "../../src/errors/options.ts";

interface Options {
  readonly state?: "fresh" | "carry";
  readonly count?: number;
}

const TABLE: OptionTable<Options> = { state: oneOf("fresh", "carry"), count: AMOUNT };
// deno-lint-ignore no-explicit-any
const check = (options: any): void => checkOptions("work", options, TABLE);

Deno.test("right options pass, whatever object holds them", () => {
  for (
    const options of [
      {},
      { state: "carry", count: 0 },
      { count: Infinity, state: undefined },
      Object.freeze(Object.assign(Object.create(null), { count: 1 })),
    ]
  ) check(options);
});

Deno.test("an unknown name is an error that lists all names, and suggests one that resembles it", () => {
  const error = assertThrows(() => check({ sate: "carry" }), TypeError);
  assertEquals(
    error.message,
    "Cannot work: there is no option 'sate' (did you mean 'state'?); the options are 'state', 'count'",
  );
  assertThrows(() => check({ zzz: 1 }), TypeError, "'zzz'; the options are");
  // Names that every object inherits are not options.
  assertThrows(() => check({ toString: 1 }), TypeError, "'toString'");
});

Deno.test("a wrong value is an error that names the valid ones", () => {
  const error = assertThrows(() => check({ state: "Carry" }), TypeError);
  assertEquals(
    error.message,
    "Cannot work: option 'state' is the string 'Carry', not 'fresh' or 'carry' (did you mean 'carry'?)",
  );
  assertThrows(() => check({ count: "5" }), TypeError, "the string '5', not a number from 0 on");
  assertThrows(() => check({ state: null }), TypeError, "'state' is null, not");
});

Deno.test("values that are inherited count, as they do for destructuring", () => {
  assertThrows(() => check(Object.create({ state: "Carry" })), TypeError, "not 'fresh' or 'carry'");
});

Deno.test("kinds accept what they describe and nothing else", () => {
  assertEquals([true, false, 0, "true", null].map(BOOLEAN.accepts), [true, true, false, false, false]);
  assertEquals([0, 1.5, Infinity, -1, NaN, 1n].map(AMOUNT.accepts), [true, true, true, false, false, false]);
  assertEquals([{}, [], new Map(), null, "x"].map(RECORD.accepts), [true, false, false, false, false]);
  const numbers = arrayOf("numbers", (item) => typeof item === "number");
  assertEquals([[], [1], [1, "2"], "12"].map(numbers.accepts), [true, true, false, false]);
});

Deno.test("a message describes values by kind, and shortens long strings", () => {
  assertEquals([5n, [], [1, null], {}, () => {}, undefined].map(describeValue), [
    "the bigint 5",
    "an empty array",
    "an array of number and null",
    "an object",
    "a function",
    "undefined",
  ]);
  assertEquals(describeValue("x".repeat(1000)).length < 100, true);
});
