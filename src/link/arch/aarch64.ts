/**
 * AArch64: "ELF for the Arm 64-bit Architecture", section 5.7 "Relocation".
 */
import { Arch, RelocationType } from "../../smf/enums.ts";
import {
  type LinkArch,
  type Refusal,
  type RelocationRule,
  type TlsSlotKind,
  UNKNOWN_TYPE,
  writeInt32,
  writeInt64,
} from "./arch.ts";
import { Machine } from "../../os/elf.ts";

const INT32 = [-(2 ** 31), 2 ** 31] as const;
const INT64 = [-(2 ** 53) + 1, 2 ** 53] as const;

/** Makes a writer of distances in words, for a field of `bits` bits from bit `low` up. */
function words(bits: number, low: number): Required<Pick<RelocationRule, "write" | "range">> {
  const limit = 2 ** (bits + 1);
  return {
    range: [-limit, limit],
    write(view: DataView, at: number, value: number): boolean {
      if (!(value >= -limit && value < limit) || value % 4 !== 0) return false;
      const mask = ((2 ** bits - 1) << low) >>> 0;
      view.setUint32(at, (view.getUint32(at, true) & ~mask) | (((value / 4) << low) & mask), true);
      return true;
    },
  };
}

/** Writes the byte distance of ADR: its low two bits to bits 29 and 30, the rest from bit 5 up. */
function writeAdr(view: DataView, at: number, value: number): boolean {
  if (!(value >= -(2 ** 20) && value < 2 ** 20)) return false;
  const fields = ((value & 3) << 29) | (((value >> 2) & 0x7ffff) << 5);
  view.setUint32(at, ((view.getUint32(at, true) & 0x9f00001f) | fields) >>> 0, true);
  return true;
}

const PAGE = { use: "page", width: 4, smf: RelocationType.Arm64Page21 } as const;
const LOW12 = { use: "page", width: 4, smf: RelocationType.Arm64PageOff12 } as const;
const BRANCH = { use: "branch", width: 4, smf: RelocationType.Arm64Branch26, ...words(26, 0) } as const;

/** The page of a TLS slot. */
function tlsPage(slot: TlsSlotKind): Omit<RelocationRule, "name"> {
  return { use: "tls", slot, toSlot: { name: "page of a TLS slot", ...PAGE }, width: 4, smf: undefined };
}

/** The offset of a TLS slot in its page. */
function tlsLow12(slot: TlsSlotKind): Omit<RelocationRule, "name"> {
  return {
    use: "tls",
    slot,
    toSlot: { name: "page offset of a TLS slot", ...LOW12 },
    width: 4,
    smf: undefined,
  };
}

/**
 * 12 bits of the offset of a thread-local variable, in a field from bit 10 up.
 *
 * @param shift The lowest bit of the offset that goes into the field.
 * @param scale The unit of the instruction's field, as a power of two.
 * @param limit The first offset that is too large; undefined for types without an overflow check.
 */
function blockOffset(shift: number, scale: number, limit?: number): Omit<RelocationRule, "name"> {
  return {
    use: "tls-offset",
    width: 4,
    smf: undefined,
    range: limit === undefined ? INT64 : [0, limit],
    write(view: DataView, at: number, value: number): boolean {
      if (limit !== undefined && !(value >= 0 && value < limit)) return false;
      const field = Math.floor(value / 2 ** shift) % 4096;
      if (field % 2 ** scale !== 0) return false;
      const instruction = view.getUint32(at, true) & ~(0xfff << 10);
      view.setUint32(at, (instruction | ((field >> scale) << 10)) >>> 0, true);
      return true;
    },
  };
}

/** The rules for loads and stores of 1 to 8 bytes, each with and without an overflow check. */
const BLOCK_LOADS: [number, RelocationRule][] = [0, 1, 2, 3].flatMap((scale): [number, RelocationRule][] => {
  const name = `R_AARCH64_TLSLD_LDST${8 << scale}_DTPREL_LO12`;
  return [
    [531 + 2 * scale, { name, ...blockOffset(0, scale, 4096) }],
    [532 + 2 * scale, { name: `${name}_NC`, ...blockOffset(0, scale) }],
  ];
});

/** R_AARCH64_* that have a counterpart. */
const RULES: [number, RelocationRule][] = [
  [0, { name: "R_AARCH64_NONE", use: "none", width: 0, smf: undefined }],
  [256, { name: "R_AARCH64_NONE", use: "none", width: 0, smf: undefined }],
  [257, {
    name: "R_AARCH64_ABS64",
    use: "absolute",
    width: 8,
    smf: RelocationType.Abs64,
    write: writeInt64,
    range: INT64,
  }],
  [260, {
    name: "R_AARCH64_PREL64",
    use: "relative",
    width: 8,
    smf: RelocationType.Pc64,
    write: writeInt64,
    range: INT64,
  }],
  [261, {
    name: "R_AARCH64_PREL32",
    use: "relative",
    width: 4,
    smf: RelocationType.Pc32,
    write: writeInt32,
    range: INT32,
  }],
  [273, {
    name: "R_AARCH64_LD_PREL_LO19",
    use: "relative",
    width: 4,
    smf: RelocationType.Arm64LoadPrel19,
    ...words(19, 5),
  }],
  [274, {
    name: "R_AARCH64_ADR_PREL_LO21",
    use: "relative",
    width: 4,
    smf: RelocationType.Arm64AdrPrel21,
    write: writeAdr,
    range: [-(2 ** 20), 2 ** 20],
  }],
  [275, { name: "R_AARCH64_ADR_PREL_PG_HI21", ...PAGE }],
  [276, { name: "R_AARCH64_ADR_PREL_PG_HI21_NC", ...PAGE }],
  [277, { name: "R_AARCH64_ADD_ABS_LO12_NC", ...LOW12 }],
  [278, { name: "R_AARCH64_LDST8_ABS_LO12_NC", ...LOW12 }],
  [279, {
    name: "R_AARCH64_TSTBR14",
    use: "branch",
    width: 4,
    smf: RelocationType.Arm64TestBranch14,
    ...words(14, 5),
  }],
  [280, {
    name: "R_AARCH64_CONDBR19",
    use: "branch",
    width: 4,
    smf: RelocationType.Arm64CondBranch19,
    ...words(19, 5),
  }],
  [282, { name: "R_AARCH64_JUMP26", ...BRANCH }],
  [283, { name: "R_AARCH64_CALL26", ...BRANCH }],
  [284, { name: "R_AARCH64_LDST16_ABS_LO12_NC", ...LOW12 }],
  [285, { name: "R_AARCH64_LDST32_ABS_LO12_NC", ...LOW12 }],
  [286, { name: "R_AARCH64_LDST64_ABS_LO12_NC", ...LOW12 }],
  [299, { name: "R_AARCH64_LDST128_ABS_LO12_NC", ...LOW12 }],
  [311, { name: "R_AARCH64_ADR_GOT_PAGE", use: "got", width: 4, smf: RelocationType.Arm64GotLoadPage21 }],
  [312, {
    name: "R_AARCH64_LD64_GOT_LO12_NC",
    use: "got",
    width: 4,
    smf: RelocationType.Arm64GotLoadPageOff12,
  }],
  [314, {
    name: "R_AARCH64_PLT32",
    use: "branch",
    width: 4,
    smf: RelocationType.Plt32,
    write: writeInt32,
    range: INT32,
  }],
  [513, { name: "R_AARCH64_TLSGD_ADR_PAGE21", ...tlsPage("pair") }],
  [514, { name: "R_AARCH64_TLSGD_ADD_LO12_NC", ...tlsLow12("pair") }],
  [518, { name: "R_AARCH64_TLSLD_ADR_PAGE21", ...tlsPage("module") }],
  [519, { name: "R_AARCH64_TLSLD_ADD_LO12_NC", ...tlsLow12("module") }],
  [528, { name: "R_AARCH64_TLSLD_ADD_DTPREL_HI12", ...blockOffset(12, 0, 2 ** 24) }],
  [529, { name: "R_AARCH64_TLSLD_ADD_DTPREL_LO12", ...blockOffset(0, 0, 4096) }],
  [530, { name: "R_AARCH64_TLSLD_ADD_DTPREL_LO12_NC", ...blockOffset(0, 0) }],
  ...BLOCK_LOADS,
  [541, { name: "R_AARCH64_TLSIE_ADR_GOTTPREL_PAGE21", ...tlsPage("static") }],
  [542, { name: "R_AARCH64_TLSIE_LD64_GOTTPREL_LO12_NC", ...tlsLow12("static") }],
  [562, { name: "R_AARCH64_TLSDESC_ADR_PAGE21", ...tlsPage("descriptor") }],
  [563, { name: "R_AARCH64_TLSDESC_LD64_LO12", ...tlsLow12("descriptor") }],
  [564, { name: "R_AARCH64_TLSDESC_ADD_LO12", ...tlsLow12("descriptor") }],
  [567, { name: "R_AARCH64_TLSDESC_LDR", use: "none", width: 0, smf: undefined }],
  [568, { name: "R_AARCH64_TLSDESC_ADD", use: "none", width: 0, smf: undefined }],
  [569, { name: "R_AARCH64_TLSDESC_CALL", use: "none", width: 0, smf: undefined }],
  [572, { name: "R_AARCH64_TLSLD_LDST128_DTPREL_LO12", ...blockOffset(0, 4, 4096) }],
  [573, { name: "R_AARCH64_TLSLD_LDST128_DTPREL_LO12_NC", ...blockOffset(0, 4) }],
];

/** The rules for local-exec code; those with an overflow check at 4096 (-mtls-size=12) are refused. */
for (
  const [type, name] of [
    [549, "ADD_TPREL_HI12"],
    [551, "ADD_TPREL_LO12_NC"],
    [553, "LDST8_TPREL_LO12_NC"],
    [555, "LDST16_TPREL_LO12_NC"],
    [557, "LDST32_TPREL_LO12_NC"],
    [559, "LDST64_TPREL_LO12_NC"],
    [571, "LDST128_TPREL_LO12_NC"],
  ] as const
) {
  const smf = type === 549 ? RelocationType.Arm64TlsStaticHigh12 : RelocationType.Arm64TlsStaticLow12;
  RULES.push([type, { name: `R_AARCH64_TLSLE_${name}`, use: "tls-static", width: 4, smf }]);
}

const NOP = [0x1f, 0x20, 0x03, 0xd5];

/** AArch64. */
export const AARCH64: LinkArch = {
  name: "aarch64",
  machine: Machine.AARCH64,
  smf: Arch.Aarch64,
  hasFixedPages: false,
  filler: 0x00, // udf #0
  fragments: {
    // paciasp; stp x29, x30, [sp, #-16]!; mov x29, sp
    head: [0x3f, 0x23, 0x03, 0xd5, 0xfd, 0x7b, 0xbf, 0xa9, 0xfd, 0x03, 0x00, 0x91],
    // ldp x29, x30, [sp], #16; autiasp; ret
    tail: [0xfd, 0x7b, 0xc1, 0xa8, 0xbf, 0x23, 0x03, 0xd5, 0xc0, 0x03, 0x5f, 0xd6],
    nop: NOP,
  },
  pltStub: {
    // adrp x16, slot; ldr x17, [x16, :lo12:slot]; br x17
    bytes: [0x10, 0x00, 0x00, 0x90, 0x11, 0x02, 0x40, 0xf9, 0x20, 0x02, 0x1f, 0xd6],
    references: [[0, RelocationType.Arm64Page21, 0], [4, RelocationType.Arm64PageOff12, 0]],
  },
  hasBiasedAddends: false,
  absolute64: 257,
  rules: new Map(RULES),
  refusal(type: number): Refusal {
    if (type >= 544 && type <= 559 || type === 570 || type === 571) {
      return {
        problem: "the module's thread-local variables may be further from the thread pointer",
        hint: "compile with -fPIC, or with -mtls-size=24",
      };
    }
    if (type >= 512 && type <= 566) {
      return {
        problem: "thread-local variables are compiled for the tiny or large code model",
        hint: "compile with -mcmodel=small",
      };
    }
    if (type === 258 || type === 259) {
      return { problem: "addresses of 16 or 32 bits do not reach", hint: "compile with -fPIC" };
    }
    if (type >= 263 && type <= 269) {
      return {
        problem: "the object is compiled for the large code model",
        hint: "compile with -mcmodel=small",
      };
    }
    return UNKNOWN_TYPE;
  },
  isIndirectBranch: () => false,
  // The ABI makes it a branch to the next instruction.
  disarmBranch(bytes: Uint8Array, place: number): boolean {
    bytes.set(NOP, place);
    return true;
  },
  relaxGot: () => -1,
};
