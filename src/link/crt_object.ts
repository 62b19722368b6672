/**
 * Makes the object that stands in for the C runtime's start files and for the static part of the C
 * library. It holds functions that must know which module they are in: `atexit` and `pthread_atfork`,
 * and the finaliser that runs the registered functions when the module is unloaded. It is linked in
 * only when something refers to it.
 *
 * `__dso_handle`, an address inside the module, identifies it (Itanium C++ ABI, section 3.3.6,
 * "Registering and running destructors").
 */
import type { LinkArch } from "./arch/arch.ts";
import { Machine, SectionFlag, SectionType, SymbolBinding, SymbolKind, SymbolVisibility } from "../os/elf.ts";
import { ElfWriter } from "../os/elf_writer.ts";

/** The name of the object in errors and maps. */
export const CRT_OBJECT_NAME = "(linker)";

/** The name of the handle. */
export const DSO_HANDLE = "__dso_handle";

/** Machine code and its relocations. */
interface Code {
  readonly bytes: readonly number[];
  readonly references: readonly (readonly [offset: number, symbol: string, type: number, addend: number])[];
}

/** The machine code for one processor. */
interface Templates {
  /** Jumps to `target` with the handle in argument `register`, and 0 in the second if `zeroSecond`. */
  forward(target: string, register: 2 | 3, zeroSecond: boolean): Code;
  /** Calls `__cxa_finalize(&__dso_handle)` if there is such a function. */
  finalize: Code;
}

const PC32 = 2, PLT32 = 4, GOTPCREL = 9;
const ADRP = 275, LO12 = 277, JUMP26 = 282, GOT_PAGE = 311, GOT_LO12 = 312;

const X86: Templates = {
  forward(target: string, register: 2 | 3, zeroSecond: boolean): Code {
    // lea __dso_handle(%rip), %rdx or %rcx; [xor %esi, %esi;] jmp target
    const zero = zeroSecond ? [0x31, 0xf6] : [];
    const bytes = [0x48, 0x8d, register === 2 ? 0x15 : 0x0d, 0, 0, 0, 0, ...zero, 0xe9, 0, 0, 0, 0];
    return { bytes, references: [[3, DSO_HANDLE, PC32, -4], [bytes.length - 4, target, PLT32, -4]] };
  },
  finalize: {
    // deno-fmt-ignore
    bytes: [
      0x48, 0x8b, 0x05, 0, 0, 0, 0, // mov __cxa_finalize@GOTPCREL(%rip), %rax
      0x48, 0x8d, 0x3d, 0, 0, 0, 0, // lea __dso_handle(%rip), %rdi
      0x48, 0x85, 0xc0, // test %rax, %rax
      0x74, 0x02, // je past the jump
      0xff, 0xe0, // jmp *%rax
      0xc3, // ret
    ],
    references: [[3, "__cxa_finalize", GOTPCREL, -4], [10, DSO_HANDLE, PC32, -4]],
  },
};

const ARM: Templates = {
  forward(target: string, register: 2 | 3, zeroSecond: boolean): Code {
    // adrp xN, __dso_handle; add xN, xN, :lo12:__dso_handle; [mov x1, #0;] b target
    const zero = zeroSecond ? [0xd2800001] : [];
    const bytes = words(0x90000000 | register, 0x91000000 | (register << 5) | register, ...zero, 0x14000000);
    return {
      bytes,
      references: [[0, DSO_HANDLE, ADRP, 0], [4, DSO_HANDLE, LO12, 0], [bytes.length - 4, target, JUMP26, 0]],
    };
  },
  finalize: {
    bytes: words(
      0x90000010, // adrp x16, :got:__cxa_finalize
      0xf9400210, // ldr x16, [x16, :got_lo12:__cxa_finalize]
      0x90000000, // adrp x0, __dso_handle
      0x91000000, // add x0, x0, :lo12:__dso_handle
      0xb4000050, // cbz x16, past the jump
      0xd61f0200, // br x16
      0xd65f03c0, // ret
    ),
    references: [
      [0, "__cxa_finalize", GOT_PAGE, 0],
      [4, "__cxa_finalize", GOT_LO12, 0],
      [8, DSO_HANDLE, ADRP, 0],
      [12, DSO_HANDLE, LO12, 0],
    ],
  },
};

function words(...instructions: number[]): number[] {
  return instructions.flatMap((word) => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24]);
}

/** The functions that add the handle to their arguments and jump to the function that does the work. */
const FORWARDS: readonly [name: string, target: string, register: 2 | 3, zeroSecond: boolean][] = [
  // int atexit(void (*f)(void)) = __cxa_atexit(f, NULL, &__dso_handle)
  ["atexit", "__cxa_atexit", 2, true],
  // int pthread_atfork(prepare, parent, child) = __register_atfork(prepare, parent, child, &__dso_handle)
  ["pthread_atfork", "__register_atfork", 3, false],
];

/** The names that {@linkcode crtObject} can define. */
export const CRT_SYMBOLS: readonly string[] = [DSO_HANDLE, ...FORWARDS.map(([name]) => name)];

/**
 * Makes an object that defines the given names.
 *
 * @param names Some of {@linkcode CRT_SYMBOLS}.
 */
export function crtObject(arch: LinkArch, names: readonly string[]): Uint8Array {
  const templates = arch.machine === Machine.AARCH64 ? ARM : X86;
  const writer = new ElfWriter(arch.machine);
  const symbols = new Map<string, number>();
  const refer = (name: string): number => {
    let symbol = symbols.get(name);
    if (symbol === undefined) {
      const binding = name === "__cxa_finalize" ? SymbolBinding.WEAK : SymbolBinding.GLOBAL;
      symbols.set(name, symbol = writer.symbol({ name, binding }));
    }
    return symbol;
  };
  const code = (name: string, { bytes, references }: Code, binding: number): number => {
    const flags = SectionFlag.ALLOC | SectionFlag.EXECINSTR;
    const section = writer.section({
      name: `.text.${name}`,
      flags,
      bytes: Uint8Array.from(bytes),
      alignment: 16,
    });
    writer.symbol({
      name,
      section,
      size: bytes.length,
      binding,
      kind: SymbolKind.FUNC,
      visibility: SymbolVisibility.HIDDEN,
    });
    for (const [offset, symbol, type, addend] of references) {
      writer.relocation(section, { offset, symbol: refer(symbol), type, addend });
    }
    return section;
  };
  if (names.includes(DSO_HANDLE)) {
    const data = writer.section({
      name: `.data.rel.ro.${DSO_HANDLE}`,
      flags: SectionFlag.ALLOC | SectionFlag.WRITE,
      bytes: new Uint8Array(8),
      alignment: 8,
    });
    const handle = writer.symbol({
      name: DSO_HANDLE,
      section: data,
      size: 8,
      kind: SymbolKind.OBJECT,
      visibility: SymbolVisibility.HIDDEN,
    });
    symbols.set(DSO_HANDLE, handle);
    const text = code("__finalize_module", templates.finalize, SymbolBinding.LOCAL);
    // In front of the entries without priority: finalisers run from the end of the array.
    const array = writer.section({
      name: ".fini_array.65535",
      type: SectionType.FINI_ARRAY,
      flags: SectionFlag.ALLOC | SectionFlag.WRITE,
      bytes: new Uint8Array(8),
      alignment: 8,
    });
    writer.relocation(array, { offset: 0, symbol: writer.sectionSymbol(text), type: arch.absolute64 });
    writer.group(handle, [data, text, array]);
  }
  for (const [name, target, register, zeroSecond] of FORWARDS) {
    if (names.includes(name)) {
      code(name, templates.forward(target, register, zeroSecond), SymbolBinding.GLOBAL);
    }
  }
  return writer.build();
}
