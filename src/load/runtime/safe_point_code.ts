/**
 * The machine code of `void smf_safe_point(void)`: returns at once while the gate is open, and else waits until it
 * is. The words that it works on are a page behind it:
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 0 | 4 | the gate: 0 is open, 1 is closed |
 * | 4 | 4 | the number of threads that wait |
 * | 8 | 8 | the thread pointer of the isolate that opens the gate, which must not wait for itself |
 * | 16 | 16 | Linux: how long a thread sleeps before it looks again, a `struct timespec`; Windows: the address of `Sleep` |
 *
 * Threads sleep and look again, because a wake that gets lost would hold one for ever. The call changes only what any
 * call may change, and `errno` not at all. Behind the function is `uintptr_t thread(void)`, which returns the caller's
 * thread pointer.
 */

import { Arch, Platform } from "../../smf/enums.ts";

/** The offsets of the words, from the start of their page. */
export const GATE_WORDS = { gate: 0, waiting: 4, thread: 8, sleep: 16 } as const;

/** The code for one system and processor. */
export interface SafePointCode {
  readonly bytes: Uint8Array;
  /** The offset of the function that returns the thread pointer. */
  readonly thread: number;
}

/**
 * The code with its words at `distance` bytes from its start; undefined where there is none.
 *
 * @param distance A multiple of 4 below 2²⁰.
 */
export function safePointCode(
  platform: Platform,
  arch: Arch,
  distance: number,
): SafePointCode | undefined {
  if (platform === Platform.Linux && arch === Arch.X86_64) return x86(LINUX_X86_64, distance);
  if (platform === Platform.Windows && arch === Arch.X86_64) return x86(WINDOWS_X86_64, distance);
  return platform === Platform.Linux && arch === Arch.Aarch64 ? aarch64(distance) : undefined;
}

/** Code whose distances from the end of an instruction are to be filled in. */
interface X86Code {
  readonly code: readonly number[];
  /** Places of distances, the ends of their instructions, and the words that they lead to. */
  readonly distances: readonly (readonly [place: number, end: number, word: number])[];
  readonly thread: number;
}

const { gate: GATE, waiting: WAITING, thread: THREAD, sleep: SLEEP } = GATE_WORDS;

// deno-fmt-ignore
const LINUX_X86_64: X86Code = {
  code: [
    0x83, 0x3d, 0, 0, 0, 0, 0x00,                         //  0  cmp dword [gate], 0
    0x75, 0x01,                                           //  7  jne 10
    0xc3,                                                 //  9  ret
    0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0,             // 10  mov rax, fs:[0]
    0x48, 0x3b, 0x05, 0, 0, 0, 0,                         // 19  cmp rax, [thread]
    0x74, 0x27,                                           // 26  je 67
    0xf0, 0xff, 0x05, 0, 0, 0, 0,                         // 28  lock inc dword [waiting]
    0xb8, 0x23, 0, 0, 0,                                  // 35  mov eax, 35 (nanosleep)
    0x48, 0x8d, 0x3d, 0, 0, 0, 0,                         // 40  lea rdi, [sleep]
    0x31, 0xf6,                                           // 47  xor esi, esi
    0x0f, 0x05,                                           // 49  syscall
    0x83, 0x3d, 0, 0, 0, 0, 0x00,                         // 51  cmp dword [gate], 0
    0x75, 0xe7,                                           // 58  jne 35
    0xf0, 0xff, 0x0d, 0, 0, 0, 0,                         // 60  lock dec dword [waiting]
    0xc3,                                                 // 67  ret
    0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0,             // 68  mov rax, fs:[0]
    0xc3,                                                 // 77  ret
  ],
  distances: [
    [2, 7, GATE], [22, 26, THREAD], [31, 35, WAITING], [43, 47, SLEEP], [53, 58, GATE], [63, 67, WAITING],
  ],
  thread: 68,
};

// deno-fmt-ignore
const WINDOWS_X86_64: X86Code = {
  code: [
    0x83, 0x3d, 0, 0, 0, 0, 0x00,                         //  0  cmp dword [gate], 0
    0x75, 0x01,                                           //  7  jne 10
    0xc3,                                                 //  9  ret
    0x65, 0x48, 0x8b, 0x04, 0x25, 0x30, 0, 0, 0,          // 10  mov rax, gs:[0x30]
    0x48, 0x3b, 0x05, 0, 0, 0, 0,                         // 19  cmp rax, [thread]
    0x74, 0x2a,                                           // 26  je 70
    0x48, 0x83, 0xec, 0x28,                               // 28  sub rsp, 40
    0xf0, 0xff, 0x05, 0, 0, 0, 0,                         // 32  lock inc dword [waiting]
    0xb9, 0x01, 0, 0, 0,                                  // 39  mov ecx, 1
    0xff, 0x15, 0, 0, 0, 0,                               // 44  call [sleep]
    0x83, 0x3d, 0, 0, 0, 0, 0x00,                         // 50  cmp dword [gate], 0
    0x75, 0xec,                                           // 57  jne 39
    0xf0, 0xff, 0x0d, 0, 0, 0, 0,                         // 59  lock dec dword [waiting]
    0x48, 0x83, 0xc4, 0x28,                               // 66  add rsp, 40
    0xc3,                                                 // 70  ret
    0x65, 0x48, 0x8b, 0x04, 0x25, 0x30, 0, 0, 0,          // 71  mov rax, gs:[0x30]
    0xc3,                                                 // 80  ret
  ],
  distances: [
    [2, 7, GATE], [22, 26, THREAD], [35, 39, WAITING], [46, 50, SLEEP], [52, 57, GATE], [62, 66, WAITING],
  ],
  thread: 71,
};

function x86({ code, distances, thread }: X86Code, distance: number): SafePointCode {
  const bytes = Uint8Array.from(code), view = new DataView(bytes.buffer);
  for (const [place, end, word] of distances) view.setInt32(place, distance + word - end, true);
  return { bytes, thread };
}

function aarch64(distance: number): SafePointCode {
  const bytes = new Uint8Array(4 * AARCH64.length), view = new DataView(bytes.buffer);
  AARCH64.forEach((word, index) => view.setUint32(4 * index, word, true));
  // The immediate of `adr` has its two lowest bits at bit 29, the others at bit 5.
  view.setUint32(0, (AARCH64[0] | ((distance & 3) << 29) | ((distance >> 2) << 5)) >>> 0, true);
  return { bytes, thread: 100 };
}

// deno-fmt-ignore
const AARCH64: readonly number[] = [
  0x10000010, //   0  adr x16, words
  0xb9400211, //   4  ldr w17, [x16]
  0x35000051, //   8  cbnz w17, 16
  0xd65f03c0, //  12  ret
  0xd53bd051, //  16  mrs x17, tpidr_el0
  0xf9400600, //  20  ldr x0, [x16, #8]
  0xeb00023f, //  24  cmp x17, x0
  0x54000220, //  28  b.eq 96
  0x91001201, //  32  add x1, x16, #4
  0x885ffc20, //  36  ldaxr w0, [x1]
  0x11000400, //  40  add w0, w0, #1
  0x8802fc20, //  44  stlxr w2, w0, [x1]
  0x35ffffa2, //  48  cbnz w2, 36
  0xd2800ca8, //  52  mov x8, #101 (nanosleep)
  0x91004200, //  56  add x0, x16, #16
  0xaa1f03e1, //  60  mov x1, xzr
  0xd4000001, //  64  svc #0
  0x88dffe11, //  68  ldar w17, [x16]
  0x35ffff71, //  72  cbnz w17, 52
  0x91001201, //  76  add x1, x16, #4
  0x885ffc20, //  80  ldaxr w0, [x1]
  0x51000400, //  84  sub w0, w0, #1
  0x8802fc20, //  88  stlxr w2, w0, [x1]
  0x35ffffa2, //  92  cbnz w2, 80
  0xd65f03c0, //  96  ret
  0xd53bd040, // 100  mrs x0, tpidr_el0
  0xd65f03c0, // 104  ret
];
