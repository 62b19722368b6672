/**
 * Relocations of functions whose addresses the loader chooses: exports, and the entries of a hot module, whose calls
 * go through stubs.
 */
import { RelocationType, SectionType as SmfSectionType } from "../smf/enums.ts";
import type { RelocationRule } from "./arch/arch.ts";
import { Target } from "./dynamic_relocations.ts";
import type { GotSlot } from "./got.ts";
import { Found } from "./locate.ts";
import { startupArray } from "./startup_order.ts";
import { DIRECT, ValueRelocations } from "./value_relocations.ts";

/** The part of a relocator that knows entries. */
export abstract class EntryRelocations extends ValueRelocations {
  /** Adds the relocation that fills a GOT slot with the address of its symbol, which the locator found. */
  fillSlot({ id, local, offset: at }: GotSlot, addend = 0): void {
    const { locator, entries } = this.input;
    this.at = at;
    this.leaveCopy();
    const entry = local === undefined || local.addend !== 0
      ? undefined
      : entries?.ofLocal(local.object, local.symbol);
    if (locator.found === Found.IMPORT || id !== -1 && this.isCanonical(id)) {
      this.addDynamic(RelocationType.Abs64, this.nameTarget(id), 0);
    } else if (entry !== undefined) {
      this.addDynamic(RelocationType.Abs64, Target.entry(entry.index), 0);
    } else if (locator.found === Found.DEFINED) {
      this.addDefined(RelocationType.Abs64, addend);
    }
  }

  /** Leads a call of a function that a reload switches to its stub, or to the stub's slot; returns whether it did. */
  protected toEntry(rule: RelocationRule, id: number, addend: number, place: number): boolean {
    const { entries, layout, arch } = this.input;
    const entry = entries?.called(this.reference(rule, id, addend, place));
    const stub = entry === undefined ? undefined : layout.plt.ofEntry(entry.index);
    if (stub === undefined) return false;
    if (rule.use === "got") {
      this.toDistance(DIRECT, stub.slot.output!, stub.slot.offset, addend, place);
      return true;
    }
    const { output, offset } = stub.at!;
    const distance = output.address + offset + arch.callAddend - this.output.address - this.at;
    // A conditional branch of AArch64 may not reach the stub: it stays within its version.
    const isPlain = rule.smf === RelocationType.Arm64Branch26;
    if (!isPlain && !rule.write!(this.view, this.at, distance)) return false;
    this.toDistance(rule, output, offset, arch.callAddend, place);
    return true;
  }

  /** Returns the target of references to a function whose address the loader chooses; undefined for others. */
  protected canonicalTarget(
    rule: RelocationRule,
    id: number,
    addend: number,
    place: number,
  ): number | undefined {
    if (id !== -1) return this.isCanonical(id) ? this.nameTarget(id) : undefined;
    const entry = this.input.entries?.addressed(this.reference(rule, id, addend, place));
    return entry === undefined ? undefined : Target.entry(entry.index);
  }

  /** Returns the target that stands for a name. */
  protected nameTarget(id: number): number {
    const entry = this.input.isExported(id) ? undefined : this.input.entries?.ofName(id);
    return entry === undefined ? Target.global(id) : Target.entry(entry.index);
  }

  /**
   * Whether the loader chooses the address of the name that the locator found: that of an exported function, so
   * that every module sees the same one, or of an entry, so that every version does.
   */
  protected isCanonical(id: number): boolean {
    const { locator, entries } = this.input;
    // Initialisers and finalisers are entered by the loader alone, so nobody compares their addresses.
    return locator.found === Found.DEFINED && id !== -1 &&
      (this.input.isExported(id) || entries?.ofName(id) !== undefined) &&
      locator.output.type === SmfSectionType.Code && startupArray(this.output.name) === undefined;
  }
}
