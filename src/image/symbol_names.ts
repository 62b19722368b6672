/**
 * The parts of symbols' names that compilers choose: numbers that are no
 * identity, since they change when the source around them does, and names of
 * things that no source text mentions.
 *
 * | name | numbered by | base name |
 * |---|---|---|
 * | `n.0`, `f.n.1`, `n.0.lto_priv.2` | gcc, clang: `static` variables in functions, clones | `n`, `f.n`, `n` |
 * | `_ZZ1fvE1n_0` | C++: variables of one name in one function | `_ZZ1fvE1n` |
 * | `…UlvE0_…`, `…Ut1_…` | C++: lambdas and unnamed types (Itanium C++ ABI, 5.1.8) | `…UlvE_…`, `…Ut_…` |
 * | `f__anon_123` | Zig | `f__anon_` |
 * | `n.0@a.o:0123456789abcdef` | the linker: of an object that may have changed | `n` |
 */

const SUFFIX = /(?:\.(?:\d+|lto_priv))+$/;
const DISCRIMINATOR = /(?<=^_ZG?V?Z.*E.*[^\d_])_(?:\d|_\d+_)$/;
const LAMBDA = /(U[lt](?:[^_]*?E)?)\d+_/g;
const ANONYMOUS = /(?<=__anon_)\d+/g;

const DIGIT_0 = 48, DIGIT_9 = 57, UNDERSCORE = 95, DOT = 46, AT = 64;
const UPPER_G = 71, UPPER_U = 85, UPPER_V = 86, UPPER_Z = 90, LOWER_A = 97, LOWER_L = 108, LOWER_T = 116;

const OBJECT = /@[^@]*:[0-9a-f]{16}$/;

/**
 * Whether a name means a variable only as long as its object does not change: `n.0@a.o:0123456789abcdef`, where the
 * linker did not know where it was declared.
 */
export function isOfUnchangedObject(name: string): boolean {
  return OBJECT.test(name);
}

/** A name as people read it: without the hash of its object. */
export function readableName(name: string): string {
  return name.replace(OBJECT, "");
}

/** A name without the file that tells it apart from others; undefined for one that a compiler numbers. */
export function nameWithoutFile(name: string): string | undefined {
  const plain = name.replace(/@.*/, "");
  return isNumbered(plain) ? undefined : plain;
}

/** A name without the numbers that its compiler chose. */
export function baseName(name: string): string {
  if (name.includes("@")) {
    const at = name.indexOf("@");
    const plain = baseName(name.slice(0, at));
    return isOfUnchangedObject(name) ? plain : plain + name.slice(at);
  }
  const last = name.charCodeAt(name.length - 1);
  const endsInNumber = last >= DIGIT_0 && last <= DIGIT_9;
  let base = endsInNumber && name.includes(".") ? name.replace(SUFFIX, "") : name;
  if (base.startsWith("_Z")) {
    if (endsInNumber || last === UNDERSCORE) base = base.replace(DISCRIMINATOR, "");
    if (base.includes("Ul") || base.includes("Ut")) base = base.replace(LAMBDA, "$1_");
  }
  return base.includes("__anon_") ? base.replace(ANONYMOUS, "") : base;
}

/**
 * Whether a name surely is its own base name, by its bytes up to the NUL at its end; if not, {@linkcode baseName} tells.
 * Says so of nearly all names, which need not be decoded then.
 */
export function isOwnBaseName(strings: Uint8Array, start: number): boolean {
  const isMangled = strings[start] === UNDERSCORE && strings[start + 1] === UPPER_Z;
  let hasDot = false, last = 0;
  for (let at = start; at < strings.length; at++) {
    const byte = strings[at];
    if (byte === 0) break;
    if (byte === DOT) hasDot = true;
    else if (byte === AT) return false;
    else if (byte === LOWER_A && last === UNDERSCORE && strings[at - 2] === UNDERSCORE) return false;
    else if (isMangled && last === UPPER_U && (byte === LOWER_L || byte === LOWER_T)) return false;
    last = byte;
  }
  const endsInNumber = last >= DIGIT_0 && last <= DIGIT_9;
  // A discriminator stands behind names of what is local to a function.
  const third = strings[start + 2];
  const mayBeLocal = isMangled && (third === UPPER_Z || third === UPPER_G || third === UPPER_V);
  return !(endsInNumber && hasDot) && !(mayBeLocal && (endsInNumber || last === UNDERSCORE));
}

/** Whether a name ends in a number that gcc or clang counts over a whole file, such as `n.0`. */
export function isNumbered(name: string): boolean {
  const last = name.charCodeAt(name.length - 1);
  return last >= DIGIT_0 && last <= DIGIT_9 && SUFFIX.test(name);
}

/**
 * The names in the source text that a variable may have: the last part of `f.n@a.c`, every part of `f.n.0`, of which
 * nobody knows what is what.
 */
export function sourceNames(name: string): readonly string[] {
  const plain = name.replace(/@.*/, "");
  if (plain.startsWith("_Z")) return [baseName(plain).replace(/\..*/, "")];
  const parts = plain.split(".");
  const isUnclear = isOfUnchangedObject(name) || isNumbered(plain);
  return isUnclear ? parts.filter((part) => !/^\d+$/.test(part)) : parts.slice(-1);
}

/**
 * The names that a variable may have as a whole where LLVM stores its fields by themselves: `f.n@a.c` and `f@a.c` for
 * `f.n.sum@a.c`, which is a field of `n`, or of `f`.
 */
export function wholeNames(name: string): readonly string[] {
  const at = name.indexOf("@"), plain = at < 0 ? name : name.slice(0, at), file = name.slice(plain.length);
  const names: string[] = [];
  for (let dot = plain.lastIndexOf("."); dot > 0; dot = plain.lastIndexOf(".", dot - 1)) {
    names.push(plain.slice(0, dot) + file);
  }
  return names;
}

/** The name of a function without what a compiler adds when it clones or splits it: `f` of `f.part.0` or `f.cold`. */
export function functionName(name: string): string {
  const dot = name.indexOf(".", 1);
  return baseName(dot < 0 ? name : name.slice(0, dot));
}

const COMPILER_MADE = /^(?:DW\.ref\.|_ZT[VTIS])/;

/** Whether data of this name holds nothing of the program's: references to personality routines, tables of C++ types. */
export function isCompilerMade(name: string): boolean {
  return COMPILER_MADE.test(name);
}

/** The name of the variable whose first initialisation a guard variable records; undefined for all other names. */
export function guardedName(name: string): string | undefined {
  return name.startsWith("_ZGV") ? `_Z${name.slice(4)}` : undefined;
}

const ARRAY_DESTRUCTOR = /^(?:__tcf_|__cxx_global_array_dtor|__dtor_|_GLOBAL__(?:sub_)?D)/;

/** Whether a function of this name is one that a compiler makes to destroy objects which it registers without their address. */
export function isArrayDestructor(name: string): boolean {
  return ARRAY_DESTRUCTOR.test(name);
}

const OBJECT_INITIALISER = /^_Z\d+__static_initialization_and_destruction_/;

/** Whether a function of this name is gcc's, which makes all objects of a source file and may destroy them, too. */
export function isObjectInitialiser(name: string): boolean {
  return OBJECT_INITIALISER.test(name);
}
