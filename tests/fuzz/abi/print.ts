/** Prints a version of a program as C. */

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
  type Word,
} from "./ast.ts";

const PRELUDE = `#include <stdarg.h>
typedef unsigned long word;
struct pair { word p0; double p1; };
struct big { word p0, p1, p2; double p3; };
static inline word bits(double value) { union { double from; word to; } both = { value }; return both.to; }
static inline double small(word value) { return (double)(int)(value & 1023); }
`;

const EXPORTED = `__attribute__((visibility("default"))) `;

const C_TYPES: Readonly<Record<Type, string>> = {
  word: "word",
  int: "unsigned",
  double: "double",
  pair: "struct pair",
  big: "struct big",
};

/** Prints the source text of a version. */
export function print({ signatures, versions, globals }: Program, number: number): string {
  const { bodies, loop } = versions[number];
  const taken = signatures.filter(({ isTaken }) => isTaken);
  const numbers = Array.from({ length: globals }, (_, index) => `static word g${index};`);
  return [
    PRELUDE,
    ...numbers,
    ...signatures.map((signature) => `${head(signature)};`),
    ...taken.map((signature) =>
      `static ${pointer(signature, `(*volatile to_${signature.name})`)} = ${signature.name};`
    ),
    // The last first, so that compilers know the bodies of callees.
    ...signatures.map((signature, index) => printFunction(signatures, signature, bodies[index])).toReversed(),
    `${EXPORTED}word run(unsigned count, void (*between)(unsigned)) {`,
    locals(LOOP_LOCALS),
    "  for (unsigned round = 0; round < count; round++) {",
    "    w0 += round;",
    ...loop.flatMap((each) => printStatement(signatures, each, "    ")),
    "    between(round);",
    "  }",
    `  return ${sum(LOOP_LOCALS)};`,
    "}",
    // Keeps each function and variable in the module.
    `${EXPORTED}word probe(unsigned which) {`,
    locals(LOCALS),
    ...Array.from({ length: globals }, (_, index) => `  g${index} += which & 64, w0 += g${index};`),
    ...taken.map(({ name }) => `  w0 += to_${name} != 0;`),
    "  switch (which) {",
    ...signatures.flatMap((signature, index) => [
      `    case ${index}:`,
      ...printStatement(signatures, probeOf(signature, index), "      "),
      "      break;",
    ]),
    "  }",
    `  return ${sum(LOCALS)};`,
    "}",
    "",
  ].join("\n");
}

/** The call that asks for one function. */
function probeOf({ parameters }: Signature, callee: number): Call {
  const given = (type: Type): Value =>
    PARTS[type].map((part, index) =>
      part === "word" ? { kind: "constant", value: BigInt(5 + index) } : { kind: "constant", value: 1.5 }
    );
  return {
    kind: "call",
    site: -1 - callee,
    callee,
    isIndirect: false,
    arguments: parameters.map(given),
    word: 0,
    double: 0,
  };
}

function locals({ word, double }: typeof LOCALS | typeof LOOP_LOCALS): string {
  const words = Array.from({ length: word }, (_, index) => `w${index} = ${index + 1}`);
  const doubles = Array.from({ length: double }, (_, index) => `d${index} = ${index}.5`);
  return `  word ${words.join(", ")};\n  double ${doubles.join(", ")};`;
}

function sum({ word, double }: typeof LOCALS | typeof LOOP_LOCALS): string {
  return [
    ...Array.from({ length: word }, (_, index) => `w${index} * ${2 * index + 1}`),
    ...Array.from({ length: double }, (_, index) => `bits(d${index})`),
  ].join(" + ");
}

function pointer({ parameters, result, isVariadic }: Signature, name: string): string {
  const types = isVariadic ? ["word", "..."] : parameters.map((type) => C_TYPES[type]);
  return `${C_TYPES[result]} ${name}(${types.join(", ") || "void"})`;
}

function head({ name, parameters, result, isStatic, isInline, isVariadic }: Signature): string {
  const named = parameters.map((type, index) => `${C_TYPES[type]} a${index}`);
  const list = isVariadic ? `${named[0]}, ...` : named.join(", ") || "void";
  return `${isStatic ? "static " : ""}${isInline ? "" : "__attribute__((noinline)) "}${
    C_TYPES[result]
  } ${name}(${list})`;
}

function printFunction(
  signatures: readonly Signature[],
  signature: Signature,
  { statements, result }: Body,
): string {
  const { parameters, isVariadic } = signature;
  const variable = parameters.slice(1).map((type, index) =>
    `  ${C_TYPES[type]} a${index + 1} = va_arg(list, ${C_TYPES[type]});`
  );
  const values = result.map((value, part) => printPart(PARTS[signature.result][part], value));
  const isStruct = signature.result === "pair" || signature.result === "big";
  return [
    `${head(signature)} {`,
    ...(isVariadic ? ["  va_list list;", "  va_start(list, a0);", ...variable, "  va_end(list);"] : []),
    locals(LOCALS),
    ...statements.flatMap((each) => printStatement(signatures, each, "  ")),
    `  return ${isStruct ? `(${C_TYPES[signature.result]}){ ${values.join(", ")} }` : values[0]};`,
    "}",
  ].join("\n");
}

function printStatement(signatures: readonly Signature[], statement: Statement, indent: string): string[] {
  switch (statement.kind) {
    case "word":
      return [`${indent}w${statement.local} = ${printWord(statement.value)};`];
    case "double":
      return [`${indent}d${statement.local} = ${printDouble(statement.value)};`];
    case "global":
      return [`${indent}g${statement.index} += ${printWord(statement.value)};`];
    case "loop":
      return [
        `${indent}for (int turn = 0; turn < ${statement.count}; turn++) {`,
        ...statement.body.flatMap((each) => printStatement(signatures, each, `${indent}  `)),
        `${indent}}`,
      ];
    case "call": {
      const { name, parameters, result } = signatures[statement.callee];
      const given = statement.arguments.map((value, index) => printArgument(parameters[index], value));
      const isStruct = result === "pair" || result === "big";
      const parts = PARTS[result].map((part, index) => {
        const value = isStruct ? `result.p${index}` : "result";
        return part === "word" ? `w${statement.word} += ${value};` : `d${statement.double} += ${value};`;
      });
      const target = statement.isIndirect ? `to_${name}` : name;
      return [`${indent}{ ${C_TYPES[result]} result = ${target}(${given.join(", ")}); ${parts.join(" ")} }`];
    }
  }
}

function printArgument(type: Type, value: Value): string {
  const parts = value.map((each, index) => printPart(PARTS[type][index], each));
  if (type === "pair" || type === "big") return `(${C_TYPES[type]}){ ${parts.join(", ")} }`;
  return type === "int" ? `(unsigned)(${parts[0]})` : parts[0];
}

function printPart(kind: "word" | "double", value: Word | Double): string {
  return kind === "word" ? printWord(value as Word) : printDouble(value as Double);
}

function parameterText({ index, part, type }: Parameter): string {
  if (type === "pair" || type === "big") return `a${index}.p${part}`;
  return type === "int" ? `(word)a${index}` : `a${index}`;
}

function printWord(value: Word): string {
  switch (value.kind) {
    case "constant":
      return `${value.value}ul`;
    case "local":
      return `w${value.index}`;
    case "global":
      return `g${value.index}`;
    case "parameter":
      return parameterText(value);
    case "bits":
      return `bits(${printDouble(value.of)})`;
    default:
      return `(${printWord(value.left)} ${value.kind} ${printWord(value.right)})`;
  }
}

function printDouble(value: Double): string {
  switch (value.kind) {
    case "constant":
      return Number.isInteger(value.value) ? `${value.value}.0` : `${value.value}`;
    case "local":
      return `d${value.index}`;
    case "parameter":
      return parameterText(value);
    case "small":
      return `small(${printWord(value.of)})`;
    default:
      return `(${printDouble(value.left)} ${value.kind} ${printDouble(value.right)})`;
  }
}
