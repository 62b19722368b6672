/**
 * Thunks of x86-64: code out of line that does the work of one instruction, but with an address that
 * it loads from a GOT slot.
 *
 * Code for programs (-fno-pic) contains addresses as operands of 32 bits, and distances to variables
 * of other libraries, for which a linker of programs copies the variable. Neither leads to an import
 * that is far away. Such an instruction becomes a jump to a thunk, which jumps back behind it.
 *
 * ```text
 * instruction                  thunk
 * mov   $symbol, %reg          mov slot(%rip), %reg           also with 64 bits
 * push  $symbol                push slot(%rip)
 * cmp   $symbol, %reg          cmp slot(%rip), %reg           and the other seven of its kind
 * mov   symbol(%rip), %reg     mov slot(%rip), %reg; mov (%reg), %reg
 * mov   symbol, %reg           the same
 * any other                    with a scratch register, which it saves below the red zone
 * ```
 *
 * No thunk changes flags or registers that its instruction leaves alone.
 */
import { RelocationType } from "../../smf/enums.ts";
import type { RelocationRule, Thunk, ThunkMaker } from "./arch.ts";
import { type Instruction, readInstruction, Rex } from "./x86_64_instruction.ts";

const MOV_STORE = 0x89, MOV_LOAD = 0x8b, LEA = 0x8d, GROUP5 = 0xff, POP_GROUP = 0x8f;
const JMP = 0xe9, JMP_SIZE = 5, NOP = 0x90;
const RSP = 4, RBP = 5, RSI = 6, RDI = 7;
/** The red zone (psABI, 3.2.2), and the saved register. */
const RED_ZONE = 128, SAVED = 8;

/** The thunks of x86-64. */
export const THUNKS: ThunkMaker = {
  make: thunkOf,
  enter(bytes, start, end, distance) {
    bytes.fill(NOP, start, end);
    bytes[start] = JMP;
    new DataView(bytes.buffer, bytes.byteOffset).setInt32(start + 1, distance - JMP_SIZE, true);
  },
  toSlot: { smf: RelocationType.GotPcRel, addend: -4 },
};

function thunkOf(
  section: Uint8Array,
  from: number,
  place: number,
  rule: RelocationRule,
  addend: number,
): Thunk | undefined {
  let instruction: Instruction | undefined;
  for (let at = from; at <= place; at = instruction.end) {
    instruction = readInstruction(section, at, section.length);
    if (instruction === undefined) return undefined;
  }
  const { start, end, immediate } = instruction!;
  if (instruction!.isNarrow || end - start < JMP_SIZE) return undefined;
  const code = new ThunkCode(section, instruction!);
  const isMade = place === immediate
    ? rule.use === "absolute" && addend === 0 && immediate + rule.width === end && code.withImmediate()
    : place + 4 === immediate && code.withOperand(rule.use === "absolute" ? addend : addend + end - place);
  return isMade ? code.finish() : undefined;
}

/** Collects the code of one thunk. */
class ThunkCode {
  readonly #section: Uint8Array;
  readonly #instruction: Instruction;
  readonly #bytes: number[] = [];
  #slotAt = 0;
  #moved: Thunk["moved"];

  constructor(section: Uint8Array, instruction: Instruction) {
    this.#section = section;
    this.#instruction = instruction;
  }

  finish(): Thunk {
    const { start, end } = this.#instruction;
    this.#bytes.push(JMP, 0, 0, 0, 0);
    return { start, end, bytes: this.#bytes, slotAt: this.#slotAt, moved: this.#moved };
  }

  /** Does the work of an instruction whose immediate operand is the address. */
  withImmediate(): boolean {
    const { map, opcode, opcodeAt, start, rex, modrm } = this.#instruction;
    const isWide = (rex & Rex.W) !== 0;
    // With another prefix the operand may lie in another segment.
    if (map !== 0 || opcodeAt - start !== Number(rex !== 0)) return false;
    // A move of 32 bits clears the upper half, so the address is whole.
    if (opcode >= 0xb8 && opcode <= 0xbf) {
      this.#loadSlot(opcode & 7 | (rex & Rex.B) << 3);
      return true;
    }
    if (opcode === 0x68) {
      this.#throughSlot([GROUP5], 6);
      return true;
    }
    if (!isWide) return false;
    if (opcode < 0x40 && (opcode & 7) === 5) {
      this.#throughSlot([0x48, opcode - 2], 0);
      return true;
    }
    if (opcode !== 0xc7 && opcode !== 0x81) return false;
    const number = this.#section[modrm] >> 3 & 7;
    if (this.#section[modrm] >> 6 === 3) {
      const register = this.#section[modrm] & 7;
      const prefix = 0x48 | ((rex & Rex.B) !== 0 ? Rex.R : 0);
      this.#throughSlot([prefix, opcode === 0xc7 ? MOV_LOAD : number << 3 | 3], register);
      return true;
    }
    return this.#withScratch((scratch) => {
      this.#bytes.push(rex & ~Rex.R, opcode === 0xc7 ? MOV_STORE : number << 3 | 1);
      this.#copyOperand(scratch);
    });
  }

  /** Does the work of an instruction whose memory operand is a variable, or an element of it. */
  withOperand(addend: number): boolean {
    const { map, opcode, opcodeAt, start, rex, modrm, immediate, end } = this.#instruction;
    const section = this.#section;
    if (map === -1 || modrm === -1 || addend !== (addend | 0)) return false;
    const mod = section[modrm] >> 6, rm = section[modrm] & 7;
    // A distance, or an address; with an index, or with one register that becomes the index.
    const sib = mod === 0 && rm === RSP
      ? section[modrm + 1]
      : mod === 2 && rm !== RSP
      ? rm << 3 | RBP
      : mod === 0 && rm === RBP
      ? RSP << 3 | RBP
      : 0;
    if ((sib & 7) !== RBP) return false;
    const isIndex = mod === 2 && (rex & Rex.B) !== 0;
    const hasIndex = (sib >> 3 & 7) !== RSP || isIndex || (rex & Rex.X) !== 0;
    const register = section[modrm] >> 3 & 7;
    // Branches and POP use the stack. A plain LEA becomes a load of the slot itself.
    const isPlain = mod === 0 && rm === RBP && addend === 0;
    if (
      map === 0 && (opcode === POP_GROUP || opcode === GROUP5 && register > 1 || opcode === LEA && isPlain)
    ) {
      return false;
    }
    if (register === RSP && (rex & Rex.R) === 0) return false;
    // The base has no fourth bit; that of a register which becomes the index moves along.
    const ownRex = rex & ~Rex.B | (isIndex ? Rex.X : 0);
    const rexAt = rex === 0 ? -1 : opcodeAt - 1 - Math.min(map, 2);
    const instruction = (base: number): void => {
      for (let at = start; at <= opcodeAt; at++) this.#bytes.push(at === rexAt ? ownRex : section[at]);
      if (hasIndex) this.#bytes.push(0x84 | register << 3, sib & 0xf8 | base);
      else this.#bytes.push(0x80 | register << 3 | base);
      this.#word(addend);
      for (let at = immediate; at < end; at++) this.#bytes.push(section[at]);
    };
    // A plain load needs no other register than its own; %r12 as a base would need a SIB byte.
    const isLoad = !hasIndex && map === 0 && opcode === MOV_LOAD && opcodeAt === start + 1 &&
      (rex & Rex.W) !== 0;
    if (isLoad && register !== RSP) {
      const wide = register | (rex & Rex.R) << 1;
      this.#loadSlot(wide);
      this.#bytes.push(rex | wide >> 3, MOV_LOAD, 0x80 | register << 3 | register);
      this.#word(addend);
      return true;
    }
    return this.#withScratch(instruction, register);
  }

  /** Runs code between saving and restoring a register that holds the address. */
  #withScratch(work: (scratch: number) => void, taken = -1): boolean {
    const { modrm } = this.#instruction;
    const section = this.#section;
    const used = [taken];
    if (section[modrm] >> 6 !== 3) {
      const hasSib = (section[modrm] & 7) === 4;
      used.push(hasSib ? section[modrm + 1] & 7 : section[modrm] & 7);
      if (hasSib) used.push(section[modrm + 1] >> 3 & 7);
    }
    const scratch = [RSI, RDI, 3, 2].find((register) => !used.includes(register))!;
    this.#bytes.push(0x48, LEA, 0x64, 0x24, 0x100 - RED_ZONE);
    this.#bytes.push(0x50 | scratch);
    this.#loadSlot(scratch);
    work(scratch);
    this.#bytes.push(0x58 | scratch);
    this.#bytes.push(0x48, LEA, 0xa4, 0x24);
    this.#word(RED_ZONE);
    return true;
  }

  /** Copies the memory operand of the instruction, whose other operand is a register. */
  #copyOperand(register: number): void {
    const { modrm, immediate, rex } = this.#instruction;
    const section = this.#section;
    const mod = section[modrm] >> 6, rm = section[modrm] & 7;
    const hasStackBase = rm === 4 && (section[modrm + 1] & 7) === RSP && (rex & Rex.B) === 0;
    if (!hasStackBase) {
      this.#bytes.push(section[modrm] & 0xc7 | register << 3);
      for (let at = modrm + 1; at < immediate; at++) this.#bytes.push(section[at]);
      const isDistance = mod === 0 && rm === RBP;
      if (mod === 2 || isDistance || mod === 0 && rm === 4 && (section[modrm + 1] & 7) === RBP) {
        const to = this.#bytes.length - 4;
        this.#moved = { from: immediate - 4, to, end: isDistance ? to + 4 : undefined };
      }
      return;
    }
    const view = new DataView(section.buffer, section.byteOffset);
    const distance = mod === 0 ? 0 : mod === 1 ? view.getInt8(modrm + 2) : view.getInt32(modrm + 2, true);
    this.#bytes.push(0x84 | register << 3, section[modrm + 1]);
    this.#word(distance + RED_ZONE + SAVED);
  }

  #loadSlot(register: number): void {
    this.#throughSlot([0x48 | (register > 7 ? Rex.R : 0), MOV_LOAD], register & 7);
  }

  /** Adds an instruction whose memory operand is the slot. */
  #throughSlot(opcode: readonly number[], register: number): void {
    this.#bytes.push(...opcode, RBP | register << 3);
    this.#slotAt = this.#bytes.length;
    this.#word(0);
  }

  #word(value: number): void {
    this.#bytes.push(value & 0xff, value >> 8 & 0xff, value >> 16 & 0xff, value >> 24 & 0xff);
  }
}
