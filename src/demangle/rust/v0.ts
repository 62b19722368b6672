/**
 * Demangles names of Rust's new kind (RFC 2603, `-C symbol-mangling-version=v0`): the parts are written while they are
 * read, since a part of the name can only be repeated from before.
 */
import { Budget, Printer, refuse } from "../printer.ts";
import { type Identifier, RustReader } from "./reader.ts";
import { suffixAt } from "./suffix.ts";

const BASIC_TYPES: Readonly<Record<string, string>> = {
  a: "i8",
  b: "bool",
  c: "char",
  d: "f64",
  e: "str",
  f: "f32",
  h: "u8",
  i: "isize",
  j: "usize",
  l: "i32",
  m: "u32",
  n: "i128",
  o: "u128",
  p: "_",
  s: "i16",
  t: "u16",
  u: "()",
  v: "...",
  x: "i64",
  y: "u64",
  z: "!",
};

const INTEGERS = /[ahijlmnostxy]/;

/** The most lifetimes that one `for<…>` declares. */
const MAX_LIFETIMES = 64;

class RustName extends RustReader {
  readonly #out: Printer;
  readonly #budget: Budget;
  /** The lifetimes that the `for<…>` around declare. */
  #lifetimes = 0;
  /** Whether the part is only passed over. */
  #isSilent = false;

  constructor(name: string, start: number) {
    super(name, start);
    this.#out = new Printer(name.length);
    this.#budget = new Budget(name.length);
  }

  /** The whole name: a path, and the crate that instantiated it, which is left out. */
  demangled(): string {
    this.#path(true);
    this.#isSilent = true;
    if (/[A-Z]/.test(this.peek())) this.#path(false);
    this.#isSilent = false;
    this.#write(suffixAt(this.name, this.at) ?? refuse());
    return this.#out.text;
  }

  #write(text: string): void {
    if (!this.#isSilent) this.#out.add(text);
  }

  /** Repeats a part from before, which must not lie in itself. */
  #back(repeat: () => void): void {
    const from = this.at - 1;
    const target = this.start + this.base62();
    if (target >= from) refuse();
    if (this.#isSilent) return;
    const at = this.at;
    this.at = target;
    repeat();
    this.at = at;
  }

  #list(item: () => void): number {
    let count = 0;
    for (; !this.take("E"); count++) {
      if (count > 0) this.#write(", ");
      item();
    }
    return count;
  }

  /** Passes over a part without writing it. */
  #silently(part: () => void): void {
    const wasSilent = this.#isSilent;
    this.#isSilent = true;
    part();
    this.#isSilent = wasSilent;
  }

  /** A path; arguments in the path of a value are written behind `::`. */
  #path(isValue: boolean): void {
    this.#budget.enter();
    const tag = this.next();
    switch (tag) {
      case "C":
        this.#write(this.identifier().text);
        break;
      case "N": {
        const namespace = this.next();
        if (!/[A-Za-z]/.test(namespace)) refuse();
        this.#path(isValue);
        this.#member(namespace, this.identifier());
        break;
      }
      case "M":
      case "X":
        // Where the implementation is says nothing that its type does not.
        this.optional62("s");
        this.#silently(() => this.#path(false));
        this.#implementation(tag === "X");
        break;
      case "Y":
        this.#implementation(true);
        break;
      case "I":
        this.#path(isValue);
        this.#write(isValue ? "::<" : "<");
        this.#list(() => this.#argument());
        this.#write(">");
        break;
      case "B":
        this.#back(() => this.#path(isValue));
        break;
      default:
        refuse();
    }
    this.#budget.leave();
  }

  #member(namespace: string, { disambiguator, text }: Identifier): void {
    if (/[a-z]/.test(namespace)) {
      if (text !== "") this.#write(`::${text}`);
      return;
    }
    const kind = namespace === "C" ? "closure" : namespace === "S" ? "shim" : namespace;
    this.#write(`::{${kind}${text === "" ? "" : `:${text}`}#${disambiguator}}`);
  }

  #implementation(hasTrait: boolean): void {
    this.#write("<");
    this.#type();
    if (hasTrait) {
      this.#write(" as ");
      this.#path(false);
    }
    this.#write(">");
  }

  #argument(): void {
    if (this.take("L")) this.#lifetime(this.base62());
    else if (this.take("K")) this.#constant();
    else this.#type();
  }

  /** A lifetime by its distance from the innermost one; 0 is one without a name. */
  #lifetime(index: number): void {
    if (index === 0) return this.#write("'_");
    // In parts that are passed over, back references are not followed: what they declare is not known.
    const depth = this.#lifetimes - index;
    if (depth < 0) {
      if (!this.#isSilent) refuse();
      return;
    }
    this.#write(depth < 26 ? `'${String.fromCharCode(97 + depth)}` : `'_${depth}`);
  }

  /** `G…`: declares lifetimes for a part. */
  #binder(part: () => void): void {
    const count = this.optional62("G");
    if (count > MAX_LIFETIMES) refuse();
    const before = this.#lifetimes;
    if (count > 0) {
      this.#write("for<");
      for (let index = 0; index < count; index++) {
        if (index > 0) this.#write(", ");
        this.#lifetimes++;
        this.#lifetime(1);
      }
      this.#write("> ");
    }
    part();
    this.#lifetimes = before;
  }

  #type(): void {
    this.#budget.enter();
    const tag = this.next();
    if (Object.hasOwn(BASIC_TYPES, tag)) this.#write(BASIC_TYPES[tag]);
    else this.#compound(tag);
    this.#budget.leave();
  }

  #compound(tag: string): void {
    switch (tag) {
      case "R":
      case "Q":
        this.#write("&");
        if (this.take("L")) {
          const index = this.base62();
          if (index !== 0) {
            this.#lifetime(index);
            this.#write(" ");
          }
        }
        if (tag === "Q") this.#write("mut ");
        return this.#type();
      case "P":
      case "O":
        this.#write(tag === "P" ? "*const " : "*mut ");
        return this.#type();
      case "A":
      case "S":
        this.#write("[");
        this.#type();
        if (tag === "A") {
          this.#write("; ");
          this.#constant();
        }
        return this.#write("]");
      case "T": {
        this.#write("(");
        const count = this.#list(() => this.#type());
        return this.#write(count === 1 ? ",)" : ")");
      }
      case "F":
        return this.#binder(() => this.#function());
      case "D":
        this.#write("dyn ");
        this.#binder(() => this.#bounds());
        if (!this.take("L")) refuse();
        return this.#outlives(this.base62());
      case "B":
        return this.#back(() => this.#type());
      default:
        this.at--;
        return this.#path(false);
    }
  }

  #outlives(index: number): void {
    if (index === 0) return;
    this.#write(" + ");
    this.#lifetime(index);
  }

  #function(): void {
    if (this.take("U")) this.#write("unsafe ");
    if (this.take("K")) {
      const abi = this.take("C") ? "C" : this.identifier().text.replaceAll("_", "-");
      this.#write(`extern "${abi}" `);
    }
    this.#write("fn(");
    this.#list(() => this.#type());
    this.#write(")");
    if (this.take("u")) return;
    this.#write(" -> ");
    this.#type();
  }

  /** The traits of a trait object, with the types that belong to them: `Iterator<Item = u8> + Send`. */
  #bounds(): void {
    for (let count = 0; !this.take("E"); count++) {
      if (count > 0) this.#write(" + ");
      let isOpen = this.#openPath();
      while (this.take("p")) {
        this.#write(isOpen ? ", " : "<");
        isOpen = true;
        this.#write(`${this.identifier().text} = `);
        this.#type();
      }
      if (isOpen) this.#write(">");
    }
  }

  /** A path whose list of arguments stays open; whether it has one. */
  #openPath(): boolean {
    this.#budget.enter();
    let isOpen = false;
    if (this.take("B")) this.#back(() => isOpen = this.#openPath());
    else if (this.take("I")) {
      this.#path(false);
      this.#write("<");
      this.#list(() => this.#argument());
      isOpen = true;
    } else this.#path(false);
    this.#budget.leave();
    return isOpen;
  }

  /** A value that is an argument: of an integer, bool, char, or what unstable Rust has besides. */
  #constant(): void {
    this.#budget.enter();
    const tag = this.next();
    if (tag === "p") this.#write("_");
    else if (tag === "B") this.#back(() => this.#constant());
    else if (INTEGERS.test(tag)) this.#integer();
    else if (tag === "b") this.#write(this.hex() === 0n ? "false" : "true");
    else if (tag === "c") this.#write(shownCharacter(this.hex()));
    else refuse();
    this.#budget.leave();
  }

  #integer(): void {
    const isNegative = this.take("n");
    this.#write(`${isNegative ? "-" : ""}${this.hex()}`);
  }
}

function shownCharacter(point: bigint): string {
  if (point > 0x10ffffn || point >= 0xd800n && point < 0xe000n) refuse();
  const character = String.fromCodePoint(Number(point));
  return character === "'" ? "'\\''" : `'${JSON.stringify(character).slice(1, -1).replace('\\"', '"')}'`;
}

/**
 * Demangles a name of Rust's new kind.
 *
 * @param start Where the path begins, behind `_R`.
 */
export function demangleRustV0(name: string, start: number): string {
  return new RustName(name, start).demangled();
}
