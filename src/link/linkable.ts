/**
 * Objects that would link to a module that cannot run.
 */
import { SectionFlag } from "../os/elf.ts";
import { MAKE_THREAD_OBJECTS } from "./crt_thread_objects.ts";
import type { ElfObject } from "./elf/object.ts";
import type { LinkObject } from "./input.ts";
import { malformed, unsupported } from "./problems.ts";
import { symbolName } from "./relocation_errors.ts";
import { isFragment } from "./section_names.ts";
import { startupArray, TLS_INIT_ARRAY } from "./startup_order.ts";

/** The section with the compiler's version in COFF objects of gcc, which is no content of a module. */
const COMPILER_VERSION = ".rdata$zzz";

/** Whether a section defines a global symbol, as the start files of C compilers define `_init`. */
function definesSymbolIn({ elf: { symbols } }: LinkObject, section: number): boolean {
  for (let i = symbols.firstGlobal; i < symbols.length; i++) {
    if (symbols.section(i) === section) return true;
  }
  return false;
}

/** Whether a section lists functions that make thread-local objects, and not only bounds the list. */
function isThreadInitialiser({ name, relaCount }: LinkObject["elf"]["sections"][number]): boolean {
  return startupArray(name)?.output === TLS_INIT_ARRAY && relaCount > 0;
}

/** Whether an object has a global symbol of a name. */
function refersTo(object: LinkObject, name: string): boolean {
  const { symbols } = object.elf;
  for (let i = symbols.firstGlobal; i < symbols.length; i++) {
    if (symbolName(object, i) === name) return true;
  }
  return false;
}

/** The sections that objects without a problem leave out themselves. */
const known = new WeakMap<ElfObject, readonly number[]>();

/** Refuses objects that would link to a module that cannot run, and discards the sections that an object leaves out. */
export function checkLinkable(object: LinkObject): void {
  let excluded = known.get(object.elf);
  if (excluded === undefined) known.set(object.elf, excluded = checkSections(object));
  for (const section of excluded) object.sections[section]!.discarded = true;
}

/** Returns the sections that are marked to be left out (SHF_EXCLUDE). */
function checkSections(object: LinkObject): number[] {
  const { sections } = object.elf, excluded: number[] = [];
  let hasLto = false;
  let hasContent = false;
  for (const section of sections) {
    const { name, flags, size } = section;
    if (name === ".note.GNU-stack" && (flags & SectionFlag.EXECINSTR) !== 0) {
      throw unsupported(object.name, "the object asks for an executable stack", {
        section: name,
        hint: "compile without nested functions; " +
          'in assembly write .section .note.GNU-stack,"",@progbits',
      });
    }
    if (name.startsWith(".gnu.lto_")) hasLto = true;
    if ((flags & SectionFlag.ALLOC) === 0 || size === 0 || name === COMPILER_VERSION) continue;
    hasContent = true;
    if (isFragment(name) && definesSymbolIn(object, section.index)) {
      throw unsupported(object.name, "the section defines _init or _fini, which the linker makes itself", {
        section: name,
        hint: "leave crti.o and crtn.o out",
      });
    }
    if (isThreadInitialiser(section) && !refersTo(object, MAKE_THREAD_OBJECTS)) {
      throw unsupported(
        object.name,
        "thread-local objects are used without a check that the thread has made them",
        {
          section: name,
          hint:
            "compile with /Zc:tlsGuards (clang: -fms-compatibility-version=19.25), and use the objects in the " +
            "source that defines them, or initialise them with constants",
        },
      );
    }
    if ((flags & SectionFlag.COMPRESSED) !== 0) {
      throw malformed(object.name, "an allocated section is compressed", { section: name });
    }
    if ((flags & SectionFlag.WRITE) !== 0 && (flags & SectionFlag.EXECINSTR) !== 0) {
      throw unsupported(object.name, "a section is writable and executable", {
        section: name,
        hint: "put code and variables into sections of their own; " +
          "code that modifies itself cannot be loaded",
      });
    }
    // SHF_EXCLUDE is bit 31, which `flags` holds as its sign.
    if (flags < 0) excluded.push(section.index);
  }
  if (hasLto && !hasContent) {
    throw unsupported(object.name, "the object holds only intermediate code for link-time optimization", {
      hint: "compile without -flto, or with -ffat-lto-objects",
    });
  }
  return excluded;
}
