/**
 * Relocations of values that are known when the module is linked: sizes, and constants, which have no
 * address.
 */
import { RelocationType, SectionType } from "../smf/enums.ts";
import { type RelocationRule, writeInt32 } from "./arch/arch.ts";
import { NO_HOME } from "./homes.ts";
import { Found } from "./locate.ts";
import { RelocationPlace } from "./relocation_place.ts";

/** The rule of a GOT reference whose instruction was rewritten to a direct one. */
export const DIRECT: RelocationRule = {
  name: "relaxed GOT reference",
  use: "relative",
  width: 4,
  smf: RelocationType.Pc32,
  write: writeInt32,
  range: [-(2 ** 31), 2 ** 31],
};

/** The part of a relocator that writes values. */
export abstract class ValueRelocations extends RelocationPlace {
  /** Writes the size of a symbol that is in this module. */
  protected toSize(rule: RelocationRule, addend: number, place: number): void {
    const { locator } = this.input;
    if (locator.found === Found.IMPORT || locator.found === Found.DROPPED) {
      return this.refuse(rule.name, place, {
        problem: "the size of a symbol that is not in this module is unknown",
        hint: "link the object that defines it too",
      });
    }
    const value = locator.size(this.section.object, this.symbol) + addend;
    if (rule.write!(this.view, this.at, value)) this.applied++;
    else this.fail(rule, place, "the size does not fit", value);
  }

  /** Writes the distance of a symbol, or of an import's stub, from the start of the image. */
  protected toImage(rule: RelocationRule, id: number, addend: number, place: number): void {
    const { locator, layout } = this.input;
    const stub = locator.found === Found.IMPORT ? layout.plt.stub(id) : undefined;
    const { output, offset } = stub ?? locator;
    if (stub === undefined && locator.found !== Found.DEFINED) {
      return this.refuse(rule.name, place, {
        problem: "the symbol is not in this module",
        hint: "link the object that defines it too",
      });
    }
    if (stub === undefined && locator.home !== NO_HOME) {
      return this.refuse(rule.name, place, {
        problem:
          "a reload could not move the variable, to which a distance from the start of the image leads",
        hint: "link without --reloadable and --hot",
      });
    }
    const value = output.address + offset + addend;
    if (!rule.write!(this.view, this.at, value)) {
      return this.fail(rule, place, "the distance does not fit", value);
    }
    this.applied++;
    // The image begins with its code.
    if (output.type !== SectionType.Code) this.isFixed = true;
  }

  /** Applies a relocation to a constant, which has a value but no address. */
  protected toConstant(rule: RelocationRule, id: number, addend: number, place: number): void {
    const { locator, arch, layout } = this.input;
    const { value } = locator;
    if (rule.use === "absolute") {
      if (rule.write!(this.view, this.at, value + addend)) this.applied++;
      else this.fail(rule, place, "the constant does not fit", value + addend);
    } else if (rule.use === "got" && layout.constants.has(id) && rule.smf === RelocationType.GotPcRel) {
      const slot = layout.constants.get(id)!;
      this.toDistance(DIRECT, slot.output, slot.offset, addend, place);
    } else if (rule.constant?.(this.view, this.at, value + addend) === true) {
      this.applied++;
    } else if (rule.use === "branch" && value === 0 && arch.disarmBranch(this.bytes, this.at)) {
      this.applied++;
    } else if (this.symbol === 0) {
      this.refuse(rule.name, place, {
        problem: "it names no symbol, so its target is an address that is the same wherever the module lies",
        hint: "refer to a symbol; call a fixed address through a pointer",
      });
    } else {
      this.fail(rule, place, "a constant has no address, so no distance leads to it", value);
    }
  }
}
