/**
 * Types as C writes them: the spelling of gdb's `whatis`, with parameter names where there are any.
 */
import { MOST_DEPTH, type Types } from "./layout.ts";
import type { DerivedType, TypeRecord } from "./model.ts";

/** Behind so many characters of names the rest is cut, as it is behind MOST_DEPTH types. */
const MOST_CHARACTERS = 65_536;

/** How a declaration is written. */
export interface DeclarationStyle {
  /** Whether names of parameters are written. */
  readonly parameterNames: boolean;
}

/**
 * Writes the declaration of a name, or a type alone if the name is empty.
 *
 * @param types Types by number.
 * @param id The number of the type.
 */
export function declarationOf(types: Types, id: number, name: string, style: DeclarationStyle): string {
  return join(types, id, name, { ...style, left: MOST_CHARACTERS }, 0);
}

/** A style, and how many characters of names may still be written. */
interface Writing extends DeclarationStyle {
  left: number;
}

/** Wraps `inner`, which uses the type, in the type: C's declarations read from the inside out. */
function join(types: Types, id: number, inner: string, style: Writing, depth: number): string {
  const behind = (text: string): string => inner === "" ? text : `${text} ${inner}`;
  const type = types[id];
  if (type === undefined) return behind("void");
  // Functions that take functions would be written any number of times.
  style.left -= 1 + ("name" in type ? type.name.length : 0);
  if (depth > MOST_DEPTH || style.left < 0) return behind("...");
  const next = (to: number, wrapped: string): string => join(types, to, wrapped, style, depth + 1);
  switch (type.kind) {
    case "base":
    case "typedef":
    case "unknown":
      return behind(type.name);
    case "pointer":
      return next(type.to, pointed(types, type.to, `*${inner}`));
    case "reference":
      return next(type.to, pointed(types, type.to, `&${inner}`));
    case "rvalue-reference":
      return next(type.to, pointed(types, type.to, `&&${inner}`));
    case "const":
    case "volatile":
    case "restrict":
    case "atomic":
      return qualified(types, id, inner, next);
    case "vector":
      return `__attribute__ ((vector_size(${type.count}))) ${next(type.of, inner)}`;
    case "array":
      return next(type.of, `${inner}[${type.count ?? ""}]`);
    case "function": {
      const list = type.parameters.map((parameter) =>
        join(types, parameter.type, style.parameterNames ? parameter.name : "", style, depth + 1)
      );
      if (type.variadic) list.push("...");
      const parameters = list.length === 0 ? type.prototyped ? "void" : "" : list.join(", ");
      return next(type.result, `${inner}(${parameters})`);
    }
    case "member-pointer":
      return next(type.to, pointed(types, type.to, `${className(types, type.of)}::*${inner}`));
    default:
      return behind(type.name === "" ? `${type.kind} {...}` : `${type.kind} ${type.name}`);
  }
}

function className(types: Types, id: number): string {
  const type = types[id];
  return type !== undefined && "name" in type ? type.name : "?";
}

/** Puts a pointer to an array or a function in parentheses, which bind more closely. */
function pointed(types: Types, to: number, inner: string): string {
  const kind = types[to]?.kind;
  return kind === "array" || kind === "function" ? `(${inner})` : inner;
}

/**
 * Writes qualifiers: before the name of a type, behind the asterisk of a pointer. Those of an array are its
 * elements', which compilers often qualify, too.
 */
function qualified(
  types: Types,
  id: number,
  inner: string,
  next: (to: number, wrapped: string) => string,
): string {
  const words = new Set<string>();
  let to = id;
  for (let steps = 0; steps < MOST_DEPTH; steps++) {
    const type = types[to];
    if (type?.kind === "array") {
      inner += `[${type.count ?? ""}]`;
      to = type.of;
    } else if (isQualifier(type)) {
      words.add(type.kind === "atomic" ? "_Atomic" : type.kind);
      to = type.to;
    } else break;
  }
  const list = [...words].sort().join(" ");
  const kind = types[to]?.kind;
  if (kind === "pointer" || kind === "member-pointer") {
    return next(to, inner === "" || inner.startsWith("[") ? ` ${list}${inner}` : ` ${list} ${inner}`);
  }
  return `${list} ${next(to, inner)}`;
}

function isQualifier(type: TypeRecord | undefined): type is DerivedType {
  return type?.kind === "const" || type?.kind === "volatile" || type?.kind === "restrict" ||
    type?.kind === "atomic";
}
