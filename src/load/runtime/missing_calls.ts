/**
 * Stubs in the place of functions that may be missing (`smf link --allow-undefined`) and are: a call
 * of one writes a line that names function and module to standard error, and aborts the process.
 *
 * The process ends because there is nobody who could take an exception: native frames that know
 * nothing of JavaScript lie between the call and the isolate, if the thread has an isolate at all.
 */

import type { ResolvedImports } from "../imports/resolve.ts";
import type { PlacedImage } from "../image.ts";
import { HOST_ARCH, HOST_PLATFORM } from "./host.ts";
import { openDynamicLinker } from "../../os/dynamic_linker.ts";
import { type MemoryAllocator, Protection } from "../../os/memory/allocator.ts";
import { Arch, Binding, CALL_ENDS_PROCESS, Platform } from "../../smf/enums.ts";

/** The size of a stub. Its instructions take less on each processor. */
const STUB_SIZE = 40;

/** The longest message in bytes: aarch64 loads its length by one instruction. */
const LONGEST = 4096;

const encoder = new TextEncoder();

/**
 * Makes a stub for each unresolved import of a linked file that its code calls without a test for 0, and puts the stubs' addresses into the resolved imports.
 *
 * Platforms: outside Linux a stub writes nothing: it is an illegal instruction.
 *
 * @returns the owner of the stubs, to dispose of with the image; undefined if there are none.
 */
export function stubsForMissing(
  { file, needs, memory, allocator, identity }: PlacedImage,
  { addresses }: ResolvedImports,
): Disposable | undefined {
  const positions: number[] = [];
  needs.imports.forEach((symbol, position) => {
    if (addresses[position] !== 0n || file.symbols.binding(symbol) !== Binding.Weak) return;
    if (file.symbols.flags(symbol) === CALL_ENDS_PROCESS) positions.push(position);
  });
  if (positions.length === 0) return undefined;
  const messages = positions.map((position) => {
    const name = printable(file.symbols.name(needs.imports[position]));
    const text =
      `Cannot call '${name}': it was undefined when ${printable(identity.description)} was loaded` +
      " (linked with --allow-undefined)\n";
    return encoder.encode(text).subarray(0, LONGEST);
  });
  const stubs = allocateStubs(messages, allocator, memory.address);
  positions.forEach((position, index) => {
    addresses[position] = stubs.address + BigInt(index * STUB_SIZE);
  });
  return stubs;
}

/** Names come from files, which must not send commands to a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}

interface Stubs extends Disposable {
  /** The address of the first stub. */
  readonly address: bigint;
}

function allocateStubs(messages: readonly Uint8Array[], allocator: MemoryAllocator, near: bigint): Stubs {
  const size = messages.reduce((sum, { length }) => sum + length, messages.length * STUB_SIZE);
  const memory = allocator.allocate(size, allocator.pageSize, near);
  using undo = new DisposableStack();
  undo.defer(() => allocator.free(memory));
  const bytes = allocator.view(memory, 0, size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const abort = abortAddress();
  let text = messages.length * STUB_SIZE;
  messages.forEach((message, index) => {
    bytes.set(message, text);
    writeStub(view, index * STUB_SIZE, text, message.length, abort);
    text += message.length;
  });
  allocator.protect(memory, Protection.READ_EXECUTE);
  undo.move();
  return { address: memory.address, [Symbol.dispose]: () => allocator.free(memory) };
}

/** The address of `void abort(void)`; 0 where stubs cannot use it. */
function abortAddress(): bigint {
  if (HOST_PLATFORM !== Platform.Linux) return 0n;
  using linker = openDynamicLinker();
  return linker.find(null, "abort");
}

/** Writes `write(2, text, length); abort();`, or an illegal instruction if there is no `abort`. */
function writeStub(view: DataView, at: number, text: number, length: number, abort: bigint): void {
  const words = (...values: number[]): void =>
    values.forEach((word, index) => view.setUint32(at + 4 * index, word, true));
  if (HOST_ARCH === Arch.Aarch64) {
    if (abort === 0n) return words(0xd4200020); // brk #1
    const distance = text - at;
    words(
      (0x10000001 | ((distance & 3) << 29) | ((distance >> 2) << 5)) >>> 0, // adr x1, text
      0xd2800002 | (length << 5), // mov x2, #length
      0xd2800040, // mov x0, #2
      0xd2800808, // mov x8, #64 (write)
      0xd4000001, // svc #0
      0x58000070, // ldr x16, the word 12 bytes on
      0xd61f0200, // br x16
    );
    return view.setBigUint64(at + 32, abort, true);
  }
  if (abort === 0n) return words(0x0b0f); // ud2
  // deno-fmt-ignore
  const code = [
    0x48, 0x8d, 0x35, 0, 0, 0, 0, // lea text(%rip), %rsi
    0xba, 0, 0, 0, 0, // mov $length, %edx
    0xbf, 2, 0, 0, 0, // mov $2, %edi
    0xb8, 1, 0, 0, 0, // mov $1, %eax (write)
    0x0f, 0x05, // syscall
    0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, // movabs $abort, %rax
    0xff, 0xe0, // jmp *%rax
  ];
  code.forEach((byte, index) => view.setUint8(at + index, byte));
  view.setInt32(at + 3, text - at - 7, true);
  view.setInt32(at + 8, length, true);
  view.setBigUint64(at + 26, abort, true);
}
