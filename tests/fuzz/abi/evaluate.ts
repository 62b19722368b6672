/** Evaluates programs, in which the version that serves changes while functions of older ones are on the stack. */

import {
  type Call,
  type Double,
  LOCALS,
  LOOP_LOCALS,
  PARTS,
  type Program,
  type Statement,
  type Value,
  type Word,
} from "./ast.ts";

/** The linker's facts about the versions. */
export interface Facts {
  /** Whether a direct call goes to the version that serves, rather than stay in that of its caller. */
  isSwitched(version: number, call: Call): boolean;
  /** Whether a version has a function that others can reach. */
  hasEntry(version: number, callee: number): boolean;
}

type Values = readonly (bigint | number)[];

interface Frame {
  readonly version: number;
  readonly words: bigint[];
  readonly doubles: number[];
  readonly parameters: readonly Values[];
}

const view = new DataView(new ArrayBuffer(8));

function bits(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

/** A run of a program. */
export class Evaluation {
  readonly #program: Program;
  readonly #facts: Facts;
  readonly #globals: bigint[];
  #current = 0;
  /** The version of each function that its entry leads to: the last one that had it. */
  readonly #newest: number[];

  constructor(program: Program, facts: Facts) {
    this.#program = program;
    this.#facts = facts;
    this.#globals = new Array(program.globals).fill(0n);
    this.#newest = program.signatures.map(() => 0);
  }

  /** Lets a version serve. */
  takeOver(version: number): void {
    this.#current = version;
    for (const callee of this.#newest.keys()) {
      if (this.#facts.hasEntry(version, callee)) this.#newest[callee] = version;
    }
  }

  /** Runs the loop of the version that serves. */
  run(count: number, between: (round: number) => void): bigint {
    const version = this.#current;
    const frame = newFrame(version, LOOP_LOCALS, []);
    for (let round = 0; round < count; round++) {
      frame.words[0] = wrap(frame.words[0] + BigInt(round));
      for (const each of this.#program.versions[version].loop) this.#execute(each, frame);
      between(round);
    }
    return sum(frame);
  }

  #execute(statement: Statement, frame: Frame): void {
    switch (statement.kind) {
      case "word":
        frame.words[statement.local] = this.#word(statement.value, frame);
        break;
      case "double":
        frame.doubles[statement.local] = this.#double(statement.value, frame);
        break;
      case "global":
        this.#globals[statement.index] = wrap(
          this.#globals[statement.index] + this.#word(statement.value, frame),
        );
        break;
      case "loop":
        for (let turn = 0; turn < statement.count; turn++) {
          for (const each of statement.body) this.#execute(each, frame);
        }
        break;
      case "call":
        this.#call(statement, frame);
    }
  }

  #call(call: Call, frame: Frame): void {
    const { parameters, result } = this.#program.signatures[call.callee];
    const given = call.arguments.map((value, index) => {
      const values = this.#value(value, PARTS[parameters[index]], frame);
      return parameters[index] === "int" ? [BigInt.asUintN(32, values[0] as bigint)] : values;
    });
    const version = this.#versionOf(call, frame);
    const callee = newFrame(version, LOCALS, given);
    const { statements, result: value } = this.#program.versions[version].bodies[call.callee];
    for (const each of statements) this.#execute(each, callee);
    let values = this.#value(value, PARTS[result], callee);
    if (result === "int") values = [BigInt.asUintN(32, values[0] as bigint)];
    values.forEach((each) => {
      if (typeof each === "bigint") frame.words[call.word] = wrap(frame.words[call.word] + each);
      else frame.doubles[call.double] += each;
    });
  }

  #versionOf(call: Call, { version }: Frame): number {
    const { callee, isIndirect } = call;
    // Variables with pointers stay, so that the first version has filled them.
    if (isIndirect) return this.#facts.hasEntry(0, callee) ? this.#newest[callee] : 0;
    return this.#facts.isSwitched(version, call) ? this.#newest[callee] : version;
  }

  #value(value: Value, parts: readonly ("word" | "double")[], frame: Frame): Values {
    return value.map((each, part) =>
      parts[part] === "word" ? this.#word(each as Word, frame) : this.#double(each as Double, frame)
    );
  }

  #word(value: Word, frame: Frame): bigint {
    switch (value.kind) {
      case "constant":
        return value.value;
      case "local":
        return frame.words[value.index];
      case "global":
        return this.#globals[value.index];
      case "parameter":
        return frame.parameters[value.index][value.part] as bigint;
      case "bits":
        return bits(this.#double(value.of, frame));
    }
    const left = this.#word(value.left, frame), right = this.#word(value.right, frame);
    switch (value.kind) {
      case "+":
        return wrap(left + right);
      case "-":
        return wrap(left - right);
      case "*":
        return wrap(left * right);
      case "^":
        return left ^ right;
    }
  }

  #double(value: Double, frame: Frame): number {
    switch (value.kind) {
      case "constant":
        return value.value;
      case "local":
        return frame.doubles[value.index];
      case "parameter":
        return frame.parameters[value.index][value.part] as number;
      case "small":
        return Number(this.#word(value.of, frame) & 1023n);
    }
    const left = this.#double(value.left, frame), right = this.#double(value.right, frame);
    return value.kind === "+" ? left + right : value.kind === "-" ? left - right : left * right;
  }
}

function newFrame(
  version: number,
  size: typeof LOCALS | typeof LOOP_LOCALS,
  parameters: readonly Values[],
): Frame {
  return {
    version,
    words: Array.from({ length: size.word }, (_, index) => BigInt(index + 1)),
    doubles: Array.from({ length: size.double }, (_, index) => index + 0.5),
    parameters,
  };
}

function sum({ words, doubles }: Frame): bigint {
  let total = 0n;
  words.forEach((word, index) => total += word * BigInt(2 * index + 1));
  doubles.forEach((double) => total += bits(double));
  return wrap(total);
}
