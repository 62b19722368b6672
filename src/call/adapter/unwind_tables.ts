/**
 * The unwind tables of adapters, which all begin and end with the same instructions.
 *
 * On Linux, `.eh_frame` (LSB Core, "Exception Frames"; DWARF 5, section 6.4): a CIE, an FDE for each adapter, and a
 * zero at the end. On Windows, a RUNTIME_FUNCTION for each adapter and the UNWIND_INFO that it names ("x64 exception
 * handling", Microsoft), at offsets from the block's address.
 */

import { DATA_ALIGNMENT, defineCfa, FrameInstruction, savedBelow } from "../../smf/frame_instructions.ts";

/** An adapter's place in its block. */
export interface AdapterPlace {
  /** The offset of its code in the block. */
  readonly offset: number;
  readonly size: number;
  /** The size of its frame below the saved frame pointer. */
  readonly frameBytes: number;
}

/** DW_EH_PE_pcrel | DW_EH_PE_sdata4 */
const NEAR = 0x1b;
const { ADVANCE_LOC, ADVANCE_LOC2, DEF_CFA_OFFSET, DEF_CFA_REGISTER } = FrameInstruction;

/** A processor's registers by their DWARF numbers, and the lengths of the instructions at both ends. */
interface FrameFacts {
  readonly stackPointer: number;
  readonly framePointer: number;
  readonly returnAddress: number;
  /** The distance of the CFA from the stack pointer at the first instruction. */
  readonly atEntry: number;
  /** The bytes of instructions up to the frame pointer's store, and up to its new value. */
  readonly stored: number;
  readonly set: number;
  /** The bytes of instructions behind that which restores the frame pointer. */
  readonly rest: number;
}

const FRAME_FACTS: Record<typeof Deno.build.arch, FrameFacts> = {
  x86_64: { stackPointer: 7, framePointer: 6, returnAddress: 16, atEntry: 8, stored: 1, set: 4, rest: 1 },
  aarch64: { stackPointer: 31, framePointer: 29, returnAddress: 30, atEntry: 0, stored: 4, set: 8, rest: 4 },
};

/** Writes `.eh_frame` for adapters, as it is at `offset` in their block. */
export function writeEhFrame(
  arch: typeof Deno.build.arch,
  adapters: readonly AdapterPlace[],
  offset: number,
): Uint8Array {
  const { stackPointer, framePointer, returnAddress, atEntry, stored, set, rest } = FRAME_FACTS[arch];
  const bytes: number[] = [];
  const u32 = (value: number): void => {
    bytes.push(value & 0xff, value >> 8 & 0xff, value >> 16 & 0xff, value >> 24 & 0xff);
  };
  const record = (id: number, body: () => void): void => {
    const start = bytes.length;
    u32(0);
    u32(id);
    body();
    while ((bytes.length - start) % 8 !== 0) bytes.push(0); // DW_CFA_nop
    const size = bytes.length - start - 4;
    bytes.splice(start, 4, size & 0xff, size >> 8 & 0xff, 0, 0);
  };
  const onEntry = arch === "x86_64"
    ? [...defineCfa(stackPointer, atEntry), ...savedBelow(returnAddress, 1)]
    : defineCfa(stackPointer, atEntry);
  record(0, () => {
    bytes.push(
      /* version */ 1,
      0x7a,
      0x52,
      0,
      /* "zR" */ /* code alignment */ 1,
      DATA_ALIGNMENT,
      returnAddress,
    );
    bytes.push(/* augmentation length */ 1, NEAR, ...onEntry);
  });
  for (const { offset: code, size } of adapters) {
    record(bytes.length + 4, () => {
      u32(code - (offset + bytes.length));
      u32(size);
      const restored = size - rest - set;
      bytes.push(/* augmentation length */ 0);
      bytes.push(ADVANCE_LOC | stored, DEF_CFA_OFFSET, 16, ...savedBelow(framePointer, 2));
      if (arch === "aarch64") bytes.push(...savedBelow(returnAddress, 1));
      bytes.push(ADVANCE_LOC | set - stored, DEF_CFA_REGISTER, framePointer);
      bytes.push(ADVANCE_LOC2, restored & 0xff, restored >> 8, ...defineCfa(stackPointer, atEntry));
    });
  }
  u32(0);
  return Uint8Array.from(bytes);
}

/** The bytes of a RUNTIME_FUNCTION. */
const RUNTIME_FUNCTION_SIZE = 12;
const UNWIND_INFO_SIZE = 12;
const UWOP_PUSH_NONVOL = 0, UWOP_ALLOC_LARGE = 1, UWOP_SET_FPREG = 3;
const RBP = 5;
/** The offsets behind the instructions of the prologue: `push rbp`, `mov rbp, rsp`, `sub rsp, …`. */
const [PUSHED, SET, ALLOCATED] = [1, 4, 11];

/** Writes the function table of adapters on Windows, as it is at `offset` in their block, and its UNWIND_INFOs. */
export function writeFunctionTable(adapters: readonly AdapterPlace[], offset: number): Uint8Array {
  const infos = RUNTIME_FUNCTION_SIZE * adapters.length;
  const bytes = new Uint8Array(infos + UNWIND_INFO_SIZE * adapters.length);
  const view = new DataView(bytes.buffer);
  adapters.forEach(({ offset: code, size, frameBytes }, index) => {
    const entry = RUNTIME_FUNCTION_SIZE * index;
    const info = infos + UNWIND_INFO_SIZE * index;
    view.setUint32(entry, code, true);
    view.setUint32(entry + 4, code + size, true);
    view.setUint32(entry + 8, offset + info, true);
    // Version 1, no handler; the frame register is rbp, at the stack pointer itself. The last instruction comes first.
    bytes.set([1, ALLOCATED, /* slots of codes */ 4, RBP], info);
    bytes.set([ALLOCATED, UWOP_ALLOC_LARGE, frameBytes / 8 & 0xff, frameBytes / 8 >> 8], info + 4);
    bytes.set([SET, UWOP_SET_FPREG, PUSHED, UWOP_PUSH_NONVOL | RBP << 4], info + 8);
  });
  return bytes;
}
