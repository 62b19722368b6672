/**
 * The parts of expressions in demangled names of C++: template arguments, `decltype`, sizes of arrays.
 */
import { Node, type Printer, refuse } from "../printer.ts";
import { ArgumentPack, FunctionName, type Parameter, Scoped, Text } from "./name_nodes.ts";

/** An operand, in parentheses unless it is a name. */
export class Operand extends Node {
  constructor(readonly node: Node) {
    super();
  }
  left(out: Printer): void {
    const isName = this.node instanceof Text || this.node instanceof Scoped ||
      this.node instanceof InitializerList;
    if (!isName) out.add("(");
    out.print(this.node);
    if (!isName) out.add(")");
  }
}

/** How many elements a parameter pack has. */
export class PackSize extends Node {
  constructor(readonly parameter: Parameter) {
    super();
  }
  left(out: Printer): void {
    const argument = out.scope?.args[this.parameter.index];
    out.add(`${argument instanceof ArgumentPack ? argument.nodes.length : refuse()}`);
  }
}

/** A number or another value, which is in parentheses as an operand. */
export class Literal extends Node {
  constructor(readonly text: string) {
    super();
  }
  left(out: Printer): void {
    out.add(this.text);
  }
}

/** Texts and operands one after the other: `(a)+(b)`. */
export class Sequence extends Node {
  readonly #parts: readonly (Node | string)[];
  constructor(...parts: readonly (Node | string)[]) {
    super();
    this.#parts = parts;
  }
  left(out: Printer): void {
    for (const part of this.#parts) typeof part === "string" ? out.add(part) : out.print(part);
  }
}

/** Values in braces, of a type if it is given. */
export class InitializerList extends Node {
  constructor(readonly type: Node | undefined, readonly values: readonly Node[]) {
    super();
  }
  left(out: Printer): void {
    if (this.type !== undefined) out.print(this.type);
    out.add("{");
    out.list(this.values);
    out.add("}");
  }
}

/** A function as an operand: without the types of its parameters. */
export function calledName(node: Node): Node {
  return node instanceof FunctionName ? node.name : node;
}

/** A name of a local entity of a function. */
export class BareFunction extends Node {
  constructor(readonly node: Node) {
    super();
  }
  left(out: Printer): void {
    out.print(calledName(this.node));
  }
}
