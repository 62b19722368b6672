/**
 * The parts of demangled names of C++: identifiers, scopes, templates, functions.
 */
import { Node, type Printer, refuse, type Shape } from "../printer.ts";

/** A fixed text: an identifier, or a builtin type. */
export class Text extends Node {
  constructor(readonly text: string) {
    super();
  }
  left(out: Printer): void {
    out.add(this.text);
  }
}

/** A node between two texts: `vtable for X`, `sizeof (x)`. */
export class Enclosed extends Node {
  constructor(readonly before: string, readonly node: Node, readonly after = "") {
    super();
  }
  left(out: Printer): void {
    out.add(this.before);
    out.print(this.node);
    out.add(this.after);
  }
}

/** Nodes one after the other, with a text between them: `A::b`. */
export class Joined extends Node {
  constructor(readonly nodes: readonly Node[], readonly separator: string) {
    super();
  }
  left(out: Printer): void {
    this.nodes.forEach((node, index) => {
      if (index > 0) out.add(this.separator);
      out.print(node);
    });
  }
}

/** A name in a scope. */
export class Scoped extends Joined {
  constructor(readonly scope: Node, readonly member: Node) {
    super([scope, member], "::");
  }
}

/** A list with commas; empty packs leave no comma. */
export class List extends Node {
  constructor(readonly nodes: readonly Node[]) {
    super();
  }
  left(out: Printer): void {
    out.list(this.nodes);
  }
}

/** A template with its arguments. */
export class Template extends Node {
  constructor(readonly template: Node, readonly args: readonly Node[]) {
    super();
  }
  left(out: Printer): void {
    out.print(this.template);
    // operator< and its arguments would read as operator<<.
    if (out.last === "<") out.add(" ");
    out.add("<");
    out.list(this.args);
    out.add(out.last === ">" ? " >" : ">");
  }
}

/** The arguments of a template that stand for a parameter pack. */
export class ArgumentPack extends List {}

/**
 * A parameter of a template. It means what it means where it is written: a name can repeat it elsewhere, in another
 * function, by a substitution.
 */
export class Parameter extends Node {
  constructor(readonly index: number) {
    super();
  }
  /** Does something with the argument; of a pack, with the element that is being written. */
  #resolved<T>(out: Printer, step: (argument: Node) => T, empty: T): T {
    const { scope } = out;
    if (out.isInLambda) return step(new Text(`auto:${this.index + 1}`));
    const argument = scope?.args[this.index];
    if (scope === undefined || argument === undefined) return refuse();
    let node: Node | undefined = argument;
    if (argument instanceof ArgumentPack) {
      out.packSize ??= argument.nodes.length;
      node = argument.nodes[out.packIndex];
    }
    if (node === undefined) return empty;
    // Parameters in the argument are those of the template around it.
    out.scope = scope.parent;
    const result = step(node);
    out.scope = scope;
    return result;
  }
  left(out: Printer): void {
    this.#resolved(out, (node) => out.left(node), undefined);
  }
  override right(out: Printer): void {
    this.#resolved(out, (node) => out.right(node), undefined);
  }
  override shape(out: Printer): Shape {
    return this.#resolved(out, (node) => out.shape(node), "plain");
  }
  override standsFor(out: Printer): Node {
    return this.#resolved<Node>(out, (node) => node.standsFor(out), this);
  }
}

/** A pattern that is repeated for each element of the packs in it. */
export class Expansion extends Node {
  constructor(readonly pattern: Node) {
    super();
  }
  left(out: Printer): void {
    out.expand(this.pattern);
  }
}

/** A lambda, whose parameters of templates are its own. */
export class Lambda extends Node {
  constructor(readonly parameters: readonly Node[], readonly number: number) {
    super();
  }
  left(out: Printer): void {
    out.add("{lambda(");
    const { isInLambda } = out;
    out.isInLambda = true;
    out.list(this.parameters);
    out.isInLambda = isInLambda;
    out.add(`)#${this.number}}`);
  }
}

/** A function: its name with parameters, and with the result's type if it is mangled. */
export class FunctionName extends Node {
  constructor(
    readonly name: Node,
    readonly result: Node | undefined,
    readonly parameters: readonly Node[],
    readonly qualifiers: string,
    /** The arguments that the name ends in, if it does. */
    readonly args: readonly Node[] | undefined,
  ) {
    super();
  }
  left(out: Printer): void {
    const { scope } = out;
    if (this.args !== undefined) out.scope = { args: this.args, parent: scope };
    this.#write(out);
    out.scope = scope;
  }
  #write(out: Printer): void {
    if (this.result !== undefined) {
      out.left(this.result);
      if (out.shape(this.result) === "plain") out.add(" ");
    }
    out.print(this.name);
    out.add("(");
    out.list(this.parameters);
    out.add(")");
    if (this.result !== undefined) out.right(this.result);
    out.add(this.qualifiers);
  }
  /** The same function without the type of its result, as scopes are written. */
  asScope(): FunctionName {
    return new FunctionName(this.name, undefined, this.parameters, this.qualifiers, this.args);
  }
}
