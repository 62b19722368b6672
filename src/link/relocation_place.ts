/**
 * The place that a relocation patches, and what can be done there: write a distance, leave the
 * relocation to the loader, or refuse it.
 */
import type { LinkArch, Refusal, RelocationRule } from "./arch/arch.ts";
import { DynamicRelocations, Target } from "./dynamic_relocations.ts";
import type { Entries } from "./entries.ts";
import type { Reference } from "./function_references.ts";
import { NO_HOME, type PlacedHome } from "./homes.ts";
import type { InputSection, OutputSection } from "./input.ts";
import type { Layout } from "./layout.ts";
import type { Locator } from "./locate.ts";
import type { Problems } from "./problems.ts";
import type { LinkProgress } from "./progress.ts";
import { failedAt, symbolName, unsupportedAt } from "./relocation_errors.ts";

/** Everything that relocations depend on. */
export interface ApplyInput {
  readonly arch: LinkArch;
  readonly layout: Layout;
  readonly locator: Locator;
  /** The homes of a reloadable module. */
  readonly homes: readonly PlacedHome[];
  /** The functions of a hot module that reloads switch; undefined for other modules. */
  readonly entries: Entries | undefined;
  /** Whether a name is exported, so that other modules may hold its address. */
  isExported(id: number): boolean;
  nameOf(id: number): string;
  readonly problems: Problems;
  /** Hears how many sections are done. */
  readonly progress?: LinkProgress | undefined;
}

/** The hint of relocations that only code for executables has. */
export const USE_FPIC = "compile with -fPIC";

/** The current place. {@linkcode RelocationPlace.enter} sets its output section. */
export class RelocationPlace {
  readonly dynamic: DynamicRelocations = new DynamicRelocations();
  applied = 0;
  isFixed = false;
  protected readonly input: ApplyInput;
  protected output!: OutputSection;
  protected bytes!: Uint8Array;
  protected view!: DataView;
  /** Where each refusal was met first. */
  readonly #firstPlaces: Map<string, { section: InputSection; symbol: number; place: number }> = new Map();
  // The relocation that is being applied.
  protected section!: InputSection;
  protected symbol = 0;
  protected at = 0;
  /** The address of the place's copy in a thunk, which the loader patches instead; -1 if there is none. */
  protected copyAt = -1;
  /** The difference between the addends of the copy and of the place. */
  protected copyAddend = 0;

  constructor(input: ApplyInput) {
    this.input = input;
  }

  /** Makes an output section the one that the next relocations patch. */
  enter(output: OutputSection, bytes: Uint8Array, view: DataView): void {
    this.output = output;
    this.bytes = bytes;
    this.view = view;
  }

  /** Applies S + A - P, if nothing can come between the two sections. */
  protected toDistance(
    rule: RelocationRule,
    output: OutputSection,
    offset: number,
    addend: number,
    place: number,
  ): void {
    const from = this.output;
    const isApart = output.type !== from.type;
    if ((isApart && !this.input.arch.hasFixedPages) || rule.write === undefined) {
      if (rule.smf === undefined) return this.refuseForLoader(rule, place);
      return this.addDynamic(rule.smf, Target.section(output.index), offset + addend);
    }
    const S = output.address + offset;
    const A = addend;
    const P = from.address + this.at;
    if (!rule.write(this.view, this.at, S + A - P) && !this.#throughVeneer(rule, output, offset + A)) {
      return this.fail(rule, place, "the distance does not fit", S + A - P);
    }
    this.applied++;
    if (isApart) this.isFixed = true;
  }

  /** Leads a branch through a veneer, if there is one that it reaches. */
  #throughVeneer(rule: RelocationRule, output: OutputSection, offset: number): boolean {
    const { veneers } = this.input.layout;
    if (veneers === undefined || rule.use !== "branch") return false;
    const branch = this.at;
    const veneer = veneers.reach(this.output, branch, output.address + offset, (at) => {
      const { bytes, references } = this.input.arch.veneer!;
      this.bytes.set(bytes, at);
      for (const [place, type] of references) {
        this.at = at + place;
        this.addDynamic(type, Target.section(output.index), offset);
      }
      this.at = branch;
    });
    return veneer !== undefined && rule.write!(this.view, branch, veneer.offset - branch);
  }

  /** Applies S + A - P to the symbol that the locator found, or leaves it to the loader if that is in a home. */
  protected toDefinedDistance(rule: RelocationRule, addend: number, place: number): void {
    const { home, output, offset } = this.input.locator;
    if (home === NO_HOME) return this.toDistance(rule, output, offset, addend, place);
    if (rule.smf !== undefined) return this.addDefined(rule.smf, addend);
    this.refuse(rule.name, place, {
      problem: "a reloadable module cannot hold so short a distance to a variable",
      hint: "use a distance of at least 32 bits, or link without `reloadable` (--reloadable)",
    });
  }

  /** Adds a relocation to the symbol that the locator found in this module: to its home, or its section. */
  protected addDefined(type: number, addend: number): void {
    this.addDynamic(type, this.definedTarget(), this.definedOffset() + addend);
  }

  /** Returns the start of the home or the section that the symbol is in which the locator found. */
  protected definedTarget(): number {
    const { home, output } = this.input.locator;
    return home === NO_HOME ? Target.section(output.index) : Target.home(home);
  }

  /** Returns the distance of that symbol from its {@linkcode RelocationPlace.definedTarget}. */
  protected definedOffset(): number {
    const { home, offset } = this.input.locator;
    return home === NO_HOME ? offset : offset - this.input.homes[home].offset;
  }

  /** Describes the relocation that is being applied. */
  protected reference(rule: RelocationRule, id: number, addend: number, place: number): Reference {
    return { section: this.section, symbol: this.symbol, id, rule, addend, place };
  }

  /** Has the next relocations patch places that have no copy. */
  protected leaveCopy(): void {
    this.copyAt = -1;
    this.copyAddend = 0;
  }

  protected addDynamic(type: number, target: number, addend: number): void {
    const address = this.copyAt === -1 ? this.output.address + this.at : this.copyAt;
    this.dynamic.add(address, target, type, addend + this.copyAddend);
  }

  /** Refuses a relocation that only the loader could apply, and that SMF has no type for. */
  protected refuseForLoader(rule: RelocationRule, place: number): void {
    const problem = rule.use === "absolute"
      ? rule.smf === undefined && rule.width === 4
        ? "a module cannot hold a 32-bit address"
        : "a module cannot hold a part of an address"
      : "the symbol is too far away";
    this.refuse(rule.name, place, { problem, hint: USE_FPIC });
  }

  /** Adds one error for all relocations of a type to one symbol that are refused for one reason: the first, with a count. */
  protected refuse(relocation: string, place: number, refusal: Refusal): void {
    const { section, symbol } = this;
    const key = `${relocation} ${symbolName(section.object, symbol)} ${refusal.problem}`;
    const first = this.#firstPlaces.get(key) ?? { section, symbol, place };
    this.#firstPlaces.set(key, first);
    this.input.problems.addRepeated(key, (count) => {
      const problem = count === 1 ? refusal.problem : `${refusal.problem}, in ${count} places`;
      return unsupportedAt(first.section, first.symbol, first.place, relocation, { ...refusal, problem });
    });
  }

  protected fail(rule: RelocationRule, place: number, problem: string, value: number): void {
    this.input.problems.add(failedAt(this.section, this.symbol, place, rule, problem, value));
  }
}
