/**
 * Splits TypeScript and JavaScript into tokens, as far as it takes to read literals, to find calls, and to compare two
 * modules whatever their formatting.
 */
// By its address: where this package is linked, Deno 2.9.5 on Windows does not find names of its import map.
// deno-lint-ignore no-import-prefix
import splitText, { type JSXToken, type Token as Part } from "npm:js-tokens@^10.0.0";

/** A token. */
export interface Token {
  readonly kind: "name" | "number" | "string" | "template" | "regex" | "mark" | "comment";
  /** The text as it is written; of a string its value, of a comment its lines without indentation. */
  readonly text: string;
  /** The line that it begins in, from 1 on. */
  readonly line: number;
  /** The texts of a template between its expressions, as they are written. */
  readonly raw?: readonly string[];
  /** The expressions of a template. */
  readonly expressions?: readonly (readonly Token[])[];
}

/** What is read of a text. */
export interface Reading {
  /** Whether the text has elements of JSX, as files do whose names end in x. Default: false. */
  readonly jsx?: boolean;
  /** Whether comments are among the tokens. Default: false. */
  readonly comments?: boolean;
}

const KINDS: Readonly<Partial<Record<(Part | JSXToken)["type"], Token["kind"]>>> = {
  ...{ IdentifierName: "name", PrivateIdentifier: "name", JSXIdentifier: "name", NumericLiteral: "number" },
  ...{ StringLiteral: "string", JSXString: "string", RegularExpressionLiteral: "regex" },
  ...{ Punctuator: "mark", JSXPunctuator: "mark", Invalid: "mark", JSXInvalid: "mark" },
  ...{ SingleLineComment: "comment", MultiLineComment: "comment" },
};

/** The tokens of a text. Text that is not code gives tokens, too. */
export function tokensOf(text: string, { jsx = false, comments = false }: Reading = {}): Token[] {
  const parts: Iterable<Part | JSXToken> = jsx ? splitText(text, { jsx }) : splitText(text);
  return new Reader(parts, comments).read().tokens;
}

/** The value of a string, or of a template without expressions; undefined for other tokens. */
export function stringOf({ kind, text, raw }: Token): string | undefined {
  if (kind === "string") return text;
  return kind === "template" && raw!.length === 1 ? cooked(raw![0]) : undefined;
}

class Reader {
  readonly #parts: Iterator<Part | JSXToken>;
  readonly #hasComments: boolean;
  #line = 1;

  constructor(parts: Iterable<Part | JSXToken>, hasComments: boolean) {
    this.#parts = parts[Symbol.iterator]();
    this.#hasComments = hasComments;
  }

  /** Reads up to the part of a template behind an expression, or to the end of the text. */
  read(): { readonly tokens: Token[]; readonly end?: Part | JSXToken } {
    const tokens: Token[] = [];
    for (;;) {
      const { value: part, done } = this.#parts.next();
      if (done === true) return { tokens };
      const line = this.#line;
      for (const { length } of part.value.matchAll(/\n/g)) this.#line += length;
      if (part.type === "TemplateMiddle" || part.type === "TemplateTail") return { tokens, end: part };
      if (part.type === "TemplateHead" || part.type === "NoSubstitutionTemplate") {
        tokens.push(this.#template(part, line));
        continue;
      }
      const kind = KINDS[part.type];
      if (kind === undefined || kind === "comment" && !this.#hasComments) continue;
      tokens.push({ kind, text: textOf(part), line });
    }
  }

  #template(first: Part, line: number): Token {
    const raw: string[] = [], expressions: Token[][] = [];
    for (let part: Part | JSXToken | undefined = first; part !== undefined;) {
      // A template has line feeds alone, whatever the file has.
      raw.push(rawText(part).replace(/\r\n?/g, "\n"));
      if (part.type !== "TemplateHead" && part.type !== "TemplateMiddle") break;
      const { tokens, end } = this.read();
      expressions.push(tokens);
      if (end === undefined) raw.push("");
      part = end;
    }
    const written = raw.map((text, index) =>
      index < expressions.length
        ? `${text}\${${expressions[index].map((each) => each.text).join(" ")}}`
        : text
    );
    return { kind: "template", text: `\`${written.join("")}\``, line, raw, expressions };
  }
}

/** A part of a template without its marks. */
function rawText(part: Part | JSXToken): string {
  const isOpen = part.type === "TemplateHead" || part.type === "TemplateMiddle";
  const isClosed = !("closed" in part) || part.closed;
  return part.value.slice(1, isOpen ? -2 : isClosed ? -1 : undefined);
}

function textOf(part: Part | JSXToken): string {
  const { type, value } = part;
  if (type === "MultiLineComment" || type === "SingleLineComment") {
    return value.replace(/\s*\n\s*/g, "\n").trimEnd();
  }
  if (type === "JSXString") return value.slice(1, part.closed ? -1 : undefined);
  return type === "StringLiteral" ? cooked(value.slice(1, part.closed ? -1 : undefined)) : value;
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ n: "\n", t: "\t", r: "\r", b: "\b", v: "\v", f: "\f", 0: "\0" },
  ...{ "\n": "", "\r\n": "", "\r": "" },
};

/** The value of a string or template as it is written (ECMAScript, "Static Semantics: SV" and "TV"). */
export function cooked(raw: string): string {
  return raw.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|u\{([\da-fA-F]+)\}|(\r\n|[^]))/g,
    (_, byte?: string, unit?: string, point?: string, char?: string) => {
      const digits = byte ?? unit ?? point;
      if (digits === undefined) return ESCAPES[char!] ?? char!;
      const code = parseInt(digits, 16);
      return code > 0x10ffff ? "\ufffd" : String.fromCodePoint(code);
    },
  );
}
