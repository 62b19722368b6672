/**
 * What the linker must know of a processor: its relocation types and how each
 * travels in an SMF file.
 *
 * The letters are those of the psABIs: S the symbol's address, A the addend, P
 * the address of the patched place, G the address of a GOT slot that holds S.
 */

/** The kinds of GOT slots for thread-local variables; the table in `../thread_local.ts` says what each holds. */
export type TlsSlotKind = "pair" | "module" | "descriptor" | "static";

/** How a relocation uses its symbol. */
export type Use =
  /** S + A */
  | "absolute"
  /** S + A - P */
  | "relative"
  /** S + A - P of a branch, which may go through a PLT stub */
  | "branch"
  /** distance in pages, or a place in one; never known before loading */
  | "page"
  /** G + A - P, or a part of it */
  | "got"
  /** a slot of a thread-local variable, of the kind that the rule says, as its rule `toSlot` says */
  | "tls"
  /** the offset of a thread-local variable in its block, plus A */
  | "tls-offset"
  /** nothing is patched; only says that the symbol is needed */
  | "none";

/** One relocation type of an ELF object. */
export interface RelocationRule {
  readonly name: string;
  readonly use: Use;
  /** Bytes patched. */
  readonly width: 0 | 4 | 8;
  /** The SMF type with the same formula; undefined where there is none. */
  readonly smf: number | undefined;
  /** Writes a distance known at link time; false when it does not fit. */
  readonly write?: (view: DataView, at: number, value: number) => boolean;
  /** The values that `write` takes: from the first, up to but not including the second. */
  readonly range?: readonly [low: number, high: number];
  /** Of "tls": which slot, and how to refer to it. */
  readonly slot?: TlsSlotKind;
  readonly toSlot?: RelocationRule;
  /** The psABI allows a linker to change the instruction around the place. */
  readonly relaxable?: boolean;
}

/** A processor. */
export interface LinkArch {
  readonly name: string;
  readonly machine: number;
  /** The SMF header's number. */
  readonly smf: number;
  /** Whether pages have 4096 bytes wherever it runs, so that an image can keep its distances. */
  readonly hasFixedPages: boolean;
  /** Fills gaps in code: an instruction that traps. */
  readonly filler: number;
  /** What surrounds the fragments of `.init` and `.fini` to make them a function, and what fills gaps there. */
  readonly fragments: {
    readonly head: readonly number[];
    readonly tail: readonly number[];
    readonly nop: number[];
  };
  /** Jumps to the address in a slot: instructions, and where they refer to the slot: offset, SMF type, addend. */
  readonly slotJump: {
    readonly bytes: readonly number[];
    readonly references: readonly (readonly [offset: number, type: number, addend: number])[];
  };
  /** In code, distances count from behind the place, so addends hold more than an offset. */
  readonly biased: boolean;
  /** The type of an address of 64 bits. */
  readonly absolute64: number;
  readonly rules: ReadonlyMap<number, RelocationRule>;
  /** What to do about a type that has no rule. */
  advice(type: number): string;
  /** Whether the instruction that uses a GOT slot is a call or a jump through it. */
  isIndirectBranch(bytes: Uint8Array, place: number, rule: RelocationRule): boolean;
  /**
   * Rewrites a branch to a weak function that does not exist, which a correct
   * program never takes. False if the instruction is no such branch.
   */
  neverTaken(bytes: Uint8Array, place: number): boolean;
  /**
   * Rewrites the use of a GOT slot into a direct one, since the symbol is known
   * to be near.
   *
   * @returns where the distance is now, or -1 if the instruction has no direct form.
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

/** Writes a signed 32-bit distance. */
export function writeInt32(view: DataView, at: number, value: number): boolean {
  if (!(value >= -TWO_31 && value < TWO_31)) return false;
  view.setInt32(at, value, true);
  return true;
}

/** Writes a signed 64-bit value that a number holds exactly. */
export function writeInt64(view: DataView, at: number, value: number): boolean {
  if (!Number.isSafeInteger(value)) return false;
  view.setUint32(at, value >>> 0, true);
  view.setInt32(at + 4, Math.floor(value / 0x100000000), true);
  return true;
}
