/**
 * Applies one relocation, or leaves it to the loader.
 *
 * The linker applies distances (S + A - P) inside one group, which moves as a whole, and between
 * groups where the whole image can, which the file then asks for. The loader applies the rest:
 * addresses (S + A), GOT slots (G + A - P), and imports.
 */
import { RecordSize } from "../os/elf.ts";
import { RelocationType, SectionType as SmfSectionType } from "../smf/enums.ts";
import { type LinkArch, type Refusal, type RelocationRule, writeInt32 } from "./arch/arch.ts";
import { DynamicRelocations, Target } from "./dynamic_relocations.ts";
import { signed64 } from "./elf/bytes.ts";
import type { InputSection, Location, OutputSection } from "./input.ts";
import type { Layout } from "./layout.ts";
import { Found, type Locator } from "./locate.ts";
import { malformed, type Problems } from "./problems.ts";
import { failedAt, symbolName, unsupportedAt } from "./relocation_errors.ts";
import { startupOrder, TLS_SECTION } from "./section_names.ts";

/** A symbol of this module that is not exported but needs a GOT slot. */
export interface GotSymbol extends Location {
  readonly name: string;
}

/** Everything that relocations depend on. */
export interface ApplyInput {
  readonly arch: LinkArch;
  readonly layout: Layout;
  readonly locator: Locator;
  /** Whether a name is exported, so that other modules may hold its address. */
  isExported(id: number): boolean;
  nameOf(id: number): string;
  readonly problems: Problems;
}

/** The rule of a GOT reference whose instruction was rewritten to a direct one. */
const DIRECT: RelocationRule = {
  name: "relaxed GOT reference",
  use: "relative",
  width: 4,
  smf: RelocationType.Pc32,
  write: writeInt32,
  range: [-(2 ** 31), 2 ** 31],
};

const USE_FPIC = "compile with -fPIC";

/** Applies the relocations of a link. */
export class Relocator {
  readonly dynamic: DynamicRelocations = new DynamicRelocations();
  readonly gotSymbols: GotSymbol[] = [];
  applied = 0;
  isFixed = false;
  readonly #input: ApplyInput;
  readonly #gotIndex: Map<number, number> = new Map();
  #output!: OutputSection;
  #bytes!: Uint8Array;
  #view!: DataView;
  /** Where each refusal was met first. */
  readonly #firstPlaces: Map<string, { section: InputSection; symbol: number; place: number }> = new Map();
  // The relocation that is being applied.
  #section!: InputSection;
  #symbol = 0;
  #at = 0;

  constructor(input: ApplyInput) {
    this.#input = input;
  }

  /** Makes an output section the one that {@linkcode Relocator.relocate} patches. */
  enter(output: OutputSection, bytes: Uint8Array, view: DataView): void {
    this.#output = output;
    this.#bytes = bytes;
    this.#view = view;
  }

  /**
   * Applies relocation `index` of a section, or leaves it to the loader.
   *
   * @param at The offset in the output section that it patches.
   * @param place The offset in its own section.
   */
  relocate(section: InputSection, index: number, at: number, place: number): void {
    const { object, elf } = section;
    const { view } = object.elf.file;
    const entry = elf.relaOffset + index * RecordSize.RELA;
    const type = view.getUint32(entry + 8, true);
    this.#section = section;
    this.#at = at;
    this.#symbol = view.getUint32(entry + 12, true);
    const rule = this.#input.arch.rules.get(type);
    if (rule === undefined) return this.#refuse(`type ${type}`, place, this.#input.arch.refusal(type));
    if (rule.use === "none") return;
    if (place + rule.width > elf.size) {
      throw malformed(object.name, "a relocation passes the end of its section", {
        section: section.name,
        offset: place,
      });
    }
    let addend = signed64(view, entry + 16);
    if (Number.isNaN(addend)) return this.#fail(rule, place, "the addend is above 2^53 - 1", NaN);

    const { locator } = this.#input;
    locator.symbol(object, this.#symbol, addend);
    if (locator.addendUsed) addend = 0;
    const id = object.globalOf(this.#symbol);
    if (rule.use === "tls" || rule.use === "tls-offset" || rule.use === "tls-static") {
      return this.#toThreadLocal(rule, addend, place);
    }
    if (this.#output.name === TLS_SECTION && rule.use !== "absolute") {
      return this.#refuse(rule.name, place, { problem: "the distance would differ between threads" });
    }
    switch (locator.found) {
      case Found.DEFINED:
        return this.#toDefined(rule, id, addend, place);
      case Found.ABSOLUTE:
        return this.#toConstant(rule, id, addend, place);
      case Found.IMPORT:
        if (id === -1) return this.#refuse(rule.name, place, { problem: "the relocation has no symbol" });
        if (rule.smf === undefined) return this.#refuseForLoader(rule, place);
        return this.#addDynamic(rule.smf, Target.global(id), addend);
      default:
        return this.#refuse(rule.name, place, {
          problem: "the symbol's section is dropped in favour of another copy",
          hint: "compile all objects with the same compiler and options: " +
            "only one copy of a COMDAT group is linked",
        });
    }
  }

  /** Applies a relocation to a thread-local variable, of this module or an imported one. */
  #toThreadLocal(rule: RelocationRule, addend: number, place: number): void {
    const { locator, layout, arch } = this.#input;
    const isHere = locator.found === Found.DEFINED && locator.output.name === TLS_SECTION;
    const isImported = locator.found === Found.IMPORT && rule.slot !== undefined && rule.slot !== "module";
    if (rule.use === "tls-static" && locator.found === Found.IMPORT) {
      return this.#refuse(rule.name, place, {
        problem: "code that is made for programs does not reach a thread-local variable of another library",
        hint: USE_FPIC,
      });
    }
    if (!isHere && !isImported) {
      return this.#refuse(rule.name, place, {
        problem: "the symbol is used as a thread-local variable and is not one of this module",
        hint: "declare it as thread-local in every source, or as an ordinary variable in all of them",
      });
    }
    if (rule.use === "tls-static") {
      return this.#addDynamic(rule.smf!, Target.section(locator.output.index), locator.offset + addend);
    }
    if (rule.slot === undefined) {
      const value = locator.offset + addend;
      if (rule.write!(this.#view, this.#at, value)) this.applied++;
      else this.#fail(rule, place, "the offset does not fit", value);
      return;
    }
    // A biased addend belongs to the distance to the slot, not to the variable.
    const ofVariable = arch.hasBiasedAddends ? 0 : addend;
    const slot = layout.tls.get(rule.slot, this.#section.object, this.#symbol, ofVariable);
    this.#toDistance(rule.toSlot!, slot.output!, slot.offset, addend - ofVariable, place);
  }

  /** Applies a relocation to a symbol that is in this module. */
  #toDefined(rule: RelocationRule, id: number, addend: number, place: number): void {
    const { output, offset } = this.#input.locator;
    if (output.name === TLS_SECTION) {
      return this.#refuse(rule.name, place, {
        problem: "a thread-local variable is used as an ordinary one",
        hint: "declare it as thread-local in every source that uses it",
      });
    }
    const exported = id !== -1 && this.#input.isExported(id);
    // The loader chooses the address of an exported function, so that every module sees the same
    // one; only calls may go straight to it. Initialisers and finalisers are entered by the loader
    // alone, so nobody compares their addresses.
    const canonical = exported && output.type === SmfSectionType.Code &&
      startupOrder(this.#output.name) === undefined;
    if (rule.use === "got") {
      const { arch } = this.#input;
      const direct = this.#output.type === SmfSectionType.Code && place >= 2
        ? arch.relaxGot(this.#bytes, this.#at, addend, rule, canonical)
        : -1;
      if (direct === -1) {
        const target = exported ? Target.global(id) : this.#gotTarget(output, offset);
        return this.#addDynamic(rule.smf!, target, addend);
      }
      this.#at = direct;
      return this.#toDistance(DIRECT, output, offset, addend, place);
    }
    if (rule.use === "relative" || rule.use === "branch") {
      return this.#toDistance(rule, output, offset, addend, place);
    }
    if (rule.smf === undefined) return this.#refuseForLoader(rule, place);
    if (canonical) this.#addDynamic(rule.smf, Target.global(id), addend);
    else this.#addDynamic(rule.smf, Target.section(output.index), offset + addend);
  }

  /** Applies S + A - P, if nothing can come between the two sections. */
  #toDistance(
    rule: RelocationRule,
    output: OutputSection,
    offset: number,
    addend: number,
    place: number,
  ): void {
    const from = this.#output;
    const isApart = output.type !== from.type;
    if ((isApart && !this.#input.arch.hasFixedPages) || rule.write === undefined) {
      if (rule.smf === undefined) return this.#refuseForLoader(rule, place);
      return this.#addDynamic(rule.smf, Target.section(output.index), offset + addend);
    }
    const S = output.address + offset;
    const A = addend;
    const P = from.address + this.#at;
    if (!rule.write(this.#view, this.#at, S + A - P)) {
      return this.#fail(rule, place, "the distance does not fit", S + A - P);
    }
    this.applied++;
    if (isApart) this.isFixed = true;
  }

  /** Applies a relocation to a constant, which has a value but no address. */
  #toConstant(rule: RelocationRule, id: number, addend: number, place: number): void {
    const { locator, arch, layout } = this.#input;
    const { value } = locator;
    if (rule.use === "absolute") {
      if (rule.write!(this.#view, this.#at, value + addend)) this.applied++;
      else this.#fail(rule, place, "the constant does not fit", value + addend);
    } else if (rule.use === "got" && layout.constants.has(id) && rule.smf === RelocationType.GotPcRel) {
      const slot = layout.constants.get(id)!;
      this.#toDistance(DIRECT, slot.output, slot.offset, addend, place);
    } else if (rule.use === "branch" && value === 0 && arch.disarmBranch(this.#bytes, this.#at)) {
      this.applied++;
    } else {
      this.#fail(rule, place, "a constant has no address, so no distance leads to it", value);
    }
  }

  /** The symbol that has the GOT slot of an address. */
  #gotTarget(output: OutputSection, offset: number): number {
    const address = output.address + offset;
    let index = this.#gotIndex.get(address);
    if (index === undefined) {
      const name = symbolName(this.#section.object, this.#symbol);
      index = this.gotSymbols.push({ name, output, offset }) - 1;
      this.#gotIndex.set(address, index);
    }
    return Target.got(index);
  }

  #addDynamic(type: number, target: number, addend: number): void {
    this.dynamic.add(this.#output.address + this.#at, target, type, addend);
  }

  /** Refuses a relocation that only the loader could apply, and that SMF has no type for. */
  #refuseForLoader(rule: RelocationRule, place: number): void {
    const problem = rule.width === 4 && rule.use === "absolute"
      ? "a module cannot hold a 32-bit address"
      : "the symbol is too far away";
    this.#refuse(rule.name, place, { problem, hint: USE_FPIC });
  }

  /** Adds one error for all relocations of a type to one symbol that are refused for one reason: the first, with a count. */
  #refuse(relocation: string, place: number, refusal: Refusal): void {
    const section = this.#section, symbol = this.#symbol;
    const key = `${relocation} ${symbolName(section.object, symbol)} ${refusal.problem}`;
    const first = this.#firstPlaces.get(key) ?? { section, symbol, place };
    this.#firstPlaces.set(key, first);
    this.#input.problems.addRepeated(key, (count) => {
      const problem = count === 1 ? refusal.problem : `${refusal.problem}, in ${count} places`;
      return unsupportedAt(first.section, first.symbol, first.place, relocation, { ...refusal, problem });
    });
  }

  #fail(rule: RelocationRule, place: number, problem: string, value: number): void {
    this.#input.problems.add(failedAt(this.#section, this.#symbol, place, rule, problem, value));
  }
}
