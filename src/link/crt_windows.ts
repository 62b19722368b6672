/**
 * Makes the object that stands in for the static part of a C runtime in modules for Windows: what compilers take for
 * granted, and `atexit`, which must know which module it is in.
 *
 * `atexit` keeps its functions in a table of the module, by functions of the Universal C Runtime; the module's
 * finaliser runs them.
 */
import { Machine, SectionType, SymbolBinding } from "../os/elf.ts";
import { addFunctionEntry } from "./crt_function_tables.ts";
import { DSO_HANDLE } from "./crt_object.ts";
import { CodeRelocation } from "./crt_windows_code.ts";
import { addStaticLocals, STATIC_LOCALS_SYMBOLS } from "./crt_static_locals.ts";
import { addThreadObjects, THREAD_OBJECTS_SYMBOLS } from "./crt_thread_objects.ts";
import { type Code, CrtWriter } from "./crt_writer.ts";

/** The libraries that the names need. Every Windows 10 has them. */
const LIBRARIES: Readonly<Record<string, string>> = {
  atexit: "ucrtbase.dll",
  _CxxThrowException: "kernel32.dll",
  _Init_thread_header: "kernel32.dll",
  ...Object.fromEntries(THREAD_OBJECTS_SYMBOLS.map((name) => [name, "ucrtbase.dll"])),
};

const { ADDRESS, DISTANCE, BRANCH } = CodeRelocation;

const [EXITS, EXIT] = ["__module_exits", "atexit"];

/** Touches the pages of a stack frame of %rax bytes from the top down: the system adds one page after the other. */
// deno-fmt-ignore
const TOUCH_STACK = [
  0x51, // push %rcx
  0x50, // push %rax
  0x48, 0x8d, 0x4c, 0x24, 0x18, // lea 24(%rsp), %rcx: the caller's stack pointer
  0x48, 0x3d, 0x00, 0x10, 0x00, 0x00, // cmp $4096, %rax
  0x72, 0x12, // jb past the loop
  0x48, 0x81, 0xe9, 0x00, 0x10, 0x00, 0x00, // sub $4096, %rcx
  0x48, 0x85, 0x09, // test %rcx, (%rcx)
  0x48, 0x2d, 0x00, 0x10, 0x00, 0x00, // sub $4096, %rax
  0xeb, 0xe6, // jmp to cmp
  0x48, 0x29, 0xc1, // sub %rax, %rcx
  0x48, 0x85, 0x09, // test %rcx, (%rcx)
  0x58, // pop %rax
  0x59, // pop %rcx
  0xc3, // ret
];

/**
 * Raises an exception of Microsoft's C++. The function in its runtime finds the image's start by the list of loaded
 * DLLs, where modules are not: tables of handlers and types count from there.
 */
const THROW = "_CxxThrowException";
const THROW_CODE: Code = {
  // deno-fmt-ignore
  bytes: [
    0x48, 0x83, 0xec, 0x48, // sub $72, %rsp
    0x48, 0x8d, 0x05, 0, 0, 0, 0, // lea __ImageBase(%rip), %rax
    0x48, 0xc7, 0x44, 0x24, 0x20, 0x20, 0x05, 0x93, 0x19, // movq $0x19930520, 32(%rsp): the version
    0x48, 0x89, 0x4c, 0x24, 0x28, // mov %rcx, 40(%rsp): the object
    0x48, 0x89, 0x54, 0x24, 0x30, // mov %rdx, 48(%rsp): its types
    0x48, 0x89, 0x44, 0x24, 0x38, // mov %rax, 56(%rsp): the image's start
    0xb9, 0x63, 0x73, 0x6d, 0xe0, // mov $0xe06d7363, %ecx: the code
    0xba, 0x01, 0x00, 0x00, 0x00, // mov $EXCEPTION_NONCONTINUABLE, %edx
    0x41, 0xb8, 0x04, 0x00, 0x00, 0x00, // mov $4, %r8d
    0x4c, 0x8d, 0x4c, 0x24, 0x20, // lea 32(%rsp), %r9
    0xe8, 0, 0, 0, 0, // call RaiseException
    0xcc, // int3: it does not return
  ],
  references: [[7, "__ImageBase", DISTANCE, -4], [57, "RaiseException", BRANCH, -4]],
};
/** Version 1, a prologue of 4 bytes, one code: at 4, UWOP_ALLOC_SMALL of 72 bytes; padding. */
const THROW_UNWIND = [0x01, 0x04, 0x01, 0x00, 0x04, 0x82, 0x00, 0x00];
/**
 * The guard value of stack frames, which a function of the module makes anew at each loading; the function that
 * compares it at the end of a frame; and the handler of frames with a guard, which lets exceptions pass.
 */
const [COOKIE, CHECK_COOKIE, COOKIE_HANDLER] = [
  "__security_cookie",
  "__security_check_cookie",
  "__GSHandlerCheck",
];
/** The value until then, which has no bits above 48, as the check of Microsoft's runtime expects. */
const FIRST_COOKIE = [0x32, 0xa2, 0xdf, 0x2d, 0x99, 0x2b, 0, 0];
const MAKE_COOKIE: Code = {
  // deno-fmt-ignore
  bytes: [
    0x0f, 0x31, // rdtsc
    0x48, 0xc1, 0xe2, 0x20, // shl $32, %rdx
    0x48, 0x09, 0xd0, // or %rdx, %rax
    0x48, 0x8d, 0x15, 0, 0, 0, 0, // lea __security_cookie(%rip), %rdx
    0x48, 0x31, 0xd0, // xor %rdx, %rax
    0x48, 0x31, 0xe0, // xor %rsp, %rax
    0x48, 0xb9, 0x15, 0x7c, 0x4a, 0x7f, 0xb9, 0x79, 0x37, 0x9e, // mov $0x9e3779b97f4a7c15, %rcx
    0x48, 0x0f, 0xaf, 0xc1, // imul %rcx, %rax: mixes low bits into high ones
    0x48, 0xc1, 0xe8, 0x10, // shr $16, %rax
    0x48, 0x89, 0x02, // mov %rax, (%rdx)
    0xc3, // ret
  ],
  references: [[12, COOKIE, DISTANCE, -4]],
};
const COMPARE_COOKIE: Code = {
  // deno-fmt-ignore
  bytes: [
    0x48, 0x3b, 0x0d, 0, 0, 0, 0, // cmp __security_cookie(%rip), %rcx
    0x75, 0x01, // jne past ret
    0xc3, // ret
    0xb9, 0x02, 0x00, 0x00, 0x00, // mov $FAST_FAIL_STACK_COOKIE_CHECK_FAILURE, %ecx
    0xcd, 0x29, // int $0x29: ends the process
  ],
  references: [[3, COOKIE, DISTANCE, -4]],
};
/** mov $ExceptionContinueSearch, %eax; ret */
const PASS_EXCEPTION = [0xb8, 0x01, 0x00, 0x00, 0x00, 0xc3];

/** The functions that need nothing else; `__main` runs initialisers in programs, which the loader has run already. */
const FUNCTIONS: Readonly<Record<string, readonly number[]>> = {
  ___chkstk_ms: TOUCH_STACK,
  __chkstk: TOUCH_STACK,
  __main: [0xc3],
  [COOKIE_HANDLER]: PASS_EXCEPTION,
};

/** The table of virtual functions of `type_info`, of which only the address matters. */
const TYPE_INFO = "??_7type_info@@6B@";

/** Marks that floating-point numbers are used; only its name matters. */
const FLOAT_MARK = "_fltused";

/** Tells MinGW's functions for the ends of threads that they are part of a library, whose end they then see as well. */
const IS_LIBRARY = "__mingw_module_is_dll";

/** The names that {@linkcode windowsCrtObject} can define. */
export const WINDOWS_CRT_SYMBOLS: readonly string[] = [
  ...[DSO_HANDLE, EXIT, FLOAT_MARK, IS_LIBRARY, THROW, TYPE_INFO, COOKIE, CHECK_COOKIE],
  ...Object.keys(FUNCTIONS),
  ...STATIC_LOCALS_SYMBOLS,
  ...THREAD_OBJECTS_SYMBOLS,
];

/** Returns the host libraries that defining these names takes. */
export function windowsCrtLibraries(names: readonly string[]): string[] {
  return names.filter((name) => Object.hasOwn(LIBRARIES, name)).map((name) => LIBRARIES[name]);
}

/**
 * Makes an object that defines the given names.
 *
 * @param names Some of {@linkcode WINDOWS_CRT_SYMBOLS}.
 */
export function windowsCrtObject(names: readonly string[]): Uint8Array {
  const writer = new CrtWriter(Machine.X86_64, ADDRESS);
  const { LOCAL } = SymbolBinding;
  if (names.includes(DSO_HANDLE)) writer.variable(".bss", DSO_HANDLE, 8);
  if (names.includes(FLOAT_MARK)) writer.variable(".bss", FLOAT_MARK, 4);
  if (names.includes(IS_LIBRARY)) writer.variable(".data", IS_LIBRARY, [1]);
  for (const [name, bytes] of Object.entries(FUNCTIONS)) {
    if (names.includes(name)) writer.code(name, { bytes, references: [] });
  }
  if (names.includes(TYPE_INFO)) writer.variable(".bss", TYPE_INFO, 8);
  if (names.includes(THROW)) {
    addFunctionEntry(writer, THROW, writer.code(THROW, THROW_CODE), THROW_CODE.bytes.length, THROW_UNWIND);
  }
  if (STATIC_LOCALS_SYMBOLS.some((name) => names.includes(name))) addStaticLocals(writer);
  if (THREAD_OBJECTS_SYMBOLS.some((name) => names.includes(name))) addThreadObjects(writer, names);
  if (names.includes(COOKIE) || names.includes(CHECK_COOKIE)) {
    const cookie = writer.variable(".data", COOKIE, FIRST_COOKIE);
    const make = writer.code("__initialize_cookie", MAKE_COOKIE, LOCAL);
    const compare = writer.code(CHECK_COOKIE, COMPARE_COOKIE);
    const start = writer.array(".preinit_array", SectionType.PREINIT_ARRAY, make);
    writer.group(cookie.symbol, [cookie.section, make, compare, start]);
  }
  if (names.includes(EXIT)) {
    // _onexit_table_t: three pointers.
    const table = writer.variable(".bss", EXITS, 24, LOCAL);
    const register = writer.code(EXIT, withTable("_register_onexit_function", MOVE_ARGUMENT));
    const start = writer.code("__initialize_exits", withTable("_initialize_onexit_table"), LOCAL);
    const end = writer.code("__run_exits", withTable("_execute_onexit_table"), LOCAL);
    writer.group(table.symbol, [
      register,
      start,
      end,
      writer.array(".preinit_array", SectionType.PREINIT_ARRAY, start),
      // In front of the entries without priority: finalisers run from the end of the array.
      writer.array(".fini_array.65535", SectionType.FINI_ARRAY, end),
    ]);
  }
  return writer.build();
}

/** mov %rcx, %rdx: a function's first argument becomes the second. */
const MOVE_ARGUMENT = [0x48, 0x89, 0xca];

/** Code that jumps to a function with the table of `atexit` as its first argument. */
function withTable(target: string, moves: readonly number[] = []): Code {
  const at = moves.length;
  return {
    // lea table(%rip), %rcx; jmp target
    bytes: [...moves, 0x48, 0x8d, 0x0d, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0],
    references: [[at + 3, EXITS, DISTANCE, -4], [at + 8, target, BRANCH, -4]],
  };
}
