/**
 * Applies one relocation, or leaves it to the loader.
 *
 * The linker applies distances (S + A - P) inside one group, which moves as a whole, and between
 * groups where the whole image can, which the file then asks for. The loader applies the rest:
 * addresses (S + A), GOT slots (G + A - P), and imports.
 */
import { RecordSize } from "../os/elf.ts";
import { RelocationType, SectionType as SmfSectionType } from "../smf/enums.ts";
import { AddressLoads } from "./address_loads.ts";
import type { RelocationRule, ThunkMaker } from "./arch/arch.ts";
import { Target } from "./dynamic_relocations.ts";
import { isFrameSection } from "./eh_frame.ts";
import { signed64 } from "./elf/bytes.ts";
import { GotSymbols } from "./got_symbols.ts";
import { NO_HOME } from "./homes.ts";
import type { InputSection, Location } from "./input.ts";
import { Found } from "./locate.ts";
import { countsFromPlace, ownGotBase, ownGotTarget } from "./own_got.ts";
import { malformed } from "./problems.ts";
import { symbolName } from "./relocation_errors.ts";
import { USE_FPIC } from "./relocation_place.ts";
import { EntryRelocations } from "./entry_relocations.ts";
import { DIRECT } from "./value_relocations.ts";
import { addendOfCopy, addressOfCopy, isShortAddress } from "./thunks.ts";
import { TLS_SECTION } from "../smf/thread_local.ts";
import { VirtualTables } from "./vtables.ts";

/** Applies the relocations of a link. */
export class Relocator extends EntryRelocations {
  readonly gotSymbols: GotSymbols = new GotSymbols();
  readonly #vtables = new VirtualTables();
  #addressLoads: AddressLoads | undefined;

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
    this.section = section;
    this.at = at;
    this.symbol = view.getUint32(entry + 12, true);
    const rule = this.input.arch.rules.get(type);
    if (rule === undefined) return this.refuse(`type ${type}`, place, this.input.arch.refusal(type));
    if (rule.use === "none") return;
    const thunk = this.input.layout.thunks.at(section, place);
    if (thunk?.place === place) return void this.applied++;
    this.copyAt = thunk === undefined ? -1 : addressOfCopy(thunk);
    this.copyAddend = thunk === undefined || rule.use === "absolute" ? 0 : addendOfCopy(thunk);
    if (place + rule.width > elf.size) {
      throw malformed(object.name, "a relocation passes the end of its section", {
        section: section.name,
        offset: place,
      });
    }
    let addend = signed64(view, entry + 16);
    if (Number.isNaN(addend) && rule.smf === RelocationType.Abs64) {
      return this.#toTagged(rule, view.getBigInt64(entry + 16, true), place);
    }
    if (Number.isNaN(addend)) return this.fail(rule, place, "the addend is above 2^53 - 1", NaN);

    const { locator, layout } = this.input;
    locator.symbol(object, this.symbol, addend);
    if (locator.addendUsed) addend = 0;
    const id = object.globalOf(this.symbol);
    if (rule.use === "tls" || rule.use === "tls-offset" || rule.use === "tls-static") {
      return this.#toThreadLocal(rule, addend, place);
    }
    if (this.output.name === TLS_SECTION && rule.use !== "absolute") {
      return this.refuse(rule.name, place, { problem: "the distance would differ between threads" });
    }
    if (rule.use === "size") return this.toSize(rule, addend, place);
    if (rule.use === "own-got") return this.#toOwnGot(rule, addend, place);
    if (rule.use === "image") return this.toImage(rule, id, addend, place);
    if (layout.handlers.has(section, place)) {
      const slot = layout.got.get(object, this.symbol, signed64(view, entry + 16))!;
      return this.toDistance(DIRECT, slot.output!, slot.offset, 0, place);
    }
    switch (locator.found) {
      case Found.DEFINED:
        if (this.toEntry(rule, id, addend, place)) return;
        return this.#toDefined(rule, id, addend, place);
      case Found.ABSOLUTE:
        return this.toConstant(rule, id, addend, place);
      case Found.IMPORT:
        if (layout.plt.stub(id) !== undefined && this.#toImportedFunction(rule, id, addend, place)) return;
        if (id === -1) return this.refuse(rule.name, place, { problem: "the relocation has no symbol" });
        if (isShortAddress(rule) && isFrameSection(section) && layout.plt.stub(id) !== undefined) {
          const { output, offset } = layout.plt.stub(id)!;
          return this.addDynamic(rule.smf!, Target.section(output.index), offset + addend);
        }
        if (this.#toAddressSlot(rule, Target.global(id), addend, place)) return;
        if (rule.smf === undefined) return this.refuseForLoader(rule, place);
        return this.addDynamic(rule.smf, Target.global(id), addend);
      default:
        return this.refuse(rule.name, place, {
          problem: "the symbol's section is dropped in favour of another copy",
          hint: "compile all objects with the same compiler and options: " +
            "only one copy of a COMDAT group is linked",
        });
    }
  }

  /** Applies the reference of a thunk to the GOT slot of its symbol, at an offset of the output section. */
  toThunkSlot(at: number, id: number, { smf, addend }: ThunkMaker["toSlot"]): void {
    this.at = at;
    this.leaveCopy();
    this.addDynamic(smf, this.nameTarget(id), addend);
  }

  /** Applies a reference of a PLT stub to its GOT slot, at an offset of the output section. */
  toSlot(at: number, rule: RelocationRule, { output, offset }: Location, addend: number): void {
    this.at = at;
    this.leaveCopy();
    this.toDistance(rule, output, offset, addend, at);
  }

  /** Applies a call of an imported function through its stub, or a load from the stub's slot. */
  #toImportedFunction(rule: RelocationRule, id: number, addend: number, place: number): boolean {
    const { layout, arch } = this.input;
    if (addend !== arch.callAddend) return false;
    if (rule.use === "branch") {
      const { output, offset } = layout.plt.stub(id)!;
      // A conditional branch may not reach the stub; the loader may have a place nearer to it.
      const distance = output.address + offset + addend - this.output.address - this.at;
      if (output === this.output && !rule.write!(this.view, this.at, distance)) return false;
      this.toDistance(rule, output, offset, addend, place);
      return true;
    }
    if (rule.smf !== RelocationType.GotPcRel) return false;
    const slot = layout.got.named(id)!;
    this.toDistance(DIRECT, slot.output!, slot.offset, addend, place);
    return true;
  }

  /** Applies S + A for an addend that a number cannot hold: the address has a tag in its high bits. */
  #toTagged(rule: RelocationRule, addend: bigint, place: number): void {
    const { locator } = this.input;
    const { object } = this.section;
    locator.symbol(object, this.symbol, 0);
    const id = object.globalOf(this.symbol);
    const at = this.output.address + this.at;
    if (locator.found === Found.IMPORT || this.isCanonical(id)) {
      this.dynamic.addLarge(at, this.nameTarget(id), rule.smf!, addend);
    } else if (
      locator.found === Found.DEFINED && !locator.addendUsed && locator.output.name !== TLS_SECTION
    ) {
      this.dynamic.addLarge(at, this.definedTarget(), rule.smf!, addend + BigInt(this.definedOffset()));
    } else if (locator.found === Found.ABSOLUTE && Number.isSafeInteger(locator.value)) {
      this.view.setBigInt64(this.at, BigInt.asIntN(64, addend + BigInt(locator.value)), true);
      this.applied++;
    } else {
      this.fail(rule, place, "the addend is above 2^53 - 1", NaN);
    }
  }

  /** Applies a reference to the linker's own GOT. */
  #toOwnGot(rule: RelocationRule, addend: number, place: number): void {
    const { locator, layout } = this.input;
    const target = ownGotTarget(rule, layout, locator, this.section.object, this.symbol);
    if (target === undefined) {
      return this.refuse(rule.name, place, { problem: "the symbol is not in this module", hint: USE_FPIC });
    }
    const { output, offset } = target;
    if (countsFromPlace(rule)) return this.toDistance(rule, output, offset, addend, place);
    if (locator.found === Found.DEFINED && locator.home !== NO_HOME && output === locator.output) {
      // The loader knows no GOT, but S + A - GOT is S + (A + P - GOT) - P.
      this.isFixed = true;
      const toPlace = this.output.address + this.at - ownGotBase(rule, layout);
      return this.addDefined(RelocationType.Pc64, addend + toPlace);
    }
    const value = output.address + offset + addend - ownGotBase(rule, layout);
    if (!rule.write!(this.view, this.at, value)) {
      return this.fail(rule, place, "the distance does not fit", value);
    }
    this.applied++;
    if (output.type !== layout.got.output!.type) this.isFixed = true;
  }

  /** Applies a relocation to a thread-local variable, of this module or an imported one. */
  #toThreadLocal(rule: RelocationRule, addend: number, place: number): void {
    const { locator, layout, arch } = this.input;
    const isHere = locator.found === Found.DEFINED && locator.output.name === TLS_SECTION;
    const isImported = locator.found === Found.IMPORT && rule.slot !== undefined && rule.slot !== "module";
    if (rule.use === "tls-static" && locator.found === Found.IMPORT) {
      return this.refuse(rule.name, place, {
        problem: "code that is made for programs does not reach a thread-local variable of another library",
        hint: USE_FPIC,
      });
    }
    if (!isHere && !isImported) {
      return this.refuse(rule.name, place, {
        problem: "the symbol is used as a thread-local variable and is not one of this module",
        hint: "declare it as thread-local in every source, or as an ordinary variable in all of them",
      });
    }
    if (rule.use === "tls-static") {
      return this.addDynamic(rule.smf!, Target.section(locator.output.index), locator.offset + addend);
    }
    if (rule.slot === undefined) {
      const value = locator.offset + addend;
      if (rule.write!(this.view, this.at, value)) this.applied++;
      else this.fail(rule, place, "the offset does not fit", value);
      return;
    }
    // A biased addend belongs to the distance to the slot, not to the variable.
    const ofVariable = arch.hasBiasedAddends ? 0 : addend;
    const slot = layout.tls.get(rule.slot, this.section.object, this.symbol, ofVariable);
    this.toDistance(rule.toSlot!, slot.output!, slot.offset, addend - ofVariable, place);
  }

  /** Applies a relocation to a symbol that is in this module. */
  #toDefined(rule: RelocationRule, id: number, addend: number, place: number): void {
    const { output, offset } = this.input.locator;
    if (output.name === TLS_SECTION) {
      return this.refuse(rule.name, place, {
        problem: "a thread-local variable is used as an ordinary one",
        hint: "declare it as thread-local in every source that uses it",
      });
    }
    const canonical = this.canonicalTarget(rule, id, addend, place);
    if (rule.use === "got") {
      const { arch, layout, locator } = this.input;
      if (locator.home !== NO_HOME) {
        // A slot of this module's own tells homes apart that end and begin at one address.
        const slot = layout.got.get(this.section.object, this.symbol)!;
        return this.toDistance(rule.toSlot!, slot.output!, slot.offset, addend, place);
      }
      const direct = this.output.type === SmfSectionType.Code && place >= 2
        ? arch.relaxGot(this.bytes, this.at, addend, rule, canonical !== undefined)
        : -1;
      if (direct === -1) {
        const name = (): string => symbolName(this.section.object, this.symbol);
        const target = id !== -1 && this.input.isExported(id)
          ? Target.global(id)
          : canonical ?? this.gotSymbols.target(output, offset, name);
        return this.addDynamic(rule.smf!, target, addend);
      }
      this.at = direct;
      return this.toDistance(DIRECT, output, offset, addend, place);
    }
    if (canonical !== undefined && this.#toAddressSlot(rule, canonical, addend, place)) return;
    if (rule.use === "relative" || rule.use === "branch") {
      return this.toDefinedDistance(rule, addend, place);
    }
    if (rule.smf === undefined) return this.refuseForLoader(rule, place);
    // Where no thunk does the work, an address of 32 bits is that of the code.
    const isPlain = canonical === undefined || isShortAddress(rule) || rule.use === "absolute" &&
        this.input.entries === undefined && this.#vtables.contains(this.section, place);
    // A reference by section and offset leads to the start of the entry.
    if (!isPlain) this.addDynamic(rule.smf, canonical, id === -1 ? 0 : addend);
    else this.addDefined(rule.smf, addend);
  }

  /** Makes code that calculates the address of an exported function or an import load it from a GOT slot instead. */
  #toAddressSlot(rule: RelocationRule, target: number, addend: number, place: number): boolean {
    if (this.output.type !== SmfSectionType.Code || (rule.use !== "relative" && rule.use !== "page")) {
      return false;
    }
    const loads = this.#addressLoads ??= new AddressLoads(this.input.arch);
    const { section, symbol, bytes, at } = this;
    const type = loads.rewrite(section, symbol, rule, bytes, at, place, addend);
    if (type === undefined) return false;
    this.addDynamic(type, target, addend);
    return true;
  }
}
