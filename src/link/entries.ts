/**
 * The functions of a hot module that have an entry: an address through which a reload leads to the function's newest
 * code. They are those with an external symbol, those whose address is taken, and static ones of objects that say
 * that static functions keep to the ABI ({@linkcode compilationOf}).
 *
 * Addresses of such functions are left to the loader, like those of exported functions, and calls go through stubs
 * that jump to the address in a GOT slot. A call stays direct where the compiler may know more of the function
 * than the ABI says: within one object, unless that object says otherwise. So do calls from a function to itself.
 */
import { SymbolBinding, SymbolKind } from "../os/elf.ts";
import type { LinkArch } from "./arch/arch.ts";
import { type Compilation, compilationOf, keepsToAbi } from "./compilation.ts";
import { CRT_OBJECT_NAME } from "./crt_object.ts";
import { SymbolPlace } from "./elf/symbols.ts";
import { functionReferences, isCall, isUnseen, type Reference, targetOf } from "./function_references.ts";
import type { GotSlots } from "./got.ts";
import type { InputSection, LinkObject } from "./input.ts";
import { baseName, LocalFunctions } from "./local_functions.ts";
import type { PltStubs } from "./plt.ts";
import type { Resolution } from "./resolve.ts";
import { isFragment } from "./section_names.ts";
import type { Unswitched } from "./unswitched.ts";

/** A function that has an entry. */
export interface Entry {
  /** The number among the entries of the link. */
  readonly index: number;
  readonly object: LinkObject;
  /** The symbol that defines it, in that object. */
  readonly symbol: number;
  /** The source file that tells static functions of one name apart; empty for a name that the whole link shares. */
  readonly file: string;
}

/** The parts of a link that entries need. */
export interface EntriesInput {
  readonly resolution: Resolution;
  readonly arch: LinkArch;
  /** The sections that are reached as a whole. */
  readonly sections: readonly InputSection[];
  /** The name numbers of exports. */
  readonly exported: ReadonlySet<number>;
  readonly got: GotSlots;
  readonly plt: PltStubs;
}

/** Clones that compilers make of functions, whose ABI is their own. */
const CLONE = /\.(?:cold|part|isra|constprop|lto_priv|localalias|llvm)\b|\.\d+$/;

/** The entries of a link. */
export class Entries {
  readonly list: Entry[] = [];
  readonly #input: EntriesInput;
  readonly #locals: LocalFunctions;
  readonly #compilations: Map<LinkObject, Compilation> = new Map();
  readonly #byId: Map<number, Entry> = new Map();
  readonly #byLocal: Map<LinkObject, Map<number, Entry>> = new Map();
  readonly #unswitched: Map<string, Unswitched> = new Map();

  /** Finds the functions, and makes room for the stubs of those that are called through one. */
  constructor(input: EntriesInput) {
    this.#input = input;
    this.#locals = new LocalFunctions(input.resolution.objects);
    const references = [...functionReferences(input.sections, input.arch)];
    for (const reference of references) this.#noteAddress(reference);
    this.#addFunctions();
    for (const reference of references) this.#noteCall(reference);
  }

  /** The functions whose calls stay within their version, and why, in the order in which they were found. */
  get unswitched(): Unswitched[] {
    return [...this.#unswitched.values()];
  }

  /** Returns the entry of a name; undefined if it has none. */
  ofName(id: number): Entry | undefined {
    const { globals } = this.#input.resolution;
    const alias = globals.aliases.get(id);
    return this.#byId.get(alias === undefined || alias.offset !== 0 ? id : alias.target);
  }

  /** Returns the entry of a static function by its symbol; undefined if it has none. */
  ofLocal(object: LinkObject, symbol: number): Entry | undefined {
    return this.#byLocal.get(object)?.get(symbol);
  }

  /** Returns the entry of the static function whose address a reference takes; undefined if it takes none. */
  addressed(reference: Reference): Entry | undefined {
    const isOther = reference.id !== -1 || isUnseen(reference.section) || this.#isCall(reference);
    return isOther ? undefined : this.#entryOfLocal(reference);
  }

  /** Returns the entry that a call goes to; undefined if the call stays direct, or is none. */
  called(reference: Reference): Entry | undefined {
    if (!this.#isCall(reference)) return undefined;
    const entry = this.#entryOf(reference);
    return entry !== undefined && this.#isSwitched(entry, reference) ? entry : undefined;
  }

  /** Notes static functions whose address is taken, and those inside which data leads. */
  #noteAddress(reference: Reference): void {
    const { id, rule, section } = reference;
    if (id !== -1 || this.#isCall(reference)) return;
    const { target, offset } = targetOf(reference, this.#input.arch);
    this.#locals.noteAddress(target, offset, rule.use === "absolute" && !section.isCode);
  }

  #addFunctions(): void {
    const { resolution: { objects, globals }, exported } = this.#input;
    for (const object of objects) {
      if (object.name === CRT_OBJECT_NAME) continue;
      const { symbols } = object.elf;
      for (let symbol = 1; symbol < symbols.length; symbol++) {
        const section = object.sectionOf(symbol);
        if (section === undefined || !section.live || !section.isCode || isFragment(section.name)) continue;
        const id = object.globalOf(symbol);
        if (id === -1) {
          if (symbols.kind(symbol) === SymbolKind.FUNC) this.#addLocal(object, symbol);
          continue;
        }
        if (globals.object(id) !== object.index || globals.symbol(id) !== symbol || globals.aliases.has(id)) {
          continue;
        }
        const isFunction = symbols.kind(symbol) === SymbolKind.FUNC && !CLONE.test(symbols.name(symbol));
        if (!isFunction && !exported.has(id) || symbols.kind(symbol) === SymbolKind.GNU_IFUNC) continue;
        if (!exported.has(id) && this.#mayBeMerged(object)) {
          this.#leave(object, symbol, "merged");
          continue;
        }
        this.#byId.set(id, this.#add({ object, symbol, file: "" }));
      }
    }
  }

  #addLocal(object: LinkObject, symbol: number): void {
    const name = object.elf.symbols.name(symbol);
    const { isTaken, hasLabels, file, isUnique, isAlone } = this.#locals.facts(object, symbol);
    const isPatchable = this.#compilationOf(object).isLivePatchable;
    const isClone = CLONE.test(name);
    const isMerged = this.#mayBeMerged(object);
    const hasEntry = !isClone && !hasLabels && !isMerged && isUnique && (isTaken || isPatchable);
    if (hasEntry) {
      let entries = this.#byLocal.get(object);
      if (entries === undefined) this.#byLocal.set(object, entries = new Map());
      entries.set(symbol, this.#add({ object, symbol, file }));
    }
    if (isClone) return;
    // Pointers to these lead to the code that they were taken from.
    if (isMerged && isTaken) this.#leave(object, symbol, "merged");
    else if (!isUnique && (isTaken || isPatchable)) this.#leave(object, symbol, "repeated");
    else if (hasLabels && isTaken) this.#leave(object, symbol, "labels");
    // A call within a section has no relocation.
    if (!isAlone) this.#leave(object, symbol, isPatchable ? "section" : "static");
  }

  /** Whether the address of a function may stand for another, equal one, as rustc and zig put it into their data. */
  #mayBeMerged(object: LinkObject): boolean {
    return this.#compilationOf(object).compiler === "other";
  }

  #add(entry: Omit<Entry, "index">): Entry {
    const added = { ...entry, index: this.list.length };
    this.list.push(added);
    return added;
  }

  /** Makes the stub of a function that is called, or notes that the call stays. */
  #noteCall(reference: Reference): void {
    if (!this.#isCall(reference)) return;
    const entry = this.#entryOf(reference);
    if (entry === undefined || !this.#isSwitched(entry, reference)) return this.#noteDirect(reference, entry);
    const { got, plt } = this.#input;
    plt.addEntry(entry.index, entry.object, entry.symbol, got);
  }

  /** Notes the function of a call that stays within its version. */
  #noteDirect(reference: Reference, entry: Entry | undefined): void {
    const { id, section: { object }, section, place } = reference;
    if (id !== -1) {
      const isOwn = entry === undefined || this.#isOfFunction(section, place, entry);
      if (!isOwn) this.#leave(object, reference.symbol, "local");
      return;
    }
    const { target, offset } = targetOf(reference, this.#input.arch);
    const symbol = target === undefined ? -1 : this.#locals.startingAt(target, offset);
    if (symbol === -1) return;
    const name = object.elf.symbols.name(symbol);
    const isPart = /\.cold\b/.test(name) || this.#locals.functionAround(section, place) === baseName(name);
    if (isPart) return;
    const isStatic = symbol < object.elf.symbols.firstGlobal;
    const reason = !isStatic
      ? "local"
      : CLONE.test(name)
      ? "clone"
      : !this.#locals.facts(object, symbol).isUnique
      ? "repeated"
      : "static";
    this.#leave(object, symbol, reason);
  }

  #isCall(reference: Reference): boolean {
    return isCall(reference, this.#input.arch);
  }

  /** Whether a call goes through the stub of an entry. */
  #isSwitched(entry: Entry, { section, symbol, id, rule, addend, place }: Reference): boolean {
    const { arch } = this.#input;
    if (rule.got === "stub" || id !== -1 && addend !== arch.callAddend) return false;
    const caller = section.object, { symbols } = caller.elf;
    if (this.#isOfFunction(section, place, entry)) return false;
    const compilation = this.#compilationOf(caller);
    if (id === -1) return compilation.isLivePatchable;
    const isOwn = symbols.place(symbol) !== SymbolPlace.UNDEFINED ||
      compilation.compiler === "other" && this.#compilationOf(entry.object).compiler === "other";
    return !isOwn || keepsToAbi(compilation, symbols.binding(symbol), symbols.visibility(symbol));
  }

  /** Whether a place is in a function itself, or in a part of it that is out of line. */
  #isOfFunction(section: InputSection, place: number, { object, symbol }: Entry): boolean {
    if (section.object !== object) return false;
    return this.#locals.functionAround(section, place) === baseName(object.elf.symbols.name(symbol));
  }

  /** Returns the entry of the function at whose first byte a reference leads. */
  #entryOf(reference: Reference): Entry | undefined {
    return reference.id === -1 ? this.#entryOfLocal(reference) : this.ofName(reference.id);
  }

  /** Returns the entry of the static function at whose first byte a reference leads. */
  #entryOfLocal(reference: Reference): Entry | undefined {
    const { section: { object }, symbol } = reference;
    const entries = this.#byLocal.get(object);
    if (entries === undefined) return undefined;
    if (object.elf.symbols.kind(symbol) === SymbolKind.FUNC) {
      return targetOf(reference, this.#input.arch).offset === object.elf.symbols.value(symbol)
        ? entries.get(symbol)
        : undefined;
    }
    const { target, offset } = targetOf(reference, this.#input.arch);
    const found = target === undefined ? -1 : this.#locals.at(target, offset);
    return found === -1 ? undefined : entries.get(found);
  }

  #compilationOf(object: LinkObject): Compilation {
    let known = this.#compilations.get(object);
    if (known === undefined) this.#compilations.set(object, known = compilationOf(object));
    return known;
  }

  #leave(object: LinkObject, symbol: number, reason: Unswitched["reason"]): void {
    const { symbols } = object.elf;
    const name = symbols.name(symbol);
    const key = `${object.index}\0${name}`;
    if (this.#unswitched.has(key)) return;
    const { compiler, isInterposable } = this.#compilationOf(object);
    this.#unswitched.set(key, {
      object: object.name,
      name,
      reason,
      compiler,
      needsPatching: symbols.binding(symbol) === SymbolBinding.WEAK || isInterposable,
    });
  }
}
