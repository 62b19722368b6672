/**
 * Translates the symbols of COFF objects to those of the input model, which has local symbols first.
 *
 * A weak external is a weak definition where its fallback is one, and weakly undefined where that is the constant 0,
 * as compilers for MinGW write weak references. A fallback with a name that other objects see is also the name that the
 * linker takes instead: another object may define it, or replace the section in which this one does.
 */
import { SectionIndex, SymbolBinding, SymbolKind, SymbolVisibility } from "../../os/elf.ts";
import type { NameAlias } from "../directives.ts";
import { malformed } from "../problems.ts";
import { TLS_BASE } from "../section_names.ts";
import type { CoffDirectives } from "./directives.ts";
import type { CoffFile } from "./file.ts";
import { CoffClass, CoffFlag, CoffFunction, CoffPlace, WEAK_SEARCH_LIBRARY } from "./format.ts";
import type { RelocationSymbols } from "./relocations.ts";
import { isTlsSection } from "./sections.ts";
import type { CoffSymbol, CoffSymbols } from "./symbols.ts";
import { commonAlignment, type ModelSymbol, type ModelTables, sizesOf } from "../model_tables.ts";

/** The number of the module's TLS blocks, a variable of the C runtime. */
const TLS_INDEX = "_tls_index";

/** The symbols of the model. */
export interface AddedSymbols extends RelocationSymbols {
  /** The index of the first symbol of the model that is not local. */
  readonly firstGlobal: number;
  /** The names that weak externals take if nothing else defines them. */
  readonly aliases: readonly NameAlias[];
  /** The weak externals that archives are searched for. */
  readonly sought: readonly string[];
}

/** Names that compilers make up for the definition behind a weak external; each object has its own. */
const WEAK_DEFAULT = /^\.weak\..*/s;

/** Names that no source can have: of literals, of pointers to variables that may be imported, of type information. */
const OF_COMPILER = /^(?:\.|__emutls_[vt]\.|__(?:real|[xyz]mm)@|\?\?_[CR])/;

/** Adds the symbols of an object to the tables of the model. */
export function addSymbols(
  headers: CoffFile,
  { list }: CoffSymbols,
  directives: CoffDirectives,
  tables: ModelTables,
): AddedSymbols {
  const { sections, file: { name: path } } = headers;
  const model = new Int32Array(headers.symbolCount).fill(-1);
  const byIndex = new Map(list.map((symbol) => [symbol.index, symbol]));
  const sizes = sizesOf(list.filter(hasSize), ({ section }) => sections[section - 1]);
  const aliases: NameAlias[] = [];
  const sought: string[] = [];
  let tlsIndex = -1;

  const add = (symbol: CoffSymbol, entry: Partial<ModelSymbol>): void => {
    model[symbol.index] = tables.symbolCount;
    const { nameStart, nameEnd } = symbol;
    tables.symbol({ nameStart, nameEnd, ...entry });
  };
  const place = (symbol: CoffSymbol): Partial<ModelSymbol> => {
    const { section, value } = symbol;
    if (section === CoffPlace.ABSOLUTE) return { reserved: SectionIndex.ABS, value };
    return section > 0 ? { section, value, kind: kindOf(headers, symbol), size: sizes.get(symbol) ?? 0 } : {};
  };
  const visibility = ({ name }: CoffSymbol): number =>
    directives.hidden.has(name) || OF_COMPILER.test(name)
      ? SymbolVisibility.HIDDEN
      : SymbolVisibility.DEFAULT;

  const isLocal = ({ storage, name }: CoffSymbol): boolean =>
    storage !== CoffClass.EXTERNAL && storage !== CoffClass.WEAK_EXTERNAL || WEAK_DEFAULT.test(name);
  for (const symbol of list) {
    if (!isLocal(symbol)) continue;
    const { storage, section, isSection } = symbol;
    if (storage === CoffClass.FILE) add(symbol, { kind: SymbolKind.FILE, reserved: SectionIndex.ABS });
    else if (isSection) add(symbol, { kind: SymbolKind.SECTION, section });
    else if (section > 0 || section === CoffPlace.ABSOLUTE) add(symbol, place(symbol));
  }
  const firstGlobal = tables.symbolCount;
  for (const symbol of list) {
    if (isLocal(symbol)) continue;
    const { name, section, value, fallback } = symbol;
    if (name === "") throw malformed(path, "a global symbol has no name", { value: symbol.index });
    if (fallback !== undefined) {
      const other = byIndex.get(fallback.index);
      if (other === undefined || other === symbol) {
        throw malformed(path, "a weak external has no symbol to fall back on", { symbol: name });
      }
      if (section !== CoffPlace.UNDEFINED) {
        throw malformed(path, "a weak external is defined", { symbol: name });
      }
      const isDefined = other.section > 0 || other.section === CoffPlace.ABSOLUTE && other.value !== 0;
      add(symbol, {
        ...(isDefined && place(other)),
        binding: SymbolBinding.WEAK,
        visibility: visibility(symbol),
      });
      if (fallback.search === WEAK_SEARCH_LIBRARY) sought.push(name);
      if (!isLocal(other) && other.section !== CoffPlace.ABSOLUTE && other.name !== name) {
        aliases.push({ name, target: other.name });
      }
      continue;
    }
    const binding = SymbolBinding.GLOBAL;
    if (section === CoffPlace.UNDEFINED && value > 0) {
      const alignment = directives.alignments.get(name) ?? commonAlignment(value);
      add(symbol, {
        binding,
        kind: SymbolKind.OBJECT,
        reserved: SectionIndex.COMMON,
        value: alignment,
        size: value,
      });
    } else if (section === CoffPlace.UNDEFINED && name === TLS_INDEX) {
      tlsIndex = symbol.index;
      add(symbol, { binding, text: TLS_BASE, visibility: SymbolVisibility.HIDDEN });
    } else {
      add(symbol, { binding, visibility: visibility(symbol), ...place(symbol) });
    }
  }
  const isThreadLocal = (index: number): boolean => {
    const section = byIndex.get(index)?.section ?? CoffPlace.ABSOLUTE;
    return section === CoffPlace.UNDEFINED || section > 0 && isTlsSection(sections[section - 1].name);
  };
  return { model, isThreadLocal, tlsIndex, firstGlobal, aliases, sought };
}

function kindOf({ sections }: CoffFile, { section, type, storage }: CoffSymbol): number {
  const { name, flags } = sections[section - 1];
  if (isTlsSection(name)) return SymbolKind.TLS;
  if ((type & 0xf0) === CoffFunction) return SymbolKind.FUNC;
  const isCode = (flags & CoffFlag.MEM_EXECUTE) !== 0;
  return isCode || storage === CoffClass.LABEL ? SymbolKind.NOTYPE : SymbolKind.OBJECT;
}

/** Whether a symbol reaches to the next one: labels, and those of sections, do not. */
function hasSize({ section, isSection, storage }: CoffSymbol): boolean {
  return section > 0 && !isSection && storage !== CoffClass.LABEL;
}
