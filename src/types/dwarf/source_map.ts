/**
 * From addresses of code to functions and lines of the source, those of inlined functions included.
 */
import { attempt, ignore } from "../../errors/load_error.ts";
import { TextPool } from "../text_pool.ts";
import { AbbreviationPool } from "./abbrev_table.ts";
import { CodeRanges, type RangeSections } from "./code_ranges.ts";
import { At, Tag } from "./constants.ts";
import { type LineSections, readLines } from "./line_program.ts";
import type { LineTable } from "./line_table.ts";
import { DwarfObject } from "./object.ts";
import { isFunction, mayHoldCode } from "./scopes.ts";
import type { DwarfSections } from "./sections.ts";
import type { Entry, Unit } from "./unit.ts";
import { walkEntries } from "./walk.ts";

/** A function at a place of the source. */
export interface SourceFrame {
  /** The function's name as linkers see it, mangled in C++ and Rust; undefined if it is not known. */
  readonly function: string | undefined;
  /** Its name in the source, without namespaces and classes. */
  readonly name: string | undefined;
  /** The path of the file as the compiler knew it. */
  readonly file: string | undefined;
  /** Counts from 1; undefined where the code belongs to no line. */
  readonly line: number | undefined;
  /** Counts from 1. */
  readonly column: number | undefined;
}

/** The sections that a source map is made of. */
export type SourceSections = DwarfSections & Partial<LineSections> & RangeSections;

/** A function, or one that is inlined in another; where it has several ranges, one of them. */
interface CodeScope {
  readonly start: number;
  readonly end: number;
  /** How many entries it is in. */
  readonly depth: number;
  readonly entry: Entry;
}

/** The names of a function. */
type Names = Pick<SourceFrame, "function" | "name">;

/** More origins of a function than any compiler writes. */
const MOST_ORIGINS = 8;

/** Finds places of the source. What is read is kept; a unit that is damaged counts as one that is absent. */
export class SourceMap {
  readonly #object: DwarfObject;
  readonly #sections: SourceSections;
  readonly #ranges: CodeRanges;
  /** The ranges of units; read with the first question. */
  #units: { readonly start: number; readonly end: number; readonly unit: Unit }[] | undefined;
  readonly #scopes: Map<Unit, readonly CodeScope[]> = new Map();
  readonly #lines: Map<number, LineTable | undefined> = new Map();
  readonly #names: Map<number, Names> = new Map();

  constructor(sections: SourceSections) {
    this.#sections = sections;
    const shared = { texts: new TextPool(), abbreviations: new AbbreviationPool() };
    this.#object = new DwarfObject(sections, shared, true);
    this.#ranges = new CodeRanges(this.#object, sections);
  }

  /**
   * Finds the functions at an address, innermost first: where one is inlined in the next, the place of the next
   * is that of the call. Nothing is known of the address if there is none.
   */
  find(address: number): SourceFrame[] {
    const units = this.#units ??= this.#readUnits();
    for (const { start, end, unit } of units) {
      if (address < start || address >= end) continue;
      const frames = attempt(ignore, () => this.#framesIn(unit, address));
      if (frames !== undefined && frames.length > 0) return frames;
    }
    return [];
  }

  /**
   * Lists the ranges of code by the source that was compiled. A range that the linker has left out lies anywhere, at 0
   * or at the end of the addresses.
   *
   * @returns the path of each source as the compiler knew it, with the addresses of one range.
   */
  compiled(): { readonly source: string; readonly start: number; readonly end: number }[] {
    const units = this.#units ??= this.#readUnits();
    return units.map(({ start, end, unit }) => {
      const root = unit.root();
      return { source: root === undefined ? "" : this.#object.name(root), start, end };
    });
  }

  #readUnits(): { start: number; end: number; unit: Unit }[] {
    const units: { start: number; end: number; unit: Unit }[] = [];
    for (const unit of this.#object.units) {
      attempt(ignore, () => {
        const root = unit.root();
        if (root !== undefined) this.#ranges.of(root, (start, end) => units.push({ start, end, unit }));
      });
    }
    return units;
  }

  #framesIn(unit: Unit, address: number): SourceFrame[] {
    const lines = this.#linesOf(unit);
    const place = lines?.find(address);
    const chain = this.#scopesOf(unit).filter(({ start, end }) => address >= start && address < end)
      .sort((left, right) => left.depth - right.depth);
    const outermost = chain.findLastIndex(({ entry }) => entry.tag === Tag.subprogram);
    const inside = outermost === -1 ? [] : chain.slice(outermost).reverse();
    const frames: SourceFrame[] = [];
    let [file, line, column] = [place?.file, place?.line, place?.column];
    for (const { entry } of inside) {
      frames.push({ ...this.#namesOf(entry), file, line, column });
      const number = entry.value(At.callFile);
      file = number === undefined ? undefined : lines?.file(number);
      line = entry.value(At.callLine) || undefined;
      column = entry.value(At.callColumn) || undefined;
    }
    if (frames.length > 0 || place === undefined) return frames;
    return [{ function: undefined, name: undefined, ...place }];
  }

  #linesOf(unit: Unit): LineTable | undefined {
    const root = unit.root();
    const offset = root?.value(At.statements);
    const { line, str, lineStr } = this.#sections;
    if (root === undefined || offset === undefined || line === undefined) return undefined;
    if (!this.#lines.has(offset)) {
      const folder = this.#object.name(root, At.compilationFolder);
      this.#lines.set(offset, attempt(ignore, () => readLines({ line, str, lineStr }, offset, folder)));
    }
    return this.#lines.get(offset);
  }

  #scopesOf(unit: Unit): readonly CodeScope[] {
    let scopes = this.#scopes.get(unit);
    if (scopes === undefined) this.#scopes.set(unit, scopes = this.#readScopes(unit));
    return scopes;
  }

  #readScopes(unit: Unit): CodeScope[] {
    const scopes: CodeScope[] = [];
    let depth = 0;
    walkEntries(unit, {
      enter: (at, { tag, hasChildren }) => {
        if (isFunction(tag)) {
          const entry = unit.entry(at)!;
          attempt(
            ignore,
            () => this.#ranges.of(entry, (start, end) => scopes.push({ start, end, depth, entry })),
          );
        }
        const isEntered = hasChildren && mayHoldCode(tag);
        if (isEntered) depth++;
        return isEntered;
      },
      leave: () => depth--,
    });
    return scopes;
  }

  #namesOf(entry: Entry): Names {
    const key = entry.unit.origin + entry.start;
    let names = this.#names.get(key);
    if (names === undefined) this.#names.set(key, names = this.#readNames(entry));
    return names;
  }

  #readNames(entry: Entry): Names {
    let symbol = "", name = "";
    let next: Entry | undefined = entry;
    // A function out of line names its declaration, an inlined one its abstract instance.
    for (let left = MOST_ORIGINS; left > 0 && next !== undefined; left--) {
      symbol ||= this.#object.name(next, At.linkageName) || this.#object.name(next, At.mipsLinkageName);
      name ||= this.#object.name(next);
      next = this.#object.reference(next, next.has(At.abstractOrigin) ? At.abstractOrigin : At.specification);
    }
    return { function: symbol || name || undefined, name: name || undefined };
  }
}
