/**
 * Reads from `.note.gnu.property` which processor an object needs (x86-64 psABI,
 * "Program Property": GNU_PROPERTY_X86_ISA_1_NEEDED).
 */
import { Machine, SectionType } from "../../os/elf.ts";
import { malformed, unsupported } from "../problems.ts";
import type { ElfObject } from "./object.ts";
import type { ElfSection } from "./symbols.ts";

const NT_GNU_PROPERTY_TYPE_0 = 5;
const GNU = 0x554e47; // "GNU\0"
/** Merged by OR: each bit is a level, the baseline first. */
const GNU_PROPERTY_X86_ISA_1_NEEDED = 0xc0008002;
const KNOWN_LEVELS = 0b1111;

/**
 * Returns the level of x86-64 that an object says it needs; 0, the baseline, if it says nothing.
 *
 * @throws {LoadError} `InvalidFormat` for a broken note, `Unsupported` for a level that is not known.
 */
export function neededLevel(object: ElfObject): number {
  if (object.machine !== Machine.X86_64) return 0;
  let bits = 0;
  for (const section of object.sections) {
    if (section.type === SectionType.NOTE && section.name === ".note.gnu.property") {
      bits |= neededBits(object, section);
    }
  }
  if ((bits & ~KNOWN_LEVELS) !== 0) {
    throw unsupported(object.name, "it needs a level of x86-64 above v4", {
      section: ".note.gnu.property",
      value: bits >>> 0,
      hint: "compile it with -march=x86-64-v4 or lower",
    });
  }
  return bits === 0 ? 0 : 31 - Math.clz32(bits);
}

function neededBits({ file, name }: ElfObject, section: ElfSection): number {
  const { view } = file;
  const end = section.offset + section.size;
  const broken = (offset: number) =>
    malformed(name, "a property in the note passes the end of its section", {
      section: section.name,
      offset,
    });
  let bits = 0;
  // A note: namesz, descsz, type, the name, then the descriptor, which 64-bit objects align to 8.
  for (let at = section.offset; at + 16 <= end;) {
    const [nameSize, size] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const start = at + 12 + padded(nameSize, 4);
    const next = start + padded(size, 8);
    if (start + size > end) throw broken(at);
    const isProperty = view.getUint32(at + 8, true) === NT_GNU_PROPERTY_TYPE_0 && nameSize === 4 &&
      view.getUint32(at + 12, true) === GNU;
    // A property: its type, the size of its data, the data, padded to 8.
    for (let property = start; isProperty && property + 8 <= start + size;) {
      const dataSize = view.getUint32(property + 4, true);
      if (property + 8 + dataSize > start + size) throw broken(property);
      if (view.getUint32(property, true) === GNU_PROPERTY_X86_ISA_1_NEEDED && dataSize === 4) {
        bits |= view.getUint32(property + 8, true);
      }
      property += 8 + padded(dataSize, 8);
    }
    at = next;
  }
  return bits;
}

function padded(size: number, unit: number): number {
  return Math.ceil(size / unit) * unit;
}
