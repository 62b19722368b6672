/**
 * Finds what a module needs: everything that can be reached from its roots
 * through relocations. The rest is dropped.
 */
import type { LinkArch } from "./arch/arch.ts";
import { type LinkerSymbol, linkerSymbolOf } from "./linker_symbols.ts";
import { IfuncSlots } from "./ifunc.ts";
import { FrameSection, isFrameSection } from "./eh_frame.ts";
import { RecordSize, SectionFlag, SectionIndex, SectionType, SymbolKind } from "../os/elf.ts";
import { State } from "./globals.ts";
import { HELPERS_NAME } from "./crt_object.ts";
import type { InputSection, LinkObject } from "./input.ts";
import { malformed, signed64 } from "./elf/bytes.ts";
import { isMergeable } from "./merge.ts";
import { MergePieces } from "./merge_pieces.ts";
import type { Resolution } from "./resolve.ts";
import { C_IDENTIFIER, isFragment, startupOrder } from "./section_names.ts";
import { TlsSlots } from "./thread_local.ts";

/** A name that the module needs from elsewhere. */
export interface NeededName {
  /** Objects that refer to it. */
  readonly neededBy: Set<string>;
  /** Whether something calls it, so that it must be a function. */
  called: boolean;
}

/** Names of C++ and of Rust in either mangling, and those that raise exceptions. */
const RAISING = /^_(?:Z|R|Unwind_|_cxa_(?:re)?throw$)/;

/** Whether a section is a root by itself. */
function isRoot(section: InputSection): boolean {
  const { type, flags } = section.elf;
  return type === SectionType.INIT_ARRAY || type === SectionType.FINI_ARRAY ||
    type === SectionType.PREINIT_ARRAY ||
    (flags & SectionFlag.GNU_RETAIN) !== 0 || startupOrder(section.name) !== undefined ||
    isFragment(section.name);
}

/** One pass over all that is reachable. */
export class Marker {
  readonly #resolution: Resolution;
  readonly #arch: LinkArch;
  readonly #work: InputSection[] = [];
  readonly #marked: Set<number> = new Set();
  readonly #frames: FrameSection[] = [];
  #byName: Map<string, InputSection[]> | undefined;
  /** Undefined names that are reached, by name number. */
  readonly needed: Map<number, NeededName> = new Map();
  /** Tentative definitions that are reached. */
  readonly commons: Set<number> = new Set();
  /** Names whose GOT slot holds a constant, because they have no address. */
  readonly constants: Set<number> = new Set();
  /** What thread-local variables need. */
  readonly tls: TlsSlots = new TlsSlots();
  /** Functions that are chosen when the module is loaded. */
  readonly chosen: IfuncSlots = new IfuncSlots();
  /** Names that the linker defines, by name number. */
  readonly bounds: Map<number, LinkerSymbol> = new Map();
  /** Whether frame information belongs into the module. */
  unwind: boolean;
  readonly #unwindWhenNeeded: boolean;

  /**
   * @param unwind Whether to keep call frame information; `undefined` keeps it
   * when something reachable can have to do with exceptions.
   */
  constructor(resolution: Resolution, arch: LinkArch, unwind: boolean | undefined) {
    this.#resolution = resolution;
    this.#arch = arch;
    this.unwind = unwind === true;
    this.#unwindWhenNeeded = unwind === undefined;
    for (const object of resolution.objects) {
      for (const section of object.sections) {
        if (section === undefined || section.discarded) continue;
        if (isFrameSection(section)) this.#frames.push(new FrameSection(section));
        else if (object.name !== HELPERS_NAME && isRoot(section)) this.markSection(section);
      }
    }
  }

  /** The frame sections of the link, for the layout. */
  get frames(): readonly FrameSection[] {
    return this.#frames;
  }

  /** Follows relocations until nothing new is reached. */
  run(): void {
    do {
      for (let section = this.#work.pop(); section !== undefined; section = this.#work.pop()) {
        this.#markRelocations(section, 0, section.elf.relaCount, undefined);
      }
    } while (this.#markFrames());
  }

  /** Reaches a section as a whole, and what must stay with it. */
  markSection(section: InputSection): void {
    if (section.live || section.discarded || isFrameSection(section)) return;
    section.live = true;
    this.#work.push(section);
    for (const sibling of section.group ?? []) this.markSection(sibling);
    for (const dependent of section.dependents ?? []) this.markSection(dependent);
  }

  /** Reaches a name. */
  markGlobal(id: number, from: LinkObject | undefined, called = false): void {
    const { globals, objects } = this.#resolution;
    const state = globals.state(id);
    if (state < State.WEAK) return this.#need(id, from, called);
    if (this.#marked.has(id)) return;
    this.#marked.add(id);
    if (state === State.COMMON) this.commons.add(id);
    else this.#markDefinition(objects[globals.object(id)], globals.symbol(id));
  }

  #need(id: number, from: LinkObject | undefined, called: boolean): void {
    if (this.bounds.has(id) || this.#defineBound(id, called)) return;
    let needed = this.needed.get(id);
    if (needed === undefined) this.needed.set(id, needed = { neededBy: new Set(), called: false });
    if (from !== undefined) needed.neededBy.add(from.name);
    needed.called ||= called;
  }

  /** Absolute symbols, and hidden ones that are weak and undefined, which are 0. */
  #isConstant(id: number): boolean {
    const { globals, objects } = this.#resolution;
    const state = globals.state(id);
    if (state === State.WEAK_UNDEFINED) return globals.isHidden(id) && !this.bounds.has(id);
    if (state !== State.WEAK && state !== State.STRONG) return false;
    return objects[globals.object(id)].elf.symbols.section(globals.symbol(id)) === SectionIndex.ABS;
  }

  /** Defines a name that only a linker can. */
  #defineBound(id: number, called: boolean): boolean {
    const bound = linkerSymbolOf(this.#resolution.globals.names.text(id), called);
    if (bound === undefined) return false;
    const sections = bound.all === true ? [] : this.#sectionsNamed(bound.section);
    if (sections.length === 0 && bound.make === undefined) return false;
    this.bounds.set(id, bound);
    for (const one of sections) this.markSection(one);
    return true;
  }

  #sectionsNamed(name: string): readonly InputSection[] {
    if (this.#byName === undefined) {
      this.#byName = new Map();
      for (const object of this.#resolution.objects) {
        for (const section of object.sections) {
          if (section === undefined || section.discarded) continue;
          if (!C_IDENTIFIER.test(section.name) && startupOrder(section.name) === undefined) continue;
          const name = startupOrder(section.name)?.output ?? section.name;
          const known = this.#byName.get(name);
          if (known === undefined) this.#byName.set(name, [section]);
          else known.push(section);
        }
      }
    }
    return this.#byName.get(name) ?? [];
  }

  #markDefinition(object: LinkObject, symbol: number): void {
    const section = object.sectionOf(symbol);
    if (section === undefined) return;
    const { symbols } = object.elf;
    if (symbols.kind(symbol) === SymbolKind.GNU_IFUNC) this.chosen.need(object, symbol);
    this.#markPlace(section, symbols.value(symbol));
  }

  /** Reaches one place in a section: a single piece where pieces can be told apart. */
  #markPlace(section: InputSection, offset: number): void {
    if (section.live || section.discarded) return;
    if (isMergeable(section)) section.merge ??= MergePieces.of(section.elf, section.bytes());
    const piece = section.merge?.find(offset) ?? -1;
    if (piece === -1) {
      // A place that is in no piece: the section must stay as it is.
      section.merge = undefined;
      this.markSection(section);
    } else {
      section.merge!.live[piece] = 1;
    }
  }

  /** Reaches what relocations `[first, last)` refer to; `order` says which these are if not just those. */
  #markRelocations(section: InputSection, first: number, last: number, order: Uint32Array | undefined): void {
    const { object, elf } = section;
    const { symbols, file } = object.elf;
    const { view } = file;
    const broken = (problem: string, offset: number) =>
      malformed(object.name, problem, { section: elf.name, offset });
    for (let i = first; i < last; i++) {
      const at = elf.relaOffset + (order === undefined ? i : order[i]) * RecordSize.RELA;
      const place = view.getUint32(at, true);
      const symbol = view.getUint32(at + 12, true);
      if (view.getUint32(at + 4, true) !== 0 || place >= elf.size) {
        throw broken("a relocation lies outside its section", place);
      }
      if (symbol >= symbols.length) {
        throw broken(`a relocation names symbol ${symbol} of ${symbols.length}`, place);
      }
      const rule = this.#arch.rules.get(view.getUint32(at + 8, true));
      if (rule?.slot !== undefined) {
        const addend = this.#arch.biased ? 0 : signed64(view, at + 16);
        this.tls.need(rule.slot, object, symbol, addend);
      }
      const id = object.globalOf(symbol);
      if (id !== -1) {
        const called = rule !== undefined && (rule.use === "branch" ||
          rule.use === "got" && place >= 2 &&
            this.#arch.isIndirectBranch(file.bytes, elf.offset + place, rule));
        this.markGlobal(id, object, called);
        if (rule?.use === "got" && this.#isConstant(id)) this.constants.add(id);
        continue;
      }
      const target = object.sectionOf(symbol);
      if (target === undefined) continue;
      if (symbols.kind(symbol) !== SymbolKind.SECTION) {
        this.#markDefinition(object, symbol);
      } else if (this.#arch.biased && section.isCode && rule?.use !== "absolute") {
        // The addend counts from behind the instruction, wherever that is, so
        // which piece is meant cannot be known.
        this.#markPlace(target, -1);
      } else {
        this.#markPlace(target, symbols.value(symbol) + signed64(view, at + 16));
      }
    }
  }

  /**
   * Keeps the frame information of functions that are reached. It is no reason
   * to keep a function, but it leads to handlers and their tables.
   */
  #markFrames(): boolean {
    if (!this.unwind && this.#unwindWhenNeeded) {
      this.unwind = this.#frames.some((frame) => this.#handles(frame)) || this.#isPassedThrough();
    }
    if (!this.unwind) return false;
    let changed = false;
    for (const frame of this.#frames) {
      for (const record of frame.records) {
        if (record.live || record.cie === undefined || !this.#functionIsLive(frame, record)) continue;
        record.live = true;
        changed = true;
        this.#markRelocations(
          frame.section,
          record.firstRelocation + 1,
          record.lastRelocation,
          frame.relocations,
        );
        const { cie } = record;
        if (cie.live) continue;
        cie.live = true;
        this.#markRelocations(frame.section, cie.firstRelocation, cie.lastRelocation, frame.relocations);
      }
    }
    return changed;
  }

  #functionIsLive(frame: FrameSection, record: FrameSection["records"][number]): boolean {
    const index = frame.functionRelocation(record);
    if (index === -1) return false;
    const { object, elf } = frame.section;
    const symbol = object.elf.file.view.getUint32(elf.relaOffset + index * RecordSize.RELA + 12, true);
    return symbol < object.elf.symbols.length && (object.sectionOf(symbol)?.live ?? false);
  }

  /** Whether something that is reached may raise exceptions, or be passed through by them, as its names say. */
  #isPassedThrough(): boolean {
    const { names } = this.#resolution.globals;
    for (const ids of [this.needed.keys(), this.#marked]) {
      for (const id of ids) if (names.begins(id, "_") && RAISING.test(names.text(id))) return true;
    }
    return false;
  }

  /** Whether a function that is reached has a table of handlers, a second relocation in its record. */
  #handles(frame: FrameSection): boolean {
    return frame.records.some((record) =>
      record.cie !== undefined && record.lastRelocation - record.firstRelocation > 1 &&
      this.#functionIsLive(frame, record)
    );
  }
}
