/**
 * Translates the symbols of Mach-O objects to those of the input model, which has local symbols first. The names of C
 * lose the underscore in front that they have on macOS.
 */
import { SectionIndex, SymbolBinding, SymbolKind, SymbolVisibility } from "../../os/elf.ts";
import type { NameAlias } from "../directives.ts";
import type { InputBytes } from "../elf/bytes.ts";
import { commonAlignment, type ModelSymbol, type ModelTables, sizesOf } from "../model_tables.ts";
import { malformed } from "../problems.ts";
import type { Atoms } from "./atoms.ts";
import type { MachSection } from "./file.ts";
import { SymbolFlag, SymbolType } from "./format.ts";
import { plainName, plainNameStart } from "./names.ts";
import type { Label } from "./relocation_record.ts";
import { isCodeSection, isTlsSection } from "./sections.ts";
import type { MachSymbol } from "./symbols.ts";

/** The symbols of the model. */
export interface AddedSymbols {
  /** The index of the first symbol of the model that is not local. */
  readonly firstGlobal: number;
  /** The names that stand for others. */
  readonly aliases: readonly NameAlias[];
  /** Returns the number of a symbol, or of a place that was given. */
  numberOf(target: MachSymbol | Label): number;
}

/** The names by which code for macOS finds the ends of a section. */
const SECTION_END = /^section\$(start|end)\$[^$]*\$(.+)$/s;

/** The part of a symbol that is its name. */
function nameOf({ name, nameStart, nameEnd }: MachSymbol, bytes: Uint8Array): Partial<ModelSymbol> {
  const [, end, section] = SECTION_END.exec(name) ?? [];
  if (section !== undefined) return { text: `__${end === "start" ? "start" : "stop"}_${section}` };
  return { nameStart: plainNameStart(bytes, nameStart, nameEnd), nameEnd };
}

/** Whether compilers or assemblers made the name up: `l_.str`, `ltmp0`, `LCPI0_0`. */
const isMadeUp = ({ name }: MachSymbol): boolean => /^[lL]/.test(name);

/** Adds the symbols of an object, and the places that relocations lead to, to the tables of the model. */
export function addSymbols(
  { name: path, bytes }: InputBytes,
  symbols: readonly MachSymbol[],
  labels: readonly Label[],
  atoms: Atoms,
  tables: ModelTables,
): AddedSymbols {
  const numbers = new Map<MachSymbol, number>();
  /** By section, and by offset in it. */
  const places = new Map<MachSection, Map<number, number>>();
  const aliases: NameAlias[] = [];
  const named = symbols.filter((symbol) => symbol.section !== undefined && !isMadeUp(symbol));
  const sizes = sizesOf(named, ({ section }) => section!);
  const add = (symbol: MachSymbol, entry: Partial<ModelSymbol>): void => {
    numbers.set(symbol, tables.symbolCount);
    tables.symbol({ ...nameOf(symbol, bytes), ...entry });
  };
  const placeOf = (section: MachSection, offset: number): Partial<ModelSymbol> => {
    const atom = atoms.at(section, offset);
    return { section: atom.index, value: offset - atom.from };
  };
  const definition = (symbol: MachSymbol): Partial<ModelSymbol> => {
    const { section, value } = symbol;
    if (section === undefined) return { reserved: SectionIndex.ABS, value };
    return { ...placeOf(section, value), kind: kindOf(symbol, section), size: sizes.get(symbol) ?? 0 };
  };
  for (const symbol of symbols) {
    if (!symbol.isExternal && symbol.type !== SymbolType.UNDEFINED) add(symbol, definition(symbol));
  }
  for (const { section, offset } of labels) {
    let inSection = places.get(section);
    if (inSection === undefined) places.set(section, inSection = new Map());
    if (inSection.has(offset)) continue;
    inSection.set(offset, tables.symbolCount);
    const kind = isTlsSection(section) ? SymbolKind.TLS : SymbolKind.NOTYPE;
    tables.symbol({ ...placeOf(section, offset), kind });
  }
  const firstGlobal = tables.symbolCount;
  for (const symbol of symbols) {
    const { name, type, flags, isExternal, isPrivate, value, target } = symbol;
    if (!isExternal && type !== SymbolType.UNDEFINED) continue;
    if (name === "") throw malformed(path, "a global symbol has no name", { value: symbol.index });
    const visibility = isPrivate ? SymbolVisibility.HIDDEN : SymbolVisibility.DEFAULT;
    const { GLOBAL, WEAK } = SymbolBinding;
    if (target !== undefined) {
      add(symbol, { binding: GLOBAL });
      aliases.push({ name: plainName(name), target: plainName(target) });
    } else if (type !== SymbolType.UNDEFINED) {
      const binding = (flags & SymbolFlag.WEAK_DEFINITION) !== 0 ? WEAK : GLOBAL;
      add(symbol, { binding, visibility, ...definition(symbol) });
    } else if (value > 0) {
      add(symbol, {
        binding: GLOBAL,
        visibility,
        kind: SymbolKind.OBJECT,
        reserved: SectionIndex.COMMON,
        value: alignmentOf(flags, value),
        size: value,
      });
    } else {
      add(symbol, { binding: (flags & SymbolFlag.WEAK_REFERENCE) !== 0 ? WEAK : GLOBAL });
    }
  }
  const numberOf = (target: MachSymbol | Label): number =>
    "offset" in target ? places.get(target.section)!.get(target.offset)! : numbers.get(target)!;
  return { firstGlobal, aliases, numberOf };
}

/** The alignment of a tentative definition: bits 8 to 11 of its flags, if they are not 0. */
function alignmentOf(flags: number, size: number): number {
  const power = flags >> 8 & 15;
  return power > 0 ? 2 ** power : commonAlignment(size);
}

function kindOf(symbol: MachSymbol, section: MachSection): number {
  if (isTlsSection(section)) return SymbolKind.TLS;
  if (isMadeUp(symbol)) return SymbolKind.NOTYPE;
  return isCodeSection(section) ? SymbolKind.FUNC : SymbolKind.OBJECT;
}
