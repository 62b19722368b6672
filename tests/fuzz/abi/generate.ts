/** Makes programs of random functions. */

import type { Random } from "../mutate.ts";
import {
  type Body,
  type Call,
  type Double,
  LOCALS,
  LOOP_LOCALS,
  type Parameter,
  PARTS,
  type Program,
  type Signature,
  type Statement,
  type Type,
  type Value,
  type Version,
  type Word,
} from "./ast.ts";

const TYPES: readonly Type[] = ["word", "word", "int", "double", "double", "pair", "big"];

/** Makes a program. */
export function generate(random: Random, versions: number): Program {
  const signatures = Array.from({ length: 5 + random.below(6) }, (_, index) => signature(random, index));
  const globals = 1 + random.below(3);
  return {
    signatures,
    globals,
    versions: Array.from({ length: versions }, () => new Maker(random, signatures, globals).version()),
  };
}

function signature(random: Random, index: number): Signature {
  const isVariadic = random.once(6);
  return {
    name: `f${index}`,
    parameters: isVariadic
      ? ["word", "word", "double", "word"]
      : Array.from({ length: random.below(7) }, () => random.pick(TYPES)),
    result: random.pick(TYPES),
    isStatic: !random.once(3),
    isInline: random.once(4),
    isTaken: random.once(3),
    isVariadic,
  };
}

class Maker {
  readonly #random: Random;
  readonly #signatures: readonly Signature[];
  readonly #globals: number;
  #parameters: readonly Type[] = [];
  #locals: { readonly word: number; readonly double: number } = LOCALS;
  #site = 0;

  constructor(random: Random, signatures: readonly Signature[], globals: number) {
    this.#random = random;
    this.#signatures = signatures;
    this.#globals = globals;
  }

  version(): Version {
    const random = this.#random;
    const bodies: Body[] = [];
    for (let index = 0; index < this.#signatures.length; index++) {
      // A twin has the body of the function before it, if that is possible.
      const twin = bodies[index - 1], { parameters, result } = this.#signatures[index];
      const before = this.#signatures[index - 1];
      const isAlike = before !== undefined && `${before.parameters}` === `${parameters}` &&
        before.result === result;
      const callsSelf = twin?.statements.some((each) => mayCall(each, index));
      bodies.push(isAlike && !callsSelf && random.once(2) ? this.#renumbered(twin) : this.#body(index));
    }
    this.#parameters = [];
    this.#locals = LOOP_LOCALS;
    const loop: Statement[] = [];
    for (let count = 3 + random.below(4); count > 0; count--) {
      loop.push(...this.#statements(1), this.#call(-1)!);
    }
    return { bodies, loop };
  }

  #renumbered(body: Body): Body {
    const change = (statement: Statement): Statement => {
      if (statement.kind === "call") return { ...statement, site: this.#site++ };
      return statement.kind === "loop" ? { ...statement, body: statement.body.map(change) } : statement;
    };
    return { ...body, statements: body.statements.map(change) };
  }

  #body(index: number): Body {
    const { parameters, result } = this.#signatures[index];
    this.#parameters = parameters;
    this.#locals = LOCALS;
    const statements = this.#statements(1 + this.#random.below(3));
    const call = this.#random.once(4) ? undefined : this.#call(index);
    if (call !== undefined) {
      const isLoop = this.#random.once(4);
      statements.push(
        isLoop ? { kind: "loop", count: 2, body: [call, ...this.#statements(1)] } : call,
      );
    }
    return { statements, result: this.#value(result) };
  }

  #statements(count: number): Statement[] {
    const random = this.#random;
    return Array.from({ length: count }, (): Statement => {
      switch (random.below(6)) {
        case 0:
          return { kind: "global", index: random.below(this.#globals), value: this.#word(2) };
        case 1:
        case 2:
          return { kind: "double", local: random.below(this.#locals.double), value: this.#double(2) };
        default:
          return { kind: "word", local: random.below(this.#locals.word), value: this.#word(3) };
      }
    });
  }

  #call(from: number): Call | undefined {
    const random = this.#random, count = this.#signatures.length - from - 1;
    if (count === 0) return undefined;
    const callee = from + 1 + random.below(count);
    const { parameters, isTaken } = this.#signatures[callee];
    return {
      kind: "call",
      site: this.#site++,
      callee,
      isIndirect: isTaken && random.once(2),
      // Parameters that all callers give the same value, or that nobody uses, are left out by compilers.
      arguments: parameters.map((type) => random.once(4) ? constant(type) : this.#value(type)),
      word: random.below(this.#locals.word),
      double: random.below(this.#locals.double),
    };
  }

  #value(type: Type): Value {
    return PARTS[type].map((part) => part === "word" ? this.#word(2) : this.#double(2));
  }

  #word(depth: number): Word {
    const random = this.#random;
    if (depth > 0 && !random.once(4)) {
      if (random.once(6)) return { kind: "bits", of: this.#double(depth - 1) };
      const kind = random.pick(["+", "-", "*", "^"] as const);
      return { kind, left: this.#word(depth - 1), right: this.#word(depth - 1) };
    }
    const parameter = this.#parameter("word");
    if (parameter !== undefined && !random.once(3)) return parameter;
    switch (random.below(3)) {
      case 0:
        return { kind: "constant", value: BigInt(random.below(1 << 30)) * BigInt(random.below(1 << 20)) };
      case 1:
        return { kind: "global", index: random.below(this.#globals) };
      default:
        return { kind: "local", index: random.below(this.#locals.word) };
    }
  }

  #double(depth: number): Double {
    const random = this.#random;
    if (depth > 0 && !random.once(3)) {
      if (random.once(3)) return { kind: "small", of: this.#word(depth - 1) };
      // Factors are small, so that sums stay finite.
      const kind = random.pick(["+", "-", "*"] as const), left = this.#double(depth - 1);
      const right: Double = kind === "*"
        ? { kind: "constant", value: random.below(7) / 4 - 0.75 }
        : this.#double(depth - 1);
      return { kind, left, right };
    }
    const parameter = this.#parameter("double");
    if (parameter !== undefined && !random.once(3)) return parameter;
    return random.once(2)
      ? { kind: "constant", value: random.below(4096) / 8 }
      : { kind: "local", index: random.below(this.#locals.double) };
  }

  #parameter(wanted: "word" | "double"): Parameter | undefined {
    const all = this.#parameters.flatMap((type, index) =>
      PARTS[type].flatMap((part, number) =>
        part === wanted ? [{ kind: "parameter" as const, index, part: number, type }] : []
      )
    );
    return all.length === 0 ? undefined : this.#random.pick(all);
  }
}

function mayCall(statement: Statement, callee: number): boolean {
  if (statement.kind === "loop") return statement.body.some((each) => mayCall(each, callee));
  return statement.kind === "call" && statement.callee === callee;
}

function constant(type: Type): Value {
  return PARTS[type].map((part) =>
    part === "word" ? { kind: "constant", value: 77n } : { kind: "constant", value: 2.5 }
  );
}
