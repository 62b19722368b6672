/**
 * The codes of builtin types and operators (Itanium C++ ABI, 5.1.5.2 and 5.1.3).
 */

/** Builtin types of one letter. */
export const BUILTIN_TYPES: Readonly<Record<string, string>> = {
  v: "void",
  w: "wchar_t",
  b: "bool",
  c: "char",
  a: "signed char",
  h: "unsigned char",
  s: "short",
  t: "unsigned short",
  i: "int",
  j: "unsigned int",
  l: "long",
  m: "unsigned long",
  x: "long long",
  y: "unsigned long long",
  n: "__int128",
  o: "unsigned __int128",
  f: "float",
  d: "double",
  e: "long double",
  g: "__float128",
  z: "...",
};

/** Builtin types behind a D. */
export const D_TYPES: Readonly<Record<string, string>> = {
  d: "decimal64",
  e: "decimal128",
  f: "decimal32",
  h: "half",
  i: "char32_t",
  s: "char16_t",
  u: "char8_t",
  a: "auto",
  c: "decltype(auto)",
  n: "decltype(nullptr)",
};

/** The standard substitutions, and the name of the class for constructors and destructors. */
export const STANDARD_NAMES: Readonly<Record<string, readonly [name: string, plain: string]>> = {
  t: ["std", "std"],
  a: ["std::allocator", "allocator"],
  b: ["std::basic_string", "basic_string"],
  s: ["std::string", "basic_string"],
  i: ["std::istream", "basic_istream"],
  o: ["std::ostream", "basic_ostream"],
  d: ["std::iostream", "basic_iostream"],
};

/** The standard substitutions that are instances of templates, as the scope of a constructor needs them. */
export const STANDARD_INSTANCES: Readonly<Record<string, string>> = {
  s: "std::basic_string<char, std::char_traits<char>, std::allocator<char> >",
  i: "std::basic_istream<char, std::char_traits<char> >",
  o: "std::basic_ostream<char, std::char_traits<char> >",
  d: "std::basic_iostream<char, std::char_traits<char> >",
};

/** How an operator is written. */
export type OperatorKind =
  | "prefix"
  | "postfix"
  | "binary"
  | "conditional"
  | "call"
  | "index"
  | "member"
  | "new"
  | "delete"
  | "cast"
  | "named cast"
  | "of type"
  | "of value";

/** An operator: the text and its kind. */
export interface Operator {
  readonly text: string;
  readonly kind: OperatorKind;
}

const list = (kind: OperatorKind, entries: string): [string, Operator][] =>
  entries.split("  ").map((entry) => {
    const space = entry.indexOf(" ");
    return [entry.slice(0, space), { text: entry.slice(space + 1), kind }];
  });

/** The operators by their codes. */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ...list("new", "nw new  na new[]"),
  ...list("delete", "dl delete  da delete[]"),
  ...list("prefix", "aw co_await  ps +  ng -  ad &  de *  co ~  nt !"),
  ...list("postfix", "pp ++  mm --"),
  ...list(
    "binary",
    "pl +  mi -  ml *  dv /  rm %  an &  or |  eo ^  aS =  pL +=  mI -=  mL *=  dV /=  rM %=  aN &=  oR |=  " +
      "eO ^=  ls <<  rs >>  lS <<=  rS >>=  eq ==  ne !=  lt <  gt >  le <=  ge >=  ss <=>  aa &&  oo ||  cm ,  " +
      "pm ->*  ds .*",
  ),
  ...list("member", "pt ->  dt ."),
  ...list("call", "cl ()"),
  ...list("index", "ix []"),
  ...list("conditional", "qu ?"),
  ...list("cast", "cv (cast)"),
  ...list("named cast", "dc dynamic_cast  sc static_cast  cc const_cast  rc reinterpret_cast"),
  ...list("of type", "st sizeof  at alignof  ti typeid"),
  ...list("of value", "sz sizeof  az alignof  te typeid  nx noexcept"),
]);
