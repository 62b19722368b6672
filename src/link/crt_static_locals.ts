/**
 * The functions by which Microsoft's C++ makes static objects of functions once, also if several threads call the
 * function at the same time (`/Zc:threadSafeInit`). The static part of Microsoft's runtime has them.
 *
 * A number beside each object says how far it is: 0, then -1 while one thread makes it, then the epoch in which it was
 * made. Each thread knows an epoch of its own. Code passes an object by whose number is not above that, and otherwise
 * calls the first function, which waits for the thread that makes the object, and lets the caller make it if nobody
 * has:
 *
 * ```c
 * if (number > _Init_thread_epoch) {
 *   _Init_thread_header(&number);
 *   if (number == -1) { object = …; _Init_thread_footer(&number); } // _Init_thread_abort if that throws
 * }
 * ```
 */
import { addFunction, CodeRelocation, LEAVE, THREAD_VARIABLES } from "./crt_windows_code.ts";
import type { Code, CrtWriter } from "./crt_writer.ts";
import { SymbolBinding } from "../os/elf.ts";

const { DISTANCE, BRANCH, TLS_OFFSET } = CodeRelocation;

const [HEADER, FOOTER, ABORT, THREAD_EPOCH] = [
  "_Init_thread_header",
  "_Init_thread_footer",
  "_Init_thread_abort",
  "_Init_thread_epoch",
];
/** The last epoch, a lock (SRWLOCK) for it and for all numbers, and what waiting threads are woken by. */
const [EPOCH, LOCK, WAKE] = ["__static_locals_epoch", "__static_locals_lock", "__static_locals_wake"];

/** The names that {@linkcode addStaticLocals} defines. */
export const STATIC_LOCALS_SYMBOLS: readonly string[] = [HEADER, FOOTER, ABORT, THREAD_EPOCH];

/** INT_MIN, the epoch in which nothing has been made. */
const FIRST_EPOCH = [0, 0, 0, 0x80];

const LOCK_NUMBERS: Code = {
  // deno-fmt-ignore
  bytes: [
    0x48, 0x89, 0xcb, // mov %rcx, %rbx
    0x48, 0x8d, 0x0d, 0, 0, 0, 0, // lea lock(%rip), %rcx
    0xe8, 0, 0, 0, 0, // call AcquireSRWLockExclusive
  ],
  references: [[6, LOCK, DISTANCE, -4], [11, "AcquireSRWLockExclusive", BRANCH, -4]],
};
/** lea lock(%rip), %rcx */
const TAKE_LOCK: Code = { bytes: [0x48, 0x8d, 0x0d, 0, 0, 0, 0], references: [[3, LOCK, DISTANCE, -4]] };
/** Ends a function. */
const UNLOCK_NUMBERS: readonly Code[] = [TAKE_LOCK, LEAVE, jumpTo("ReleaseSRWLockExclusive")];
/** Ends a function. */
const UNLOCK_AND_WAKE: readonly Code[] = [
  TAKE_LOCK,
  {
    // deno-fmt-ignore
    bytes: [
      0xe8, 0, 0, 0, 0, // call ReleaseSRWLockExclusive
      0x48, 0x8d, 0x0d, 0, 0, 0, 0, // lea wake(%rip), %rcx
    ],
    references: [[1, "ReleaseSRWLockExclusive", BRANCH, -4], [8, WAKE, DISTANCE, -4]],
  },
  LEAVE,
  jumpTo("WakeAllConditionVariable"),
];
/** Makes the epoch in %eax that of the thread: mov %eax, _Init_thread_epoch(%rdx). */
const SET_THREAD_EPOCH: readonly Code[] = [
  THREAD_VARIABLES,
  { bytes: [0x89, 0x82, 0, 0, 0, 0], references: [[2, THREAD_EPOCH, TLS_OFFSET, 0]] },
];
const WAIT_OR_CLAIM: Code = {
  // deno-fmt-ignore
  bytes: [
    0x8b, 0x03, // mov (%rbx), %eax
    0x85, 0xc0, // test %eax, %eax
    0x74, 0x23, // je to the claim
    0x83, 0xf8, 0xff, // cmp $-1, %eax
    0x75, 0x26, // jne behind the claim: it is made
    0x48, 0x8d, 0x0d, 0, 0, 0, 0, // lea wake(%rip), %rcx
    0x48, 0x8d, 0x15, 0, 0, 0, 0, // lea lock(%rip), %rdx
    0x41, 0xb8, 0xff, 0xff, 0xff, 0xff, // mov $INFINITE, %r8d
    0x45, 0x31, 0xc9, // xor %r9d, %r9d
    0xe8, 0, 0, 0, 0, // call SleepConditionVariableSRW
    0xeb, 0xd7, // jmp to the start
    0xc7, 0x03, 0xff, 0xff, 0xff, 0xff, // the claim: movl $-1, (%rbx)
    0xeb, 0x1f, // jmp over the rest
    0x8b, 0x05, 0, 0, 0, 0, // mov epoch(%rip), %eax
  ],
  references: [
    [14, WAKE, DISTANCE, -4],
    [21, LOCK, DISTANCE, -4],
    [35, "SleepConditionVariableSRW", BRANCH, -4],
    [51, EPOCH, DISTANCE, -4],
  ],
};
const NEXT_EPOCH: Code = {
  // deno-fmt-ignore
  bytes: [
    0x8b, 0x05, 0, 0, 0, 0, // mov epoch(%rip), %eax
    0xff, 0xc0, // inc %eax
    0x89, 0x05, 0, 0, 0, 0, // mov %eax, epoch(%rip)
    0x89, 0x03, // mov %eax, (%rbx)
  ],
  references: [[2, EPOCH, DISTANCE, -4], [10, EPOCH, DISTANCE, -4]],
};
/** movl $0, (%rbx) */
const FORGET: Code = { bytes: [0xc7, 0x03, 0, 0, 0, 0], references: [] };

/** Adds the functions, the thread's epoch, and their variables. */
export function addStaticLocals(writer: CrtWriter): void {
  const { LOCAL } = SymbolBinding;
  writer.variable(".data", EPOCH, FIRST_EPOCH, LOCAL);
  writer.variable(".bss", LOCK, 8, LOCAL);
  writer.variable(".bss", WAKE, 8, LOCAL);
  writer.threadLocal(THREAD_EPOCH, FIRST_EPOCH);
  addFunction(writer, HEADER, [LOCK_NUMBERS, WAIT_OR_CLAIM, ...SET_THREAD_EPOCH, ...UNLOCK_NUMBERS]);
  addFunction(writer, FOOTER, [LOCK_NUMBERS, NEXT_EPOCH, ...SET_THREAD_EPOCH, ...UNLOCK_AND_WAKE]);
  addFunction(writer, ABORT, [LOCK_NUMBERS, FORGET, ...UNLOCK_AND_WAKE]);
}

function jumpTo(name: string): Code {
  return { bytes: [0xe9, 0, 0, 0, 0], references: [[1, name, BRANCH, -4]] };
}
