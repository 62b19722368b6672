/**
 * Translates the relocations of COFF sections, whose addends are in the places that they patch, to records with
 * addends (`Elf64_Rela`), as the linker reads them.
 *
 * | COFF | becomes |
 * |---|---|
 * | `ADDR64`, `ADDR32` | an address |
 * | `REL32` to `REL32_5` | a distance, or a branch after the opcode of one; the addend counts from the place |
 * | `ADDR32NB` | a distance from the start of the image |
 * | `SECREL` of a thread-local variable | its offset in the TLS block |
 * | `SECREL` in debug information | an offset in another section of debug information |
 * | `REL32` to `_tls_index` | the distance to the GOT slot that holds the number of the module's TLS blocks |
 */
import { exact64 } from "../elf/bytes.ts";
import { COFF_TYPES } from "../arch/x86_64_coff.ts";
import { malformed } from "../problems.ts";
import type { CoffFile, CoffSection } from "./file.ts";
import { CoffFlag, CoffRelocation, CoffSize } from "./format.ts";
import type { ModelTables } from "../model_tables.ts";

/** The types of the x86-64 psABI that mean the same. */
const [NONE, ADDRESS, DISTANCE, BRANCH, ADDRESS32] = [0, 1, 2, 4, 10];
const [TLS_MODULE, TLS_OFFSET] = [20, 21];

/** The parts of an object that its relocations depend on. */
export interface RelocationSymbols {
  /** The model's symbol indexes, by index in the file; -1 for auxiliary records. */
  readonly model: Int32Array;
  /** Whether a symbol is, or may be, a thread-local variable; by index in the file. */
  isThreadLocal(index: number): boolean;
  /** The index of the symbol in the file that stands for the number of the TLS blocks; -1 if there is none. */
  readonly tlsIndex: number;
}

/** Whether the bytes in front of a place are the opcode of a branch: no operand that counts from %rip follows them. */
function followsBranch(bytes: Uint8Array, start: number, at: number): boolean {
  if (at - start < 1) return false;
  const opcode = bytes[at - 1];
  return opcode === 0xe8 || opcode === 0xe9 ||
    at - start >= 2 && bytes[at - 2] === 0x0f && (opcode & 0xf0) === 0x80;
}

/** Adds the relocations of a section to the model; returns the position of the first record. */
export function addRelocations(
  { file }: CoffFile,
  section: CoffSection,
  symbols: RelocationSymbols,
  isDebug: boolean,
  tables: ModelTables,
): number {
  const { view, bytes, name: path } = file;
  const first = tables.relocationCount;
  tables.reserveRelocations(section.relocationCount);
  const isCode = (section.flags & CoffFlag.MEM_EXECUTE) !== 0;
  for (let i = 0; i < section.relocationCount; i++) {
    const record = section.relocations + i * CoffSize.RELOCATION;
    const place = view.getUint32(record, true);
    const index = view.getUint32(record + 4, true);
    const type = view.getUint16(record + 8, true);
    const width = type === CoffRelocation.ADDR64
      ? 8
      : type === CoffRelocation.ABSOLUTE
      ? 0
      : type === CoffRelocation.SECTION
      ? 2
      : 4;
    const broken = (problem: string) =>
      malformed(path, problem, { section: section.name, offset: place, value: index });
    const isInside = place + width <= section.size && section.hasBytes;
    const symbol = index < symbols.model.length ? symbols.model[index] : -1;
    if (isDebug && (!isInside || symbol === -1)) {
      // Damaged debug information never costs the link: who reads it refuses this type.
      tables.relocation(place, 0, COFF_TYPES + type, 0);
      continue;
    }
    if (!isInside) throw broken("a relocation lies outside its section");
    if (symbol === -1) throw broken("a relocation's symbol does not exist");
    const at = section.offset + place;
    if (type >= CoffRelocation.REL32 && type <= CoffRelocation.REL32_5) {
      // Distances count from the end of the instruction, behind the place and an immediate operand.
      const addend = view.getInt32(at, true) - 4 - (type - CoffRelocation.REL32);
      const isBranch = isCode && type === CoffRelocation.REL32 && followsBranch(bytes, section.offset, at);
      const translated = index === symbols.tlsIndex ? TLS_MODULE : isBranch ? BRANCH : DISTANCE;
      tables.relocation(place, symbol, translated, addend);
    } else if (type === CoffRelocation.ADDR64) {
      tables.relocation(place, symbol, ADDRESS, exact64(view, at));
    } else if (type === CoffRelocation.ABSOLUTE) {
      tables.relocation(place, symbol, NONE, 0);
    } else {
      const addend = width === 2 ? view.getUint16(at, true) : view.getInt32(at, true);
      tables.relocation(place, symbol, typeOf(type, isDebug, symbols.isThreadLocal(index)), addend);
    }
  }
  return first;
}

function typeOf(type: number, isDebug: boolean, isThreadLocal: boolean): number {
  if (type === CoffRelocation.ADDR32) return ADDRESS32;
  if (type === CoffRelocation.SECREL && isThreadLocal) return TLS_OFFSET;
  if (type === CoffRelocation.SECREL && isDebug) return ADDRESS32;
  return COFF_TYPES + type;
}
