/**
 * The functions by which Microsoft's C++ makes the thread-local objects of a module, and destroys them
 * (`/Zc:tlsGuards`, the default since Visual Studio 2019 16.5). The static part of Microsoft's runtime has them.
 *
 * Each source with such objects has a function that makes them, in the array `.CRT$XD*`. A thread makes all objects of
 * the module before it uses one for the first time, whether or not it was there when the module was loaded:
 *
 * ```c
 * if (!__tls_guard) __dyn_tls_on_demand_init();
 * ```
 *
 * The functions that make objects hand their destructors to `__tlregdtor`, which keeps a list for each thread; they run,
 * last one first, when the thread ends, or in the thread that closes the module.
 */
import { addFunction, CodeRelocation, LEAVE, THREAD_VARIABLES } from "./crt_windows_code.ts";
import type { Code, CrtWriter } from "./crt_writer.ts";
import { SectionType, SymbolBinding } from "../os/elf.ts";
import { TLS_CALLBACKS } from "./startup_order.ts";

const { DISTANCE, BRANCH, TLS_OFFSET } = CodeRelocation;

const [GUARD, MAKE, CALLBACK, REGISTER] = [
  "__tls_guard",
  "__dyn_tls_on_demand_init",
  "__dyn_tls_init",
  "__tlregdtor",
];
/** A thread's list of destructors: nodes of the next one's address and the destructor's. */
const ENDS = "__tls_ends";
/** Runs the destructors of a thread. */
const RUN_ENDS = "__run_tls_ends";

/** The name by which code asks for a thread's objects before it uses one. */
export const MAKE_THREAD_OBJECTS: string = MAKE;

/** The names that {@linkcode addThreadObjects} defines. */
export const THREAD_OBJECTS_SYMBOLS: readonly string[] = [GUARD, MAKE, CALLBACK, REGISTER];

/** ret */
const RETURN: Code = { bytes: [0xc3], references: [] };
/** Calls each function of the array, unless the thread has done so. */
const CALL_ALL: Code = {
  // deno-fmt-ignore
  bytes: [
    0x80, 0xba, 0, 0, 0, 0, 0, // cmpb $0, guard(%rdx)
    0x75, 0x2a, // jne to the end
    0xc6, 0x82, 0, 0, 0, 0, 1, // movb $1, guard(%rdx)
    0x48, 0x8d, 0x1d, 0, 0, 0, 0, // lea start(%rip), %rbx
    0x48, 0x8d, 0x05, 0, 0, 0, 0, // the next: lea end(%rip), %rax
    0x48, 0x39, 0xc3, // cmp %rax, %rbx
    0x73, 0x10, // jae to the end
    0x48, 0x8b, 0x03, // mov (%rbx), %rax
    0x48, 0x83, 0xc3, 0x08, // add $8, %rbx
    0x48, 0x85, 0xc0, // test %rax, %rax
    0x74, 0xe8, // je to the next
    0xff, 0xd0, // call *%rax
    0xeb, 0xe4, // jmp to the next
  ],
  references: [
    [2, GUARD, TLS_OFFSET, 0],
    [11, GUARD, TLS_OFFSET, 0],
    [19, "__tls_init_array_start", DISTANCE, -4],
    [26, "__tls_init_array_end", DISTANCE, -4],
  ],
};
/** What the system would call when a thread begins. Nothing calls it: threads make their objects when they use one. */
const AT_BEGIN: Code = {
  // deno-fmt-ignore
  bytes: [
    0x83, 0xfa, 0x02, // cmp $DLL_THREAD_ATTACH, %edx
    0x75, 0x05, // jne to the end
    0xe9, 0, 0, 0, 0, // jmp __dyn_tls_on_demand_init
    0xc3, // ret
  ],
  references: [[6, MAKE, BRANCH, -4]],
};
const MAKE_NODE: Code = {
  // deno-fmt-ignore
  bytes: [
    0x48, 0x89, 0xcb, // mov %rcx, %rbx
    0xb9, 0x10, 0, 0, 0, // mov $16, %ecx
    0xe8, 0, 0, 0, 0, // call malloc
    0x48, 0x85, 0xc0, // test %rax, %rax
    0x74, 0x2c, // je to the failure
    0x48, 0x89, 0x58, 0x08, // mov %rbx, 8(%rax)
  ],
  references: [[9, "malloc", BRANCH, -4]],
};
/** Returns 0, or -1 if there was no memory. */
const PUSH_NODE: Code = {
  // deno-fmt-ignore
  bytes: [
    0x48, 0x8b, 0x8a, 0, 0, 0, 0, // mov ends(%rdx), %rcx
    0x48, 0x89, 0x08, // mov %rcx, (%rax)
    0x48, 0x89, 0x82, 0, 0, 0, 0, // mov %rax, ends(%rdx)
    0x31, 0xc0, // xor %eax, %eax
    0xeb, 0x05, // jmp over the failure
    0xb8, 0xff, 0xff, 0xff, 0xff, // the failure: mov $-1, %eax
  ],
  references: [[3, ENDS, TLS_OFFSET, 0], [13, ENDS, TLS_OFFSET, 0]],
};
/** Goes on when a thread ends, or the module. */
const AT_END: Code = {
  // deno-fmt-ignore
  bytes: [
    0x83, 0xfa, 0x03, // cmp $DLL_THREAD_DETACH, %edx
    0x74, 0x04, // je on
    0x85, 0xd2, // test $DLL_PROCESS_DETACH, %edx
    0x75, 0x36, // jne to the end
  ],
  references: [],
};
/** Takes the first node, and calls its destructor, which may add others. */
const POP_NODES: Code = {
  // deno-fmt-ignore
  bytes: [
    0x48, 0x8b, 0x8a, 0, 0, 0, 0, // mov ends(%rdx), %rcx
    0x48, 0x85, 0xc9, // test %rcx, %rcx
    0x74, 0x17, // je to the end
    0x48, 0x8b, 0x01, // mov (%rcx), %rax
    0x48, 0x89, 0x82, 0, 0, 0, 0, // mov %rax, ends(%rdx)
    0x48, 0x8b, 0x59, 0x08, // mov 8(%rcx), %rbx
    0xe8, 0, 0, 0, 0, // call free
    0xff, 0xd3, // call *%rbx
    0xeb, 0xca, // jmp to the address of the thread's variables
  ],
  references: [
    [3, ENDS, TLS_OFFSET, 0],
    [18, ENDS, TLS_OFFSET, 0],
    [27, "free", BRANCH, -4],
  ],
};

/**
 * Adds the functions, the guard, and the list of each thread.
 *
 * @param names The names that nothing else defines. MinGW's runtime has one of them.
 */
export function addThreadObjects(writer: CrtWriter, names: readonly string[]): void {
  writer.threadLocal(GUARD, [0]);
  if (names.includes(CALLBACK)) writer.code(CALLBACK, AT_BEGIN);
  addFunction(writer, MAKE, [THREAD_VARIABLES, CALL_ALL, LEAVE, RETURN]);
  const ends = writer.threadLocal(ENDS, new Array(8).fill(0));
  const register = addFunction(writer, REGISTER, [MAKE_NODE, THREAD_VARIABLES, PUSH_NODE, LEAVE, RETURN]);
  const body = [AT_END, THREAD_VARIABLES, POP_NODES, LEAVE, RETURN];
  const run = addFunction(writer, RUN_ENDS, body, SymbolBinding.LOCAL);
  // Modules without destructors need no function for the ends of threads.
  writer.group(ends.symbol, [
    ends.section,
    register,
    run,
    writer.array(TLS_CALLBACKS, SectionType.PROGBITS, run),
  ]);
}
