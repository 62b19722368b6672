/**
 * Parses types of C++ (Itanium C++ ABI, 5.1.5).
 */
import { type Node, refuse } from "../printer.ts";
import { Enclosed, Expansion, Joined, Template, Text } from "./name_nodes.ts";
import { NameParser } from "./name_parser.ts";
import { Sequence } from "./expression_nodes.ts";
import { BUILTIN_TYPES, D_TYPES } from "./tables.ts";
import { ArrayOf, FunctionType, MemberPointer, Pointer, Qualified, Reference } from "./type_nodes.ts";

export abstract class TypeParser extends NameParser {
  protected type(): Node {
    return this.nested(() => this.#type());
  }

  #type(): Node {
    const { cursor } = this;
    const next = cursor.peek();
    if (Object.hasOwn(BUILTIN_TYPES, next)) {
      cursor.skip(1);
      return new Text(BUILTIN_TYPES[next]);
    }
    switch (next) {
      case "r":
      case "V":
      case "K":
        return this.#qualified();
      case "P":
        cursor.skip(1);
        return this.remember(new Pointer(this.type()));
      case "R":
      case "O":
        cursor.skip(1);
        return this.remember(new Reference(this.type(), next === "O"));
      case "C":
      case "G":
        cursor.skip(1);
        return this.remember(new Qualified(this.type(), [next === "C" ? "_Complex" : "_Imaginary"]));
      case "F":
        return this.remember(this.#function("", undefined));
      case "A":
        return this.remember(this.#array());
      case "M": {
        cursor.skip(1);
        const owner = this.type();
        return this.remember(new MemberPointer(owner, this.type()));
      }
      case "T":
        return this.#parameterOrElaborated();
      case "S":
        return this.#substituted();
      case "D":
        return this.#extended();
      case "u":
        return this.#vendorType();
      case "U":
        return this.#vendorQualified();
      default:
        return this.remember(this.name(undefined));
    }
  }

  #qualified(): Node {
    const qualifiers = this.qualifiersText();
    // They belong to the object of a member function: only the whole is remembered.
    if (this.#isFunction()) return this.remember(this.#functionWith(qualifiers));
    return this.remember(new Qualified(this.type(), qualifiers.trim().split(" ")));
  }

  /** Whether a function type is next, with what may stand in front of it. */
  #isFunction(): boolean {
    const { cursor } = this;
    return cursor.peek() === "F" || cursor.peek() === "D" && /[oOwx]/.test(cursor.peek(1));
  }

  /** A function type with its exception specification. */
  #functionWith(qualifiers: string): Node {
    const { cursor } = this;
    let exceptions: Node | undefined;
    if (cursor.take("Do")) exceptions = new Text("noexcept");
    else if (cursor.take("DO")) {
      exceptions = new Enclosed("noexcept(", this.expression(), ")");
      cursor.expect("E");
    } else if (cursor.take("Dw")) {
      const types: Node[] = [];
      while (!cursor.take("E")) types.push(this.type());
      exceptions = new Enclosed("throw(", new Joined(types, ", "), ")");
    }
    if (cursor.take("Dx")) qualifiers += " transaction_safe";
    return this.#function(qualifiers, exceptions);
  }

  #function(qualifiers: string, exceptions: Node | undefined): Node {
    const { cursor } = this;
    cursor.expect("F");
    cursor.take("Y");
    const result = this.type();
    const parameters = this.parameters();
    if (cursor.take("R")) qualifiers += " &";
    else if (cursor.take("O")) qualifiers += " &&";
    cursor.expect("E");
    return new FunctionType(result, parameters, qualifiers, exceptions);
  }

  #array(): Node {
    const { cursor } = this;
    cursor.expect("A");
    let length: Node | undefined;
    if (/\d/.test(cursor.peek())) length = new Text(cursor.takeWhile(/\d/));
    else if (cursor.peek() !== "_") length = this.expression();
    cursor.expect("_");
    return new ArrayOf(this.type(), length);
  }

  /** A parameter of a template; `Ts`, `Tu`, `Te` in front of names of classes, unions and enumerations. */
  #parameterOrElaborated(): Node {
    const { cursor } = this;
    if (/[sue]/.test(cursor.peek(1))) {
      cursor.skip(2);
      return this.remember(this.name(undefined));
    }
    const parameter = this.remember(this.templateParameter());
    if (cursor.peek() !== "I" || !this.takesArguments) return parameter;
    return this.remember(new Template(parameter, this.templateArguments()));
  }

  #substituted(): Node {
    const { cursor } = this;
    if (cursor.peek(1) === "t") return this.remember(this.name(undefined));
    const isStandard = /[a-z]/.test(cursor.peek(1));
    const node = this.substitutionOrStandard();
    if (cursor.peek() !== "I" || !isStandard && !this.takesArguments) return node;
    return this.remember(new Template(node, this.templateArguments()));
  }

  /** Types whose codes begin with D. */
  #extended(): Node {
    const { cursor } = this;
    const code = cursor.peek(1);
    if (Object.hasOwn(D_TYPES, code)) {
      cursor.skip(2);
      return new Text(D_TYPES[code]);
    }
    switch (code) {
      case "t":
      case "T": {
        cursor.skip(2);
        const expression = this.expression();
        cursor.expect("E");
        return this.remember(new Enclosed("decltype (", expression, ")"));
      }
      case "p":
        cursor.skip(2);
        return this.remember(new Expansion(this.type()));
      case "v":
        return this.remember(this.#vector());
      case "o":
      case "O":
      case "w":
      case "x":
        return this.remember(this.#functionWith(""));
      case "F": {
        cursor.skip(2);
        const bits = cursor.number();
        if (cursor.take("b")) return new Text("std::bfloat16_t");
        const suffix = cursor.take("x") ? "x" : "";
        if (suffix === "") cursor.expect("_");
        return new Text(`_Float${bits}${suffix}`);
      }
      case "B":
      case "U": {
        cursor.skip(2);
        const bits = /\d/.test(cursor.peek()) ? new Text(cursor.takeWhile(/\d/)) : this.expression();
        cursor.expect("_");
        return new Sequence(code === "U" ? "unsigned _BitInt(" : "_BitInt(", bits, ")");
      }
      default:
        return refuse();
    }
  }

  #vector(): Node {
    const { cursor } = this;
    cursor.expect("Dv");
    let length: Node;
    if (cursor.take("_")) length = this.expression();
    else length = new Text(cursor.takeWhile(/\d/));
    cursor.expect("_");
    return new Sequence(this.type(), " __vector(", length, ")");
  }

  #vendorType(): Node {
    const { cursor } = this;
    cursor.expect("u");
    const name = this.sourceName();
    if (cursor.peek() !== "I") return this.remember(name);
    return this.remember(new Template(name, this.templateArguments()));
  }

  /** `U3ann`: a qualifier of the compiler's, such as an address space. */
  #vendorQualified(): Node {
    const { cursor } = this;
    if (/[lt]/.test(cursor.peek(1))) return this.remember(this.name(undefined));
    cursor.expect("U");
    const name = this.sourceName();
    const qualifier = cursor.peek() === "I" ? new Template(name, this.templateArguments()) : name;
    return this.remember(new Joined([this.type(), qualifier], " "));
  }
}
