/**
 * The relocations of an object's debug information: of addresses, which it has, and of offsets in other sections, which
 * it does not have. What is damaged never costs the link: who reads it refuses a relocation of an unknown type.
 */
import { LoadError } from "../../errors/load_error.ts";
import { Machine } from "../../os/elf.ts";
import type { Atoms } from "./atoms.ts";
import { debugOffsets } from "./debug_offsets.ts";
import type { MachFile, MachSection } from "./file.ts";
import { readReferences, type Reference, type References } from "./relocations.ts";
import { debugName } from "./sections.ts";
import type { MachSymbol } from "./symbols.ts";

/** R_X86_64_32, R_AARCH64_ABS32. */
const [X86_WORD, ARM_WORD] = [10, 258];
/** A type that no processor has. */
const DAMAGED = 0xffff;

/** Reads the relocations of all sections of debug information. */
export function debugReferences(
  headers: MachFile,
  symbols: readonly MachSymbol[],
  atoms: Atoms,
): References {
  const byName = new Map<string, MachSection>();
  for (const section of headers.sections) {
    const name = debugName(section);
    if (name !== undefined && section.hasBytes) byName.set(name, section);
  }
  if (!byName.has(".debug_info")) return { list: [], constants: [] };
  try {
    const { list, constants } = readReferences(headers, [...byName.values()], symbols, atoms);
    return { list: [...list, ...offsetsOf(headers, byName, atoms)], constants };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    const section = byName.get(".debug_info")!;
    const target = { section, offset: 0 };
    const damaged = { atom: atoms.at(section, 0), place: 0, type: DAMAGED, addend: 0, target };
    return { list: [damaged], constants: [] };
  }
}

function offsetsOf(
  { file: { bytes }, machine }: MachFile,
  byName: ReadonlyMap<string, MachSection>,
  atoms: Atoms,
): Reference[] {
  const contents = new Map(
    [...byName].map(([name, { offset, size }]) => [name, bytes.subarray(offset, offset + size)]),
  );
  const type = machine === Machine.AARCH64 ? ARM_WORD : X86_WORD;
  return [...debugOffsets(contents)].flatMap(([name, offsets]) => {
    const atom = atoms.at(byName.get(name)!, 0);
    return offsets.flatMap(({ place, target, value }) => {
      const section = byName.get(target);
      return section === undefined
        ? []
        : [{ atom, place, type, addend: value, target: { section, offset: 0 } }];
    });
  });
}
