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
import { Machine, SectionType, SymbolBinding } from "../os/elf.ts";
import { Platform } from "../smf/enums.ts";
import { type Code, CrtWriter } from "./crt_writer.ts";
import { TLS_BASE } from "./section_names.ts";

/** The name of the object in errors and maps. */
export const CRT_OBJECT_NAME = "(linker)";

/** The name of the handle. */
export const DSO_HANDLE = "__dso_handle";

/** The machine code for one processor. */
interface Templates {
  /** Jumps to `target` with the handle in argument `register`, and 0 in the second if `zeroSecond`. */
  forward(target: string, register: 2 | 3, zeroSecond: boolean): Code;
  /** Calls `__cxa_finalize(&__dso_handle)` if there is such a function. */
  finalize: Code;
  /** Returns the address of the thread-local variable that a descriptor of macOS describes. */
  threadLocal: Code;
}

/** Runs the functions that are registered for a handle. */
const FINALIZE = "__cxa_finalize";

const PC32 = 2, PLT32 = 4, GOTPCREL = 9;
const TLSLD = 20;
const TLSDESC_PAGE = 562, TLSDESC_LOAD = 563, TLSDESC_ADD = 564, TLSDESC_CALL = 569;
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
    references: [[3, FINALIZE, GOTPCREL, -4], [10, DSO_HANDLE, PC32, -4]],
  },
  threadLocal: {
    // deno-fmt-ignore
    bytes: [
      0x55, 0x48, 0x89, 0xe5, // push %rbp; mov %rsp, %rbp
      0x57, 0x56, 0x52, 0x51, // push %rdi, %rsi, %rdx, %rcx
      0x41, 0x50, 0x41, 0x51, 0x41, 0x52, 0x41, 0x53, // push %r8, %r9, %r10, %r11
      0x48, 0x83, 0xe4, 0xf0, // and $-16, %rsp
      0x48, 0x8d, 0x3d, 0, 0, 0, 0, // lea slot of the TLS block(%rip), %rdi
      0xe8, 0, 0, 0, 0, // call __tls_get_addr
      0x48, 0x8d, 0x65, 0xc0, // lea -64(%rbp), %rsp
      0x41, 0x5b, 0x41, 0x5a, 0x41, 0x59, 0x41, 0x58, // pop %r11, %r10, %r9, %r8
      0x59, 0x5a, 0x5e, 0x5f, 0x5d, // pop %rcx, %rdx, %rsi, %rdi, %rbp
      0x48, 0x03, 0x47, 0x10, // add 16(%rdi), %rax
      0xc3, // ret
    ],
    references: [[23, TLS_BASE, TLSLD, -4], [28, "__tls_get_addr", PLT32, -4]],
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
      [0, FINALIZE, GOT_PAGE, 0],
      [4, FINALIZE, GOT_LO12, 0],
      [8, DSO_HANDLE, ADRP, 0],
      [12, DSO_HANDLE, LO12, 0],
    ],
  },
  threadLocal: {
    bytes: words(
      0xa9bd7bfd, // stp x29, x30, [sp, #-48]!
      0x910003fd, // mov x29, sp
      0xa9010be1, // stp x1, x2, [sp, #16]
      0xf9400802, // ldr x2, [x0, #16]
      0x90000000, // adrp x0, :tlsdesc: of the TLS block
      0xf9400001, // ldr x1, [x0, :tlsdesc_lo12:]
      0x91000000, // add x0, x0, :tlsdesc_lo12:
      0xd63f0020, // blr x1, which preserves all registers but x0
      0xd53bd041, // mrs x1, tpidr_el0
      0x8b010000, // add x0, x0, x1
      0x8b020000, // add x0, x0, x2
      0xa9410be1, // ldp x1, x2, [sp, #16]
      0xa8c37bfd, // ldp x29, x30, [sp], #48
      0xd65f03c0, // ret
    ),
    references: [
      [16, TLS_BASE, TLSDESC_PAGE, 0],
      [20, TLS_BASE, TLSDESC_LOAD, 0],
      [24, TLS_BASE, TLSDESC_ADD, 0],
      [28, TLS_BASE, TLSDESC_CALL, 0],
    ],
  },
};

function words(...instructions: number[]): number[] {
  return instructions.flatMap((word) => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24]);
}

/** The function of macOS that has the destructor of a thread-local object called at the thread's end. */
const THREAD_EXIT = "_tlv_atexit";

/**
 * The function that code for macOS calls, with a register convention of its own, to find a thread-local variable: three
 * words describe it, the address of this function, one for its use, and the offset of the variable in the TLS block.
 */
export const THREAD_LOCAL = "_tlv_bootstrap";

/** The names that macOS itself defines. */
const MACOS_SYMBOLS: ReadonlySet<string> = new Set([THREAD_LOCAL, THREAD_EXIT]);

/**
 * The guard value of stack frames, a variable for code that does not expect it in the thread's block: that for macOS,
 * and that of `-mstack-protector-guard=global`. On x86-64 the C library has no such variable, so the module gets a copy
 * of the process's value.
 */
const STACK_GUARD = "__stack_chk_guard";
const COPY_GUARD: Code = {
  // deno-fmt-ignore
  bytes: [
    0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, // mov %fs:40, %rax
    0x48, 0x89, 0x05, 0, 0, 0, 0, // mov %rax, __stack_chk_guard(%rip)
    0xc3, // ret
  ],
  references: [[12, STACK_GUARD, PC32, -4]],
};

/** The functions that add the handle to their arguments and jump to the function that does the work. */
const FORWARDS: readonly [name: string, target: string, register: 2 | 3, zeroSecond: boolean][] = [
  // int atexit(void (*f)(void)) = __cxa_atexit(f, NULL, &__dso_handle)
  ["atexit", "__cxa_atexit", 2, true],
  // int pthread_atfork(prepare, parent, child) = __register_atfork(prepare, parent, child, &__dso_handle)
  ["pthread_atfork", "__register_atfork", 3, false],
  // void _tlv_atexit(void (*f)(void *), void *object) = __cxa_thread_atexit(f, object, &__dso_handle)
  [THREAD_EXIT, "__cxa_thread_atexit", 2, false],
];

const CRT_SYMBOLS: readonly string[] = [DSO_HANDLE, THREAD_LOCAL, ...FORWARDS.map(([name]) => name)];

/**
 * Returns the names that {@linkcode crtObject} defines where nothing else does.
 *
 * @param machine An ELF machine number.
 * @param platform The system that the module is for; undefined for Linux.
 */
export function crtSymbols(machine: number, platform: number = Platform.Linux): readonly string[] {
  if (platform === Platform.MacOS) return CRT_SYMBOLS.filter((name) => !MACOS_SYMBOLS.has(name));
  const hasGuard = machine === Machine.X86_64 && platform === Platform.Linux;
  return hasGuard ? [...CRT_SYMBOLS, STACK_GUARD] : CRT_SYMBOLS;
}

/**
 * Makes an object that defines the given names.
 *
 * @param names Some of {@linkcode crtSymbols}.
 */
export function crtObject(arch: LinkArch, names: readonly string[]): Uint8Array {
  const templates = arch.machine === Machine.AARCH64 ? ARM : X86;
  const writer = new CrtWriter(arch.machine, arch.absolute64);
  if (names.includes(DSO_HANDLE)) {
    const handle = writer.variable(".data.rel.ro", DSO_HANDLE, Array(8).fill(0));
    writer.refer(FINALIZE, SymbolBinding.WEAK);
    const text = writer.code("__finalize_module", templates.finalize, SymbolBinding.LOCAL);
    // In front of the entries without priority: finalisers run from the end of the array.
    const array = writer.array(".fini_array.65535", SectionType.FINI_ARRAY, text);
    writer.group(handle.symbol, [handle.section, text, array]);
  }
  if (names.includes(THREAD_LOCAL)) writer.code(THREAD_LOCAL, templates.threadLocal);
  for (const [name, target, register, zeroSecond] of FORWARDS) {
    if (names.includes(name)) writer.code(name, templates.forward(target, register, zeroSecond));
  }
  if (names.includes(STACK_GUARD)) {
    const guard = writer.variable(".bss", STACK_GUARD, 8);
    const copy = writer.code("__copy_stack_guard", COPY_GUARD, SymbolBinding.LOCAL);
    // Before all other code of the module: a function must find the same value at its start and its end.
    const start = writer.array(".preinit_array", SectionType.PREINIT_ARRAY, copy);
    writer.group(guard.symbol, [guard.section, copy, start]);
  }
  return writer.build();
}
