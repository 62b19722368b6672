/**
 * Reads the symbol tables of Mach-O objects (`nlist.h`).
 */
import { MAX_NAME_LENGTH } from "../../smf/limits.ts";
import { decodeText } from "../elf/bytes.ts";
import { malformed } from "../problems.ts";
import type { MachFile, MachSection } from "./file.ts";
import { MachSize, SymbolType } from "./format.ts";

/** A symbol, checked. */
export interface MachSymbol {
  readonly index: number;
  readonly name: string;
  /** Where the bytes of its name are in the file. */
  readonly nameStart: number;
  readonly nameEnd: number;
  /** A `SymbolType` without its bits. */
  readonly type: number;
  readonly isExternal: boolean;
  readonly isPrivate: boolean;
  /** The `SymbolFlag`s. */
  readonly flags: number;
  /** Its section, if its type is SECTION. */
  readonly section: MachSection | undefined;
  /** The offset in its section; the size of a tentative definition; a constant. */
  readonly value: number;
  /** The name that an INDIRECT symbol stands for. */
  readonly target: string | undefined;
}

/** Whether a name is a label of the assembler, which divides nothing: `L_.str`. */
export function isLabel({ name }: MachSymbol): boolean {
  return name.startsWith("L");
}

/** Reads and checks an object's symbol table; entries for debuggers are left out. */
export function readMachSymbols(headers: MachFile): readonly MachSymbol[] {
  const { file, sections, symbols, symbolCount, strings, stringsEnd } = headers;
  const { view, bytes, name: path } = file;
  const list: MachSymbol[] = [];
  for (let index = 0; index < symbolCount; index++) {
    const at = symbols + index * MachSize.SYMBOL;
    const bits = bytes[at + 4];
    if ((bits & SymbolType.STAB) !== 0) continue;
    const broken = (problem: string) => malformed(path, problem, { value: index, offset: at });
    const nameOf = (offset: number): readonly [start: number, end: number] => {
      if (offset === 0) return [strings, strings];
      const start = strings + offset;
      const end = start < stringsEnd ? file.nameEnd(start, stringsEnd) : -1;
      if (end === -1) throw broken("a symbol's name lies outside the string table");
      if (end - start > MAX_NAME_LENGTH) throw broken("a symbol's name is longer than 1 MiB");
      return [start, end];
    };
    const [start, end] = nameOf(view.getUint32(at, true));
    const type = bits & SymbolType.TYPE;
    const isExternal = (bits & SymbolType.EXTERNAL) !== 0;
    const section = type === SymbolType.SECTION ? sections[bytes[at + 5] - 1] : undefined;
    if (type === SymbolType.SECTION && section === undefined) {
      throw broken("a symbol's section does not exist");
    }
    if (type === SymbolType.UNDEFINED && !isExternal && start === end) continue;
    if (
      type !== SymbolType.SECTION && type !== SymbolType.UNDEFINED && type !== SymbolType.ABSOLUTE &&
      type !== SymbolType.INDIRECT
    ) throw broken(`a symbol's type 0x${type.toString(16)} does not exist in objects`);
    const value = file.u64(at + 8, "a symbol's value") - (section?.address ?? 0);
    if (section !== undefined && !(value >= 0 && value <= section.size)) {
      throw broken(`a symbol lies outside its section '${section.name}'`);
    }
    let target: string | undefined;
    if (type === SymbolType.INDIRECT) {
      const [first, last] = nameOf(value);
      target = decodeText(bytes, first, last);
    }
    list.push({
      index,
      name: decodeText(bytes, start, end),
      nameStart: start,
      nameEnd: end,
      type,
      isExternal,
      isPrivate: (bits & SymbolType.PRIVATE_EXTERNAL) !== 0,
      flags: view.getUint16(at + 6, true),
      section,
      value,
      target,
    });
  }
  return list;
}
