/**
 * Demangles names of C++ as gcc and clang write them: the Itanium C++ ABI, 5.1 (`<mangled-name>`, `<encoding>` and
 * `<special-name>`).
 *
 * Requirements (C++20, `Q`), explicit objects (C++23, `H`) and names of modules (`W`) are not demangled.
 */
import { type Node, Printer, refuse } from "../printer.ts";
import { ExpressionParser } from "./expression_parser.ts";
import { Enclosed, FunctionName } from "./name_nodes.ts";
import { Sequence } from "./expression_nodes.ts";
import type { NameFacts } from "./name_parser.ts";

/** Special names of types. */
const OF_TYPES: Readonly<Record<string, string>> = {
  TV: "vtable for ",
  TT: "VTT for ",
  TI: "typeinfo for ",
  TS: "typeinfo name for ",
  TF: "typeinfo fn for ",
};

/** Special names of functions and variables. */
const OF_NAMES: Readonly<Record<string, string>> = {
  GV: "guard variable for ",
  TW: "TLS wrapper function for ",
  TH: "TLS init function for ",
};

/** Special names of whole encodings. */
const OF_ENCODINGS: Readonly<Record<string, string>> = {
  GA: "hidden alias for ",
  GTt: "transaction clone for ",
  GTn: "non-transaction clone for ",
};

/** A copy of a function that the compiler made. */
const CLONE = /^(?:\.[A-Za-z_]+(?:\.\d+)*|(?:\.\d+)+)/;

class Parser extends ExpressionParser {
  /** The whole name, with what compilers add behind it. */
  mangledName(): Node {
    let node = this.encoding();
    const { cursor } = this;
    while (!cursor.isAtEnd) {
      const [clone] = CLONE.exec(cursor.text.slice(cursor.position)) ?? refuse();
      cursor.budget.step();
      cursor.skip(clone.length);
      node = new Sequence(node, ` [clone ${clone}]`);
    }
    return node;
  }

  protected encoding(): Node {
    return this.nested(() => this.#encoding());
  }

  #encoding(): Node {
    const { cursor } = this;
    const next = cursor.peek();
    if (next === "T" || next === "G") return this.#special();
    const facts: NameFacts = { args: undefined, hasNoResult: false, qualifiers: "" };
    const took = this.takesArguments;
    this.takesArguments = true;
    const name = this.name(facts);
    const node = this.#isData() ? name : this.#function(name, facts);
    this.takesArguments = took;
    return node;
  }

  /** Whether the name has no type, as variables have none. */
  #isData(): boolean {
    const next = this.cursor.peek();
    return next === "" || next === "E" || next === ".";
  }

  #function(name: Node, { args, hasNoResult, qualifiers }: NameFacts): Node {
    const result = args !== undefined && !hasNoResult ? this.type() : undefined;
    return new FunctionName(name, result, this.parameters(), qualifiers, args);
  }

  #special(): Node {
    const { cursor } = this;
    for (const [code, text] of Object.entries(OF_ENCODINGS)) {
      if (cursor.take(code)) return new Enclosed(text, this.encoding());
    }
    const code = cursor.skip(2);
    if (Object.hasOwn(OF_TYPES, code)) return new Enclosed(OF_TYPES[code], this.type());
    if (Object.hasOwn(OF_NAMES, code)) return new Enclosed(OF_NAMES[code], this.name(undefined));
    switch (code) {
      case "GR": {
        const name = this.name(undefined);
        return new Sequence(`reference temporary #${cursor.sequence(36)} for `, name);
      }
      case "TA":
        return new Enclosed("template parameter object for ", this.templateArgument());
      case "TC": {
        const derived = this.type();
        cursor.number();
        cursor.expect("_");
        return new Sequence("construction vtable for ", this.type(), "-in-", derived);
      }
      case "Th":
      case "Tv":
        this.#offset(code[1]);
        return new Enclosed(`${code === "Th" ? "non-virtual" : "virtual"} thunk to `, this.encoding());
      case "Tc":
        this.#offset(cursor.skip(1));
        this.#offset(cursor.skip(1));
        return new Enclosed("covariant return thunk to ", this.encoding());
      default:
        return refuse();
    }
  }

  /** How a thunk moves `this`. */
  #offset(kind: string): void {
    const { cursor } = this;
    for (let count = kind === "h" ? 1 : kind === "v" ? 2 : refuse(); count > 0; count--) {
      cursor.take("n");
      cursor.number();
      cursor.expect("_");
    }
  }
}

/**
 * Demangles a name of C++.
 *
 * @param start Where the encoding begins, behind `_Z`.
 */
export function demangleItanium(name: string, start: number): string {
  const out = new Printer(name.length);
  out.print(new Parser(name, start).mangledName());
  return out.text;
}
