/**
 * AArch64: "ELF for the Arm 64-bit Architecture", section 5.7 "Relocation".
 */
import { Arch, RelocationType } from "../../smf/enums.ts";
import {
  DISTANCE_TO_SLOT,
  INT32,
  INT64,
  type LinkArch,
  type Refusal,
  type RelocationRule,
  type TlsSlotKind,
  UNKNOWN_TYPE,
  writeInt32,
  writeInt64,
  writeNarrow,
} from "./arch.ts";
import { Machine } from "../../os/elf.ts";
import { blockOffset, movesWide, moveWide, slotOffset, words, writeAdr } from "./aarch64_fields.ts";

const PAGE = { use: "page", width: 4, smf: RelocationType.Arm64Page21 } as const;
const LOW12 = { use: "page", width: 4, smf: RelocationType.Arm64PageOff12 } as const;
const BRANCH = { use: "branch", width: 4, smf: RelocationType.Arm64Branch26, ...words(26, 0) } as const;

const PAGE_OF_SLOT: RelocationRule = { name: "page of a GOT slot", ...PAGE };
const LOW12_OF_SLOT: RelocationRule = { name: "page offset of a GOT slot", ...LOW12 };

/** Writes the low 12 bits of a constant, for an instruction whose field counts units of 2^scale bytes. */
function low12(scale: number): Omit<RelocationRule, "name"> {
  return { ...LOW12, constant: blockOffset(0, scale).write! };
}

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

/** The rules for loads and stores of 1 to 8 bytes, each with and without an overflow check. */
const BLOCK_LOADS: [number, RelocationRule][] = [0, 1, 2, 3].flatMap((scale): [number, RelocationRule][] => {
  const name = `R_AARCH64_TLSLD_LDST${8 << scale}_DTPREL_LO12`;
  return [
    [531 + 2 * scale, { name, ...blockOffset(0, scale, 4096) }],
    [532 + 2 * scale, { name: `${name}_NC`, ...blockOffset(0, scale) }],
  ];
});

/** R_AARCH64_* that a module can hold, or that the linker applies. */
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
  // Addresses of 16 and 32 bits: only constants fit.
  [258, {
    name: "R_AARCH64_ABS32",
    use: "absolute",
    width: 4,
    smf: undefined,
    range: [-(2 ** 31), 2 ** 32],
    write(view: DataView, at: number, value: number): boolean {
      if (!(value >= -(2 ** 31) && value < 2 ** 32)) return false;
      view.setInt32(at, value | 0, true);
      return true;
    },
  }],
  [259, {
    name: "R_AARCH64_ABS16",
    use: "absolute",
    width: 2,
    smf: undefined,
    ...writeNarrow(2, -(2 ** 15), 2 ** 16),
  }],
  [262, {
    name: "R_AARCH64_PREL16",
    use: "relative",
    width: 2,
    smf: undefined,
    ...writeNarrow(2, -(2 ** 15), 2 ** 16),
  }],
  ...movesWide(263, "R_AARCH64_MOVW_UABS", "absolute", "unsigned"),
  [269, { name: "R_AARCH64_MOVW_UABS_G3", ...moveWide("absolute", 3, "none") }],
  ...[0, 1, 2].map((part): [number, RelocationRule] => [
    270 + part,
    { name: `R_AARCH64_MOVW_SABS_G${part}`, ...moveWide("absolute", part, "signed") },
  ]),
  ...movesWide(287, "R_AARCH64_MOVW_PREL", "relative", "signed"),
  [293, { name: "R_AARCH64_MOVW_PREL_G3", ...moveWide("relative", 3, "signed") }],
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
  [277, { name: "R_AARCH64_ADD_ABS_LO12_NC", ...low12(0) }],
  [278, { name: "R_AARCH64_LDST8_ABS_LO12_NC", ...low12(0) }],
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
  [284, { name: "R_AARCH64_LDST16_ABS_LO12_NC", ...low12(1) }],
  [285, { name: "R_AARCH64_LDST32_ABS_LO12_NC", ...low12(2) }],
  [286, { name: "R_AARCH64_LDST64_ABS_LO12_NC", ...low12(3) }],
  [299, { name: "R_AARCH64_LDST128_ABS_LO12_NC", ...low12(4) }],
  [311, {
    name: "R_AARCH64_ADR_GOT_PAGE",
    use: "got",
    width: 4,
    smf: RelocationType.Arm64GotLoadPage21,
    toSlot: PAGE_OF_SLOT,
  }],
  [312, {
    name: "R_AARCH64_LD64_GOT_LO12_NC",
    use: "got",
    width: 4,
    smf: RelocationType.Arm64GotLoadPageOff12,
    toSlot: LOW12_OF_SLOT,
  }],
  [310, { name: "R_AARCH64_LD64_GOTOFF_LO15", ...slotOffset("slot") }],
  [313, { name: "R_AARCH64_LD64_GOTPAGE_LO15", ...slotOffset("page") }],
  [314, {
    name: "R_AARCH64_PLT32",
    use: "branch",
    width: 4,
    smf: RelocationType.Plt32,
    write: writeInt32,
    range: INT32,
  }],
  [315, {
    name: "R_AARCH64_GOTPCREL32",
    use: "got",
    width: 4,
    smf: RelocationType.GotPcRel,
    toSlot: DISTANCE_TO_SLOT,
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
  [1029, {
    name: "R_AARCH64_TLS_DTPREL64",
    use: "tls-offset",
    width: 8,
    smf: undefined,
    write: writeInt64,
    range: INT64,
  }],
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
    references: [[0, PAGE_OF_SLOT, 0], [4, LOW12_OF_SLOT, 0]],
  },
  veneer: {
    // adrp x16, target; add x16, x16, :lo12:target; br x16
    bytes: [0x10, 0x00, 0x00, 0x90, 0x10, 0x02, 0x00, 0x91, 0x00, 0x02, 0x1f, 0xd6],
    references: [[0, RelocationType.Arm64Page21], [4, RelocationType.Arm64PageOff12]],
  },
  callAddend: 0,
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
    if (type === 309) {
      return {
        problem: "the object is compiled for the tiny code model",
        hint: "compile with -mcmodel=small",
      };
    }
    return UNKNOWN_TYPE;
  },
  isBranch: (_bytes, _place, { use }) => use === "branch",
  isIndirectBranch: () => false,
  // The ABI makes it a branch to the next instruction.
  disarmBranch(bytes: Uint8Array, place: number): boolean {
    bytes.set(NOP, place);
    return true;
  },
  loadAddress(bytes, place, _start, addend, rule) {
    if (addend !== 0) return undefined;
    // adrp x, page -> adrp x, page of a GOT slot
    if (rule.smf === RelocationType.Arm64Page21) return RelocationType.Arm64GotLoadPage21;
    // add x, y, low 12 bits -> ldr x, [y, low 12 bits of a GOT slot]; rules of loads have the same type
    const isAdd = rule.smf === RelocationType.Arm64PageOff12 && bytes[place + 3] === 0x91 &&
      (bytes[place + 2] & 0xc0) === 0;
    if (!isAdd) return undefined;
    bytes[place + 3] = 0xf9;
    bytes[place + 2] = (bytes[place + 2] & 0x3f) | 0x40;
    return RelocationType.Arm64GotLoadPageOff12;
  },
  relaxGot: () => -1,
};
