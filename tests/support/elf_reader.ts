/**
 * A small ELF64 reader that reads a shared library as a dynamic linker does: by
 * program headers and the dynamic section. Written from the gABI and not from
 * the writer under test.
 */

export interface ElfSegment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly align: number;
}

export interface ElfSymbol {
  readonly name: string;
  readonly value: bigint;
  readonly binding: number;
  readonly type: number;
  readonly section: number;
}

export class ElfReader {
  readonly #view: DataView;
  readonly type: number;
  readonly machine: number;
  readonly segments: ElfSegment[] = [];
  readonly dynamic = new Map<number, number>();

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (new TextDecoder().decode(bytes.subarray(0, 4)) !== "\x7fELF") throw new Error("no ELF file");
    if (bytes[4] !== 2 || bytes[5] !== 1 || bytes[6] !== 1) {
      throw new Error("not 64-bit little-endian, version 1");
    }
    if (this.#u32(20) !== 1) throw new Error("e_version");
    this.type = this.#u16(16);
    this.machine = this.#u16(18);
    if (this.#u16(52) !== 64) throw new Error("e_ehsize");
    const [start, size, count] = [this.#word(32), this.#u16(54), this.#u16(56)];
    for (let index = 0; index < count; index++) {
      const at = start + index * size;
      this.segments.push({
        type: this.#u32(at),
        flags: this.#u32(at + 4),
        offset: this.#word(at + 8),
        address: this.#word(at + 16),
        fileSize: this.#word(at + 32),
        memorySize: this.#word(at + 40),
        align: this.#word(at + 48),
      });
    }
    const dynamic = this.segments.find(({ type }) => type === 2);
    if (dynamic === undefined) throw new Error("no PT_DYNAMIC");
    for (let at = dynamic.offset;; at += 16) {
      if (at + 16 > dynamic.offset + dynamic.fileSize) throw new Error("no DT_NULL");
      const tag = this.#word(at);
      if (tag === 0) break;
      if (this.dynamic.has(tag)) throw new Error(`dynamic tag ${tag} twice`);
      this.dynamic.set(tag, this.#word(at + 8));
    }
  }

  #u16(at: number): number {
    return this.#view.getUint16(at, true);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  #word(at: number): number {
    return Number(this.#view.getBigUint64(at, true));
  }

  #tag(tag: number): number {
    const value = this.dynamic.get(tag);
    if (value === undefined) throw new Error(`no dynamic tag ${tag}`);
    return value;
  }

  /** The number of symbols: as many as the hash table has chains. */
  symbolCount(): number {
    return this.#u32(this.#tag(4) + 4);
  }

  symbol(index: number): ElfSymbol {
    const size = this.#tag(11);
    const at = this.#tag(6) + index * size;
    const strings = this.#tag(5);
    const start = strings + this.#u32(at);
    const end = this.bytes.indexOf(0, start);
    if (end < 0 || end >= strings + this.#tag(10)) throw new Error("name outside the string table");
    return {
      name: new TextDecoder().decode(this.bytes.subarray(start, end)),
      value: this.#view.getBigUint64(at + 8, true),
      binding: this.bytes[at + 4] >> 4,
      type: this.bytes[at + 4] & 15,
      section: this.#u16(at + 6),
    };
  }

  /** Finds a symbol as a dynamic linker does, by the System V hash table. */
  find(name: string): ElfSymbol | undefined {
    const table = this.#tag(4);
    const [buckets, chains] = [this.#u32(table), this.#u32(table + 4)];
    let seen = 0;
    for (
      let index = this.#u32(table + 8 + 4 * Number(hash(name) % BigInt(buckets)));
      index !== 0;
      index = this.#u32(table + 8 + 4 * buckets + 4 * index)
    ) {
      if (index >= chains || ++seen > chains) throw new Error("the chain of a bucket does not end");
      const symbol = this.symbol(index);
      if (symbol.name === name) return symbol;
    }
    return undefined;
  }
}

/** gABI, "Hash Table", with integers that cannot overflow. */
function hash(name: string): bigint {
  let h = 0n;
  for (const byte of new TextEncoder().encode(name)) {
    h = (h << 4n) + BigInt(byte);
    const g = h & 0xf000_0000n;
    if (g !== 0n) h ^= g >> 24n;
    h &= ~g & 0xffff_ffffn;
  }
  return h;
}
