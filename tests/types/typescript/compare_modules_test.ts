import { assertEquals } from "@std/assert";
import { compareModules } from "../../../src/types/typescript/compare_modules.ts";
import { TypeList } from "../../support/type_graphs.ts";

/** A module's text with some parts of its source replaced. */
function sampleText(): string {
  const list = new TypeList();
  const int = list.int();
  const color = list.enum("Color", int, { RED: 0, GREEN: 5 });
  const point = list.struct("Point", 8, [
    { name: "x", type: int, offset: 0 },
    { name: "y", type: int, offset: 4 },
  ]);
  return list.module({
    add: list.function(int, [["a", int], ["b", int]]),
    move: list.function(color, [["p", list.pointer(point)], ["c", color]]),
    log: list.function(int, [["level", int]], true),
    "odd name": int,
  });
}

Deno.test("formatting makes no difference", () => {
  const text = sampleText();
  const other = text
    .replaceAll(";\n", "\n")
    .replaceAll('"', "'")
    .replaceAll(/^ +/gm, (spaces) => spaces.repeat(2))
    .replaceAll(/(\w+): \{ parameters/g, "'$1': {\n  parameters")
    .replaceAll(" },\n", ",\n },\n");
  assertEquals(other === text, false);
  assertEquals(compareModules(other, text), []);
});

Deno.test("each changed declaration is named once", () => {
  const text = sampleText();
  const changes: [from: string | RegExp, to: string, kind: "missing" | "extra" | "changed", name: string][] =
    [
      [`add: { parameters: ["i32", "i32"]`, `add: { parameters: ["i32", "u32"]`, "changed", "add"],
      ["`int add(int a, int b)`", "`int add(int a, int c)`", "changed", "add"],
      [/ {2}\/\*\* `int add.*\n.*\n/, "", "missing", "add"],
      ["  /** `int add", "  more: { parameters: [], result: 'void' },\n  /** `int add", "extra", "more"],
      ["GREEN: 5", "GREEN: 6", "changed", "const Color"],
      ["getInt32(4, true)", "getInt32(0, true)", "changed", "class Point"],
      [/.*\nexport type Symbols.*\n/, "", "missing", "type Symbols"],
      ["function bytesOf", "function others() {}\nfunction bytesOf", "extra", "function others"],
      ['"odd name"', '"even name"', "missing", "odd name"],
      [/\/\/ {3}int log.*\n/, "", "missing", "comment int log(int level, ...): it is variadic"],
    ];
  for (const [from, to, kind, name] of changes) {
    const file = text.replace(from, to);
    const found = compareModules(file, text).filter((difference) => difference.name !== "even name");
    assertEquals(found.map(({ name, kind }) => [name, kind]), [[name, kind]], `${from}`);
  }
});

Deno.test("a damaged file differs, whatever is missing", () => {
  const text = sampleText();
  for (let length = 100; length < text.length - 5; length += 97) {
    assertEquals(compareModules(text.slice(0, length), text).length > 0, true, `${length}`);
  }
});

Deno.test("a changed definition tells both declarations", () => {
  const text = sampleText();
  const file = text.replace("int add(int a, int b)", "int add(int a, int *b)").replace(
    'add: { parameters: ["i32", "i32"',
    'add: { parameters: ["i32", "pointer"',
  );
  assertEquals(compareModules(file, text), [
    { name: "add", kind: "changed", before: "int add(int a, int *b)", now: "int add(int a, int b)" },
  ]);
});
