/**
 * Parses names of C++ (Itanium C++ ABI, 5.1.2 to 5.1.4 and 5.1.8).
 */
import { type Node, refuse } from "../printer.ts";
import { FunctionName, Joined, Lambda, List, Scoped, Template, Text } from "./name_nodes.ts";
import { Sequence } from "./expression_nodes.ts";
import { ParserBase } from "./parser_base.ts";
import { OPERATORS, STANDARD_INSTANCES, STANDARD_NAMES } from "./tables.ts";

/** The facts in a function's name on which its type depends. */
export interface NameFacts {
  /** The arguments of a template that the name ends in: then the type of the result is mangled, too. */
  args: readonly Node[] | undefined;
  /** Whether it is a constructor, destructor or conversion, of which the result is never mangled. */
  hasNoResult: boolean;
  /** The qualifiers of a member function. */
  qualifiers: string;
}

const QUALIFIERS: readonly (readonly [string, string])[] = [
  ["r", " restrict"],
  ["V", " volatile"],
  ["K", " const"],
];

/** Compilers give anonymous namespaces this name, with what separates words on the system. */
const ANONYMOUS = /^_GLOBAL_[._$]N/;

export abstract class NameParser extends ParserBase {
  /** Whether arguments behind a parameter are its own; those behind a conversion's type are the operator's. */
  protected takesArguments = true;

  /**
   * A name.
   *
   * @param facts Receives what a function's type depends on; undefined inside of types.
   */
  protected name(facts: NameFacts | undefined): Node {
    const { cursor } = this;
    if (cursor.peek() === "N") return this.#nestedName(facts);
    if (cursor.peek() === "Z") return this.#localName(facts);
    if (cursor.peek() === "S" && cursor.peek(1) !== "t") {
      const node = this.#standardName() ?? this.substitution();
      if (cursor.peek() !== "I") refuse();
      return this.#template(node, facts);
    }
    const node = this.#unscopedName(facts);
    if (cursor.peek() !== "I") return node;
    return this.#template(this.remember(node), facts);
  }

  #template(node: Node, facts: NameFacts | undefined): Node {
    const args = this.templateArguments();
    if (facts !== undefined) facts.args = args;
    return new Template(node, args);
  }

  #unscopedName(facts: NameFacts | undefined): Node {
    const isStandard = this.cursor.take("St");
    const node = this.unqualifiedName(facts, undefined);
    return isStandard ? new Scoped(new Text("std"), node) : node;
  }

  /** `Sa`, `Ss`: an abbreviation of the standard library; undefined if none is next. */
  #standardName(): Node | undefined {
    const found = Object.hasOwn(STANDARD_NAMES, this.cursor.peek(1)) ? this.cursor.peek(1) : undefined;
    if (found === undefined) return undefined;
    this.cursor.skip(2);
    // A constructor of it needs the name of the class: std::string::basic_string would have none.
    const isFull = /[CD]/.test(this.cursor.peek()) && Object.hasOwn(STANDARD_INSTANCES, found);
    return this.tags(new Text(isFull ? STANDARD_INSTANCES[found] : STANDARD_NAMES[found][0]));
  }

  /** A substitution or an abbreviation, as a type may begin with it. */
  protected substitutionOrStandard(): Node {
    return this.#standardName() ?? this.substitution();
  }

  #nestedName(facts: NameFacts | undefined): Node {
    const { cursor } = this;
    cursor.expect("N");
    let qualifiers = this.qualifiersText();
    if (cursor.take("R")) qualifiers += " &";
    else if (cursor.take("O")) qualifiers += " &&";
    let scope: Node | undefined;
    let className: string | undefined;
    /** Whether the part that was added last is what the whole name is, which is not remembered. */
    let isRemembered = false;
    if (facts !== undefined) facts.qualifiers = qualifiers;
    while (!cursor.take("E")) {
      cursor.budget.step();
      const next = cursor.peek(), second = cursor.peek(1);
      if (facts !== undefined && next !== "I") [facts.args, facts.hasNoResult] = [undefined, false];
      if (next === "M") {
        cursor.skip(1);
        continue;
      }
      if (next === "S" && second !== "t") {
        if (scope !== undefined) refuse();
        className = Object.hasOwn(STANDARD_NAMES, second) ? STANDARD_NAMES[second][1] : undefined;
        scope = this.substitutionOrStandard();
        className ??= nameOf(scope);
        isRemembered = false;
        continue;
      }
      if (next === "S") {
        cursor.skip(2);
        scope = new Text("std");
        isRemembered = false;
        continue;
      }
      if (next === "I") {
        if (scope === undefined || scope instanceof Template) refuse();
        scope = this.#template(scope, facts);
      } else if (next === "T") {
        if (scope !== undefined) refuse();
        scope = this.templateParameter();
      } else if (next === "D" && /[tT]/.test(second)) {
        if (scope !== undefined) refuse();
        scope = this.type();
        // As a type it has been remembered already.
        isRemembered = false;
        continue;
      } else {
        const member = this.unqualifiedName(facts, className);
        className = nameOf(member) ?? className;
        scope = scope === undefined ? member : new Scoped(scope, member);
      }
      this.remember(scope);
      isRemembered = true;
    }
    if (scope === undefined) refuse();
    if (isRemembered) this.substitutions.pop();
    return scope;
  }

  /** A name inside of a function (5.1.7). */
  #localName(facts: NameFacts | undefined): Node {
    const { cursor } = this;
    cursor.expect("Z");
    const encoding = this.encoding();
    const scope = encoding instanceof FunctionName ? encoding.asScope() : encoding;
    cursor.expect("E");
    if (cursor.take("s")) {
      this.#discriminator();
      return new Scoped(scope, new Text("string literal"));
    }
    let place: Node = scope;
    if (cursor.take("d")) {
      place = new Scoped(scope, new Text(`{default arg#${cursor.sequence(10) + 1}}`));
    }
    const entity = this.nested(() => this.name(facts));
    this.#discriminator();
    return new Scoped(place, entity);
  }

  #discriminator(): void {
    const { cursor } = this;
    if (cursor.peek() !== "_") return;
    if (/\d/.test(cursor.peek(1))) cursor.skip(2);
    else if (cursor.peek(1) === "_") {
      cursor.skip(2);
      cursor.number();
      cursor.expect("_");
    }
  }

  /** Takes the qualifiers of a type or a member function, as they are written behind it. */
  protected qualifiersText(): string {
    let text = "";
    for (const [code, qualifier] of QUALIFIERS) if (this.cursor.take(code)) text = qualifier + text;
    return text;
  }

  /** A part of a name: an identifier, an operator, a constructor, something without a name. */
  protected unqualifiedName(facts: NameFacts | undefined, className: string | undefined): Node {
    const { cursor } = this;
    // Internal linkage, as gcc and clang mark it.
    cursor.take("L");
    const next = cursor.peek();
    if (/\d/.test(next)) return this.tags(this.sourceName());
    if (next === "U") return this.tags(this.#unnamed());
    if (cursor.startsWith("DC")) return this.tags(this.#structuredBinding());
    if (next === "C" || next === "D") return this.tags(this.#structor(facts, className));
    return this.tags(this.#operatorName(facts));
  }

  /** `B5cxx11`: tags of ABIs behind a name. */
  protected tags(name: Node): Node {
    if (this.cursor.peek() !== "B") return name;
    const parts: Node[] = [name];
    while (this.cursor.take("B")) parts.push(new Text(`[abi:${this.identifier()}]`));
    return new Tagged(parts, "");
  }

  protected identifier(): string {
    const length = this.cursor.number();
    if (length === 0) refuse();
    return this.cursor.skip(length);
  }

  protected sourceName(): Text {
    const name = this.identifier();
    return new Text(ANONYMOUS.test(name) ? "(anonymous namespace)" : name);
  }

  /** A class without a name, or a lambda. */
  #unnamed(): Node {
    const { cursor } = this;
    if (cursor.take("Ut")) return new Text(`{unnamed type#${cursor.sequence(10) + 1}}`);
    cursor.expect("Ul");
    this.#lambdaTemplate();
    const parameters = this.parameters();
    cursor.expect("E");
    return new Lambda(parameters, cursor.sequence(10) + 1);
  }

  /** The parameters of a lambda's template that have a declaration: `[]<typename T>(T)`. */
  #lambdaTemplate(): void {
    const { cursor } = this;
    while (/^T[ynptk]/.test(cursor.peek() + cursor.peek(1))) {
      cursor.budget.step();
      const kind = cursor.skip(2);
      if (kind === "Tn") this.type();
      else if (kind === "Tt") {
        this.nested(() => this.#lambdaTemplate());
        cursor.expect("E");
      } else if (kind === "Tk") refuse();
    }
  }

  /** The types of parameters, up to their end; `v` is none. */
  protected parameters(): Node[] {
    const { cursor } = this;
    if (cursor.peek() === "v" && this.#isEndAt(1)) {
      cursor.skip(1);
      return [];
    }
    const types: Node[] = [];
    while (!this.#isEndAt(0)) types.push(this.type());
    return types;
  }

  /** Whether the parameters of a function end here, with its reference qualifier too. */
  #isEndAt(distance: number): boolean {
    const next = this.cursor.peek(distance);
    return next === "" || next === "E" || next === "." || next === "@" ||
      (next === "R" || next === "O") && this.cursor.peek(distance + 1) === "E";
  }

  #structuredBinding(): Node {
    this.cursor.expect("DC");
    const names: Node[] = [];
    while (!this.cursor.take("E")) names.push(this.sourceName());
    return new Sequence("[", new List(names), "]");
  }

  #structor(facts: NameFacts | undefined, className: string | undefined): Node {
    const { cursor } = this;
    if (className === undefined) refuse();
    if (facts !== undefined) facts.hasNoResult = true;
    const isDestructor = cursor.skip(1) === "D";
    const isInherited = !isDestructor && cursor.take("I");
    if (!/[0-59]/.test(cursor.skip(1))) refuse();
    if (isInherited) this.type();
    return new Text(isDestructor ? `~${className}` : className);
  }

  #operatorName(facts: NameFacts | undefined): Node {
    const { cursor } = this;
    const code = cursor.skip(2);
    if (code === "cv") {
      if (facts !== undefined) facts.hasNoResult = true;
      const took = this.takesArguments;
      this.takesArguments = false;
      const type = this.type();
      this.takesArguments = took;
      return new Joined([new Text("operator"), type], " ");
    }
    if (code === "li") return new Joined([new Text('operator""'), this.sourceName()], " ");
    if (/^v\d/.test(code)) return new Joined([new Text("operator"), this.sourceName()], " ");
    const operator = OPERATORS.get(code);
    if (operator === undefined || !/^[^a-z]|^(?:new|delete|co_await)/.test(operator.text)) refuse();
    return new Text(`operator${/^\w/.test(operator.text) ? " " : ""}${operator.text}`);
  }
}

/** A name with tags. */
class Tagged extends Joined {
  /** The name alone. */
  get name(): Node {
    return this.nodes[0];
  }
}

/** The identifier that a constructor in this scope repeats. */
function nameOf(scope: Node): string | undefined {
  let node: Node = scope;
  while (true) {
    if (node instanceof Template) node = node.template;
    else if (node instanceof Scoped) node = node.member;
    else if (node instanceof Tagged) node = node.name;
    else return node instanceof Text ? node.text : undefined;
  }
}
