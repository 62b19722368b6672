/**
 * x86-64 (System V psABI, table 4.9).
 *
 * ```text
 * value  name           width  formula             may be
 * 1      Abs64          8      S + A               any
 * 2      Pc32           4      S + A − P, or L     [−2³¹, 2³¹)
 * 3      Plt32          4      S + A − P, or L     [−2³¹, 2³¹)
 * 4      GotPcRel       4      G + A − P           [−2³¹, 2³¹)
 * 5      Abs32          4      S + A               [0, 2³²)
 * 32     Pc64           8      S + A − P           any
 * 33     Abs32Signed    4      S + A               [−2³¹, 2³¹)
 * 38–41  Tls…           8, 16  see thread_locals.ts
 * 42     Indirect64     8      the result of the resolver at S + A
 * 48     TlsStatic32    4      see thread_locals.ts    [−2³¹, 2³¹)
 * ```
 *
 * Plt32 is always a call. Pc32 may be a data access, for which a stub would be
 * silently wrong, so it gets one only if the symbol is a function.
 *
 * An image in which Abs32 or Abs32Signed refers to a symbol of its own lies in the
 * low 2 GiB of the address space, so every S + A of its own symbols fits.
 */

import { RelocationType } from "../../smf/enums.ts";
import {
  columns,
  Patch,
  type RelocationArch,
  SIGNED_32,
  SIGNED_RANGE,
  SYSTEM_ROWS,
  UNSIGNED_32,
  UNSIGNED_RANGE,
  Use,
  WORD_64,
} from "./arch.ts";

/** x86-64. */
export const X86_64: RelocationArch = {
  ...columns([
    [RelocationType.None, 0, 0],
    [RelocationType.Abs64, 8, WORD_64],
    [RelocationType.Pc32, 4, SIGNED_32 | Use.Relative | Use.CallOfFunction],
    [RelocationType.Plt32, 4, SIGNED_32 | Use.Relative | Use.Call],
    [RelocationType.GotPcRel, 4, SIGNED_32 | Use.Got | Use.Relative],
    [RelocationType.Abs32, 4, UNSIGNED_32 | Use.Low],
    [RelocationType.Pc64, 8, WORD_64 | Use.Relative],
    [RelocationType.Abs32Signed, 4, SIGNED_32 | Use.Low],
    [RelocationType.TlsStatic32, 4, Use.ThreadLocal],
    ...SYSTEM_ROWS,
  ]),
  // Distances count from the end of the instruction, four bytes behind the operand's start.
  callAddend: -4,
  // Operands are whole words: no type patches a part of one.
  patchInstruction: () => Patch.WrongInstruction,
  patchStaticOffset(bytes: DataView, place: number, _type: number, offset: number): Patch {
    if (offset !== (offset | 0)) return Patch.OutOfRange;
    bytes.setInt32(place, offset, true);
    return Patch.Done;
  },
  range: (type) => type === RelocationType.Abs32 ? UNSIGNED_RANGE : SIGNED_RANGE,
  // ff 25 disp32    jmp *[rip + disp32]    the GOT slot
  // cc …            int3
  writeStub(bytes: DataView, place: number, slot: number, size: number): void {
    const length = 6;
    bytes.setUint16(place, 0x25ff, true);
    bytes.setInt32(place + 2, slot - (place + length), true);
    for (let index = length; index < size; index++) bytes.setUint8(place + index, 0xcc);
  },
};
