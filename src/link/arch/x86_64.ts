/**
 * x86-64: System V psABI, section 4.4 "Relocation", and appendix B "Linker
 * Optimization".
 */
import { Arch, RelocationType } from "../../smf/enums.ts";
import {
  DISTANCE_TO_SLOT,
  type GotUse,
  INT32,
  INT64,
  type LinkArch,
  type Refusal,
  type RelocationRule,
  type TlsSlotKind,
  UINT32,
  UNKNOWN_TYPE,
  writeInt32,
  writeInt64,
  writeNarrow,
  writeUint32,
} from "./arch.ts";
import { Machine } from "../../os/elf.ts";
import { COFF_REFUSALS, COFF_RULES } from "./x86_64_coff.ts";
import { THUNKS } from "./x86_64_thunks.ts";

/** A reference to a TLS slot. */
function tls(slot: TlsSlotKind): Omit<RelocationRule, "name"> {
  return { use: "tls", slot, toSlot: DISTANCE_TO_SLOT, width: 4, smf: undefined };
}

/** A reference to the linker's own GOT, as code of the medium and large models makes it. */
function ownGot(got: GotUse, width: 4 | 8): Omit<RelocationRule, "name"> {
  return width === 4
    ? { use: "own-got", got, width, smf: undefined, write: writeInt32, range: INT32 }
    : { use: "own-got", got, width, smf: undefined, write: writeInt64, range: INT64 };
}

/** R_X86_64_* that a module can hold, or that the linker applies. */
const RULES: (readonly [number, RelocationRule])[] = [
  [0, { name: "R_X86_64_NONE", use: "none", width: 0, smf: undefined }],
  [1, {
    name: "R_X86_64_64",
    use: "absolute",
    width: 8,
    smf: RelocationType.Abs64,
    write: writeInt64,
    range: INT64,
  }],
  [3, { name: "R_X86_64_GOT32", ...ownGot("slot", 4) }],
  [2, {
    name: "R_X86_64_PC32",
    use: "relative",
    width: 4,
    smf: RelocationType.Pc32,
    write: writeInt32,
    range: INT32,
  }],
  [4, {
    name: "R_X86_64_PLT32",
    use: "branch",
    width: 4,
    smf: RelocationType.Plt32,
    write: writeInt32,
    range: INT32,
  }],
  [9, {
    name: "R_X86_64_GOTPCREL",
    use: "got",
    width: 4,
    smf: RelocationType.GotPcRel,
    toSlot: DISTANCE_TO_SLOT,
  }],
  // 32-bit addresses: the loader puts the module into low memory.
  [10, {
    name: "R_X86_64_32",
    use: "absolute",
    width: 4,
    smf: RelocationType.Abs32,
    write: writeUint32,
    range: UINT32,
  }],
  [11, {
    name: "R_X86_64_32S",
    use: "absolute",
    width: 4,
    smf: RelocationType.Abs32Signed,
    write: writeInt32,
    range: INT32,
  }],
  [12, {
    name: "R_X86_64_16",
    use: "absolute",
    width: 2,
    smf: undefined,
    ...writeNarrow(2, -(2 ** 15), 2 ** 16),
  }],
  [13, {
    name: "R_X86_64_PC16",
    use: "relative",
    width: 2,
    smf: undefined,
    ...writeNarrow(2, -(2 ** 15), 2 ** 15),
  }],
  [14, {
    name: "R_X86_64_8",
    use: "absolute",
    width: 1,
    smf: undefined,
    ...writeNarrow(1, -(2 ** 7), 2 ** 8),
  }],
  [15, {
    name: "R_X86_64_PC8",
    use: "relative",
    width: 1,
    smf: undefined,
    ...writeNarrow(1, -(2 ** 7), 2 ** 7),
  }],
  [17, {
    name: "R_X86_64_DTPOFF64",
    use: "tls-offset",
    width: 8,
    smf: undefined,
    write: writeInt64,
    range: INT64,
  }],
  [18, { name: "R_X86_64_TPOFF64", use: "tls-static", width: 8, smf: RelocationType.TlsStatic64 }],
  [19, { name: "R_X86_64_TLSGD", ...tls("pair") }],
  [20, { name: "R_X86_64_TLSLD", ...tls("module") }],
  [21, {
    name: "R_X86_64_DTPOFF32",
    use: "tls-offset",
    width: 4,
    smf: undefined,
    write: writeInt32,
    range: INT32,
  }],
  [22, { name: "R_X86_64_GOTTPOFF", ...tls("static") }],
  [23, { name: "R_X86_64_TPOFF32", use: "tls-static", width: 4, smf: RelocationType.TlsStatic32 }],
  [24, {
    name: "R_X86_64_PC64",
    use: "relative",
    width: 8,
    smf: RelocationType.Pc64,
    write: writeInt64,
    range: INT64,
  }],
  [25, { name: "R_X86_64_GOTOFF64", ...ownGot("distance", 8) }],
  [26, { name: "R_X86_64_GOTPC32", ...ownGot("start", 4) }],
  [27, { name: "R_X86_64_GOT64", ...ownGot("slot", 8) }],
  [28, { name: "R_X86_64_GOTPCREL64", ...ownGot("slot", 8), fromPlace: true }],
  [29, { name: "R_X86_64_GOTPC64", ...ownGot("start", 8) }],
  [30, { name: "R_X86_64_GOTPLT64", ...ownGot("slot", 8) }],
  [31, { name: "R_X86_64_PLTOFF64", ...ownGot("stub", 8) }],
  [32, {
    name: "R_X86_64_SIZE32",
    use: "size",
    width: 4,
    smf: undefined,
    write: writeUint32,
    range: UINT32,
  }],
  [33, { name: "R_X86_64_SIZE64", use: "size", width: 8, smf: undefined, write: writeInt64, range: INT64 }],
  [34, { name: "R_X86_64_GOTPC32_TLSDESC", ...tls("descriptor") }],
  [35, { name: "R_X86_64_TLSDESC_CALL", use: "none", width: 0, smf: undefined }],
  [41, {
    name: "R_X86_64_GOTPCRELX",
    use: "got",
    width: 4,
    smf: RelocationType.GotPcRel,
    toSlot: DISTANCE_TO_SLOT,
    relaxable: true,
  }],
  [42, {
    name: "R_X86_64_REX_GOTPCRELX",
    use: "got",
    width: 4,
    smf: RelocationType.GotPcRel,
    toSlot: DISTANCE_TO_SLOT,
    relaxable: true,
  }],
  [43, {
    name: "R_X86_64_CODE_4_GOTPCRELX",
    use: "got",
    width: 4,
    smf: RelocationType.GotPcRel,
    toSlot: DISTANCE_TO_SLOT,
  }],
  [44, { name: "R_X86_64_CODE_4_GOTTPOFF", ...tls("static") }],
  [45, { name: "R_X86_64_CODE_4_GOTPC32_TLSDESC", ...tls("descriptor") }],
  [250, { name: "R_X86_64_GNU_VTINHERIT", use: "none", width: 0, smf: undefined }],
  [251, { name: "R_X86_64_GNU_VTENTRY", use: "none", width: 0, smf: undefined }],
  ...COFF_RULES,
];

/** R_X86_64_* that are refused. */
const REFUSALS: readonly (readonly [types: readonly number[], refusal: Refusal])[] = [
  [[5, 6, 7, 8, 16, 36, 37, 38], {
    problem: "the type belongs in executables and shared libraries, not in objects",
    hint: "link the objects (.o) of which the file was made",
  }],
  ...COFF_REFUSALS,
];

const MOV = 0x8b, LEA = 0x8d;
const GROUP5 = 0xff, CALL_RIP = 0x15, JMP_RIP = 0x25;
const TWO_BYTES = 0x0f, JCC = 0x80;
const ADDR32 = 0x67, CALL = 0xe8, JMP = 0xe9, NOP = 0x90;
/** Two ud2 instructions and a NOP: the five bytes of a call. */
const UD2 = [0x0f, 0x0b, 0x0f, 0x0b, NOP];

/** x86-64. */
export const X86_64: LinkArch = {
  name: "x86-64",
  machine: Machine.X86_64,
  smf: Arch.X86_64,
  hasFixedPages: true,
  filler: 0xcc, // int3
  fragments: {
    head: [0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x83, 0xec, 0x08], // endbr64; sub $8, %rsp
    tail: [0x48, 0x83, 0xc4, 0x08, 0xc3], // add $8, %rsp; ret
    nop: [NOP],
  },
  pltStub: {
    bytes: [GROUP5, JMP_RIP, 0, 0, 0, 0], // jmp *slot(%rip)
    references: [[2, DISTANCE_TO_SLOT, -4]],
  },
  callAddend: -4,
  hasBiasedAddends: true,
  absolute64: 1,
  rules: new Map(RULES),
  refusal(type: number): Refusal {
    return REFUSALS.find(([types]) => types.includes(type))?.[1] ?? UNKNOWN_TYPE;
  },
  isBranch(bytes: Uint8Array, place: number, rule: RelocationRule): boolean {
    if (rule.use === "branch") return true;
    if (rule.use !== "relative" || rule.width !== 4 || place < 1) return false;
    // An operand relative to %rip follows a ModR/M byte, which is none of these.
    const opcode = bytes[place - 1];
    return opcode === CALL || opcode === JMP ||
      place >= 2 && bytes[place - 2] === TWO_BYTES && (opcode & 0xf0) === JCC;
  },
  isIndirectBranch(bytes: Uint8Array, place: number, rule: RelocationRule): boolean {
    return rule.relaxable === true && place >= 2 && bytes[place - 2] === GROUP5 &&
      (bytes[place - 1] === CALL_RIP || bytes[place - 1] === JMP_RIP);
  },
  disarmBranch(bytes: Uint8Array, place: number): boolean {
    const opcode = bytes[place - 1];
    if (place < 1 || (opcode !== CALL && opcode !== JMP)) return false;
    bytes.set(UD2, place - 1);
    return true;
  },
  loadAddress(bytes, place, start, addend, rule) {
    if (rule.smf !== RelocationType.Pc32 || addend !== -4 || place - start < 3) return undefined;
    // lea x(%rip), %reg -> mov x@GOTPCREL(%rip), %reg
    const isLea = (bytes[place - 3] & 0xf8) === 0x48 && bytes[place - 2] === LEA &&
      (bytes[place - 1] & 0xc7) === 0x05;
    if (!isLea) return undefined;
    bytes[place - 2] = MOV;
    return RelocationType.GotPcRel;
  },
  thunks: THUNKS,
  relaxGot(
    bytes: Uint8Array,
    place: number,
    addend: number,
    rule: RelocationRule,
    onlyBranches: boolean,
  ): number {
    if (rule.relaxable !== true || addend !== -4 || place < 2) return -1;
    const opcode = bytes[place - 2];
    const modRm = bytes[place - 1];
    if (opcode === GROUP5 && modRm === CALL_RIP) {
      // call *x@GOTPCREL(%rip) -> addr32 call x
      bytes[place - 2] = ADDR32;
      bytes[place - 1] = CALL;
      return place;
    }
    if (opcode === GROUP5 && modRm === JMP_RIP) {
      // jmp *x@GOTPCREL(%rip) -> jmp x; nop
      bytes[place - 2] = JMP;
      bytes[place + 3] = NOP;
      return place - 1;
    }
    if (opcode === MOV && (modRm & 0xc7) === 0x05 && !onlyBranches) {
      // mov x@GOTPCREL(%rip), %reg -> lea x(%rip), %reg
      bytes[place - 2] = LEA;
      return place;
    }
    return -1;
  },
};
