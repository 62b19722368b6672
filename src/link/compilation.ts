/**
 * How an object was compiled, as far as it says so itself: which of its functions the compiler may have adapted to
 * their callers, and callers to functions, behind the ABI's back. The producers in its debug information tell it,
 * or the command lines that compilers record.
 */
import { LoadError } from "../errors/load_error.ts";
import { SymbolBinding, SymbolKind, SymbolVisibility } from "../os/elf.ts";
import { At } from "../types/dwarf/constants.ts";
import { AbbreviationPool } from "../types/dwarf/abbrev_table.ts";
import { DwarfObject } from "../types/dwarf/object.ts";
import { TextPool } from "../types/text_pool.ts";
import { SymbolValues } from "./debug_relocations.ts";
import { debugSections, hasDebugInfo } from "./debug_sections.ts";
import type { ElfObject } from "./elf/object.ts";
import type { LinkObject } from "./input.ts";
import type { Compiler } from "./unswitched.ts";

/** How an object was compiled. */
export interface Compilation {
  readonly compiler: Compiler;
  /** Whether all its functions, static ones too, and all their callers keep to the ABI (gcc's -flive-patching). */
  readonly isLivePatchable: boolean;
  /** Whether functions of default visibility may be replaced by those of another module (-fPIC). */
  readonly isInterposable: boolean;
}

const UNKNOWN: Compilation = { compiler: "other", isLivePatchable: false, isInterposable: false };

/** Reads how an object was compiled. */
export function compilationOf(object: LinkObject): Compilation {
  const units = producersOf(object) ?? recordedLines(object);
  const compiler = compilerOf(textsOf(object, ".comment"));
  // Objects that were linked to one (ld -r) have the files of all, of which some may not say how they were compiled.
  if (units === undefined || units.length < fileCount(object.elf)) {
    return fileCount(object.elf) > 1 ? UNKNOWN : { ...UNKNOWN, compiler };
  }
  const all = units.map(compilationOfUnit);
  return {
    compiler: all.every((one) => one.compiler === all[0].compiler) ? all[0].compiler : "other",
    isLivePatchable: all.every(({ isLivePatchable }) => isLivePatchable),
    isInterposable: all.every(({ isInterposable }) => isInterposable),
  };
}

/**
 * Whether calls of a function with an external symbol, from the object that defines it, keep to the ABI and expect
 * nothing of its body.
 *
 * gcc takes nothing for granted of a function that another module may replace (but of one that is declared inline
 * it does); clang neither of that, if told so, nor of one that another object may define in the same way (COMDAT).
 */
export function keepsToAbi(
  { compiler, isLivePatchable, isInterposable }: Compilation,
  binding: number,
  visibility: number,
): boolean {
  if (isLivePatchable) return true;
  if (binding === SymbolBinding.WEAK) return compiler === "clang";
  return isInterposable && visibility === SymbolVisibility.DEFAULT;
}

/** Returns the producers of an object's units; undefined if it has no debug information that can be read. */
function producersOf(object: LinkObject): string[] | undefined {
  if (!hasDebugInfo(object)) return undefined;
  try {
    const shared = { texts: new TextPool(), abbreviations: new AbbreviationPool() };
    const dwarf = new DwarfObject(debugSections(object, new SymbolValues(object, undefined)), shared);
    return dwarf.units.filter(({ signature }) => signature === undefined).map((unit) => {
      const root = unit.root();
      return root === undefined ? "" : dwarf.name(root, At.producer);
    });
  } catch (error) {
    if (error instanceof LoadError) return undefined;
    throw error;
  }
}

/** Returns the command lines that an object records (-frecord-gcc-switches, -frecord-command-line). */
function recordedLines(object: LinkObject): string[] | undefined {
  const lines = textsOf(object, ".GCC.command.line");
  return lines.length === 0 ? undefined : lines;
}

function textsOf({ elf }: LinkObject, section: string): string[] {
  return elf.sections.filter(({ name }) => name === section).flatMap(({ offset, size }) =>
    new TextDecoder().decode(elf.file.bytes.subarray(offset, offset + size)).split("\0").filter((text) =>
      text !== ""
    )
  );
}

function fileCount({ symbols }: ElfObject): number {
  let count = 0;
  for (let index = 1; index < symbols.firstGlobal; index++) {
    if (symbols.kind(index) === SymbolKind.FILE) count++;
  }
  return count;
}

/** Returns the compiler that all comments name. */
function compilerOf(comments: readonly string[]): Compiler {
  const is = (pattern: RegExp): boolean =>
    comments.length > 0 && comments.every((text) => pattern.test(text));
  return is(/^GCC: /) ? "gcc" : is(CLANG) ? "clang" : "other";
}

const CLANG = /(?:^|\s)clang version /;
/** GNU's compilers by their language; its assembler calls itself GNU AS. */
const GCC = /^GNU (?!AS\b)/;
/** The command lines that clang records begin with its path. */
const CLANG_LINE = /^\S*clang(?:\+\+|-\d+)? /;

/** Reads one producer or command line. */
function compilationOfUnit(text: string): Compilation {
  const compiler = GCC.test(text) ? "gcc" : CLANG.test(text) || CLANG_LINE.test(text) ? "clang" : "other";
  const flags = text.split(/\s+/);
  const last = (pattern: RegExp): string | undefined => flags.findLast((flag) => pattern.test(flag));
  const isWhole = last(/^-f(?:no-)?lto\b|^-fwhole-program$|^-fltrans$/) ?? "";
  if (compiler === "other" || isWhole !== "" && !isWhole.startsWith("-fno-")) {
    return { ...UNKNOWN, compiler: isWhole === "" ? compiler : "other" };
  }
  const isShared = /^-f(?:PIC|pic)$/.test(last(/^-f(?:no-)?(?:PIC|pic|PIE|pie)$/) ?? "");
  const interposition = last(/^-f(?:no-)?semantic-interposition$/);
  // -Ofast gives interposition up; clang keeps to it only if told so.
  const isOff = interposition === undefined
    ? compiler === "clang" || flags.includes("-Ofast")
    : interposition.startsWith("-fno-");
  return {
    compiler,
    isLivePatchable: compiler === "gcc" &&
      /=(?:inline-clone|inline-only-static)$|g$/.test(last(/^-flive-patching/) ?? ""),
    isInterposable: isShared && !isOff,
  };
}
