/**
 * Writes the objects that stand in for the static part of a C runtime: functions and variables of their own, which
 * other modules do not see, and arrays of functions that run when a module starts or ends.
 */
import { SectionFlag, SymbolBinding, SymbolKind, SymbolVisibility } from "../os/elf.ts";
import { ElfWriter } from "../os/elf_writer.ts";

/** A function: its machine code, and relocations of it by the names of their symbols. */
export interface Code {
  readonly bytes: readonly number[];
  readonly references: readonly (readonly [offset: number, symbol: string, type: number, addend: number])[];
}

/** Joins parts of a function. */
export function joinCode(...parts: readonly Code[]): Code {
  const bytes: number[] = [], references: Code["references"][number][] = [];
  for (const part of parts) {
    for (const [offset, ...rest] of part.references) references.push([bytes.length + offset, ...rest]);
    bytes.push(...part.bytes);
  }
  return { bytes, references };
}

/** A variable that was added. */
export interface AddedVariable {
  readonly section: number;
  readonly symbol: number;
}

const CODE = SectionFlag.ALLOC | SectionFlag.EXECINSTR, DATA = SectionFlag.ALLOC | SectionFlag.WRITE;

/** An object under construction. */
export class CrtWriter extends ElfWriter {
  readonly #absolute64: number;
  readonly #symbols: Map<string, number> = new Map();

  /** @param absolute64 The relocation type of an address. */
  constructor(machine: number, absolute64: number) {
    super(machine);
    this.#absolute64 = absolute64;
  }

  /** Returns the symbol of a name, which is undefined unless it is a variable that was added. */
  refer(name: string, binding: number = SymbolBinding.GLOBAL): number {
    let symbol = this.#symbols.get(name);
    if (symbol === undefined) this.#symbols.set(name, symbol = this.symbol({ name, binding }));
    return symbol;
  }

  /** Adds a function; returns its section. */
  code(name: string, { bytes, references }: Code, binding: number = SymbolBinding.GLOBAL): number {
    const section = this.section({
      name: `.text.${name}`,
      flags: CODE,
      bytes: Uint8Array.from(bytes),
      alignment: 16,
    });
    const visibility = SymbolVisibility.HIDDEN, kind = SymbolKind.FUNC;
    this.symbol({ name, section, size: bytes.length, binding, kind, visibility });
    for (const [offset, symbol, type, addend] of references) {
      this.relocation(section, { offset, symbol: this.refer(symbol), type, addend });
    }
    return section;
  }

  /**
   * Adds a variable, which is aligned to 8 bytes.
   *
   * @param prefix The part of the section's name in front of the variable's.
   * @param contents Its bytes; the size of a zeroed one.
   */
  variable(
    prefix: string,
    name: string,
    contents: readonly number[] | number,
    binding: number = SymbolBinding.GLOBAL,
  ): AddedVariable {
    const size = typeof contents === "number" ? contents : contents.length;
    const section = this.section({
      name: `${prefix}.${name}`,
      flags: DATA,
      alignment: 8,
      ...(typeof contents === "number" ? { size } : { bytes: Uint8Array.from(contents) }),
    });
    const visibility = SymbolVisibility.HIDDEN, kind = SymbolKind.OBJECT;
    const symbol = this.symbol({ name, section, size, binding, kind, visibility });
    this.#symbols.set(name, symbol);
    return { section, symbol };
  }

  /** Adds a thread-local variable with these first bytes, which is aligned to its size. */
  threadLocal(name: string, contents: readonly number[]): AddedVariable {
    const section = this.section({
      name: `.tdata.${name}`,
      flags: DATA | SectionFlag.TLS,
      bytes: Uint8Array.from(contents),
      alignment: contents.length,
    });
    const visibility = SymbolVisibility.HIDDEN, kind = SymbolKind.TLS;
    const symbol = this.symbol({ name, section, size: contents.length, kind, visibility });
    this.#symbols.set(name, symbol);
    return { section, symbol };
  }

  /** Adds an array of one function, that of a section, to those that run at the start or the end; returns its section. */
  array(name: string, type: number, code: number): number {
    const array = this.section({ name, type, flags: DATA, bytes: new Uint8Array(8), alignment: 8 });
    const symbol = this.sectionSymbol(code);
    this.relocation(array, { offset: 0, symbol, type: this.#absolute64 });
    return array;
  }
}
