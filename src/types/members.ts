/**
 * The members of structs and classes under names of their own, by which two versions of a type are compared.
 */
import { bareType, MOST_DEPTH, type Types } from "./layout.ts";
import type { RecordType } from "./model.ts";

/** A field, a base class, or an anonymous union. */
export interface Member {
  /** The key that identifies it in its struct. */
  readonly key: string;
  /** The name for messages. */
  readonly label: string;
  /** The number of its type. */
  readonly type: number;
  /** Offset in bytes. */
  readonly offset: number;
  readonly bits?: readonly [first: number, count: number] | undefined;
}

/**
 * Lists the members by key, those of anonymous structs among them.
 *
 * @returns undefined if the place of one is not known, as that of a virtual base class.
 */
export function membersOf(types: Types, record: RecordType): Map<string, Member> | undefined {
  const members = new Map<string, Member>();
  return addMembers(types, record, 0, members, 0) ? members : undefined;
}

function addMembers(
  types: Types,
  record: RecordType,
  base: number,
  members: Map<string, Member>,
  depth: number,
): boolean {
  if (depth > MOST_DEPTH) return false;
  const add = (member: Member): void => {
    if (!members.has(member.key)) members.set(member.key, member);
  };
  for (const { type, offset } of record.bases) {
    if (offset === undefined) return false;
    const name = nameOf(types, type);
    add({ key: `base class ${name}`, label: `base class ${name}`, type, offset: base + offset });
  }
  for (const { name, type, offset, bits } of record.fields) {
    if (name !== "") {
      add({ key: `.${name}`, label: name, type, offset: base + offset, bits });
      continue;
    }
    const anonymous = types[bareType(types, type)];
    if (anonymous?.kind === "union") {
      const names = anonymous.fields.map((field) => field.name).join(", ");
      add({ key: `union ${names}`, label: `union {${names}}`, type, offset: base + offset });
    } else if (anonymous?.kind === "struct" || anonymous?.kind === "class") {
      if (!addMembers(types, anonymous, base + offset, members, depth + 1)) return false;
    }
  }
  return true;
}

function nameOf(types: Types, id: number): string {
  const type = types[bareType(types, id)];
  return type !== undefined && "name" in type ? type.name : "";
}
