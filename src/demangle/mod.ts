/**
 * Names of C++ and Rust as their sources write them. Names come from files that nobody has checked: demangling takes
 * time in proportion to their length, whatever they are.
 */
import { demangleSymbol } from "./symbol.ts";

/** The beginning of a mangled name; Mach-O puts one more _ in front. */
const MANGLED = /^_{1,2}(?:Z|R[A-Z])/;

/**
 * Demangles the name of a symbol.
 *
 * @param name A symbol's name, with what linkers put behind it: `@` and a version or an object.
 * @returns the name in the source, as c++filt(1) writes it; undefined if it is not mangled, or is malformed.
 */
export function demangle(name: string): string | undefined {
  if (!MANGLED.test(name)) return undefined;
  const at = name.indexOf("@");
  const mangled = at < 0 ? name : name.slice(0, at);
  try {
    const text = demangleSymbol(mangled);
    return text === "" || text === undefined ? undefined : at < 0 ? text : text + name.slice(at);
  } catch {
    // Malformed, or not within the bounds.
    return undefined;
  }
}

/** A name for people: demangled if it is mangled. */
export function demangled(name: string): string {
  return demangle(name) ?? name;
}

/** A variable's mangled name, and the field of it that the linker has named. Endings of LLVM and gcc are no fields. */
const FIELD = /^(_Z[^.@[]*)((?:\.(?!lto_priv|llvm)[A-Za-z_]\w*|\[\d+\])+)(@.*)?$/;

/** Like {@linkcode demangled}, of a variable, whose fields may be stored by themselves: `tally.sum`. */
export function demangledVariable(name: string): string {
  const [, whole, field, at = ""] = FIELD.exec(name) ?? [];
  return whole === undefined ? demangled(name) : demangled(whole) + field + at;
}

/** Mangled names in a text: after what cannot be part of one, or behind the name of a section that is named for it. */
const IN_TEXT = /(?<![\w$])_{1,2}(?:Z|R[A-Z])[\w.$]*[\w$]/g;

/** Demangles all names in a text. */
export function demangledText(text: string): string {
  return text.includes("_Z") || text.includes("_R") ? text.replace(IN_TEXT, demangled) : text;
}

/** Suggestions have to be written as linkers see the names. */
const IN_QUOTES = /(?<=(?<!did you mean )')_{1,2}(?:Z|R[A-Z])[\w.$@]*(?=')/g;

/** Demangles the names in a message, which stand in quotation marks. */
export function demangledMessage(message: string): string {
  return message.includes("'_") ? message.replace(IN_QUOTES, demangled) : message;
}
