/**
 * Section garbage collection: marks everything that can be reached from the module's roots through
 * relocations. Unmarked sections are dropped.
 */
import { RecordSize, SectionFlag, SectionType, SymbolKind } from "../os/elf.ts";
import type { LinkArch } from "./arch/arch.ts";
import { CRT_OBJECT_NAME } from "./crt_object.ts";
import { FrameSection, isFrameSection } from "./eh_frame.ts";
import { signed64 } from "./elf/bytes.ts";
import { SymbolPlace } from "./elf/symbols.ts";
import { State } from "./globals.ts";
import { GotSlots } from "./got.ts";
import { leadsHome } from "./homes.ts";
import { IfuncSlots } from "./ifunc.ts";
import type { InputSection, LinkObject } from "./input.ts";
import { BoundedSections, type LinkerSymbol, linkerSymbolOf } from "./linker_symbols.ts";
import { isMergeable } from "./merge.ts";
import { MergePieces } from "./merge_pieces.ts";
import { PltStubs } from "./plt.ts";
import { malformed } from "./problems.ts";
import type { Resolution } from "./resolve.ts";
import { isFragment, isFunctionTable } from "./section_names.ts";
import { startupArray } from "./startup_order.ts";
import { TlsSlots } from "./thread_local.ts";
import { isShortAddress } from "./thunks.ts";
import type { LiveReasons } from "./why_live.ts";

/** An undefined name that is reached. */
export interface NeededName {
  /** The names of the objects that refer to it. */
  readonly neededBy: Set<string>;
  /** The number of its calls. A name that is called must be a function. */
  calls: number;
  /** Whether it may stay undefined; its address is 0 then, unless `endsProcess`. */
  weak: boolean;
  /** Whether a call of it ends the process, if it stays undefined. */
  endsProcess: boolean;
}

/** Names of C++ and of Rust in either mangling, and of the functions that raise exceptions. */
const RAISING = /^_(?:Z|R|Unwind_|_cxa_(?:re)?throw$)/;

/** Whether a section is a root by itself. */
function isRoot(section: InputSection): boolean {
  const { type, flags } = section.elf;
  return type === SectionType.INIT_ARRAY || type === SectionType.FINI_ARRAY ||
    type === SectionType.PREINIT_ARRAY ||
    (flags & SectionFlag.GNU_RETAIN) !== 0 || startupArray(section.name) !== undefined ||
    isFragment(section.name);
}

/** The mark phase. */
export class Marker {
  readonly #resolution: Resolution;
  readonly #arch: LinkArch;
  readonly #worklist: InputSection[] = [];
  /** Whether a name is reached, by its number. No pass of garbage collection makes new names. */
  readonly #marked: Uint8Array;
  readonly #frames: FrameSection[] = [];
  readonly #bounded: BoundedSections;
  /** Undefined names that are reached, by name number. */
  readonly needed: Map<number, NeededName> = new Map();
  /** Tentative definitions that are reached, by name number. */
  readonly commons: Set<number> = new Set();
  /** Names whose GOT slot holds a constant, because they have no address. */
  readonly constants: Set<number> = new Set();
  /** GOT slots of thread-local variables. */
  readonly tls: TlsSlots = new TlsSlots();
  /** Stubs and GOT slots of ifuncs. */
  readonly ifuncs: IfuncSlots = new IfuncSlots();
  /** The linker's own GOT slots that hold addresses. */
  readonly got: GotSlots = new GotSlots();
  /** Stubs of imported functions. */
  readonly plt: PltStubs;
  /** Names that the linker itself defines, by name number. */
  readonly linkerSymbols: Map<number, LinkerSymbol> = new Map();
  /** Whether the module gets call frame information. */
  unwind: boolean;
  /** Whether an address is an operand of an instruction, or has 32 bits, as in code for fixed addresses. */
  hasPlainAddresses = false;
  readonly #unwindIfNeeded: boolean;
  readonly #hasHomes: boolean;
  readonly #reasons: LiveReasons | undefined;

  /**
   * Marks the sections that are roots by themselves.
   *
   * @param unwind Whether to keep call frame information; `undefined` keeps it
   * if exceptions may come to something that is reached.
   * @param hasHomes Whether variables have homes, which code reaches through GOT slots of this module.
   * @param reasons Told what reaches each section first.
   */
  constructor(
    resolution: Resolution,
    arch: LinkArch,
    unwind: boolean | undefined,
    hasHomes = false,
    reasons?: LiveReasons,
  ) {
    this.#reasons = reasons;
    this.#resolution = resolution;
    this.#marked = new Uint8Array(resolution.globals.names.length);
    this.#arch = arch;
    this.plt = new PltStubs(arch);
    this.#bounded = new BoundedSections(resolution.objects);
    this.unwind = unwind === true;
    this.#unwindIfNeeded = unwind === undefined;
    this.#hasHomes = hasHomes;
    for (const object of resolution.objects) {
      for (const section of object.sections) {
        if (section === undefined || section.discarded) continue;
        if (isFrameSection(section)) this.#frames.push(new FrameSection(section));
        else if (object.name !== CRT_OBJECT_NAME && isRoot(section)) this.markSection(section);
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
      for (let section = this.#worklist.pop(); section !== undefined; section = this.#worklist.pop()) {
        this.#markRelocations(section, 0, section.elf.relaCount, undefined);
      }
    } while (this.#markFrames());
  }

  /** Marks a whole section, its group, and the sections that describe it. */
  markSection(section: InputSection): void {
    if (section.live || section.discarded || isFrameSection(section)) return;
    if (!this.unwind && !this.#unwindIfNeeded && isFunctionTable(section.name)) return;
    section.live = true;
    this.#reasons?.note(section);
    this.#worklist.push(section);
    for (const others of [section.group ?? [], section.dependents ?? []]) {
      for (const other of others) {
        if (!other.live) this.#reasons?.note(other, section);
        this.markSection(other);
      }
    }
  }

  /** Marks a section that an option names. */
  markNamed(section: InputSection): void {
    if (this.#reasons !== undefined) this.#reasons.symbol = () => section.name;
    this.markSection(section);
  }

  /** Marks the definition of a name, or notes that the name is needed. */
  markGlobal(id: number, from: LinkObject | undefined, called = false): void {
    const { globals, objects } = this.#resolution;
    if (this.#reasons !== undefined) this.#reasons.symbol = () => globals.names.text(id);
    const state = globals.state(id);
    if (state < State.WEAK) return this.#need(id, from, called);
    if (this.#marked[id] === 1) return;
    this.#marked[id] = 1;
    const alias = globals.aliases.get(id);
    if (alias !== undefined) {
      // A distance may lead out of the piece of a mergeable section that the other name marks.
      const section = objects[globals.object(id)]?.sectionOf(globals.symbol(id));
      if (alias.offset !== 0 && section !== undefined && state !== State.COMMON) this.markSection(section);
      return this.markGlobal(alias.target, from);
    }
    if (state === State.COMMON) this.commons.add(id);
    else this.#markDefinition(objects[globals.object(id)], globals.symbol(id));
  }

  #need(id: number, from: LinkObject | undefined, called: boolean): void {
    if (this.linkerSymbols.has(id) || this.#defineLinkerSymbol(id, called)) return;
    let needed = this.needed.get(id);
    if (needed === undefined) {
      this.needed.set(id, needed = { neededBy: new Set(), calls: 0, weak: false, endsProcess: false });
    }
    if (from !== undefined) needed.neededBy.add(from.name);
    if (called) needed.calls++;
  }

  /** Whether a name is an absolute symbol, or a hidden weak one that is undefined and therefore 0. */
  #isConstant(id: number): boolean {
    const { globals, objects } = this.#resolution;
    const state = globals.state(id);
    if (state === State.WEAK_UNDEFINED) return globals.isHidden(id) && !this.linkerSymbols.has(id);
    if (state !== State.WEAK && state !== State.STRONG) return false;
    return objects[globals.object(id)].elf.symbols.place(globals.symbol(id)) === SymbolPlace.ABSOLUTE;
  }

  /** Defines a name that only the linker can define, and marks the sections that it bounds. */
  #defineLinkerSymbol(id: number, called: boolean): boolean {
    const symbol = linkerSymbolOf(this.#resolution.globals.names.text(id), called);
    if (symbol === undefined) return false;
    const sections = symbol.all === true ? [] : this.#bounded.named(symbol.section);
    if (sections.length === 0 && symbol.make === undefined) return false;
    this.linkerSymbols.set(id, symbol);
    for (const section of sections) this.markSection(section);
    return true;
  }

  #markDefinition(object: LinkObject, symbol: number): void {
    const section = object.sectionOf(symbol);
    if (section === undefined) return;
    const { symbols } = object.elf;
    if (symbols.kind(symbol) === SymbolKind.GNU_IFUNC) this.ifuncs.need(object, symbol);
    this.#markOffset(section, symbols.value(symbol));
  }

  /** Marks the piece at an offset of a mergeable section, or the whole section. */
  #markOffset(section: InputSection, offset: number): void {
    if (section.live || section.discarded) return;
    if (isMergeable(section)) section.merge ??= MergePieces.of(section.elf, section.bytes());
    const piece = section.merge?.find(offset) ?? -1;
    if (piece === -1) {
      // The offset is in none of the pieces, so the section must stay as it is.
      section.merge = undefined;
      this.markSection(section);
    } else {
      section.merge!.live[piece] = 1;
      this.#reasons?.note(section);
    }
  }

  /** Marks the targets of relocations `[first, last)`, which index `order` if there is one, else the table. */
  #markRelocations(section: InputSection, first: number, last: number, order: Uint32Array | undefined): void {
    const { object, elf } = section;
    const { symbols, file: { view } } = object.elf;
    const { globals } = this.#resolution;
    if (this.#reasons !== undefined) this.#reasons.from = section;
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
        const addend = this.#arch.hasBiasedAddends ? 0 : signed64(view, at + 16);
        this.tls.need(rule.slot, object, symbol, addend);
      }
      if (rule?.got !== undefined) this.got.note(rule.got, object, symbol);
      else if (rule?.use === "got" && this.#hasHomes && leadsHome(this.#resolution, object, symbol)) {
        this.got.needOf(object, symbol);
      }
      const isShort = rule !== undefined && isShortAddress(rule);
      this.hasPlainAddresses ||= isShort || rule?.use === "absolute" && section.isCode;
      const id = object.globalOf(symbol);
      if (id !== -1) {
        // Nobody compares the address of the function that handles exceptions, so a stub will do.
        if (rule?.got === "stub" || rule?.use === "image" || isShort && isFrameSection(section)) {
          this.plt.require(id);
        }
        // Only of undefined names it matters, so that the bytes of code are rarely read.
        const called = rule !== undefined && (rule.use === "branch" || rule.got === "stub" ||
          rule.use === "got" && place >= 2 && !globals.isDefined(id) &&
            this.#arch.isIndirectBranch(section.bytes(), place, rule));
        this.markGlobal(id, object, called);
        if (rule?.use === "got" && this.#isConstant(id)) this.constants.add(id);
        continue;
      }
      const target = object.sectionOf(symbol);
      if (target === undefined) continue;
      if (this.#reasons !== undefined) this.#reasons.symbol = () => symbols.name(symbol) || target.name;
      if (symbols.kind(symbol) !== SymbolKind.SECTION) {
        this.#markDefinition(object, symbol);
      } else if (this.#arch.hasBiasedAddends && section.isCode && rule?.use !== "absolute") {
        // The addend counts from the end of the instruction, which is unknown, so
        // it does not tell which piece is meant.
        this.#markOffset(target, -1);
      } else {
        const offset = symbols.value(symbol) + signed64(view, at + 16);
        if (isMergeable(target) && !(offset >= 0 && offset <= target.elf.size)) {
          throw broken(`a relocation leads outside the mergeable section '${target.name}'`, place);
        }
        this.#markOffset(target, offset);
      }
    }
  }

  /**
   * Marks the frame records of functions that are reached, and what they refer to: handlers and
   * their tables. A record does not keep its function.
   *
   * @returns whether it marked a record.
   */
  #markFrames(): boolean {
    if (!this.unwind && this.#unwindIfNeeded) {
      this.unwind = this.#frames.some((frame) => frame.hasLiveHandlers()) || this.#mayRaise();
    }
    if (!this.unwind) return false;
    let changed = false;
    for (const frame of this.#frames) {
      for (const record of frame.records) {
        if (record.live || record.cie === undefined || !frame.isFunctionLive(record)) continue;
        frame.checkFunctionReference(record, this.#arch);
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

  /** Whether something that is reached may raise exceptions or let them pass, as far as names tell. */
  #mayRaise(): boolean {
    const { names } = this.#resolution.globals;
    for (let id = 0; id < names.length; id++) {
      const isReached = this.#marked[id] === 1 || this.needed.has(id);
      if (isReached && names.begins(id, "_") && RAISING.test(names.text(id))) return true;
    }
    return false;
  }
}
