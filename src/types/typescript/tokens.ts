/**
 * Splits TypeScript into tokens: enough of its grammar to read literals and to compare two modules whatever
 * their formatting.
 */

/** A token. */
export interface Token {
  /** What it is; numbers are words. */
  readonly kind: "word" | "string" | "mark" | "comment";
  /** The text; of a string its value, of a comment its lines without indentation. */
  readonly text: string;
}

const TOKEN =
  /\s+|(?<comment>\/\/[^\n]*|\/\*[^]*?\*\/)|(?<string>"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*')|(?<template>`(?:\\[^]|[^`\\])*`)|(?<word>[\p{ID_Continue}$#]+)|(?<mark>[^])/uy;

const REGULAR_EXPRESSION = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\//y;

/** Marks behind which a slash begins a regular expression. */
const BEFORE_EXPRESSION = "(,=:[!&|?{};+-*%<>~^";

/** Lists the tokens of a text. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let last: Token | undefined;
  const push = (token: Token): void => {
    tokens.push(token);
    if (token.kind !== "comment") last = token;
  };
  for (let at = 0; at < text.length;) {
    if (text[at] === "/" && text[at + 1] !== "/" && text[at + 1] !== "*" && beginsExpression(last)) {
      REGULAR_EXPRESSION.lastIndex = at;
      const found = REGULAR_EXPRESSION.exec(text)?.[0];
      if (found !== undefined) {
        push({ kind: "word", text: found });
        at += found.length;
        continue;
      }
    }
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text)!;
    at += match[0].length;
    const { comment, string, template, word, mark } = match.groups!;
    if (comment !== undefined) push({ kind: "comment", text: comment.replace(/\s*\n\s*/g, "\n").trimEnd() });
    else if (string !== undefined) push({ kind: "string", text: stringValue(string) });
    else if (template !== undefined) push(templateToken(template));
    else if (word !== undefined) push({ kind: "word", text: word });
    else if (mark !== undefined) push({ kind: "mark", text: mark });
  }
  return tokens;
}

function beginsExpression(last: Token | undefined): boolean {
  if (last === undefined) return true;
  return last.kind === "mark" ? BEFORE_EXPRESSION.includes(last.text) : last.text === "return";
}

/** A template without expressions is a string; another one is kept as it is written. */
function templateToken(written: string): Token {
  return written.includes("${")
    ? { kind: "word", text: written }
    : { kind: "string", text: stringValue(written) };
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  v: "\v",
  0: "\0",
};

function stringValue(written: string): string {
  return written.slice(1, -1).replace(
    /\\(?:u\{([\da-f]+)\}|u([\da-f]{4})|x([\da-f]{2})|(\r\n|[^]))/gi,
    (_, code, four, two, other) => {
      const digits = code ?? four ?? two;
      if (digits === undefined) return ESCAPES[other] ?? (/[\r\n]/.test(other) ? "" : other);
      const point = parseInt(digits, 16);
      return point > 0x10ffff ? "\ufffd" : String.fromCodePoint(point);
    },
  );
}
