/**
 * Types of C as people write them in declarations, for signatures: `const char *name`, `unsigned long`, `size_t`.
 */
import { HOST_ARCH, HOST_PLATFORM } from "../../load/runtime/host.ts";
import { Arch, Platform } from "../../smf/enums.ts";

/** The width of `long`, which differs between data models (LP64, LLP64). */
const LONG = HOST_PLATFORM === Platform.Windows ? "32" : "64";

/** Whether `char` has a sign: the ABI of AArch64 on Linux gives it none. */
const CHAR = HOST_ARCH === Arch.Aarch64 && HOST_PLATFORM === Platform.Linux ? "u8" : "i8";

/** Types by their words in order of the alphabet, without `int` behind `short` and `long`. */
const BY_WORDS: Readonly<Record<string, string>> = {
  "void": "void",
  "bool": "bool",
  "_Bool": "bool",
  "float": "f32",
  "double": "f64",
  "char": CHAR,
  "char signed": "i8",
  "char unsigned": "u8",
  "short": "i16",
  "short unsigned": "u16",
  "int": "i32",
  "unsigned": "u32",
  "long": `i${LONG}`,
  "long unsigned": `u${LONG}`,
  "long long": "i64",
  "long long unsigned": "u64",
  "int8_t": "i8",
  "uint8_t": "u8",
  "int16_t": "i16",
  "uint16_t": "u16",
  "int32_t": "i32",
  "uint32_t": "u32",
  "int64_t": "i64",
  "uint64_t": "u64",
  "size_t": "usize",
  "uintptr_t": "usize",
  "ssize_t": "isize",
  "ptrdiff_t": "isize",
  "intptr_t": "isize",
};

/** The names of C that a signature may have, for suggestions. */
export const C_NAMES: readonly string[] = [
  ...new Set(Object.keys(BY_WORDS).flatMap((words) => words.split(" "))),
];

const QUALIFIERS = new Set([
  "const",
  "volatile",
  "restrict",
  "__restrict",
  "register",
  "extern",
  "static",
  "inline",
]);

/** The words that build types; another word behind them is the name that is declared. */
const TYPE_WORDS = new Set([...C_NAMES, "signed", "struct", "union", "enum"]);

/** A declaration: the signature's word for its type, and the name that it declares. */
export interface CDeclaration {
  /** Undefined for a type that signatures do not have. */
  readonly type: string | undefined;
  readonly name: string | undefined;
}

/**
 * Reads a declaration of C with at most one name: `const char *path`, `int values[4]`, `unsigned long`.
 *
 * @param isType Whether a word is a type by itself, besides those of C.
 */
export function readCDeclaration(text: string, isType: (word: string) => boolean): CDeclaration {
  const isArray = /\[[^\]]*\]\s*$/.test(text);
  const tokens = text.replace(/(?:\[[^\]]*\]\s*)+$/, "").match(/[\w$]+|\S/g) ?? [];
  const used = tokens.filter((token) => !QUALIFIERS.has(token));
  const last = used.at(-1) ?? "";
  const isNamed = used.length > 1 && /^[A-Za-z_$]/.test(last) && !TYPE_WORDS.has(last) && !isType(last) &&
    !/^(?:struct|union|enum)$/.test(used.at(-2)!);
  const parts = isNamed ? used.slice(0, -1) : used;
  const words = parts.filter((part) => part !== "*");
  const pointers = parts.length - words.length + Number(isArray);
  const name = isNamed ? last : undefined;
  // A star stands behind the type.
  if (words.some((_, index) => parts[index] === "*")) return { type: undefined, name };
  if (!words.every((word) => /^[\w$]+$/.test(word)) || words.length === 0) return { type: undefined, name };
  if (pointers === 0) return { type: plainType(words, isType), name };
  const isText = pointers === 1 && !isArray && words.join(" ") === "char";
  return { type: isText ? "cstring" : "pointer", name };
}

function plainType(words: readonly string[], isType: (word: string) => boolean): string | undefined {
  if (words.length === 1 && isType(words[0])) return words[0];
  if (words[0] === "enum" && words.length === 2) return "i32";
  const rest = words.filter((word) => word !== "int" && word !== "signed" || words.length === 1);
  const key = (words.includes("char") ? [...words] : rest).sort().join(" ");
  const known = key === "" || key === "signed" ? "int" : key;
  return Object.hasOwn(BY_WORDS, known) ? BY_WORDS[known] : undefined;
}
