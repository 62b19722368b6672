/**
 * The fields of a record as the properties of a class: with the fields of base classes and of unnamed
 * members, each under a name of its own.
 */
import { declarationOf } from "../declaration.ts";
import { isRecord } from "../kinds.ts";
import { bareType, elementsOf, MOST_DEPTH, sizeOf, type Types } from "../layout.ts";
import type { RecordType } from "../model.ts";
import { Scope } from "./names.ts";
import { type Scalar, scalarOf } from "./scalars.ts";

/** How a field is read and written. */
export type Access =
  | { readonly kind: "scalar"; readonly scalar: Scalar }
  | {
    readonly kind: "bits";
    readonly first: number;
    readonly count: number;
    readonly scalar: Scalar;
    readonly isSigned: boolean;
  }
  | { readonly kind: "record"; readonly name: string; readonly size: number }
  | { readonly kind: "scalars"; readonly scalar: Scalar; readonly count: number }
  | { readonly kind: "records"; readonly name: string; readonly size: number; readonly count: number }
  | { readonly kind: "bytes"; readonly size: number };

/** A property for a field. */
export interface Member {
  /** The name of the property, unique in its class. */
  readonly name: string;
  /** The declaration of the field in C. */
  readonly declaration: string;
  /** Offset in bytes. */
  readonly offset: number;
  /** How it is read and written; undefined if its size is open or passes the end of the record. */
  readonly access: Access | undefined;
}

/** More fields than any class needs: damaged types may nest unnamed records in each other, twice at each level. */
const MOST_FIELDS = 65_536;

/** Lists the properties of a record, in the order of the source. */
export function membersOf(types: Types, type: RecordType, declared: ReadonlyMap<number, string>): Member[] {
  return new Members(types, type.size ?? 0, declared).list(type);
}

class Members {
  readonly #types: Types;
  readonly #size: number;
  readonly #declared: ReadonlyMap<number, string>;
  readonly #scope: Scope = new Scope(["constructor", "$bytes"]);
  readonly #members: Member[] = [];
  #visited = 0;

  constructor(types: Types, size: number, declared: ReadonlyMap<number, string>) {
    this.#types = types;
    this.#size = size;
    this.#declared = declared;
  }

  list(type: RecordType): Member[] {
    this.#add(type, 0, 0);
    return this.#members;
  }

  #add(type: RecordType, start: number, depth: number): void {
    // Fields of a class hide those of its base classes, which therefore come later.
    for (const { name, type: id, offset, bits } of type.fields) {
      if (++this.#visited > MOST_FIELDS) return;
      const at = start + offset;
      const inner = this.#types[bareType(this.#types, id)];
      if (name === "") {
        if (isRecord(inner) && depth < MOST_DEPTH) this.#add(inner, at, depth + 1);
        continue;
      }
      const declaration = declarationOf(this.#types, id, name, { parameterNames: true });
      this.#members.push({
        name: this.#scope.unique(name),
        declaration: bits === undefined ? declaration : `${declaration} : ${bits[1]}`,
        offset: at,
        access: bits === undefined ? this.#access(id, at) : this.#bits(id, at, bits),
      });
    }
    for (const { type: id, offset } of type.bases) {
      if (++this.#visited > MOST_FIELDS) return;
      const base = this.#types[bareType(this.#types, id)];
      if (offset !== undefined && isRecord(base) && depth < MOST_DEPTH) {
        this.#add(base, start + offset, depth + 1);
      }
    }
  }

  #access(id: number, offset: number): Access | undefined {
    const size = sizeOf(this.#types, id);
    if (size === undefined || size === 0 || offset < 0 || offset + size > this.#size) return undefined;
    const types = this.#types;
    const bare = bareType(types, id);
    const scalar = scalarOf(types, bare);
    if (scalar !== undefined) return { kind: "scalar", scalar };
    const name = this.#declared.get(bare);
    if (isRecord(types[bare]) && name !== undefined) return { kind: "record", name, size };
    if (types[bare]?.kind !== "array") return { kind: "bytes", size };
    const element = elementsOf(types, bare).of;
    const elementSize = sizeOf(types, element);
    if (elementSize === undefined || elementSize === 0) return { kind: "bytes", size };
    const count = size / elementSize;
    const scalars = scalarOf(types, element);
    // A typed array begins at a multiple of its elements' size; packed fields may not.
    if (scalars !== undefined && offset % scalars.size === 0) {
      return { kind: "scalars", scalar: scalars, count };
    }
    const elementName = this.#declared.get(element);
    if (isRecord(types[element]) && elementName !== undefined) {
      return { kind: "records", name: elementName, size: elementSize, count };
    }
    return { kind: "bytes", size };
  }

  #bits(id: number, offset: number, [first, count]: readonly [number, number]): Access | undefined {
    const start = 8 * offset + first;
    const scalar = scalarOf(this.#types, id);
    if (scalar === undefined || count < 1 || count > 64 || start < 0 || start + count > 8 * this.#size) {
      return undefined;
    }
    return { kind: "bits", first: start, count, scalar, isSigned: /^(Big)?Int/.test(scalar.accessor) };
  }
}
