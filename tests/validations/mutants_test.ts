import { assertEquals, assertThrows } from "@std/assert";
import { blanked, mutantsOf } from "./mutants.ts";

const found = (text: string): [string, string][] =>
  mutantsOf(text).map((mutant) => [mutant.what, mutant.text]);

Deno.test("every throw is taken out by itself", () => {
  assertEquals(found('if (a) throw new Error("x; y");\nthrow b({ c: [1, 2] });'), [
    ['throw new Error("x; y");', "if (a) ;\nthrow b({ c: [1, 2] });"],
    ["throw b({ c: [1, 2] });", 'if (a) throw new Error("x; y");\n;'],
  ]);
  assertEquals(mutantsOf("f();\n\nthrow 1;")[0].line, 3);
});

Deno.test("of a condition with several reasons each is taken out", () => {
  assertEquals(found("if (a || (b || c) && d) {\n  throw 1;\n}"), [
    ["a", "if (false || (b || c) && d) {\n  throw 1;\n}"],
    ["(b || c) && d", "if (a || false) {\n  throw 1;\n}"],
    ["throw 1;", "if (a || (b || c) && d) {\n  ;\n}"],
  ]);
  assertEquals(found("while (a || b) throw 1;").length, 1);
});

Deno.test("what is reported, and what a patch answers, are validations too", () => {
  const what = (text: string) => found(text).map(([first]) => first);
  assertEquals(what("this.#input.problems.add(f(1));"), ["this.#input.problems.add(f(1));"]);
  assertEquals(what("if (a || b) refuse(1);\n  report(new E(2));\nconst refuse = (x) => report(x);"), [
    "refuse(1);",
    "a",
    "b",
    "report(new E(2));",
  ]);
  assertEquals(what("if (x) return Patch.OutOfRange;\nreturn Patch.Done;"), ["return Patch.OutOfRange;"]);
  assertEquals(what("const named = a && b(c && d);"), ["a", "b(c && d)"]);
  assertEquals(what("catch (error) { throw error; }"), []);
});

Deno.test("comments, strings, templates and regular expressions hide nothing and show nothing", () => {
  const text =
    "/* throw 1; */ f(`throw ${g({ a: `}` })} throw;`); // throw\nx = /throw\"/.test('throw'); throw 2;";
  assertEquals(blanked(text).length, text.length);
  assertEquals(found(text).map(([what]) => what), ["throw 2;"]);
});

Deno.test("a statement without an end is not guessed at", () => {
  assertThrows(() => mutantsOf("throw 1"), Error, "end of a statement");
});
