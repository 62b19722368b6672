/**
 * The judge: given a file and what the loader made of it, whether that is what
 * the format says. Where the loader is free (where groups lie, where it keeps
 * slots and stubs) its choice is taken and tested for what it must hold.
 */
import { type Module, must, readModule, type Relocation, type Symbol } from "./format.ts";
import { CALL_ADDEND, type Formula, FORMULAS, pageOf, slotOfStub } from "./formulas.ts";
import { checkPlaces, type Group, groupOf, type OwnImage, ownImage, SparseBytes } from "./image.ts";
import { checkWhole } from "./whole.ts";

/** Bytes from the beginning of the range. */
interface Stretch {
  readonly offset: number;
  readonly length: number;
}

/** What the loader says that it did. */
export interface Claim {
  readonly layout: string;
  /** The address of the range, and its length. */
  readonly base: bigint;
  readonly size: number;
  readonly pageSize: number;
  /** Where sections are in the range, by index. */
  readonly places: ReadonlyMap<number, number>;
  /** What has which protection. */
  readonly code: Stretch;
  readonly rodata: Stretch;
  readonly data: Stretch;
  /** Where the GOT is; read only. */
  readonly gotRegion: Stretch;
  /** The bytes that are there now. */
  read(offset: number, length: number): Uint8Array;
  /** Whether the system has filled the words of thread-local variables. */
  readonly hasThreads: boolean;
  /** What undefined names were answered with. */
  addressOf(name: string): bigint;
}

/** What the judge found beside what it was asked. */
export interface Verdict {
  readonly module: Module;
  /** Relocations whose bytes were computed a second time. */
  readonly judged: number;
}

/** Whether a file is one that must load, as far as its own bytes tell. Throws a `Refusal` if not. */
export function judgeFile(bytes: Uint8Array, layout: string): { module: Module; image: OwnImage } {
  const module = readModule(bytes, layout);
  const image = ownImage(module.sections);
  checkPlaces(module, image);
  for (const section of module.sections) {
    if (section.type >= 1 && section.type <= 4 && section.virtualSize > 0) module.contents(section);
  }
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

function checkRegions({ size, pageSize, base, gotRegion, ...claim }: Claim): void {
  let end = 0;
  if (gotRegion.offset !== claim.rodata.offset) {
    must(gotRegion.offset % pageSize === 0 && gotRegion.length % pageSize === 0, "a GOT on part of a page");
    end = gotRegion.offset + gotRegion.length;
  }
  for (const { offset, length } of [claim.code, claim.rodata, claim.data]) {
    must(offset % pageSize === 0 && length % pageSize === 0, "a region that is not whole pages");
    must(offset >= end, "regions that overlap");
    end = offset + length;
  }
  must(end <= size && size % pageSize === 0 && base % BigInt(pageSize) === 0n, "a region outside the range");
}

/** The header's flag of images that must move as a whole. */
const FIXED_LAYOUT = 0x80;

class Judge {
  readonly #module: Module;
  readonly #image: OwnImage;
  readonly #claim: Claim;
  /** What to add to an offset of a group to get one in the range. */
  readonly #deltas = new Map<Group, number>();
  readonly #expected = new SparseBytes();
  /** Half-known slots of aarch64: the page and the offset in it are in two instructions. */
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

  /** Every section is where its group is, and holds what the file has. */
  #placeSections(): void {
    const { base, size, places, code, rodata, data } = this.#claim;
    const regions: Record<number, Stretch> = { 1: code, 2: data, 3: rodata, 4: data };
    const known = new Set(this.#image.offsets.keys());
    for (const index of places.keys()) must(known.has(index), "a place for what is not in the image");
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

  /** S; `undefined` where only the loader knows: in a group without bytes. */
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

  /** Computes what must be in one place. Answers whether that could be done. */
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
        // Only a library of the host has such variables, and none is there.
        must(!this.#claim.hasThreads, "a thread-local variable of another module");
        this.#put(place, width, after);
        return false;
      }
      const offset = this.#threadOffset(symbol, addend);
      // The rest is known to the system alone.
      if (type === 39 && this.#claim.hasThreads) must(after === BigInt(offset), "another place in the block");
      this.#put(place, width, after);
      return type === 39;
    }
    if (formula.of === "slot") {
      this.#slot(formula, symbol, target, formula.load(after) + minus, addend);
      const stored = formula.store(formula.load(after), before);
      must(stored === after, `type ${type}: bits that are none of its business`);
      this.#put(place, width, after);
      return true;
    }
    if (target === undefined) {
      this.#put(place, width, after);
      return false;
    }
    const sum = formula.minus === "page" ? pageOf(target + addend) : target + addend;
    // Addresses are numbers of 64 bits: sums wrap.
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
    // Out of reach: only a stub can be there.
    const called = formula.stub === "always" || (formula.stub === "function" && symbol.type === 1);
    must(called && !symbol.defined, `type ${type}: a value that does not fit`);
    must(addend === CALL_ADDEND[this.#module.arch], `type ${type}: no call, but a stub stands for it`);
    this.#stub(base + BigInt(place) + formula.load(after) - addend, target);
    const stored = formula.store(formula.load(after), before);
    must(stored === after, `type ${type}: bits that are none of its business`);
    this.#put(place, width, after);
    return true;
  }

  /** What was loaded must lead to a slot that holds the symbol's address. */
  #slot(formula: Formula, symbol: Symbol, target: bigint | undefined, found: bigint, addend: bigint): void {
    if (formula.minus === "page") {
      // Page(G + A) is known, G is not; every page that an addend can lead from.
      if (addend === 0n) remember(this.#slotPages, symbol, found);
    } else if (formula.minus === undefined) {
      if (addend === 0n) remember(this.#slotOffsets, symbol, found);
    } else this.#checkSlot(found - addend, target);
  }

  /** Where in its thread's block a variable is: as far as in the section with the block's first bytes. */
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
    must(slot !== undefined, "a stub that is none");
    this.#checkSlot(slot, target);
  }

  /** Whether bytes are in a region and in no group of sections. */
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
    // What nothing was written to is zero; a look at both ends of each group has to do.
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
