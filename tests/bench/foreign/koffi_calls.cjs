"use strict";
// Run by Node with koffi installed: node koffi_calls.cjs '{"library": …, "cases": […]}'
const koffi = require("koffi");
const { measure } = require("./loop.cjs");

const TYPES = {
  void: "void",
  u8: "uint8_t",
  i32: "int32_t",
  i64: "int64_t",
  f64: "double",
  usize: "size_t",
  pointer: "void *",
  buffer: "uint8_t *",
};
const { library, cases } = JSON.parse(process.argv[2]);
const opened = koffi.load(library);
const buffer = new Uint8Array(64).fill(9);
const functionOf = ({ symbol, definition }) =>
  opened.func(symbol, TYPES[definition.result], definition.parameters.map((type) => TYPES[type]));
console.log(JSON.stringify(measure(cases, functionOf, { buffer, pointer: koffi.as(buffer, "void *") })));
