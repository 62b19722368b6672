/**
 * Reads the values of expressions that a text alone decides: literals, lists and objects of them, paths beside the
 * module, and names that are declared once with such a value.
 */
import { dirname, fromFileUrl } from "../../../os/path.ts";
import { cooked, type Token } from "../../../types/typescript/tokens.ts";

/** The value of an expression that only the running program knows. */
export const COMPUTED: unique symbol = Symbol("computed");

const PAIRS: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** The place of the mark that closes the one at `at`; the end if none does. */
export function closing(tokens: readonly Token[], at: number): number {
  const waiting: string[] = [];
  for (let next = at; next < tokens.length; next++) {
    const { kind, text } = tokens[next];
    if (kind !== "mark") continue;
    if (Object.hasOwn(PAIRS, text)) waiting.push(PAIRS[text]);
    else if (text === waiting.at(-1)) waiting.pop();
    if (waiting.length === 0) return next;
  }
  return tokens.length;
}

/** Splits tokens at the marks that are in no brackets; a mark at the end begins no part. */
export function split(tokens: readonly Token[], mark: string): (readonly Token[])[] {
  const parts: (readonly Token[])[] = [];
  let start = 0;
  for (let at = 0; at < tokens.length; at++) {
    const { kind, text } = tokens[at];
    if (kind !== "mark") continue;
    if (Object.hasOwn(PAIRS, text)) at = closing(tokens, at);
    else if (text === mark) {
      parts.push(tokens.slice(start, at));
      start = at + 1;
    }
  }
  if (start < tokens.length) parts.push(tokens.slice(start));
  return parts;
}

/** Reads the constants of one module. */
export class Constants {
  readonly #url: string;
  readonly #tokens: readonly Token[];
  /** The names whose values are being read: one may be declared by itself. */
  readonly #reading = new Set<string>();

  /** @param url The module's address. */
  constructor(url: string, tokens: readonly Token[]) {
    this.#url = url;
    this.#tokens = tokens;
  }

  /** The value of an expression; {@linkcode COMPUTED} if it is not a constant. In objects, each value by itself. */
  valueOf(expression: readonly Token[]): unknown {
    const tokens = withoutType(expression);
    const [first] = tokens;
    if (first === undefined) return COMPUTED;
    const sum = split(tokens, "+");
    if (sum.length > 1) return this.#joined(sum);
    if (tokens.length === 1) return this.#single(first);
    const text = tokens.map(({ kind, text }) => kind === "string" ? "''" : text).join(" ");
    if (text.startsWith("import . meta . ")) return this.#ofModule(text);
    if (text.startsWith("new URL (") && closing(tokens, 2) === tokens.length - 1) {
      return this.#urlOf(split(tokens.slice(3, -1), ","));
    }
    if (first.kind !== "mark" || closing(tokens, 0) !== tokens.length - 1) return COMPUTED;
    const inner = tokens.slice(1, -1);
    if (first.text === "(") return this.valueOf(inner);
    if (first.text === "[") return this.#list(inner);
    return first.text === "{" ? this.#object(inner) : COMPUTED;
  }

  #single({ kind, text, raw, expressions }: Token): unknown {
    if (kind === "string") return text;
    if (kind === "number") return text.endsWith("n") ? COMPUTED : Number(text.replaceAll("_", ""));
    if (kind === "template") {
      const values = expressions!.map((each) => this.valueOf(each));
      if (!values.every(isPrimitive)) return COMPUTED;
      return raw!.map((part, index) => cooked(part) + (index < values.length ? `${values[index]}` : "")).join(
        "",
      );
    }
    if (kind !== "name") return COMPUTED;
    if (text === "undefined") return undefined;
    if (["true", "false", "null"].includes(text)) return JSON.parse(text);
    return this.#named(text);
  }

  /** The value of a name, if the module declares it once, as a constant. */
  #named(name: string): unknown {
    const tokens = this.#tokens;
    const places = tokens.flatMap(({ kind, text }, at) =>
      kind === "name" && text === name && DECLARE.has(tokens[at - 1]?.text) ? [at] : []
    );
    if (places.length !== 1 || tokens[places[0] - 1].text !== "const" || this.#reading.has(name)) {
      return COMPUTED;
    }
    // Others may be declared in the same statement.
    const [declaration] = split(statementFrom(tokens, places[0]), ",");
    const [, value, ...more] = split(declaration, "=");
    if (value === undefined || more.length > 0) return COMPUTED;
    this.#reading.add(name);
    try {
      return this.valueOf(value);
    } finally {
      this.#reading.delete(name);
    }
  }

  #joined(parts: readonly (readonly Token[])[]): unknown {
    const values = parts.map((part) => this.valueOf(part));
    return values.every((value) => typeof value === "string") ? values.join("") : COMPUTED;
  }

  #ofModule(text: string): unknown {
    const [name] = /(?<=^import \. meta \. )\w+$/.exec(text) ?? [];
    if (name === "url") return this.#url;
    if (!this.#url.startsWith("file:")) return COMPUTED;
    if (name === "filename") return fromFileUrl(this.#url);
    return name === "dirname" ? dirname(fromFileUrl(this.#url)) : COMPUTED;
  }

  #urlOf(parts: readonly (readonly Token[])[]): unknown {
    const values = parts.map((part) => this.valueOf(part));
    if (!values.every((value) => typeof value === "string" || value instanceof URL)) return COMPUTED;
    const [path, base] = values as string[];
    return path !== undefined && URL.canParse(path, base) ? new URL(path, base) : COMPUTED;
  }

  #list(tokens: readonly Token[]): unknown {
    const values = split(tokens, ",").map((part) => this.valueOf(part));
    return values.includes(COMPUTED) ? COMPUTED : values;
  }

  #object(tokens: readonly Token[]): unknown {
    const entries: [string, unknown][] = [];
    for (const part of split(tokens, ",")) {
      const [key, next] = part;
      if (key === undefined || key.kind !== "name" && key.kind !== "string") return COMPUTED;
      if (next === undefined) entries.push([key.text, this.#single(key)]);
      else if (next.text === ":") entries.push([key.text, this.valueOf(part.slice(2))]);
      else if (next.text === "(") entries.push([key.text, COMPUTED]);
      else return COMPUTED;
    }
    return Object.fromEntries(entries);
  }
}

const DECLARE = new Set(["const", "let", "var", "function", "class", "enum"]);

/** The tokens of a statement up to its end: a semicolon, or a line that begins where an expression may have ended. */
function statementFrom(tokens: readonly Token[], start: number): readonly Token[] {
  let at = start;
  for (; at < tokens.length; at++) {
    const { kind, text, line } = tokens[at];
    const before = tokens[at - 1];
    if (kind === "mark" && text === ";") break;
    const isNewLine = at > start && line > before.line && before.kind !== "template";
    const goesOn = kind === "mark" && text !== "{" ||
      before?.kind === "mark" && !/^[)\]}]$/.test(before.text);
    if (isNewLine && !goesOn) break;
    if (kind === "mark" && Object.hasOwn(PAIRS, text)) at = closing(tokens, at);
  }
  return tokens.slice(start, at);
}

/** An expression without what TypeScript says of its type behind it. */
function withoutType(tokens: readonly Token[]): readonly Token[] {
  for (let at = 0; at < tokens.length; at++) {
    const { kind, text } = tokens[at];
    if (kind === "mark" && Object.hasOwn(PAIRS, text)) at = closing(tokens, at);
    else if (at > 0 && kind === "name" && (text === "as" || text === "satisfies")) return tokens.slice(0, at);
  }
  return tokens;
}

function isPrimitive(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number";
}
