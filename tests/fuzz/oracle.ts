/**
 * The oracle of the fuzzer: judges whether a loaded image is what the format
 * says of its file. Where the loader is free (where groups lie, where it keeps
 * slots and stubs), the oracle takes its choice and tests the required
 * properties of it.
 */
import { checkRegions, type Claim, type Stretch } from "./claim.ts";
import { hostLibraries, type Module, must, readModule, type Relocation, type Symbol } from "./format.ts";
import { CALL_ADDEND, type Formula, FORMULAS, pageOf, slotOfStub } from "./formulas.ts";
import {
  checkEntries,
  checkHomes,
  checkPlaces,
  type Group,
  groupOf,
  type OwnImage,
  ownImage,
  SparseBytes,
} from "./image.ts";
import { checkWhole } from "./whole.ts";

/** The oracle's result for an image that is right. */
export interface Verdict {
  readonly module: Module;
  /** The number of relocations whose bytes were computed a second time. */
  readonly judged: number;
}

/** Reads a file that must load, as far as its own bytes tell. Throws a `Refusal` if it must not. */
export function judgeFile(bytes: Uint8Array, layout: string): { module: Module; image: OwnImage } {
  const module = readModule(bytes, layout);
  const image = ownImage(module.sections);
  checkPlaces(module, image);
  for (const section of module.sections) {
    if (section.type >= 1 && section.type <= 4 && section.virtualSize > 0) module.contents(section);
  }
  for (const name of hostLibraries(module)) must(name !== "", "a host library without a name");
  checkHomes(module, image);
  checkEntries(module, image);
  checkWhole(bytes, layout, module);
  return { module, image };
}

/** Refuses a loaded image that is not what the file says. */
export function judge(bytes: Uint8Array, claim: Claim): Verdict {
  const { module, image } = judgeFile(bytes, claim.layout);
  checkRegions(claim);
  const judged = new Judge(module, image, claim).run();
  return { module, judged };
}

/** The header flag of images that must move as a whole. */
const FIXED_LAYOUT = 0x80;

/** The binding of symbols that may be missing. */
const WEAK = 2;

class Judge {
  readonly #module: Module;
  readonly #image: OwnImage;
  readonly #claim: Claim;
  /** The difference between a group's offset in the range and in the file's own image. */
  readonly #deltas = new Map<Group, number>();
  readonly #expected = new SparseBytes();
  /** Parts of slot addresses on aarch64, where one instruction has the page and another the offset in it. */
  readonly #slotPages = new Map<Symbol, Set<bigint>>();
  readonly #slotOffsets = new Map<Symbol, Set<bigint>>();

  constructor(module: Module, image: OwnImage, claim: Claim) {
    this.#module = module;
    this.#image = image;
    this.#claim = claim;
  }

  run(): number {
    this.#placeSections();
    const { relocations, arch } = this.#module;
    const formulas = FORMULAS[arch];
    const places: (readonly [number, number])[] = [];
    let judged = 0;
    for (const relocation of relocations) {
      if (relocation.type === 0) continue;
      const formula = formulas[relocation.type];
      must(formula !== undefined, `relocation type ${relocation.type}, which does not exist`);
      places.push([relocation.offset, relocation.offset + formula.width]);
      if (this.#relocate(relocation, formula)) judged++;
    }
    places.sort(([a], [b]) => a - b);
    must(places.every(([start], i) => i === 0 || start >= places[i - 1][1]), "relocations that overlap");
    this.#checkHalfSlots();
    this.#compare();
    return judged;
  }

  /** Checks that every section lies in its group, and notes the bytes that it must hold. */
  #placeSections(): void {
    const { base, size, places, code, rodata, data } = this.#claim;
    const regions: Record<number, Stretch> = { 1: code, 2: data, 3: rodata, 4: data };
    const known = new Set(this.#image.offsets.keys());
    for (const index of places.keys()) {
      must(known.has(index), "a place for a section that is not in the image");
    }
    const taken: (readonly [number, number])[] = [];
    for (const group of this.#image.groups) {
      for (const section of this.#module.sections) {
        if (section.type !== group.type || section.virtualSize === 0) continue;
        const place = places.get(section.index), offset = this.#image.offsets.get(section.index);
        must(place !== undefined && offset !== undefined, "a section that was not placed");
        must(place >= 0 && place + section.virtualSize <= size, "a section outside the range");
        const delta = this.#deltas.get(group) ?? place - offset;
        must(delta === place - offset, "sections of one group that moved apart");
        this.#deltas.set(group, delta);
        const contents = this.#module.contents(section);
        must(contents.length <= section.virtualSize, "more bytes than memory");
        this.#expected.write(place, contents);
      }
      const delta = this.#deltas.get(group);
      if (delta === undefined) continue;
      const [start, end] = [group.start + delta, group.end + delta];
      const [first] = this.#deltas.values();
      must(
        (this.#module.flags & FIXED_LAYOUT) === 0 || delta === first,
        "groups of a fixed layout that moved apart",
      );
      const region = regions[group.type];
      must(start >= region.offset && end <= region.offset + region.length, "a group outside its region");
      must(end <= size, "a group outside the range");
      must((base + BigInt(delta)) % BigInt(group.alignment) === 0n, "a group that lost its alignment");
      must(taken.every(([from, to]) => end <= from || start >= to), "groups that overlap");
      taken.push([start, end]);
    }
  }

  /** S of a symbol; `undefined` in a group without bytes, whose place only the loader knows. */
  #addressOf(symbol: Symbol): bigint | undefined {
    if (!symbol.defined) return this.#claim.addressOf(symbol.name);
    const { value } = symbol;
    const { groups } = this.#image;
    const group = groupOf(this.#image, value, 1) ?? groups.find(({ end }) => end === value);
    if (group === undefined) {
      must(value === 0, "a relocation to a symbol that is nowhere");
      return this.#claim.base;
    }
    const delta = this.#deltas.get(group);
    return delta === undefined ? undefined : this.#claim.base + BigInt(value + delta);
  }

  /** Computes the bytes of one relocation. Answers whether they could be computed. */
  #relocate({ offset, symbol: index, type, addend }: Relocation, formula: Formula): boolean {
    const { base, read } = this.#claim;
    const { width } = formula;
    const group = groupOf(this.#image, offset, width);
    must(group !== undefined, "a relocation outside the image");
    const place = offset + this.#deltas.get(group)!;
    const symbol = this.#module.symbols[index];
    const target = this.#addressOf(symbol);
    const minus = formula.minus === undefined
      ? 0n
      : formula.minus === "page"
      ? pageOf(base + BigInt(place))
      : base + BigInt(place);
    const before = toNumber(this.#expected.read(place, width));
    const after = toNumber(read(place, width));

    if (formula.of === "thread") {
      if (!symbol.defined) {
        // Only libraries of the host define such variables, and there is none here: a weak one may be missing.
        must(!this.#claim.hasThreads || symbol.binding === WEAK, "a thread-local variable of another module");
        this.#put(place, width, after);
        return false;
      }
      const offset = this.#threadOffset(symbol, addend);
      // Only the system knows the other values.
      if (type === 39 && this.#claim.hasThreads) must(after === BigInt(offset), "another place in the block");
      if (this.#claim.hasThreads) {
        const stored = formula.store(formula.load(after), before);
        must(stored === after, `type ${type}: bits that are not part of the field`);
      }
      this.#put(place, width, after);
      return type === 39;
    }
    if (formula.of === "slot") {
      this.#slot(formula, symbol, target, formula.load(after) + minus, addend);
      const stored = formula.store(formula.load(after), before);
      must(stored === after, `type ${type}: bits that are not part of the field`);
      this.#put(place, width, after);
      return true;
    }
    if (target === undefined) {
      this.#put(place, width, after);
      return false;
    }
    const sum = formula.minus === "page" ? pageOf(target + addend) : target + addend;
    // Addresses have 64 bits, so sums wrap.
    const value = BigInt.asIntN(64, sum - minus);
    const unsigned = formula.from === 0n ? BigInt.asUintN(64, value) : value;
    const fits = (formula.from === undefined || unsigned >= formula.from) &&
      (formula.to === undefined || unsigned < formula.to);
    if (fits) {
      const stored = formula.store(value, before);
      must(stored !== undefined, `type ${type}: an instruction that cannot take the value`);
      this.#put(place, width, stored);
      return true;
    }
    // The target is out of reach, so the place must lead to a stub.
    const called = formula.stub === "always" || (formula.stub === "function" && symbol.type === 1);
    must(called && !symbol.defined, `type ${type}: a value that does not fit`);
    must(addend === CALL_ADDEND[this.#module.arch], `type ${type}: no call, but a stub stands for it`);
    this.#stub(base + BigInt(place) + formula.load(after) - addend, target);
    const stored = formula.store(formula.load(after), before);
    must(stored === after, `type ${type}: bits that are not part of the field`);
    this.#put(place, width, after);
    return true;
  }

  /** Checks that the relocated place leads to a slot that holds the symbol's address. */
  #slot(formula: Formula, symbol: Symbol, target: bigint | undefined, found: bigint, addend: bigint): void {
    if (formula.minus === "page") {
      // Page(G + A) is known, G is not: without an addend, G's page is.
      if (addend === 0n) remember(this.#slotPages, symbol, found);
    } else if (formula.minus === undefined) {
      if (addend === 0n) remember(this.#slotOffsets, symbol, found);
    } else this.#checkSlot(found - addend, target);
  }

  /** The offset of a variable in its thread's TLS block, the same as in the section with the block's first bytes. */
  #threadOffset(symbol: Symbol, addend: bigint): number {
    const block = this.#module.sections.find(({ name, index, virtualSize }) =>
      name === ".tdata" && virtualSize > 0 && this.#image.offsets.has(index)
    );
    must(block !== undefined, "thread-local variables without a section for them");
    const offset = BigInt(symbol.value - this.#image.offsets.get(block.index)!) + addend;
    must(offset >= 0n && offset <= BigInt(block.virtualSize), "a thread-local variable outside its section");
    return Number(offset);
  }

  #checkSlot(address: bigint, target: bigint | undefined): void {
    const { base, gotRegion, read } = this.#claim;
    const offset = Number(BigInt.asIntN(64, address - base));
    must(offset % 8 === 0, "a slot that is not aligned");
    must(this.#isBeside(offset, 8, gotRegion), "a slot outside its region");
    must(target === undefined || toNumber(read(offset, 8)) === BigInt.asUintN(64, target), "a wrong slot");
  }

  #stub(address: bigint, target: bigint): void {
    const { base, code, read } = this.#claim;
    const offset = Number(BigInt.asIntN(64, address - base));
    must(this.#isBeside(offset, 16, code), "a stub outside its region");
    const slot = slotOfStub(this.#module.arch, new DataView(read(offset, 16).buffer), base + BigInt(offset));
    must(slot !== undefined, "a stub without the code of one");
    this.#checkSlot(slot, target);
  }

  /** Whether bytes lie in a region, outside all groups of sections. */
  #isBeside(offset: number, length: number, region: Stretch): boolean {
    const isApart = ([{ start, end }, delta]: readonly [Group, number]) =>
      offset + length <= start + delta || offset >= end + delta;
    return offset >= region.offset && offset + length <= region.offset + region.length &&
      [...this.#deltas].every(isApart);
  }

  #checkHalfSlots(): void {
    for (const [symbol, pages] of this.#slotPages) {
      const offsets = this.#slotOffsets.get(symbol);
      if (offsets === undefined) continue;
      must(pages.size === 1 && offsets.size === 1, "one symbol with two slots");
      this.#checkSlot([...pages][0] + [...offsets][0], this.#addressOf(symbol));
    }
  }

  #put(place: number, width: number, value: bigint): void {
    const bytes = new Uint8Array(width);
    for (let i = 0; i < width; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
    this.#expected.write(place, bytes);
  }

  #compare(): void {
    const { read, size } = this.#claim;
    const known = [...this.#deltas].map(([{ start, end }, delta]) => [start + delta, end + delta] as const);
    const compare = (from: number, wanted: Uint8Array): void => {
      for (const [start, end] of known) {
        const first = Math.max(start, from), last = Math.min(end, from + wanted.length, size);
        if (first >= last) continue;
        const found = read(first, last - first);
        for (let i = 0; i < found.length; i++) {
          if (found[i] !== wanted[first - from + i]) must(false, `another byte at ${first + i} of the image`);
        }
      }
    };
    for (const [start, bytes] of this.#expected.pages()) compare(start, bytes);
    // All other bytes must be zero; only both ends of each group are compared.
    for (const [start, end] of known) {
      for (const at of [start, end - 512]) {
        const from = Math.max(start, at);
        compare(from, this.#expected.read(from, Math.min(512, end - from)));
      }
    }
  }
}

function toNumber(bytes: Uint8Array): bigint {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 4) return BigInt(words.getUint32(0, true));
  const low = words.getBigUint64(0, true);
  return bytes.length === 8 ? low : words.getBigUint64(8, true) << 64n | low;
}

function remember(map: Map<Symbol, Set<bigint>>, symbol: Symbol, value: bigint): void {
  const held = map.get(symbol);
  if (held === undefined) map.set(symbol, new Set([value]));
  else held.add(value);
}
