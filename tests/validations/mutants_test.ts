import { assertEquals, assertThrows } from "@std/assert";
import { blanked, switchable } from "./mutants.ts";

const found = (text: string): string[] => switchable(text, 1).validations.map(({ what }) => what);

Deno.test("every throw has its own switch", () => {
  const { text, validations } = switchable('if (a) throw new Error("x; y");\nthrow b({ c: [1, 2] });', 7);
  assertEquals(
    text,
    'if (a) { if (globalThis.MUTANT !== 7) throw new Error("x; y"); }\n' +
      "{ if (globalThis.MUTANT !== 8) throw b({ c: [1, 2] }); }",
  );
  assertEquals(validations, [
    { number: 7, what: 'throw new Error("x; y");', line: 1 },
    { number: 8, what: "throw b({ c: [1, 2] });", line: 2 },
  ]);
});

Deno.test("each operand of a condition has its own switch", () => {
  const { text, validations } = switchable("if (a || (b || c) && d) {\n  throw 1;\n}", 1);
  assertEquals(
    text,
    "if ((globalThis.MUTANT !== 1 && (a)) || (globalThis.MUTANT !== 2 && ((b || c) && d))) {\n" +
      "  { if (globalThis.MUTANT !== 3) throw 1; }\n}",
  );
  assertEquals(validations.map(({ what }) => what), ["a", "(b || c) && d", "throw 1;"]);
  assertEquals(found("while (a || b) throw 1;"), ["throw 1;"]);
});

Deno.test("a text behaves as before while no validation is switched off", () => {
  const text = "const check = (n) => { if (n < 0 || n > 9) throw 1; else return n; };\ncheck";
  const run = (n: number): unknown => {
    try {
      return (0, eval)(switchable(text, 1).text)(n);
    } catch (thrown) {
      return `threw ${thrown}`;
    }
  };
  assertEquals([-1, 0, 9, 10].map(run), ["threw 1", 0, 9, "threw 1"]);
});

Deno.test("reports and results of patches are validations, too", () => {
  assertEquals(found("this.#input.problems.add(f(1));"), ["this.#input.problems.add(f(1));"]);
  assertEquals(found("if (a) report(b);\nfunction report(c) {}"), ["report(b);"]);
  assertEquals(found("if (x) return Patch.OutOfRange;\nreturn Patch.Done;"), ["return Patch.OutOfRange;"]);
  assertEquals(found("catch (error) { throw error; }"), []);
  assertEquals(
    switchable("const named = a && b(c && d);", 1).text,
    "const named = (globalThis.MUTANT === 1 || (a)) && (globalThis.MUTANT === 2 || (b(c && d)));",
  );
});

Deno.test("comments, strings, templates and regular expressions are skipped", () => {
  const text =
    "/* throw 1; */ f(`throw ${g({ a: `}` })} throw;`); // throw\nx = /throw\\\"/.test('throw'); throw 2;";
  assertEquals(blanked(text).length, text.length);
  assertEquals(found(text), ["throw 2;"]);
});

Deno.test("a statement without an end is an error", () => {
  assertThrows(() => switchable("throw 1", 1), Error, "end of a statement");
});

Deno.test("an early end of a loop has a switch, and each of its conditions has one", () => {
  assertEquals(found("if (a || b) return stopAt(work, at, Stop.Place);"), [
    "a",
    "b",
    "return stopAt(work, at, Stop.Place);",
  ]);
  assertEquals(found("if (\n a || b\n) return at / step;\nreturn length;"), ["a", "b", "return at / step;"]);
});
