// Run by Bun: bun bun_calls.js '{"library": …, "cases": […]}'
import { dlopen, ptr } from "bun:ffi";
import { measure } from "./loop.cjs";

const TYPES = { pointer: "ptr", buffer: "ptr", usize: "usize" };
const typeOf = (type) => TYPES[type] ?? type;
const { library, cases } = JSON.parse(process.argv[2]);
const { symbols } = dlopen(
  library,
  Object.fromEntries(cases.map(({ symbol, definition }) => [symbol, {
    args: definition.parameters.map(typeOf),
    returns: typeOf(definition.result),
  }])),
);
const buffer = new Uint8Array(64).fill(9);
console.log(
  JSON.stringify(measure(cases, ({ symbol }) => symbols[symbol], { buffer, pointer: ptr(buffer) })),
);
