/**
 * Names the instruction-set extension that an instruction needs beyond the baseline of its architecture:
 * x86-64-v1 (psABI, "Micro-Architecture Levels") and Armv8.0-A.
 */
import { type Capstone, loadCapstone } from "../../src/cli/analysis/disassemble.ts";
import { hexBytes } from "./digits.ts";

/** An instruction that a processor of the baseline does not have. */
export interface Excess {
  readonly offset: number;
  readonly text: string;
  readonly extension: string;
}

/** Decodes machine code and finds the instructions that need more than the baseline. */
export class BaselineCheck {
  readonly #capstone: Capstone;

  private constructor(capstone: Capstone) {
    this.#capstone = capstone;
  }

  static async start(): Promise<BaselineCheck> {
    return new BaselineCheck(await loadCapstone());
  }

  find(arch: "x86_64" | "aarch64", code: Uint8Array): { instructions: number; excess: Excess[] } {
    const x86 = arch === "x86_64";
    const { ARCH_X86, ARCH_ARM64, MODE_64, Capstone } = this.#capstone;
    const decoder = new Capstone(x86 ? ARCH_X86 : ARCH_ARM64, x86 ? MODE_64 : 0);
    const excess: Excess[] = [];
    let instructions = 0;
    try {
      for (let at = 0; at < code.length;) {
        const before = at;
        for (const { bytes, mnemonic, op_str } of decodeFrom(decoder, code.subarray(at), at)) {
          const text = `${mnemonic} ${op_str}`.trimEnd();
          const extension = x86 ? x86Extension(bytes) : armExtension(mnemonic, op_str);
          if (extension !== undefined) excess.push({ offset: at, text, extension });
          instructions++;
          at += bytes.length;
        }
        if (at > before) continue;
        // Capstone does not know the newest instructions. Zeros are padding, which nothing runs.
        const rest = code.subarray(at, at + (x86 ? 1 : 4));
        if (rest.some((byte) => byte !== 0)) {
          excess.push({ offset: at, text: `.byte ${hexBytes(rest)}`, extension: "not decoded" });
        }
        at += rest.length;
      }
    } finally {
      decoder.close();
    }
    return { instructions, excess };
  }
}

type Decoder = InstanceType<Capstone["Capstone"]>;

/** Decodes up to the first bytes that are not an instruction; Capstone throws if those are at the start. */
function decodeFrom(decoder: Decoder, bytes: Uint8Array, address: number): ReturnType<Decoder["disasm"]> {
  try {
    return decoder.disasm(bytes, address);
  } catch {
    return [];
  }
}

/** The extension by opcode (Intel SDM volume 2, appendix A; AMD APM volume 3, appendix A). */
export function x86Extension(bytes: readonly number[]): string | undefined {
  let at = 0;
  let prefix = 0;
  for (; LEGACY_PREFIXES.has(bytes[at]); at++) {
    // F2 and F3 choose the instruction before 66 does.
    if (bytes[at] === 0xf2 || bytes[at] === 0xf3 || (bytes[at] === 0x66 && prefix === 0)) prefix = bytes[at];
  }
  const rex = (bytes[at] & 0xf0) === 0x40 ? bytes[at++] : 0;
  const [opcode, second, third] = [bytes[at], bytes[at + 1], bytes[at + 2]];
  if (opcode === 0xc4 || opcode === 0xc5) return "VEX: AVX, BMI or FMA";
  if (opcode === 0x62) return "EVEX: AVX-512";
  if (opcode === 0x8f && (second & 0x38) !== 0) return "XOP";
  if (opcode === 0x9e || opcode === 0x9f) return "LAHF-SAHF";
  if (opcode >= 0xdb && opcode <= 0xdf && opcode % 2 === 1 && second < 0xc0 && (second & 0x38) === 0x08) {
    return "SSE3";
  }
  if (opcode !== 0x0f) return undefined;
  if (second === 0x38 || second === 0x3a) return "SSSE3 or later";
  const reg = (third >> 3) & 7;
  const isRegister = third >= 0xc0;
  switch (second) {
    case 0x01:
      return third === 0xd0 || third === 0xd1 ? "XSAVE" : third === 0xf9 ? "RDTSCP" : undefined;
    case 0x0d:
      return "PREFETCHW";
    case 0x0e:
    case 0x0f:
      return "3DNow!";
    case 0x12:
    case 0x16:
      return prefix === 0xf2 || prefix === 0xf3 ? "SSE3" : undefined;
    case 0x2b:
      return prefix === 0xf2 || prefix === 0xf3 ? "SSE4a" : undefined;
    case 0x78:
    case 0x79:
      return "SSE4a";
    case 0x7c:
    case 0x7d:
    case 0xd0:
      return "SSE3";
    case 0xf0:
      return "SSE3";
    case 0xae:
      if (prefix === 0xf3) return isRegister ? "FSGSBASE or CET" : "PTWRITE";
      if (isRegister) return prefix === 0x66 ? "WAITPKG" : undefined;
      return reg === 4 || reg === 5 || reg === 6 ? "XSAVE" : prefix === 0x66 ? "CLFLUSHOPT" : undefined;
    case 0xb8:
      return "POPCNT";
    case 0xbd:
      return prefix === 0xf3 ? "LZCNT" : undefined;
      // 0F BC with F3 is TZCNT, and BSF on older processors. Compilers use it where both give the same.
    case 0xc7:
      if (reg === 1 && !isRegister) return (rex & 8) !== 0 ? "CMPXCHG16B" : undefined;
      return reg >= 6 ? "RDRAND, RDSEED or RDPID" : "XSAVE";
    default:
      return undefined;
  }
}

const LEGACY_PREFIXES: ReadonlySet<number> = new Set([
  ...[0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65],
  ...[0x66, 0x67, 0xf0, 0xf2, 0xf3],
]);

/** Mnemonics by extension (Arm ARM, chapter A2: features that Armv8.0 does not have or makes optional). */
const ARM_EXTENSIONS: readonly (readonly [extension: string, mnemonics: RegExp])[] = [
  ["LSE", /^(cas|casp|swp|(ld|st)(add|clr|eor|set|[su]max|[su]min))(a|l|al)?[bh]?$/],
  ["RCPC", /^(ldapr|ldapur|stlur)/],
  ["LOR", /^(ldlar|stllr)/],
  ["PAuth", /^(br|blr|ret|eret|ldr)a[ab]z?$|^(pac|aut)[id][ab](z[ab])?$|^pacga$|^xpac[id]$/],
  ["RDM", /^sqrdml[as]h$/],
  ["DotProd, I8MM or BF16", /^([us]dot|usdot|sudot|bf.*|[us]mmla|usmmla)$/],
  ["CRC32", /^crc32/],
  ["Crypto", /^(aes|sha1|sha256|sha512|sm3|sm4|eor3|rax1|xar|bcax)/],
  ["JSCVT, FRINTTS or FlagM", /^(fjcvtzs|frint(32|64)[xz]|cfinv|rmif|setf(8|16)|axflag|xaflag)$/],
  ["FCMA or FHM", /^(fcmla|fcadd|fml[as]l2?)$/],
  ["MTE", /^(irg|gmi|ldg|stg|st2g|stzg|stz2g|stgp|subps?)$/],
];

/** The extension by mnemonic and operands. */
export function armExtension(mnemonic: string, operands: string): string | undefined {
  if (/(^|[ {,])[zp]\d+\b/.test(operands)) return "SVE";
  // Half-precision arithmetic; conversions to and from it are in the baseline.
  if (mnemonic.startsWith("f") && mnemonic !== "fcvt" && /(^|\s)h\d+|\.[48]h/.test(operands)) {
    if (!/^fcvt[ln]2?$/.test(mnemonic)) return "FP16";
  }
  // BFI, BFXIL and BFM move bits; all other names with BF are BFloat16's.
  if (/^(bfi|bfxil|bfm|bfc)$/.test(mnemonic)) return undefined;
  return ARM_EXTENSIONS.find(([, mnemonics]) => mnemonics.test(mnemonic))?.[0];
}
