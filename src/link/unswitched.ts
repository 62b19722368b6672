/**
 * The functions of a hot module whose calls stay within their version, for reports.
 */

/** The family of a compiler; `other` for one that is unknown, assembly, and several in one object. */
export type Compiler = "gcc" | "clang" | "other";

/** A function some of whose calls a reload does not switch. */
export interface Unswitched {
  /** The object, or archive member, that it is in, or whose calls of it stay. */
  readonly object: string;
  /** The symbol. */
  readonly name: string;
  /**
   * Why: `static`, and its compiler may pass arguments in its own way; `clone` of another function; `repeated`: two
   * static functions have its file and name; `labels`: data has addresses inside it, as of labels;
   * `merged`: it is not exported, and its compiler, such as rustc, may have put one of several equal
   * functions in the place of the others;
   * `section`: it shares its section, where calls have no relocations; `local`: calls from its own object, whose
   * compiler may know it.
   */
  readonly reason: "static" | "clone" | "repeated" | "labels" | "merged" | "section" | "local";
  /** The family of its compiler; `other` for one that is unknown, assembly, and several in one object. */
  readonly compiler: "gcc" | "clang" | "other";
  /** For `local`: whether its object is made for interposition already, or its kind of function gains nothing by that. */
  readonly needsPatching: boolean;
}

/** Says how to compile so that a reload switches calls of a function. */
export function remedyOf({ reason, compiler, needsPatching }: Unswitched): string {
  switch (reason) {
    case "section":
      return "compile with -ffunction-sections";
    case "labels":
      return "compile with -fPIC, or take no addresses of labels";
    case "merged":
      return "export them: their compiler may have put one of several equal functions in the place of the others";
    case "repeated":
      return "give the functions different names";
    case "clone":
      return "compile with -fno-ipa-cp -fno-ipa-sra -fno-partial-inlining";
    case "static":
      return compiler === "gcc"
        ? "compile with -flive-patching=inline-clone -ffunction-sections -g"
        : "make them external functions, or call them through pointers";
    case "local":
      return compiler === "gcc"
        ? needsPatching
          ? "compile with -flive-patching=inline-clone -g"
          : "compile with -fPIC -g, and default visibility; or with -flive-patching=inline-clone -g"
        : compiler === "clang"
        ? "compile with -fPIC -fsemantic-interposition -frecord-command-line, and default visibility"
        : "call them from another object, or through pointers";
  }
}
