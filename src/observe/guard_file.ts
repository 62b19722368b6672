/**
 * The symbol file of guards, the loader's code in front of functions whose crashes are
 * exceptions: it leads debuggers from a module's frames to those of JavaScript.
 */
import { Machine, ObjectType, SectionFlag, SymbolBinding, SymbolKind } from "../os/elf.ts";
import { ElfWriter, nameBytes } from "../os/elf_writer.ts";
import { DATA_ALIGNMENT, defineCfa, savedBelow } from "../smf/frame_instructions.ts";

/**
 * The frame of a guard behind its first instructions (native/crash/guard_code.c): the frame
 * pointer's number and how far above it the caller's frame starts, the column of the return
 * address, and the registers that are saved, with their distance below that in words.
 */
interface GuardFrame {
  readonly frame: readonly [register: number, offset: number];
  readonly returnAddress: number;
  readonly saved: readonly (readonly [register: number, words: number])[];
}

/** The processors that have guards, by Deno's names. */
export type GuardArch = "x86_64" | "aarch64";

const FRAMES: Readonly<Record<GuardArch, GuardFrame>> = {
  x86_64: {
    frame: [6, 16],
    returnAddress: 16,
    saved: [[16, 1], [6, 2], [3, 3], [12, 4], [13, 5], [14, 6], [15, 7]],
  },
  aarch64: {
    frame: [29, 176],
    returnAddress: 30,
    saved: [
      [29, 22],
      [30, 21],
      ...Array.from({ length: 10 }, (_, index) => [19 + index, 20 - index] as const),
    ],
  },
};

/** The identifier of the common part in .debug_frame. */
const COMMON = 0xffff_ffff;

/** Writes the symbol file of the guards' code. */
export function writeGuardFile(
  arch: GuardArch,
  { address, size }: { readonly address: bigint; readonly size: number },
): Uint8Array<ArrayBuffer> {
  const writer = new ElfWriter(arch === "aarch64" ? Machine.AARCH64 : Machine.X86_64, ObjectType.EXEC);
  const flags = SectionFlag.ALLOC | SectionFlag.EXECINSTR;
  const section = writer.section({ name: nameBytes(".text"), address, size, alignment: 16, flags });
  writer.section({ name: ".debug_frame", bytes: frameBytes(FRAMES[arch], address, size), flags: 0 });
  writer.symbol({
    name: nameBytes("smf_guard"),
    section,
    value: address,
    size,
    binding: SymbolBinding.GLOBAL,
    kind: SymbolKind.FUNC,
  });
  return writer.build() as Uint8Array<ArrayBuffer>;
}

/** One common part and one function, with one row for all of its instructions. */
function frameBytes(
  { frame: [register, offset], returnAddress, saved }: GuardFrame,
  address: bigint,
  size: number,
): Uint8Array {
  const rules = [
    ...defineCfa(register, offset),
    ...saved.flatMap(([register, words]) => savedBelow(register, words)),
  ];
  // Version 3, no augmentation, addresses in bytes.
  const common = [3, 0, 1, DATA_ALIGNMENT, returnAddress, ...rules];
  while ((common.length + 8) % 8 !== 0) common.push(0);
  const bytes = new Uint8Array(8 + common.length + 24);
  const view = new DataView(bytes.buffer), start = 8 + common.length;
  view.setUint32(0, 4 + common.length, true);
  view.setUint32(4, COMMON, true);
  bytes.set(common, 8);
  view.setUint32(start, 20, true);
  view.setBigUint64(start + 8, address, true);
  view.setBigUint64(start + 16, BigInt(size), true);
  return bytes;
}
