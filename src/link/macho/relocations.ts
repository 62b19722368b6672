/**
 * Reads the relocations of Mach-O sections, whose addends are in the places that they patch, and in records of their
 * own; a translator of each processor gives them the types of its ELF psABI.
 *
 * A pair of records (SUBTRACTOR, UNSIGNED) is the difference of two symbols. Where the second is in the part that is
 * patched, it is a distance; where both are in one part, it is a constant.
 */
import { Machine } from "../../os/elf.ts";
import { signed64 } from "../elf/bytes.ts";
import { malformed, unsupported } from "../problems.ts";
import type { Atom, Atoms } from "./atoms.ts";
import type { MachFile, MachSection } from "./file.ts";
import { ArmRelocation, MachSize, SectionKind, X86Relocation } from "./format.ts";
import { type Label, labelAt, offsetOf, type Relocation, type Translation } from "./relocation_record.ts";
import { translateArm } from "./relocations_aarch64.ts";
import { translateX86 } from "./relocations_x86_64.ts";
import { isTlsSection } from "./sections.ts";
import type { MachSymbol } from "./symbols.ts";

/** A relocation of the model whose symbol has no number yet. */
export interface Reference extends Translation {
  readonly atom: Pick<Atom, "index">;
  /** The offset in the part that it patches. */
  readonly place: number;
}

/** A value that is known without knowing where anything lies. */
export interface Constant {
  /** The offset in the file. */
  readonly at: number;
  readonly value: number;
  readonly width: 4 | 8;
}

/** The relocations of an object. */
export interface References {
  readonly list: readonly Reference[];
  readonly constants: readonly Constant[];
}

/** Reads and translates the relocations of the given sections. */
export function readReferences(
  headers: MachFile,
  sections: readonly MachSection[],
  symbols: readonly MachSymbol[],
  atoms: Atoms,
): References {
  const byIndex = new Map(symbols.map((symbol) => [symbol.index, symbol]));
  const list: Reference[] = [];
  const constants: Constant[] = [];
  for (const section of sections) new Reader(headers, section, byIndex, atoms, list, constants).read();
  return { list, constants };
}

class Reader {
  readonly #headers: MachFile;
  readonly #section: MachSection;
  readonly #symbols: ReadonlyMap<number, MachSymbol>;
  readonly #atoms: Atoms;
  readonly #list: Reference[];
  readonly #constants: Constant[];

  constructor(
    headers: MachFile,
    section: MachSection,
    symbols: ReadonlyMap<number, MachSymbol>,
    atoms: Atoms,
    list: Reference[],
    constants: Constant[],
  ) {
    this.#headers = headers;
    this.#section = section;
    this.#symbols = symbols;
    this.#atoms = atoms;
    this.#list = list;
    this.#constants = constants;
  }

  read(): void {
    const { machine, file: { view } } = this.#headers;
    const isArm = machine === Machine.AARCH64;
    const subtractor = isArm ? ArmRelocation.SUBTRACTOR : X86Relocation.SUBTRACTOR;
    let addend = 0;
    let hasAddend = false;
    const { relocationCount } = this.#section;
    for (let i = 0; i < relocationCount; i++) {
      const record = this.#section.relocations + i * MachSize.RELOCATION;
      const word = view.getUint32(record + 4, true);
      if (isArm && word >>> 28 === ArmRelocation.ADDEND) {
        if (hasAddend || i + 1 === relocationCount) {
          throw this.#broken("an addend belongs to no relocation", record);
        }
        addend = (word & 0xff_ffff) << 8 >> 8;
        hasAddend = true;
        continue;
      }
      const relocation = this.#record(record);
      if (relocation.type === subtractor) {
        if (hasAddend || ++i === relocationCount) {
          throw this.#broken("a difference has no second symbol", record);
        }
        const second = this.#record(record + MachSize.RELOCATION);
        if (second.type !== 0 || second.place !== relocation.place || second.width !== relocation.width) {
          throw this.#broken("a difference has no second symbol", record);
        }
        this.#difference(relocation, second);
        continue;
      }
      const translated = isArm
        ? translateArm(this.#headers, relocation, hasAddend ? addend : undefined)
        : translateX86(this.#headers, relocation);
      hasAddend = false;
      if (translated === undefined) {
        throw unsupported(
          this.#headers.file.name,
          `a relocation of type ${relocation.type} has another form`,
          {
            section: this.#section.name,
            offset: relocation.place,
            hint: "compile with clang, or assemble with its assembler",
          },
        );
      }
      this.#add(relocation.place, this.#threadLocal(relocation, translated, isArm));
    }
  }

  #broken(problem: string, offset: number) {
    return malformed(this.#headers.file.name, problem, { section: this.#section.name, offset });
  }

  #record(record: number): Relocation {
    const { file: { view }, sections } = this.#headers;
    const section = this.#section;
    const place = view.getUint32(record, true), word = view.getUint32(record + 4, true);
    const width = (1 << (word >>> 25 & 3)) as Relocation["width"], number = word & 0xff_ffff;
    if (place + width > section.size || !section.hasBytes) {
      throw this.#broken("a relocation lies outside its section", place);
    }
    const isExternal = (word & 0x0800_0000) !== 0;
    const symbol = isExternal ? this.#symbols.get(number) : undefined;
    const base = isExternal ? undefined : sections[number - 1];
    if (isExternal && symbol === undefined) throw this.#broken("a relocation's symbol does not exist", place);
    if (!isExternal && base === undefined) throw this.#broken("a relocation's section does not exist", place);
    const isRelative = (word & 0x0100_0000) !== 0;
    return { section, place, at: section.offset + place, type: word >>> 28, isRelative, width, symbol, base };
  }

  #add(place: number, { type, addend, target }: Translation): void {
    const atom = this.#atoms.at(this.#section, place);
    this.#list.push({ atom, place: place - atom.from, type, addend, target });
  }

  /** Descriptors hold the offsets of their variables in the TLS block. */
  #threadLocal({ section, width }: Relocation, translated: Translation, isArm: boolean): Translation {
    if (section.kind !== SectionKind.THREAD_LOCAL_VARIABLES || width !== 8) return translated;
    const target = translated.target.section;
    return target !== undefined && isTlsSection(target)
      ? { ...translated, type: isArm ? DTPREL64 : DTPOFF64 }
      : translated;
  }

  #difference(first: Relocation, second: Relocation): void {
    const { file: { view, name: path }, machine } = this.#headers;
    const { place, at, width } = first;
    const from = first.symbol;
    if (width !== 4 && width !== 8) throw this.#broken("a difference has neither 4 nor 8 bytes", place);
    const stored = width === 4 ? view.getInt32(at, true) : signed64(view, at);
    if (Number.isNaN(stored)) throw this.#broken("a difference is above 2^53 - 1", place);
    const refused = (problem: string) =>
      unsupported(path, problem, {
        section: this.#section.name,
        offset: place,
        ...(from !== undefined && { symbol: from.name }),
        hint: "subtract a symbol of the part of the section that holds the difference",
      });
    if (from?.section === undefined) throw refused("a difference counts from a symbol of another object");
    let target: MachSymbol | Label = second.symbol!, addend = stored;
    if (second.base !== undefined) [target, addend] = labelAt(second.base, stored);
    const origin = this.#atoms.at(from.section, from.value);
    const atom = this.#atoms.at(this.#section, place);
    const isConstant = target.section !== undefined &&
      this.#atoms.at(target.section, offsetOf(target)) === origin;
    if (isConstant) {
      this.#constants.push({ at, value: offsetOf(target) - from.value + addend, width });
    } else if (origin === atom) {
      const type = machine === Machine.AARCH64 ? width === 4 ? PREL32 : PREL64 : width === 4 ? PC32 : PC64;
      this.#add(place, { type, target, addend: addend + place - from.value });
    } else {
      throw refused("a difference counts from a symbol that the linker may move");
    }
  }
}

/** R_X86_64_PC32, R_X86_64_PC64, R_X86_64_DTPOFF64. */
const [PC32, PC64, DTPOFF64] = [2, 24, 17];
/** R_AARCH64_PREL32, R_AARCH64_PREL64, R_AARCH64_TLS_DTPREL64. */
const [PREL32, PREL64, DTPREL64] = [261, 260, 1029];
