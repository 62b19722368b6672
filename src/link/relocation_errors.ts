/**
 * The errors about relocations: which relocation it is, and why it cannot be applied.
 */
import { LoadError, type LoadErrorData } from "../errors/load_error.ts";
import type { Refusal, RelocationRule } from "./arch/arch.ts";
import { SymbolKind } from "../os/elf.ts";
import type { InputSection, LinkObject } from "./input.ts";

/** An `Unsupported` error: a module cannot express the relocation. */
export function unsupportedAt(
  section: InputSection,
  symbol: number,
  offset: number,
  relocation: string,
  { problem, hint }: Refusal,
): LoadError {
  return new LoadError("Unsupported", `Cannot apply relocation ${relocation}: ${problem}`, {
    ...whereIs(section, symbol, offset),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** A `RelocationFailed` error: the value does not fit the relocation. NaN stands for a value that is unknown. */
export function failedAt(
  section: InputSection,
  symbol: number,
  offset: number,
  rule: RelocationRule,
  problem: string,
  value: number,
): LoadError {
  return new LoadError("RelocationFailed", `Cannot apply relocation ${rule.name}: ${problem}`, {
    ...whereIs(section, symbol, offset),
    ...(Number.isNaN(value) ? {} : { value }),
    ...(rule.range === undefined ? {} : { range: rule.range }),
    hint: "compile with -fPIC, or split the module: the target is out of the relocation's reach",
  });
}

function whereIs({ object, name }: InputSection, symbol: number, offset: number): LoadErrorData {
  return { path: object.name, section: name, symbol: symbolName(object, symbol), offset };
}

/** Returns a symbol's name; the symbol of a section is named like its section. */
export function symbolName(object: LinkObject, symbol: number): string {
  const { symbols, sections } = object.elf;
  const section = symbols.kind(symbol) === SymbolKind.SECTION ? sections[symbols.section(symbol)] : undefined;
  return section?.name ?? symbols.name(symbol);
}
