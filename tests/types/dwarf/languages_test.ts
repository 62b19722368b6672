// Types of Rust and Zig, from the debug information of their compilers.
import { assert, assertEquals } from "@std/assert";
import { linkObjects } from "../../../src/link/linker.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { nativeFunction } from "../../../src/types/native.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { declarationsIn, typesIn } from "../../support/types.ts";

const RUST = `
#![allow(dead_code)]
#[repr(C)] pub struct Point { pub x: f64, pub y: f64 }
#[repr(C)] pub enum Shape { Circle(f64), Rect { w: f64, h: f64 }, Empty }
#[repr(u8)] #[derive(Clone, Copy)] pub enum Mode { Off = 1, On = 7 }
#[no_mangle] pub static mut COUNTER: i32 = 5;
#[no_mangle] pub static mut POINTS: [Point; 2] = [Point { x: 1.0, y: 2.0 }, Point { x: 3.0, y: 4.0 }];
#[no_mangle] pub extern "C" fn norm(p: Point) -> f64 { p.x * p.x + p.y * p.y }
#[no_mangle] pub extern "C" fn widen(w: f64) -> Shape { Shape::Rect { w, h: 2.0 } }
#[no_mangle] pub extern "C" fn flip(m: Mode) -> Mode { match m { Mode::Off => Mode::On, Mode::On => Mode::Off } }
#[no_mangle] pub extern "C" fn apply(f: extern "C" fn(i32) -> i32, x: i32) -> i32 { unsafe { COUNTER += 1 }; f(x) }
#[no_mangle] pub extern "C" fn first(p: *const Point) -> f64 { unsafe { (*p).x + POINTS[0].y } }
`;

testWithCompilers(["rustc"], "Rust: functions, statics, structs and enums by value", async (folder) => {
  Deno.writeTextFileSync(`${folder}/shapes.rs`, RUST);
  await compile(
    "rustc",
    ["-g", "-O", "-Cpanic=abort", "--crate-type", "lib", "--emit", "obj", "shapes.rs"],
    folder,
  );
  const bytes = Deno.readFileSync(`${folder}/shapes.o`);
  const exports = ["norm", "widen", "flip", "apply", "first", "COUNTER", "POINTS"];
  const file = parseSmf(linkObjects([{ name: "shapes.o", bytes }], { exports }).bytes);
  assertEquals(declarationsIn(file).filter((line) => !line.includes("_ZN")), [
    "enum shapes::Mode flip(enum shapes::Mode m)",
    "f64 first(struct shapes::Point *p)",
    "f64 norm(struct shapes::Point p)",
    "i32 COUNTER",
    "i32 apply(i32 (*f)(i32), i32 x)",
    "struct shapes::Point POINTS[2]",
    "struct shapes::Shape widen(f64 w)",
  ]);
  const { types } = typesIn(file);
  const widen = types[typesIn(file).of(file.symbols.find("widen")!)!];
  assert(widen?.kind === "function");
  assertEquals(nativeFunction(types, widen), {
    reason: "its result is struct shapes::Shape, an enum with data",
  });
});

const ZIG = `
const Point = extern struct { x: f64, y: f64 };
const Color = enum(u8) { red = 1, green = 5 };
export var counter: i32 = 3;
export var grid: [4][2]f32 = undefined;
export fn add(a: i32, b: i32) i32 { return a + b; }
export fn scale(p: Point, f: f64) Point { return .{ .x = p.x * f, .y = p.y * f }; }
export fn flip(c: Color) Color { return if (c == .red) .green else .red; }
export fn maybe(p: ?*Point) bool { return p != null; }
`;

testWithCompilers(["zig"], "Zig: functions, variables, structs and enums", async (folder) => {
  Deno.writeTextFileSync(`${folder}/shapes.zig`, ZIG);
  await compile("zig", ["build-obj", "-O", "ReleaseSafe", "-fPIC", "-mcpu=baseline", "shapes.zig"], folder);
  const bytes = Deno.readFileSync(`${folder}/shapes.o`);
  const exports = ["add", "scale", "flip", "maybe", "counter", "grid"];
  const file = parseSmf(linkObjects([{ name: "shapes.o", bytes }], { exports }).bytes);
  const declared = declarationsIn(file);
  for (
    const line of [
      "bool maybe(struct shapes.Point *p)",
      "enum shapes.Color flip(enum shapes.Color c)",
      "f32 grid[4][2]",
      "i32 add(i32 a, i32 b)",
      "i32 counter",
      "struct shapes.Point scale(struct shapes.Point p, f64 f)",
    ]
  ) assert(declared.includes(line), `${line} is not in\n${declared.join("\n")}`);
});
