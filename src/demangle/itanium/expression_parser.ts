/**
 * Parses expressions in names of C++ (Itanium C++ ABI, 5.1.6), and whole names.
 */
import { type Node, refuse } from "../printer.ts";
import {
  BareFunction,
  calledName,
  InitializerList,
  Literal,
  Operand,
  PackSize,
  Sequence,
} from "./expression_nodes.ts";
import { Enclosed, Expansion, List, Scoped, Template, Text } from "./name_nodes.ts";
import { type Operator, OPERATORS } from "./tables.ts";
import { TypeParser } from "./type_parser.ts";

/** Behind integers of these types. */
const SUFFIXES: Readonly<Record<string, string>> = { i: "", j: "u", l: "l", m: "ul", x: "ll", y: "ull" };

export abstract class ExpressionParser extends TypeParser {
  protected expression(): Node {
    return this.nested(() => this.#expression());
  }

  #expression(): Node {
    const { cursor } = this;
    const next = cursor.peek();
    if (next === "L") return this.primary();
    if (next === "T") return this.templateParameter();
    if (/\d/.test(next)) return this.#unresolvedName();
    const isGlobal = cursor.startsWith("gs");
    if (isGlobal) cursor.skip(2);
    const code = cursor.skip(2);
    const global = isGlobal ? "::" : "";
    switch (code) {
      case "fp":
      case "fL":
        return this.#functionParameter(code);
      case "sr":
        return this.#scopeResolution(global);
      case "il":
        return new InitializerList(undefined, this.#expressions());
      case "tl":
        return new InitializerList(this.type(), this.#expressions());
      case "sp":
        return new Expansion(this.expression());
      case "sZ":
        if (cursor.peek() === "T") return new PackSize(this.templateParameter());
        return new Enclosed("sizeof...(", this.expression(), ")");
      case "sP":
        return new Enclosed("sizeof...(", this.#arguments(), ")");
      case "tw":
        return new Sequence("throw ", this.expression());
      case "tr":
        return new Text("throw");
      case "fl":
      case "fr":
      case "fR":
        return this.#fold(code);
      case "on":
      case "dn":
        return this.#destructorOrOperator(code);
    }
    const operator = OPERATORS.get(code);
    if (operator !== undefined) return this.#operation(operator, global);
    if (isGlobal) return refuse();
    return refuse();
  }

  #expressions(): Node[] {
    const nodes: Node[] = [];
    while (!this.cursor.take("E")) nodes.push(this.expression());
    return nodes;
  }

  #arguments(): Node {
    const nodes: Node[] = [];
    while (!this.cursor.take("E")) nodes.push(this.nested(() => this.templateArgument()));
    return new List(nodes);
  }

  #operation({ text, kind }: Operator, global: string): Node {
    const { cursor } = this;
    switch (kind) {
      case "prefix":
        return this.#prefixed(text);
      case "postfix":
        if (cursor.take("_")) return this.#prefixed(text);
        return new Sequence(new Operand(this.expression()), text);
      case "binary": {
        const left = new Operand(this.expression());
        const sum = new Sequence(left, text, new Operand(this.expression()));
        // In arguments of a template, > would end them.
        return text === ">" ? new Enclosed("(", sum, ")") : sum;
      }
      case "conditional": {
        const condition = new Operand(this.expression());
        const then = new Operand(this.expression());
        return new Sequence(condition, "?", then, " : ", new Operand(this.expression()));
      }
      case "member": {
        const object = new Operand(this.expression());
        return new Sequence(object, text, this.#unresolvedName());
      }
      case "index": {
        const array = new Operand(this.expression());
        return new Sequence(array, "[", this.expression(), "]");
      }
      case "call": {
        const called = this.expression();
        const node = calledName(called);
        const args = new List(this.#expressions());
        return new Sequence(node === called ? new Operand(called) : new BareFunction(called), "(", args, ")");
      }
      case "cast":
        return this.#cast();
      case "named cast": {
        const type = this.type();
        return new Sequence(text, "<", type, ">(", this.expression(), ")");
      }
      case "of type":
        return new Enclosed(`${text} (`, this.type(), ")");
      case "of value":
        return new Sequence(`${text} `, new Operand(this.expression()));
      case "delete":
        return new Sequence(`${global}${text} `, this.expression());
      case "new":
        return this.#new(global + text);
    }
  }

  #prefixed(text: string): Node {
    const operand = this.expression();
    const name = calledName(operand);
    const isAddress = text === "&" && name !== operand && name instanceof Scoped;
    return new Sequence(text, isAddress ? name : new Operand(operand));
  }

  #cast(): Node {
    const { cursor } = this;
    const took = this.takesArguments;
    this.takesArguments = true;
    const type = this.type();
    this.takesArguments = took;
    if (cursor.take("_")) return new Sequence("(", type, ")(", new List(this.#expressions()), ")");
    return new Sequence("(", type, ")", new Operand(this.expression()));
  }

  #new(text: string): Node {
    const { cursor } = this;
    const placement: Node[] = [];
    while (!cursor.take("_")) placement.push(this.expression());
    const type = this.type();
    const where = placement.length === 0 ? [" "] : ["(", new List(placement), ") "];
    if (cursor.take("E")) return new Sequence(text, ...where, type);
    if (cursor.take("pi")) {
      return new Sequence(text, ...where, type, "(", new List(this.#expressions()), ")");
    }
    const value = this.expression();
    cursor.expect("E");
    return new Sequence(text, ...where, type, value);
  }

  /** A parameter of the function whose type has the expression. */
  #functionParameter(code: string): Node {
    const { cursor } = this;
    if (code === "fp" && cursor.take("T")) return new Text("this");
    if (code === "fL" && !/\d/.test(cursor.peek())) return this.#fold(code);
    if (code === "fL") {
      cursor.number();
      // fL is a fold, too, whose operator cannot be p.
      if (!cursor.take("p")) return refuse();
    }
    this.qualifiersText();
    return new Text(`{parm#${cursor.sequence(10) + 1}}`);
  }

  #fold(code: string): Node {
    const operator = OPERATORS.get(this.cursor.skip(2))?.text ?? refuse();
    const first = new Operand(this.expression());
    if (code === "fl") return new Sequence("(...", operator, first, ")");
    if (code === "fr") return new Sequence("(", first, operator, "...)");
    const second = new Operand(this.expression());
    return new Sequence("(", first, operator, "...", operator, second, ")");
  }

  /** `sr <type> <name>`, `sr <parts> E <name>`: a member of a type that depends on arguments. */
  #scopeResolution(global: string): Node {
    const { cursor } = this;
    // As parts of names alone, with the global namespace or without.
    if (/\d/.test(cursor.peek())) {
      let scope: Node = this.#simpleName();
      while (!cursor.take("E")) scope = new Scoped(scope, this.#simpleName());
      const name = new Scoped(scope, this.#unresolvedName());
      return global === "" ? name : new Enclosed(global, name);
    }
    const type = this.type();
    return new Scoped(type, this.#unresolvedName());
  }

  #simpleName(): Node {
    return this.#withArguments(this.sourceName());
  }

  #withArguments(name: Node): Node {
    return this.cursor.peek() === "I" ? new Template(name, this.templateArguments()) : name;
  }

  /** The last part of a name that is looked up when the arguments are known. */
  #unresolvedName(): Node {
    const { cursor } = this;
    if (/\d/.test(cursor.peek())) return this.#simpleName();
    if (cursor.startsWith("on") || cursor.startsWith("dn")) return this.#destructorOrOperator(cursor.skip(2));
    if (cursor.take("gs")) {
      return new Enclosed("::", cursor.take("sr") ? this.#scopeResolution("") : this.#unresolvedName());
    }
    if (cursor.take("sr")) return this.#scopeResolution("");
    return this.#withArguments(this.unqualifiedName(undefined, undefined));
  }

  #destructorOrOperator(code: string): Node {
    if (code === "on") return this.#withArguments(this.unqualifiedName(undefined, undefined));
    return new Enclosed("~", /\d/.test(this.cursor.peek()) ? this.#simpleName() : this.type());
  }

  /** `L … E`: a value, or a name of something. */
  protected primary(): Node {
    const { cursor } = this;
    cursor.expect("L");
    if (cursor.take("_Z") || cursor.take("Z")) {
      const node = this.nested(() => this.encoding());
      cursor.expect("E");
      return node;
    }
    const code = cursor.peek();
    const type = this.type();
    if (cursor.startsWith("E")) {
      cursor.skip(1);
      return new Enclosed("(", type, ")");
    }
    const isNegative = cursor.take("n");
    const digits = cursor.takeWhile(/[^E]/);
    cursor.expect("E");
    const value = `${isNegative ? "-" : ""}${digits}`;
    if (code === "b" && (value === "0" || value === "1")) {
      return new Literal(value === "1" ? "true" : "false");
    }
    if (Object.hasOwn(SUFFIXES, code)) return new Literal(value + SUFFIXES[code]);
    // The bits of a number, as the target stores it.
    return new Sequence("(", type, /[fdeg]/.test(code) ? `)[${value}]` : `)${value}`);
  }
}
