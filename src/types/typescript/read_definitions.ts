/**
 * Reads definitions out of a TypeScript file that a person wrote, without running it: those that are written
 * as literals.
 */
import { stringOf, type Token, tokensOf } from "./tokens.ts";

/** A type of a definition as it is written; undefined where it is an expression. */
export type WrittenType = string | { readonly struct: readonly (WrittenType | undefined)[] };

/** A definition of a function or a variable. */
export interface WrittenDefinition {
  /** The name of the symbol. */
  readonly name: string;
  /** Which literal it stands in, directly; the definitions of one module share it. */
  readonly group: number;
  /** The types of the parameters; undefined for a variable. */
  readonly parameters: readonly (WrittenType | undefined)[] | undefined;
  /** The type of the result or the variable. */
  readonly type: WrittenType | undefined;
  /** Whether the module need not have it. */
  readonly optional: boolean;
}

/** A value; undefined for what is not a literal. */
type Value = string | boolean | readonly Value[] | { readonly [key: string]: Value } | undefined;

/** Lists the definitions that a file's text contains. */
export function readDefinitions(text: string): WrittenDefinition[] {
  const tokens = tokensOf(text);
  const constants = new Map<string, Value>();
  const found: WrittenDefinition[] = [];
  const open: number[] = [];
  for (let at = 0; at < tokens.length; at++) {
    if (isMark(tokens[at], "}")) open.pop();
    if (!isMark(tokens[at], "{")) continue;
    const value = new Parser(tokens, at, constants).value();
    const before = tokens[at - 1];
    if (isMark(before, "=") && tokens[at - 2]?.kind === "name") constants.set(tokens[at - 2].text, value);
    const key = isMark(before, ":") ? keyBefore(tokens, at - 2) : undefined;
    const definition = key === undefined ? undefined : definitionOf(key, open.at(-1) ?? -1, value);
    if (definition !== undefined) found.push(definition);
    open.push(at);
  }
  return found;
}

/** The types that a variable may have. */
const WORDS: ReadonlySet<string> = new Set(
  "bool i8 u8 i16 u16 i32 u32 i64 u64 isize usize f32 f64 pointer buffer function".split(" "),
);

function keyBefore(tokens: readonly Token[], at: number): string | undefined {
  const token = tokens[at];
  // The key of a literal such as { ["name"]: … }.
  if (isMark(token, "]") && isMark(tokens[at - 2], "[") && stringOf(tokens[at - 1]) !== undefined) {
    return stringOf(tokens[at - 1]);
  }
  return ["name", "number", "string"].includes(token?.kind) ? token.text : undefined;
}

function definitionOf(key: string, group: number, value: Value): WrittenDefinition | undefined {
  if (typeof value !== "object" || isList(value)) return undefined;
  const { parameters, result, type, name, optional } = value;
  const shared = { name: typeof name === "string" ? name : key, group, optional: optional === true };
  if (isList(parameters) && "result" in value) {
    return { ...shared, parameters: parameters.map(writtenType), type: writtenType(result) };
  }
  // Other literals have a key `type`, too.
  const isVariable = typeof type === "string" && WORDS.has(type);
  return isVariable ? { ...shared, parameters: undefined, type } : undefined;
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function writtenType(value: Value): WrittenType | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || isList(value) || !isList(value.struct)) return undefined;
  return { struct: value.struct.map(writtenType) };
}

function isMark(token: Token | undefined, mark: string): boolean {
  return token?.kind === "mark" && token.text === mark;
}

/** The most literals within each other that are read. */
const MOST_DEPTH = 64;

/** Reads a literal from a position on. */
class Parser {
  readonly #tokens: readonly Token[];
  readonly #constants: ReadonlyMap<string, Value>;
  #at: number;

  constructor(tokens: readonly Token[], at: number, constants: ReadonlyMap<string, Value>) {
    this.#tokens = tokens;
    this.#at = at;
    this.#constants = constants;
  }

  /** Reads a value; undefined if it is not a literal, with the position anywhere inside it. */
  value(depth = 0): Value {
    const token = this.#tokens[this.#at++];
    if (token === undefined || depth > MOST_DEPTH) return undefined;
    const text = stringOf(token);
    if (text !== undefined) return text;
    if (token.kind === "name") return this.#named(token.text);
    if (token.text === "{") return this.#object(depth);
    return token.text === "[" ? this.#list(depth) : undefined;
  }

  #named(word: string): Value {
    if (word === "true" || word === "false") return word === "true";
    return this.#peek(".") || this.#peek("(") ? undefined : this.#constants.get(word);
  }

  #list(depth: number): Value {
    const list: Value[] = [];
    while (!this.#take("]")) {
      list.push(this.value(depth + 1));
      if (!this.#endItem("]")) return undefined;
    }
    return list;
  }

  #object(depth: number): Value {
    // Without a prototype, so that every key is an own one.
    const object: Record<string, Value> = Object.create(null);
    while (!this.#take("}")) {
      const computed = this.#take("[");
      const key = this.#tokens[this.#at++];
      if (key === undefined || key.kind === "mark") return undefined;
      if (computed && (stringOf(key) === undefined || !this.#take("]"))) return undefined;
      if (!this.#take(":")) return undefined;
      object[stringOf(key) ?? key.text] = this.value(depth + 1);
      if (!this.#endItem("}")) return undefined;
    }
    return object;
  }

  /** Moves behind the rest of an item and the comma; false at the end of the tokens. */
  #endItem(end: string): boolean {
    for (let depth = 0; this.#at < this.#tokens.length; this.#at++) {
      const token = this.#tokens[this.#at];
      if (token.kind !== "mark") continue;
      if (depth === 0 && (token.text === end || token.text === ",")) {
        this.#take(",");
        return true;
      }
      if ("{[(".includes(token.text)) depth++;
      if ("}])".includes(token.text) && depth-- === 0) return false;
      if (token.text === ";" && depth === 0) return false;
    }
    return false;
  }

  #peek(mark: string): boolean {
    return isMark(this.#tokens[this.#at], mark);
  }

  #take(mark: string): boolean {
    if (!this.#peek(mark)) return false;
    this.#at++;
    return true;
  }
}
