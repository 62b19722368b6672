// Parentheses that make V8 compile functions with the script: they change what is compiled, not what runs.
import { assertEquals } from "@std/assert";
import { type Range, withEagerFunctions } from "../eager.ts";

/** Finds the functions in a script by how they begin; each ends with the mark that is its last character. */
function ranges(code: string, ...beginnings: readonly string[]): Range[] {
  return beginnings.map((text) => {
    const start = code.indexOf(text);
    return { start, end: code.indexOf("}", start) + 1 };
  });
}

function eager(code: string, called: readonly Range[], atImport: readonly Range[] = []): string {
  return withEagerFunctions(code, called, atImport).text;
}

Deno.test("a declaration becomes a variable with a function in parentheses", () => {
  const code = "function one(){return 1}function two(){return 2}";
  const all = "var one=(function one(){return 1});function two(){return 2}";
  assertEquals(eager(code, ranges(code, "function one")), all);
  const asynchronous = "async function one(){return 1}one()";
  assertEquals(
    eager(asynchronous, ranges(asynchronous, "async")),
    "var one=(async function one(){return 1});one()",
  );
});

Deno.test("a declaration that is called at import stays, since its variable would have no value yet", () => {
  const code = "const x=one();function one(){return 1}";
  const found = ranges(code, "function one");
  assertEquals(eager(code, found, found), code);
});

Deno.test("a declaration inside of a function stays, since its function may call it before", () => {
  const code = "function outer(){return inner();function inner(){return 1}}";
  const outer = { start: 0, end: code.length };
  const inner = { start: code.indexOf("function inner"), end: code.length - 1 };
  assertEquals(eager(`${code};0`, [outer, inner]), `var outer=(${code});;0`);
});

Deno.test("functions and arrows in expressions get parentheses, methods do not", () => {
  const code = "const a=()=>{return 1},b={f:function(){return 2},m(){return 3}};class C{m(){return 4}}";
  const found = ranges(code, "()=>{", "function(", "m(){return 3", "m(){return 4");
  assertEquals(
    eager(code, found),
    "const a=(()=>{return 1}),b={f:(function(){return 2}),m(){return 3}};class C{m(){return 4}}",
  );
});

Deno.test("the script itself, which coverage counts as a function, stays", () => {
  const code = "function one(){return 1}\n";
  assertEquals(eager(code, [{ start: 0, end: code.length }]), code);
});

Deno.test("edits say where in the old text they are", () => {
  const code = "f(1);function one(){return 1}";
  const { text, edits } = withEagerFunctions(code, ranges(code, "function one"), []);
  let expected = "", from = 0;
  for (const { at, text: put } of edits) {
    expected += code.slice(from, at) + put;
    from = at;
  }
  assertEquals(text, expected + code.slice(from));
  assertEquals(edits.map(({ at }) => at), [5, code.length]);
});
