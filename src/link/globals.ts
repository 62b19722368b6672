/**
 * The global symbols of a link: chooses the definition of each name (gABI, "Symbol Table": strong,
 * weak and tentative definitions, visibility).
 */
import { LoadError } from "../errors/load_error.ts";
import { SymbolBinding, SymbolVisibility } from "../os/elf.ts";
import { SymbolPlace } from "./elf/symbols.ts";
import type { LinkObject } from "./input.ts";
import { grown } from "../types/growing.ts";
import { NameTable } from "./names.ts";
import type { Problems } from "./problems.ts";

/**
 * The states of a name. The order is the precedence: the greater state wins, and of two equal ones
 * the first.
 */
export const State = { UNSEEN: 0, WEAK_UNDEFINED: 1, UNDEFINED: 2, WEAK: 3, COMMON: 4, STRONG: 5 } as const;

/** Returns the visibility that satisfies both: INTERNAL before HIDDEN before PROTECTED before DEFAULT. */
export function mostConstraining(a: number, b: number): number {
  if (a === SymbolVisibility.DEFAULT) return b;
  if (b === SymbolVisibility.DEFAULT) return a;
  return Math.min(a, b);
}

/** A name that an option defines by another one. */
export interface Alias {
  /** The name number of the other one. */
  readonly target: number;
  /** The distance from it in bytes. */
  readonly offset: number;
}

/** The symbol table of a link, with one row for each name number of {@linkcode NameTable}. */
export class Globals {
  readonly names: NameTable = new NameTable();
  #states: Uint8Array = new Uint8Array(1024);
  #visibilities: Uint8Array = new Uint8Array(1024);
  #objects: Int32Array = new Int32Array(1024).fill(-1);
  #symbols: Int32Array = new Int32Array(1024);
  /** Size and alignment of tentative definitions. */
  readonly commons: Map<number, { size: number; alignment: number }> = new Map();
  readonly #problems: Problems;
  /** Whether the first of several definitions counts; otherwise they are an error. */
  allowsDuplicates = false;

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  #makeRoom(id: number): void {
    while (id >= this.#states.length) {
      this.#states = grown(this.#states);
      this.#visibilities = grown(this.#visibilities);
      const length = this.#objects.length;
      this.#objects = grown(this.#objects).fill(-1, length);
      this.#symbols = grown(this.#symbols);
    }
  }

  state(id: number): number {
    return id >= 0 && id < this.#states.length ? this.#states[id] : State.UNSEEN;
  }

  isDefined(id: number): boolean {
    return this.state(id) >= State.WEAK;
  }

  visibility(id: number): number {
    return this.#visibilities[id];
  }

  /** Names that options define by other ones. */
  readonly aliases: Map<number, Alias> = new Map();

  /** Whether a symbol is hidden or internal, and so local to the module. */
  isHidden(id: number): boolean {
    const visibility = this.#visibilities[id];
    return visibility === SymbolVisibility.HIDDEN || visibility === SymbolVisibility.INTERNAL;
  }

  /** Returns the index of the object that defines the name, or first referred to it; -1 if an option did. */
  object(id: number): number {
    return this.#objects[id];
  }

  /** Returns the defining, or first referring, symbol in that object. */
  symbol(id: number): number {
    return this.#symbols[id];
  }

  /** Defines names by other ones, in whatever order they depend on each other. */
  define(aliases: ReadonlyMap<number, Alias>): void {
    for (const id of aliases.keys()) {
      let { target, offset } = aliases.get(id)!;
      const passed = new Set([id]);
      for (
        let next = aliases.get(target);
        next !== undefined && !passed.has(target);
        next = aliases.get(target)
      ) {
        passed.add(target);
        target = next.target;
        offset += next.offset;
      }
      this.#alias(id, target, offset, passed.has(target));
    }
  }

  #alias(id: number, target: number, offset: number, isCircular: boolean): void {
    this.#makeRoom(Math.max(id, target));
    if (isCircular || !this.isDefined(target)) {
      const symbol = this.names.text(target);
      const cause = isCircular ? `'${symbol}' is defined by itself` : `undefined symbol '${symbol}'`;
      const message = `Cannot define '${this.names.text(id)}': ${cause}`;
      this.#problems.add(new LoadError("UndefinedSymbol", message, { symbol, symbols: [symbol] }));
      return;
    }
    this.#states[id] = this.#states[target];
    this.#objects[id] = this.#objects[target];
    this.#symbols[id] = this.#symbols[target];
    this.aliases.set(id, { target, offset });
  }

  /** Notes a name that an option asks for; returns whether it is undefined now. */
  require(id: number): boolean {
    this.#makeRoom(id);
    if (this.#states[id] < State.UNDEFINED) this.#states[id] = State.UNDEFINED;
    return this.#states[id] === State.UNDEFINED;
  }

  /** Takes a definition back, because its section was discarded in favour of another object's. */
  forget(id: number): void {
    this.#states[id] = State.UNDEFINED;
  }

  /**
   * Adds a symbol of an object.
   *
   * @param defined False if the symbol's section belongs to a duplicate COMDAT group.
   */
  add(id: number, object: LinkObject, symbol: number, defined: boolean): void {
    this.#makeRoom(id);
    const { symbols } = object.elf;
    this.#visibilities[id] = mostConstraining(this.#visibilities[id], symbols.visibility(symbol));
    const place = symbols.place(symbol);
    const weak = symbols.binding(symbol) === SymbolBinding.WEAK;
    let state: number = weak ? State.WEAK_UNDEFINED : State.UNDEFINED;
    if (place === SymbolPlace.COMMON) {
      state = State.COMMON;
      this.#addCommon(id, symbols.size(symbol), symbols.value(symbol), object, symbol);
    } else if (defined && place !== SymbolPlace.UNDEFINED) {
      state = weak ? State.WEAK : State.STRONG;
    }
    const known = this.#states[id];
    if (state === State.STRONG && known === State.STRONG) {
      if (!this.#isSamePlace(id, object, symbol)) this.#duplicate(id, object);
      return;
    }
    if (state <= known) return;
    this.#states[id] = state;
    this.#objects[id] = object.index;
    this.#symbols[id] = symbol;
  }

  /** Merges tentative definitions: the largest size and the strictest alignment count. */
  #addCommon(id: number, size: number, alignment: number, object: LinkObject, symbol: number): void {
    const powerOfTwo = alignment > 0 && alignment <= 0x40000000 && (alignment & (alignment - 1)) === 0;
    if (!powerOfTwo || !(size >= 0)) {
      throw new LoadError(
        "InvalidFormat",
        "Cannot read input: a common symbol has no usable size or alignment",
        {
          path: object.name,
          symbol: object.elf.symbols.name(symbol),
          value: alignment,
        },
      );
    }
    const known = this.commons.get(id);
    this.commons.set(id, {
      size: Math.max(size, known?.size ?? 0),
      alignment: Math.max(alignment, known?.alignment ?? 1),
    });
  }

  /** Whether a definition is the known one under its versioned name: `f` and `f@@VERSION` of one object. */
  #isSamePlace(id: number, object: LinkObject, symbol: number): boolean {
    const { symbols } = object.elf;
    const known = this.#symbols[id];
    return this.#objects[id] === object.index && symbols.section(known) === symbols.section(symbol) &&
      symbols.value(known) === symbols.value(symbol);
  }

  #duplicate(id: number, object: LinkObject): void {
    if (this.allowsDuplicates) return;
    const symbol = this.names.text(id);
    this.#problems.add(
      new LoadError(
        "Incompatible",
        `Cannot define '${symbol}': it is already defined in '${this.objectName(this.#objects[id])}'`,
        {
          path: object.name,
          symbol,
          hint: "make one of the two local (static in C) or weak, or leave one of the objects out",
        },
      ),
    );
  }

  /** Returns the name of an object for messages; set by the resolver. */
  objectName: (index: number) => string = (index) => `#${index}`;
}
