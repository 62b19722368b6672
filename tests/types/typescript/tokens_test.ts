// The tokens of programs, where a character means different things.
import { assertEquals } from "@std/assert";
import { cooked, type Token, tokensOf } from "../../../src/types/typescript/tokens.ts";

/** The tokens, each by the first letter of its kind and its text. */
function shown(tokens: readonly Token[]): string[] {
  return tokens.map(({ kind, text, raw, expressions }) =>
    `${kind[0]}:${raw === undefined ? text : JSON.stringify([raw, expressions!.map((each) => shown(each))])}`
  );
}

Deno.test("comments are left out, and strings have their values", () => {
  assertEquals(shown(tokensOf(`a /* " */ "b\\n\\x41\\u{1f600}" // 'c\n'd"\\'' 0x1F_ff 1.5e-3 12n`)), [
    ...["n:a", "s:b\nA😀", `s:d"'`, "n:0x1F_ff", "n:1.5e-3", "n:12n"],
  ]);
});

Deno.test("a template has its raw texts, and the tokens of its expressions, in which there may be another", () => {
  assertEquals(shown(tokensOf("f`a\\n${ { b: `c${d}` } }\r\ne\\``;")), [
    "n:f",
    't:[["a\\\\n","\\ne\\\\`"],[["m:{","n:b","m::","t:[[\\"c\\",\\"\\"],[[\\"n:d\\"]]]","m:}"]]]',
    "m:;",
  ]);
});

Deno.test("a slash divides behind a value, and begins a regular expression elsewhere", () => {
  assertEquals(shown(tokensOf("a / b / c; x = /[/'`]\\/ '/g; return /`/; f(1) / 2 / g")), [
    ...["n:a", "m:/", "n:b", "m:/", "n:c", "m:;", "n:x", "m:=", "r:/[/'`]\\/ '/g", "m:;"],
    ...["n:return", "r:/`/", "m:;", "n:f", "m:(", "n:1", "m:)", "m:/", "n:2", "m:/", "n:g"],
  ]);
});

Deno.test("lines are counted through comments, templates and line ends of both kinds", () => {
  const lines = tokensOf("a\r\n/*\n\n*/ b `\n\n${c}\n\\\n` d\n'\\\n' e").map(({ text, line }) =>
    `${text}${line}`
  );
  assertEquals(lines, ["a1", "b4", "`\n\n${c}\n\\\n`4", "d8", "9", "e10"]);
});

Deno.test("text that is not code costs the rest of its line", () => {
  const tokens = tokensOf(`<p>it's "fine</p>\ncc("a.c")`);
  assertEquals(shown(tokens).slice(-4), ["n:cc", "m:(", "s:a.c", "m:)"]);
  assertEquals(shown(tokensOf("`open")), ['t:[["open"],[]]']);
  assertEquals(shown(tokensOf("`open ${ a")), ['t:[["open ",""],[["n:a"]]]']);
});

Deno.test("the text of elements is no code where files have elements", () => {
  const tokens = tokensOf('f(<p title="a\\n">it\'s {cc("a.c")} `</p>);', { jsx: true });
  assertEquals(shown(tokens), [
    ...[
      "n:f",
      "m:(",
      "m:<",
      "n:p",
      "n:title",
      "m:=",
      "s:a\\n",
      "m:>",
      "m:{",
      "n:cc",
      "m:(",
      "s:a.c",
      "m:)",
      "m:}",
    ],
    ...["m:<", "m:/", "n:p", "m:>", "m:)", "m:;"],
  ]);
});

Deno.test("comments are tokens on request, without the indentation of their lines", () => {
  assertEquals(shown(tokensOf("a /* b\n   c */ // d \n", { comments: true })), [
    "n:a",
    "c:/* b\nc */",
    "c:// d",
  ]);
});

Deno.test("values of escapes are those of JavaScript", () => {
  for (const raw of ["\\n\\t\\r\\b\\v\\f\\0", "\\x7e\\u00e9\\u{10FFFF}", "a\\\nb", "\\q\\'\\\\"]) {
    assertEquals(cooked(raw), (0, eval)(`"${raw}"`));
  }
});
