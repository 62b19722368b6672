/**
 * The machine code of test modules on this machine. Tests write a routine in
 * x86-64 code with the System V calling convention; this file has the equivalent
 * code for Windows and for AArch64.
 */
import { RelocationType } from "../../src/smf/mod.ts";
import { fromHex } from "./digits.ts";

/** Whether this machine has such code. */
export const HAS_NATIVE_CODE: boolean = (Deno.build.os === "linux") ||
  (Deno.build.os === "windows" && Deno.build.arch === "x86_64");

/** A routine as tests write it. */
export interface SourceRoutine {
  readonly hex: string;
  /** Field offset → name; the field is relative to its own end. */
  readonly refers?: Readonly<Record<number, string>>;
  /** Like `refers`, through the GOT. */
  readonly refersByGot?: Readonly<Record<number, string>>;
  /** Replaces `hex` on Windows, where the same code needs different translations. */
  readonly windows?: string;
}

/** A relocated field of native code. */
export interface Reference {
  readonly offset: number;
  readonly name: string;
  readonly type: number;
  readonly addend: number;
}

interface Form {
  /** Hexadecimal, with fields at the same offsets; the same code if absent. */
  readonly windows?: string;
  readonly arm: readonly number[];
  /** Offsets of adrp in `arm`, each followed by the instruction that uses its page: one for each name, in field order. */
  readonly pairs?: readonly number[];
}

const RET = 0xd65f03c0;
const PUSH = 0xa9bf7bfd; // stp x29, x30, [sp, #-16]!
const POP = 0xa8c17bfd; // ldp x29, x30, [sp], #16
const JUMP = [0x90000010, 0xf9400210, 0xd61f0200]; // adrp x16; ldr x16, [x16]; br x16
const LOAD_X8 = [0x90000008, 0xf9400108]; // adrp x8; ldr x8, [x8]
const CALL = [PUSH, ...LOAD_X8, 0xd63f0100]; // …; blr x8

/** The equivalents, by the System V code without spaces. */
const FORMS: Readonly<Record<string, Form>> = {
  "c3": { arm: [RET] },
  "31c0c3": { arm: [0x52800000, RET] },
  // a + b, 32 and 64 bits
  "8d0437c3": { windows: "8d 04 11 c3", arm: [0x0b010000, RET] },
  "488d0437c3": { windows: "48 8d 04 11 c3", arm: [0x8b010000, RET] },
  // a - b
  "4889f84829f0c3": { windows: "48 89 c8 48 29 d0 c3", arm: [0xcb010000, RET] },
  // a + b, doubles and floats
  "f20f58c1c3": { arm: [0x1e612800, RET] },
  "f30f58c1c3": { arm: [0x1e212800, RET] },
  // sum of 8
  "488d04374801d04801c84c01c04c01c848034424084803442410c3": {
    windows: "48 8d 04 11 4c 01 c0 4c 01 c8 48 03 44 24 28 48 03 44 24 30 48 03 44 24 38 48 03 44 24 40 c3",
    arm: [...[1, 2, 3, 4, 5, 6, 7].map((register) => 0x8b000000 | (register << 16)), RET],
  },
  // *bytes
  "0fb607c3": { windows: "0f b6 01 c3", arm: [0x39400000, RET] },
  // f(value)
  "4883ec084889f889f7ffd04883c408c3": {
    windows: "48 83 ec 28 48 89 c8 89 d1 ff d0 48 83 c4 28 c3",
    arm: [PUSH, 0xaa0003e8, 0x2a0103e0, 0xd63f0100, POP, RET],
  },
  // waits until *word is not 0
  "8b07f39085c074f8c3": {
    windows: "8b 01 f3 90 85 c0 74 f8 c3",
    arm: [0xb9400001, 0x34ffffe1, 0x2a0103e0, RET],
  },
  // pair in two registers; Windows returns it through a pointer, its hidden first parameter
  "4889f84889f2c3": { windows: "48 89 11 4c 89 41 08 48 89 c8 c3", arm: [RET] },
  // increments a variable: adrp x8; add x8; ldr x0, [x8]; add x0, x0, 1; str x0, [x8]
  "48ff0500000000488b0500000000c3": {
    arm: [0x90000008, 0x91000108, 0xf9400100, 0x91000400, 0xf9000100, RET],
    pairs: [0],
  },
  // calls an import and adds one
  "4883ec08ff15000000004883c408ffc0c3": {
    windows: "48 83 ec 28 ff 15 00 00 00 00 48 83 c4 28 ff c0 c3",
    arm: [...CALL, 0x11000400, POP, RET],
    pairs: [4],
  },
  // calls an import
  "4883ec08ff15000000004883c408c3": {
    windows: "48 83 ec 28 ff 15 00 00 00 00 48 83 c4 28 c3",
    arm: [...CALL, POP, RET],
    pairs: [4],
  },
  // jumps to one import; two such jumps
  "ff2500000000": { arm: JUMP, pairs: [0] },
  "ff2500000000ff2500000000": { arm: [...JUMP, ...JUMP], pairs: [0, 12] },
  // *variable
  "488b0500000000488b00c3": { arm: [...LOAD_X8, 0xf9400100, RET], pairs: [0] },
  // ++*variable, *variable <<= 4
  "488b050000000048ff00c3": {
    arm: [...LOAD_X8, 0xf9400109, 0x91000529, 0xf9000109, RET],
    pairs: [0],
  },
  "488b050000000048c12004c3": {
    arm: [...LOAD_X8, 0xf9400109, 0xd37ced29, 0xf9000109, RET],
    pairs: [0],
  },
};

/** mov eax, value; ret */
const RETURNS = /^b8(..)(..)(..)(..)c3$/;

/** Bytes from hexadecimal digits; white space is ignored. */
export function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return fromHex(hex.replaceAll(/\s/g, ""));
}

/** Translates a routine to code for this machine and its relocated fields. */
export function nativeCode(
  routine: SourceRoutine,
): { bytes: Uint8Array<ArrayBuffer>; references: Reference[] } {
  const { hex, windows, refers = {}, refersByGot = {} } = routine;
  const fields = [
    ...Object.entries(refers).map(([at, name]) => ({ at: Number(at), name, byGot: false })),
    ...Object.entries(refersByGot).map(([at, name]) => ({ at: Number(at), name, byGot: true })),
  ];
  if (Deno.build.arch === "aarch64") {
    const { arm, pairs = [] } = formOf(hex);
    const references = pairs.flatMap((offset, index) => {
      const { name, byGot } = fields[index];
      return [
        {
          offset,
          name,
          type: byGot ? RelocationType.Arm64GotLoadPage21 : RelocationType.Arm64Page21,
          addend: 0,
        },
        {
          offset: offset + 4,
          name,
          type: byGot ? RelocationType.Arm64GotLoadPageOff12 : RelocationType.Arm64PageOff12,
          addend: 0,
        },
      ];
    });
    return { bytes: new Uint8Array(Uint32Array.from(arm).buffer), references };
  }
  const text = Deno.build.os === "windows" ? windows ?? formOf(hex).windows ?? hex : hex;
  const references = fields.map(({ at, name, byGot }) => ({
    offset: at,
    name,
    type: byGot ? RelocationType.GotPcRel : RelocationType.Pc32,
    addend: -4,
  }));
  return { bytes: bytesOf(text), references };
}

function formOf(hex: string): Form {
  const digits = hex.replaceAll(/\s/g, "");
  const returns = RETURNS.exec(digits);
  if (returns !== null) {
    const [low, high] = [`${returns[2]}${returns[1]}`, `${returns[4]}${returns[3]}`].map((half) =>
      parseInt(half, 16)
    );
    return { arm: [0x52800000 | (low << 5), 0x72a00000 | (high << 5), RET] };
  }
  const form = FORMS[digits];
  if (form === undefined) throw new Error(`no equivalent of '${hex}' on this machine`);
  return form;
}
