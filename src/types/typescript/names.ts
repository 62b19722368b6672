/**
 * Names of C, C++ and Rust in TypeScript: identifiers, keys of objects, comments. Names come from files, so
 * none of them may end a string or a comment.
 */

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** Words that cannot name a class or a constant, and names that the generated code uses itself. */
const RESERVED: ReadonlySet<string> = new Set(
  ("any arguments as asserts async await bigint boolean break case catch class const continue debugger " +
    "default delete do else enum eval export extends false finally for from function if implements " +
    "import in instanceof interface is let never new null number object of package private protected public return " +
    "static string super switch symbol this throw true try type typeof undefined unknown var void while " +
    "with yield " +
    "Array ArrayBuffer ArrayLike BigInt BigInt64Array BigUint64Array Boolean DataView Deno Float32Array " +
    "Float64Array Infinity Int16Array Int32Array Int8Array Math NaN Number Object Omit Partial RangeError " +
    "Symbol Uint16Array Uint32Array Uint8Array globalThis definitions Symbols").split(" "),
);

/** The longest name that is made of another name; C++ writes template arguments into names. */
const LONGEST = 100;

/** Identifiers of one scope, each used once. */
export class Scope {
  readonly #taken: Set<string>;

  /** @param taken Names that the scope has already. */
  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  /** Returns an identifier made of a name: the name itself if it is one and still free. */
  identifier(name: string): string {
    let base = name.replace(/[^\p{ID_Continue}$]+/gu, "_");
    if (base !== name) base = base.replace(/^_+|_+$/g, "");
    if (!IDENTIFIER.test(base)) base = `_${base}`;
    base = Array.from(base).slice(0, LONGEST).join("");
    return this.unique(RESERVED.has(base) ? `${base}_` : base);
  }

  /** Returns a name, with a number behind it if the scope has it already. */
  unique(name: string): string {
    let unique = name;
    for (let count = 2; this.#taken.has(unique); count++) unique = `${name}_${count}`;
    this.#taken.add(unique);
    return unique;
  }
}

/** Writes a name as the key of an object or the name of a member. */
export function propertyKey(name: string): string {
  // As a plain key of a literal it would set the prototype.
  if (name === "__proto__") return `["__proto__"]`;
  return IDENTIFIER.test(name) ? name : quoted(name);
}

/** Writes a string. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(UNSEEN, escaped);
}

/** Control characters, line separators, and marks that change the writing direction. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Returns a text that can stand in a comment: on one line, and without the end of a comment. */
export function commentText(text: string): string {
  return text.replace(UNSEEN, escaped).replaceAll("*/", "*\\/");
}

/** Returns a text as code in a comment. */
export function commentCode(text: string): string {
  // A text with backticks needs a longer fence, and spaces inside it.
  return text.includes("`") ? `\`\` ${commentText(text)} \`\`` : `\`${commentText(text)}\``;
}
