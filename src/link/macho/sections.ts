/**
 * The sections of Mach-O objects as sections of the input model: their names, types and flags.
 *
 * | Mach-O | becomes |
 * |---|---|
 * | `__DATA,__const`, `__DATA_CONST,__const` | `.data.rel.ro`, which is read-only once it is relocated |
 * | `__TEXT,__cstring`, `__literal4` to `__literal16` | a mergeable section |
 * | `__DATA,__mod_init_func`, `__mod_term_func` | `.init_array`, `.fini_array` |
 * | `__TEXT,__eh_frame`, `__LD,__compact_unwind` | nothing: `.eh_frame` is written anew |
 * | `__DATA,__thread_data`, `__thread_bss` | a section of the TLS block |
 * | any other of Apple's names | `SEGMENT,SECTION`, which counts by its flags alone |
 * | a section of the program's own | `SECTION`, so that its start and its end have names |
 * | `__DWARF,__debug_info` and the like | `.debug_info`, not in memory |
 */
import { SectionFlag, SectionType } from "../../os/elf.ts";
import { DEBUG_SECTIONS } from "../../smf/debug.ts";
import { unsupported } from "../problems.ts";
import type { MachSection } from "./file.ts";
import { SectionAttribute, SectionKind } from "./format.ts";

/** The parts of a section of the model that its Mach-O section decides. */
export interface SectionShape {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** The size of the elements of a mergeable section; 0 for others. */
  readonly entrySize: number;
}

/** Segments of tables for other linkers and for debuggers. */
const UNLOADED_SEGMENTS: ReadonlySet<string> = new Set(["__DWARF", "__LD", "__LLVM"]);

/** Debug information that the linker keeps; frames are written anew, and macros are left out. */
const DEBUG_NAMES: ReadonlyMap<string, string> = new Map(
  DEBUG_SECTIONS.filter((name) => !/^\.debug_(?:frame|types|macro)$/.test(name))
    // Names are cut to 16 bytes.
    .map((name) => [name.replace(".", "__").slice(0, 16), name]),
);
const TEXTS: ReadonlySet<string> = new Set([".debug_str", ".debug_line_str"]);

/** The name in ELF of a section of debug information; undefined for other sections. */
export function debugName({ segment, section }: MachSection): string | undefined {
  return segment === "__DWARF" ? DEBUG_NAMES.get(section) : undefined;
}

/** The names of compilers; other names are of the program. */
const COMPILERS_NAME =
  /^__(?:text.*|StaticInit|const|const_coal|cstring|literal\d+|ustring|data|datacoal_nt|static_data|bss|common|thread_.*|gcc_except_tab|cfstring)$/;

/** The table of unwinding in the format of other systems. */
export const FRAMES = "__TEXT,__eh_frame";

/** The table of unwinding in Apple's own format. */
export const COMPACT_UNWIND = "__LD,__compact_unwind";

const ENTRY_SIZES: Readonly<Record<number, number>> = {
  [SectionKind.CSTRING_LITERALS]: 1,
  [SectionKind.LITERALS_4]: 4,
  [SectionKind.LITERALS_8]: 8,
  [SectionKind.LITERALS_16]: 16,
};

const KINDS: ReadonlySet<number> = new Set(Object.values(SectionKind));

/** Whether a section is part of a module in memory. */
export function isLoaded({ name, segment, flags }: MachSection): boolean {
  // Call frame information is written anew.
  return name !== FRAMES && !UNLOADED_SEGMENTS.has(segment) && (flags & SectionAttribute.DEBUG) === 0;
}

/** Whether a section holds code. */
export function isCodeSection({ flags }: MachSection): boolean {
  return (flags & (SectionAttribute.PURE_INSTRUCTIONS | SectionAttribute.SOME_INSTRUCTIONS)) !== 0;
}

/** Whether a section holds the initial values of thread-local variables. */
export function isTlsSection({ kind }: MachSection): boolean {
  return kind === SectionKind.THREAD_LOCAL_REGULAR || kind === SectionKind.THREAD_LOCAL_ZEROFILL;
}

/** Whether symbols divide a section: others are taken apart by their contents, or hold words of one table. */
export function isDivided({ kind }: MachSection): boolean {
  return ENTRY_SIZES[kind] === undefined && kind !== SectionKind.MOD_INIT_FUNC_POINTERS &&
    kind !== SectionKind.MOD_TERM_FUNC_POINTERS;
}

/** Fails for sections that only the dynamic linker of macOS, or a runtime of its own, can put to use. */
export function checkSection(path: string, { name, section, kind }: MachSection): void {
  const refused = (problem: string, hint: string) => unsupported(path, problem, { section: name, hint });
  if (section.startsWith("__objc_") || section.startsWith("__swift5_")) {
    const language = section.startsWith("__objc_") ? "Objective-C" : "Swift";
    throw refused(
      `the section is for the runtime of ${language}, which learns of libraries only`,
      "link code in C, C++ or Rust; keep the rest in a dynamic library, and import its functions",
    );
  }
  if (
    kind === SectionKind.SYMBOL_STUBS || kind === SectionKind.LAZY_SYMBOL_POINTERS ||
    kind === SectionKind.NON_LAZY_SYMBOL_POINTERS || kind === SectionKind.THREAD_LOCAL_POINTERS
  ) {
    throw refused(
      "the section holds stubs or pointers that the linker makes itself",
      "refer to symbols directly, or by @GOTPCREL (x86-64) and @GOTPAGE (AArch64)",
    );
  }
  if (kind === SectionKind.THREAD_LOCAL_INIT_FUNCTIONS) {
    throw refused(
      "the section lists functions that initialise thread-local variables",
      "compile with clang, whose code initialises them where they are used",
    );
  }
  if (!KINDS.has(kind)) {
    throw refused(
      `the kind ${kind} of the section is unknown, or only finished libraries have it`,
      "compile with clang, or assemble without this section",
    );
  }
  if (kind === SectionKind.INTERPOSING) {
    throw refused(
      "the section asks the dynamic linker of macOS to replace functions of other libraries",
      "replace them by the option `imports` when the module is loaded",
    );
  }
}

/** Translates a section. */
export function shapeOf(section: MachSection): SectionShape {
  const { name, kind, hasBytes, flags } = section;
  const entrySize = ENTRY_SIZES[kind] ?? 0;
  if (!isLoaded(section)) {
    const debug = debugName(section);
    const isTexts = debug !== undefined && TEXTS.has(debug);
    return {
      name: debug ?? name,
      type: SectionType.PROGBITS,
      flags: isTexts ? SectionFlag.MERGE | SectionFlag.STRINGS : 0,
      entrySize: isTexts ? 1 : 0,
    };
  }
  const isWritable = section.segment !== "__TEXT" && !isCodeSection(section) && entrySize === 0;
  return {
    name: nameOf(section, isWritable),
    type: kind === SectionKind.MOD_INIT_FUNC_POINTERS
      ? SectionType.INIT_ARRAY
      : kind === SectionKind.MOD_TERM_FUNC_POINTERS
      ? SectionType.FINI_ARRAY
      : hasBytes
      ? SectionType.PROGBITS
      : SectionType.NOBITS,
    flags: SectionFlag.ALLOC | (isCodeSection(section) ? SectionFlag.EXECINSTR : 0) |
      (isWritable ? SectionFlag.WRITE : 0) | (isTlsSection(section) ? SectionFlag.TLS : 0) |
      (entrySize > 0 ? SectionFlag.MERGE : 0) |
      (kind === SectionKind.CSTRING_LITERALS ? SectionFlag.STRINGS : 0) |
      ((flags & SectionAttribute.NO_DEAD_STRIP) !== 0 && kind !== SectionKind.THREAD_LOCAL_VARIABLES
        ? SectionFlag.GNU_RETAIN
        : 0),
    entrySize,
  };
}

function nameOf({ name, section, kind }: MachSection, isWritable: boolean): string {
  if (kind === SectionKind.MOD_INIT_FUNC_POINTERS) return ".init_array";
  if (kind === SectionKind.MOD_TERM_FUNC_POINTERS) return ".fini_array";
  if (section === "__const" && isWritable) return ".data.rel.ro";
  return COMPILERS_NAME.test(section) ? name : section;
}
