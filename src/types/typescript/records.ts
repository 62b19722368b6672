/**
 * Structs, unions and C++ classes as TypeScript classes over their bytes.
 */
import { declarationOf } from "../declaration.ts";
import type { Types } from "../layout.ts";
import type { RecordType } from "../model.ts";
import { isReason, nativeValue } from "../native.ts";
import type { Helper } from "./helpers.ts";
import { LINE_WIDTH, literalLines } from "./literal.ts";
import { type Access, type Member, membersOf } from "./members.ts";
import { commentCode, propertyKey } from "./names.ts";
import { nativeLiteral } from "./native_literal.ts";
import { readCode, writeCode } from "./scalars.ts";

/** The input of all classes of a module. */
export interface RecordContext {
  readonly types: Types;
  /** The names of the declared types. */
  readonly declared: ReadonlyMap<number, string>;
  /** Collects the functions that the classes call. */
  readonly helpers: Set<Helper>;
  /** Returns the hash of a type's layout. */
  readonly layoutHash: (type: number) => string | undefined;
}

/** Writes the class of a record whose size is known. */
export function recordLines(context: RecordContext, id: number, type: RecordType): string[] {
  const { types, declared, helpers } = context;
  const name = declared.get(id)!;
  const members = membersOf(types, type, declared);
  const offsets = {
    entries: members.map((member) => [propertyKey(member.name), `${member.offset}`] as const),
  };
  const native = nativeValue(types, id);
  const usesView = members.some(({ access }) => access?.kind === "scalar");
  const hash = context.layoutHash(id);
  helpers.add("bytesOf");
  return [
    `/** ${commentCode(declarationOf(types, id, "", { parameterNames: true }))}, ${type.size} bytes. */`,
    `export class ${name} {`,
    "  /** Size in bytes. */",
    `  static readonly size = ${type.size};`,
    ...(hash === undefined ? [] : [
      "  /** Hash of the layout, as `smf inspect --types` shows it. */",
      `  static readonly layout = "${hash}";`,
    ]),
    "  /** Offsets of the fields in bytes. */",
    ...literalLines("  ", "static readonly offsets = ", offsets, " as const;"),
    ...(isReason(native) || typeof native === "string" ? [] : [
      "  /** The type of parameters and results, for definitions. */",
      ...literalLines("  ", "static readonly type = ", nativeLiteral(native), " as const;"),
    ]),
    "",
    "  /** The bytes: what functions take and return by value. */",
    "  readonly $bytes: Uint8Array<ArrayBuffer>;",
    ...(usesView ? ["  readonly #view: DataView;"] : []),
    "",
    "  /** Reads and writes these bytes; without an argument new ones, which are 0. */",
    "  constructor(",
    `    bytes: Uint8Array<ArrayBuffer> | ArrayBuffer = new Uint8Array(${type.size}),`,
    "  ) {",
    `    this.$bytes = bytesOf(bytes, ${type.size});`,
    ...(usesView
      ? [
        "    const { buffer, byteOffset } = this.$bytes;",
        `    this.#view = new DataView(buffer, byteOffset, ${type.size});`,
      ]
      : []),
    "  }",
    ...(members.some(({ access }) => access !== undefined)
      ? [
        "",
        "  /** Makes one of the values of fields; the others are 0. */",
        ...ofLines(name),
        `    return Object.assign(new ${name}(), fields);`,
        "  }",
      ]
      : []),
    ...members.flatMap((member) => memberLines(member, helpers)),
    "}",
  ];
}

function ofLines(name: string): string[] {
  const fields = `fields: Partial<Omit<${name}, "$bytes">>`;
  const line = `  static of(${fields}): ${name} {`;
  return line.length <= LINE_WIDTH ? [line] : ["  static of(", `    ${fields},`, `  ): ${name} {`];
}

/** Writes the getter and the setter of a field. */
function memberLines({ name, declaration, offset, access }: Member, helpers: Set<Helper>): string[] {
  if (access === undefined) return [];
  const key = propertyKey(name);
  const code = accessCode(access, offset, helpers);
  const note = code.note === undefined ? "" : ` ${code.note}`;
  return [
    "",
    `  /** ${commentCode(declaration)}, at ${offset}.${note} */`,
    `  get ${key}(): ${code.type} {`,
    `    return ${code.get};`,
    "  }",
    `  set ${key}(value: ${code.takes ?? code.type}) {`,
    `    ${code.set};`,
    "  }",
  ];
}

interface AccessCode {
  readonly type: string;
  /** The type of the setter's value. Default: `type`. */
  readonly takes?: string;
  readonly get: string;
  readonly set: string;
  /** A sentence for the comment. */
  readonly note?: string;
}

function accessCode(access: Access, offset: number, helpers: Set<Helper>): AccessCode {
  const part = (size: number): string => `this.$bytes.subarray(${offset}, ${offset + size})`;
  switch (access.kind) {
    case "scalar": {
      const { scalar } = access;
      return { type: scalar.type, get: readCode(scalar, offset), set: writeCode(scalar, offset) };
    }
    case "bits":
      return bitsCode(access, helpers);
    case "record": {
      const { name, size } = access;
      return { type: name, get: `new ${name}(${part(size)})`, set: `${part(size)}.set(value.$bytes)` };
    }
    case "scalars": {
      const { scalar: { type, array }, count } = access;
      const values = array.startsWith("Big") ? "bigint" : "number";
      return {
        type: `${array}<ArrayBuffer>`,
        takes: `ArrayLike<${values}>`,
        get: wrapped(array, offset, count),
        set: `${wrapped(array, offset, count)}.set(value)`,
        ...(type === "Deno.PointerValue" && { note: "Elements are addresses." }),
      };
    }
    case "records": {
      const { name, size, count } = access;
      helpers.add("elements").add("setElements");
      return {
        type: `${name}[]`,
        takes: `readonly ${name}[]`,
        get: `elements(this.$bytes, ${offset}, ${count}, ${name})`,
        set: `setElements(${part(size * count)}, value)`,
      };
    }
    case "bytes": {
      const bytes = part(access.size);
      return {
        type: "Uint8Array<ArrayBuffer>",
        takes: "ArrayLike<number>",
        get: bytes,
        set: `${bytes}.set(value)`,
        note: "Its bytes.",
      };
    }
  }
}

/** Writes the construction of a typed array over a part of the bytes. */
function wrapped(array: string, offset: number, count: number): string {
  return [
    `new ${array}(`,
    "      this.$bytes.buffer,",
    `      this.$bytes.byteOffset + ${offset},`,
    `      ${count},`,
    "    )",
  ].join("\n");
}

/** The most bits that a number holds exactly. */
const NUMBER_BITS = 53;

function bitsCode(access: Extract<Access, { readonly kind: "bits" }>, helpers: Set<Helper>): AccessCode {
  const { first, count, scalar, isSigned } = access;
  helpers.add("bitsOf").add("setBits");
  const raw = `bitsOf(this.$bytes, ${first}, ${count})`;
  const bits = isSigned ? `BigInt.asIntN(${count}, ${raw})` : raw;
  const set = `setBits(this.$bytes, ${first}, ${count}, value)`;
  if (scalar.type === "boolean") return { type: "boolean", get: `${raw} !== 0n`, set };
  return count > NUMBER_BITS
    ? { type: "bigint", get: bits, set }
    : { type: "number", get: `Number(${bits})`, set };
}
