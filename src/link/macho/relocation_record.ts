/**
 * The records of Mach-O relocations, and their translations.
 */
import type { MachSection } from "./file.ts";
import type { MachSymbol } from "./symbols.ts";

/** A place in a section. */
export interface Label {
  readonly section: MachSection;
  readonly offset: number;
}

/** A record (`relocation_info`), checked. */
export interface Relocation {
  readonly section: MachSection;
  /** The offset in the section. */
  readonly place: number;
  /** The offset in the file. */
  readonly at: number;
  readonly type: number;
  readonly isRelative: boolean;
  readonly width: 1 | 2 | 4 | 8;
  /** The symbol that it names; undefined if it names a section. */
  readonly symbol: MachSymbol | undefined;
  /** The section that it names. */
  readonly base: MachSection | undefined;
}

/** The translation of one record, with an addend that counts from the place. */
export interface Translation {
  /** A type of the ELF psABI. */
  readonly type: number;
  /** A `bigint` if a number cannot hold it. */
  readonly addend: number | bigint;
  /** The symbol, or a place in a section, which has none. */
  readonly target: MachSymbol | Label;
}

/** Returns the place of a section that is meant by an address that the assembler wrote, and the distance left over. */
export function labelAt(section: MachSection, address: number): [Label, number] {
  const offset = address - section.address;
  const inside = Math.min(Math.max(offset, 0), section.size);
  return [{ section, offset: inside }, offset - inside];
}

/** The offset of a target in its section. */
export function offsetOf(target: MachSymbol | Label): number {
  return "offset" in target ? target.offset : target.value;
}
