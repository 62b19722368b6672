/**
 * A hash of each type's layout: equal for types whose values have the same bytes under the same names
 * of fields, whatever they point to.
 */
import type { TypeRecord } from "./model.ts";

/** 64 bits of two FNV-1a hashes, as 16 hexadecimal digits. */
function hashText(text: string): string {
  let low = 0x811c9dc5, high = 0xcbf29ce4;
  for (let i = 0; i < text.length; i++) {
    low = Math.imul(low ^ text.charCodeAt(i), 0x01000193);
    high = Math.imul(high ^ text.charCodeAt(i), 0x01000193) ^ (low >>> 13);
  }
  const digits = (half: number) => (half >>> 0).toString(16).padStart(8, "0");
  return digits(high) + digits(low);
}

function layoutHash(type: TypeRecord, hashes: readonly string[]): string {
  switch (type.kind) {
    case "base":
      return hashText(`${type.encoding} ${type.size}`);
    case "pointer":
    case "reference":
    case "rvalue-reference":
      return hashText("pointer");
    case "array":
    case "vector":
      return hashText(`array ${type.count} ${hashes[type.of]}`);
    case "enum":
      return hashText(`enum ${type.size} ${type.enumerators.map(({ name, value }) => `${name}=${value}`)}`);
    case "struct":
    case "union":
    case "class": {
      const bases = type.bases.map((base) => `${base.offset} ${hashes[base.type]}`);
      const fields = type.fields.map(({ name, offset, bits, type }) =>
        `${name} ${offset} ${bits} ${hashes[type]}`
      );
      return hashText(`${type.kind === "union"} ${type.size} ${type.variants} ${bases}; ${fields}`);
    }
    case "function":
    case "member-pointer":
    case "unknown":
      return hashText(type.kind);
    default:
      // Qualifiers and names do not change the bytes.
      return hashes[type.to];
  }
}

/** Returns the hash of each type. A type must come behind those that it contains. */
export function layoutHashes(types: readonly (TypeRecord | undefined)[]): string[] {
  const hashes: string[] = [hashText("void")];
  for (let id = 1; id < types.length; id++) hashes.push(layoutHash(types[id]!, hashes));
  return hashes;
}
