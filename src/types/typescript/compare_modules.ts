/**
 * Compares two texts of a generated module by their declarations, whatever their formatting.
 */
import { type Token, tokensOf } from "./tokens.ts";

/** A declaration that one of the texts has and the other has not, or has otherwise. */
export interface ModuleDifference {
  /** Such as `class Point`, or the name of a definition. */
  readonly name: string;
  /** `missing`: the file lacks it; `extra`: only the file has it; `changed`: both have it. */
  readonly kind: "missing" | "extra" | "changed";
  /** Of a definition: the declaration in C that the file has. */
  readonly before?: string;
  /** Of a definition: the declaration in C that would be written now. */
  readonly now?: string;
}

/** Compares a file's text with the text that would be written now. */
export function compareModules(file: string, now: string): ModuleDifference[] {
  const [old, own] = [declarationsOf(file), declarationsOf(now)];
  const differences: ModuleDifference[] = [];
  for (const [name, { code, note: now }] of own) {
    const found = old.get(name);
    if (found?.code === code) continue;
    const notes = { ...(found?.note && { before: found.note }), ...(now && { now }) };
    differences.push({ name, kind: found === undefined ? "missing" : "changed", ...notes });
  }
  for (const [name, { note }] of old) {
    if (!own.has(name)) differences.push({ name, kind: "extra", ...(note && { before: note }) });
  }
  return differences;
}

/** A declaration: text to compare, and what its comment says of a definition. */
interface Declared {
  readonly code: string;
  readonly note: string;
}

/** Returns the declarations of a module and the entries of its definitions by name. */
function declarationsOf(text: string): Map<string, Declared> {
  const found = new Map<string, Declared>();
  /** Names may occur twice in a damaged file; both count then. */
  const add = (name: string, tokens: readonly Token[], note = ""): void => {
    found.set(name, { code: `${found.get(name)?.code ?? ""}${codeOf(tokens)}`, note });
  };
  for (const tokens of statementsOf(tokensOf(text, { comments: true }))) {
    const words = tokens.filter(({ kind }) => kind !== "comment").map((token) => token.text);
    const name = words[0] === "export" ? words.slice(1, 3).join(" ") : words.slice(0, 2).join(" ");
    if (words.length === 0) {
      // Comments that belong to nothing: exports that are left out.
      for (const token of tokens) add(`comment ${token.text.replace(/^\/+ */, "")}`, [token]);
    } else if (name === "const definitions") {
      const start = tokens.findIndex(({ kind, text }) => kind === "mark" && text === "{");
      const entries = entriesOf(tokens.slice(start + 1));
      add(name, tokens.slice(0, start));
      for (const entry of entries) {
        const key = entry.find(({ kind }) => ["name", "number", "string"].includes(kind));
        const comment = entry.find(({ kind }) => kind === "comment")?.text ?? "";
        const note = /^\/\*\* `+ ?(.*?) ?`+(?:: its address)? \*\/$/.exec(comment)?.[1];
        if (key !== undefined) add(key.text, entry, note);
      }
    } else add(name, tokens);
  }
  return found;
}

/** Splits a module at the statements of its outermost level; line comments stand for themselves. */
function statementsOf(tokens: readonly Token[]): Token[][] {
  const statements: Token[][] = [];
  let current: Token[] = [];
  let depth = 0;
  let begun = false;
  const end = (): void => {
    if (current.length > 0) statements.push(current);
    current = [];
    begun = false;
  };
  for (const token of tokens) {
    const { kind, text } = token;
    if (depth === 0 && kind === "comment") {
      if (begun) end();
      if (text.startsWith("//")) {
        statements.push([token]);
        continue;
      }
    } else if (
      depth === 0 && begun && (text === "export" || text === "function") && current.at(-1)?.text !== "export"
    ) {
      end();
    }
    if (kind === "mark" && "{[(".includes(text)) depth++;
    if (kind === "mark" && "}])".includes(text)) depth = Math.max(0, depth - 1);
    if (kind !== "comment") begun = true;
    current.push(token);
  }
  end();
  return statements;
}

/** Splits the inside of an object literal at its commas, up to its end. */
function entriesOf(tokens: readonly Token[]): Token[][] {
  const entries: Token[][] = [];
  let current: Token[] = [];
  let depth = 0;
  for (const token of tokens) {
    const { kind, text } = token;
    if (kind === "mark" && "{[(".includes(text)) depth++;
    if (kind === "mark" && "}])".includes(text) && depth-- === 0) break;
    if (kind === "mark" && text === "," && depth === 0) {
      entries.push(current);
      current = [];
    } else current.push(token);
  }
  if (current.length > 0) entries.push(current);
  return entries;
}

/** Writes tokens so that formatting makes no difference: semicolons, last commas, quotation marks. */
function codeOf(tokens: readonly Token[]): string {
  const kept = tokens.filter(({ kind, text }, index) => {
    if (kind !== "mark") return true;
    const next = tokens[index + 1];
    return text !== ";" && !(text === "," && next?.kind === "mark" && "}])".includes(next.text));
  });
  return JSON.stringify(kept.map(({ kind, text }, index) => {
    // A key may be written with or without quotation marks.
    const isKey = kept[index + 1]?.kind === "mark" && kept[index + 1].text === ":";
    return [isKey ? "key" : kind, text];
  }));
}
