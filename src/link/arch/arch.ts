/**
 * The description of a processor for the linker: its relocation types and their counterparts in
 * SMF files.
 *
 * The letters are those of the psABIs: S the symbol's address, A the addend, P the address of the
 * patched place, G the address of a GOT slot that holds S.
 */
import { RelocationType } from "../../smf/enums.ts";

/** The kinds of GOT slots for thread-local variables, as in the table of `../thread_local.ts`. */
export type TlsSlotKind = "pair" | "module" | "descriptor" | "static";

/** How a relocation uses its symbol. */
export type Use =
  /** S + A */
  | "absolute"
  /** S + A - P */
  | "relative"
  /** S + A - P of a branch, which may go through a PLT stub */
  | "branch"
  /** a distance in pages, or an offset in a page; never known before loading */
  | "page"
  /** G + A - P, or a part of it */
  | "got"
  /** a TLS slot of the kind `slot`, which the rule `toSlot` refers to */
  | "tls"
  /** the offset of a thread-local variable in the TLS block, plus A */
  | "tls-offset"
  /** a part of the linker's own GOT, which `got` names: its start, a slot, or a distance from its start */
  | "own-got"
  /** Z + A, where Z is the symbol's size */
  | "size"
  /** the offset of a thread-local variable of this module from the thread pointer, plus A; known when it is loaded */
  | "tls-static"
  /** S + A - the start of the image; S may be a PLT stub */
  | "image"
  /** patches nothing; only keeps the symbol */
  | "none";

/**
 * How a relocation uses the linker's own GOT, whose start is GOT:
 * - `start`: GOT + A - P
 * - `slot`: G + A - GOT, or G + A - P if the rule is `fromPlace`
 * - `distance`: S + A - GOT
 * - `stub`: L + A - GOT, where L is the function or its PLT stub
 * - `page`: G + A - the page of GOT
 */
export type GotUse = "start" | "slot" | "distance" | "stub" | "page";

/** One relocation type of an ELF object. */
export interface RelocationRule {
  readonly name: string;
  readonly use: Use;
  /** The number of bytes patched. */
  readonly width: 0 | 1 | 2 | 4 | 8;
  /** The SMF type with the same formula; undefined where there is none. */
  readonly smf: number | undefined;
  /** Writes a value that is known at link time; returns false if it does not fit. */
  readonly write?: (view: DataView, at: number, value: number) => boolean;
  /** The values that `write` takes: from the first, up to but not including the second. */
  readonly range?: readonly [low: number, high: number];
  /** For "tls": the kind of slot. */
  readonly slot?: TlsSlotKind;
  /** For "tls", and for "got": the rule that refers to a slot of the linker's own. */
  readonly toSlot?: RelocationRule;
  /** For "own-got": the part of the GOT. */
  readonly got?: GotUse;
  /** For a slot of the linker's own GOT: whether the distance counts from the patched place. */
  readonly fromPlace?: boolean;
  /** Writes a constant, for a type that loaders apply to addresses alone. */
  readonly constant?: (view: DataView, at: number, value: number) => boolean;
  /** Whether the psABI lets a linker rewrite the instruction around the place. */
  readonly relaxable?: boolean;
}

/** Why a relocation cannot be in a module, and what to do about it. */
export interface Refusal {
  readonly problem: string;
  readonly hint?: string;
}

/** The refusal of a type that the linker does not know. */
export const UNKNOWN_TYPE: Refusal = {
  problem: "the type is unknown",
  hint: "try another code model: the compiler uses a relocation that the linker does not know",
};

/** A displacement of an instruction, and its copy in a thunk. */
export interface MovedOperand {
  /** Its offset in the section. */
  readonly from: number;
  /** The offset of the copy in the thunk. */
  readonly to: number;
  /** The offset in the thunk from which the copy counts; undefined if it is not a distance. */
  readonly end: number | undefined;
}

/** Code out of line that does the work of one instruction, with an address from a GOT slot. */
export interface Thunk {
  /** The instruction, by its first offset in its section and the one behind its end. */
  readonly start: number;
  readonly end: number;
  /** Its code, which ends with a jump whose distance is 0, like that to the slot. */
  readonly bytes: readonly number[];
  /** The offset of the distance to the GOT slot. */
  readonly slotAt: number;
  /** The displacement of another operand, which is copied. */
  readonly moved: MovedOperand | undefined;
}

/** Makes thunks. */
export interface ThunkMaker {
  /**
   * Makes the thunk of the instruction that a relocation patches; undefined if it has none.
   *
   * @param section The section's bytes.
   * @param from The offset of an instruction before the place, from which code follows without gaps.
   */
  make(
    section: Uint8Array,
    from: number,
    place: number,
    rule: RelocationRule,
    addend: number,
  ): Thunk | undefined;
  /** Replaces the instruction by a jump to its thunk, at a distance from the instruction's start. */
  enter(bytes: Uint8Array, start: number, end: number, distance: number): void;
  /** The relocation of a thunk's distance to its slot. */
  readonly toSlot: { readonly smf: number; readonly addend: number };
}

/** A processor. */
export interface LinkArch {
  readonly name: string;
  readonly machine: number;
  /** The number in the SMF header. */
  readonly smf: number;
  /** Whether pages have 4096 bytes on every system, so that an image can keep its distances. */
  readonly hasFixedPages: boolean;
  /** The byte that fills gaps in code: an instruction that traps. */
  readonly filler: number;
  /** Prologue and epilogue that make the fragments of `.init` and `.fini` a function, and the filler of its gaps. */
  readonly fragments: {
    readonly head: readonly number[];
    readonly tail: readonly number[];
    readonly nop: number[];
  };
  /** A stub that jumps to the address in a GOT slot, and its references to the slot. */
  readonly pltStub: {
    readonly bytes: readonly number[];
    readonly references: readonly (readonly [offset: number, rule: RelocationRule, addend: number])[];
  };
  /**
   * Code that jumps to an address in the module however far it is, and its references to that address; undefined
   * where a branch reaches all of an image.
   */
  readonly veneer?: {
    readonly bytes: readonly number[];
    readonly references: readonly (readonly [offset: number, smf: number])[];
  };
  /** The addend of a plain call. */
  readonly callAddend: number;
  /** Whether distances in code count from the end of the instruction, so that addends include a bias. */
  readonly hasBiasedAddends: boolean;
  /** The relocation type of a 64-bit address. */
  readonly absolute64: number;
  readonly rules: ReadonlyMap<number, RelocationRule>;
  /** Explains why a type has no rule. */
  refusal(type: number): Refusal;
  /** Whether an instruction with a distance is a call or a jump: assemblers use one type for all distances. */
  isBranch(bytes: Uint8Array, place: number, rule: RelocationRule): boolean;
  /** Whether the instruction that uses a GOT slot calls or jumps through it. */
  isIndirectBranch(bytes: Uint8Array, place: number, rule: RelocationRule): boolean;
  /**
   * Rewrites a branch to an undefined weak function, which a correct program
   * never takes. Returns false if the instruction is not a branch.
   */
  disarmBranch(bytes: Uint8Array, place: number): boolean;
  /**
   * Rewrites an instruction that calculates a symbol's address to one that loads
   * it from a GOT slot, at the same place. Several instructions may calculate one
   * address together, by its page: rewrite all of them, or none.
   *
   * @param start The offset at which the instruction's section begins.
   * @returns the loader's relocation of that instruction; undefined if it has no such form.
   */
  loadAddress(
    bytes: Uint8Array,
    place: number,
    start: number,
    addend: number,
    rule: RelocationRule,
  ): number | undefined;
  /** Absent where code for fixed addresses cannot be linked. */
  readonly thunks?: ThunkMaker;
  /**
   * Rewrites an instruction that loads from a GOT slot to one that refers to the
   * symbol directly, which is known to be near.
   *
   * @param onlyBranches Whether to rewrite calls and jumps only.
   * @returns the offset of the distance, or -1 if the instruction has no direct form.
   */
  relaxGot(
    bytes: Uint8Array,
    place: number,
    addend: number,
    rule: RelocationRule,
    onlyBranches: boolean,
  ): number;
}

const TWO_31 = 2 ** 31;

/** The values that {@linkcode writeInt32} and {@linkcode writeInt64} write: from the first up to the second. */
export const INT32 = [-TWO_31, TWO_31] as const;
export const INT64 = [-(2 ** 53) + 1, 2 ** 53] as const;

/** The values that {@linkcode writeUint32} writes. */
export const UINT32 = [0, 2 ** 32] as const;

/** Writes a signed 32-bit distance. */
export function writeInt32(view: DataView, at: number, value: number): boolean {
  if (!(value >= -TWO_31 && value < TWO_31)) return false;
  view.setInt32(at, value, true);
  return true;
}

/** Writes an unsigned 32-bit value. */
export function writeUint32(view: DataView, at: number, value: number): boolean {
  if (!(value >= 0 && value < 2 ** 32)) return false;
  view.setUint32(at, value, true);
  return true;
}

/** Writes the low bytes of a value of 8 or 16 bits, signed or unsigned. */
export function writeNarrow(width: 1 | 2, low: number, end: number): Pick<RelocationRule, "write" | "range"> {
  return {
    range: [low, end],
    write(view: DataView, at: number, value: number): boolean {
      if (!(value >= low && value < end)) return false;
      if (width === 1) view.setUint8(at, value & 0xff);
      else view.setUint16(at, value & 0xffff, true);
      return true;
    },
  };
}

/** Writes a signed 64-bit value that a number holds exactly. */
export function writeInt64(view: DataView, at: number, value: number): boolean {
  if (!Number.isSafeInteger(value)) return false;
  view.setUint32(at, value >>> 0, true);
  view.setInt32(at + 4, Math.floor(value / 0x100000000), true);
  return true;
}

/** The distance to a slot of the linker's own GOT. */
export const DISTANCE_TO_SLOT: RelocationRule = {
  name: "distance to a GOT slot",
  use: "relative",
  width: 4,
  smf: RelocationType.Pc32,
  write: writeInt32,
  range: INT32,
};
