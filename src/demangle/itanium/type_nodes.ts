/**
 * The parts of types in demangled names of C++, as declarators: what stands in front of the name that is declared,
 * and what stands behind it.
 */
import { Node, type Printer, type Shape } from "../printer.ts";

/** A type with qualifiers behind it: ` const`. */
export class Qualified extends Node {
  constructor(readonly type: Node, readonly qualifiers: readonly string[]) {
    super();
  }
  left(out: Printer): void {
    out.left(this.type);
    const type = this.type.standsFor(out);
    const own = type instanceof Qualified ? type.qualifiers : [];
    for (const qualifier of this.qualifiers) if (!own.includes(qualifier)) out.add(` ${qualifier}`);
  }
  override right(out: Printer): void {
    out.right(this.type);
  }
  override shape(out: Printer): Shape {
    return out.shape(this.type);
  }
}

/** The shape of a pointer to something. */
function pointerShape(target: Shape): Shape {
  return target === "plain" ? "plain" : "pointer";
}

function isEnclosed(shape: Shape): boolean {
  return shape === "array" || shape === "function";
}

/** Writes `(` where a pointer's target has something behind its name, as arrays and functions have. */
function open(out: Printer, target: Node): void {
  out.left(target);
  const shape = out.shape(target);
  if (isEnclosed(shape)) out.add(shape === "function" && /[ (*]/.test(out.last) ? "(" : " (");
}

function close(out: Printer, target: Node): void {
  if (isEnclosed(out.shape(target))) out.add(")");
  out.right(target);
}

/** A pointer. */
export class Pointer extends Node {
  constructor(readonly target: Node) {
    super();
  }
  left(out: Printer): void {
    open(out, this.target);
    out.add("*");
  }
  override right(out: Printer): void {
    close(out, this.target);
  }
  override shape(out: Printer): Shape {
    return pointerShape(out.shape(this.target));
  }
}

/** A reference; one to a reference is one of them, `&` before `&&`. */
export class Reference extends Node {
  constructor(readonly target: Node, readonly isRvalue: boolean) {
    super();
  }
  left(out: Printer): void {
    const isLvalue = out.isLvalue || !this.isRvalue;
    out.isLvalue = false;
    if (!this.#isCollapsed(out)) {
      open(out, this.target);
      return out.add(isLvalue ? "&" : "&&");
    }
    // The target writes the reference, where its own parameters of templates mean what they mean.
    out.isLvalue = isLvalue;
    out.left(this.target);
    out.isLvalue = false;
  }
  override right(out: Printer): void {
    if (this.#isCollapsed(out)) out.right(this.target);
    else close(out, this.target);
  }
  #isCollapsed(out: Printer): boolean {
    return this.target.standsFor(out) instanceof Reference;
  }
  override shape(out: Printer): Shape {
    return pointerShape(out.shape(this.target));
  }
}

/** A pointer to a member of a class. */
export class MemberPointer extends Node {
  constructor(readonly owner: Node, readonly target: Node) {
    super();
  }
  left(out: Printer): void {
    open(out, this.target);
    if (!isEnclosed(out.shape(this.target))) out.add(" ");
    out.print(this.owner);
    out.add("::*");
  }
  override right(out: Printer): void {
    close(out, this.target);
  }
  override shape(out: Printer): Shape {
    return pointerShape(out.shape(this.target));
  }
}

/** An array, whose length may be missing. */
export class ArrayOf extends Node {
  constructor(readonly element: Node, readonly length: Node | undefined) {
    super();
  }
  left(out: Printer): void {
    out.left(this.element);
  }
  override right(out: Printer): void {
    out.add(out.last === "]" ? "[" : " [");
    if (this.length !== undefined) out.print(this.length);
    out.add("]");
    out.right(this.element);
  }
  override shape(): Shape {
    return "array";
  }
}

/** The type of a function. */
export class FunctionType extends Node {
  constructor(
    readonly result: Node,
    readonly parameters: readonly Node[],
    readonly qualifiers: string,
    readonly exceptions: Node | undefined,
  ) {
    super();
  }
  left(out: Printer): void {
    out.left(this.result);
    if (out.shape(this.result) === "plain") out.add(" ");
  }
  override right(out: Printer): void {
    out.add("(");
    out.list(this.parameters);
    out.add(")");
    out.right(this.result);
    out.add(this.qualifiers);
    if (this.exceptions !== undefined) {
      out.add(" ");
      out.print(this.exceptions);
    }
  }
  override shape(): Shape {
    return "function";
  }
}
