/**
 * A test double of a POSIX system: records every call, keeps track of mappings,
 * and fails on demand.
 */
import type { PosixSystem } from "../../src/os/memory/posix.ts";

export const ENOMEM = 12;

export class PosixDouble implements PosixSystem {
  /** Every call, as `name(arguments)`, addresses in hexadecimal. */
  readonly calls: string[] = [];
  /** The length of each mapping, by its first address. */
  readonly mapped = new Map<bigint, bigint>();
  /** The calls to fail, by name, with the error number; each entry is used once. */
  readonly failures: [name: string, errno: number][] = [];
  /** The addresses that mmap returns when it may choose; the last one repeats. */
  bases: bigint[];
  readonly #pageSize: bigint;
  #errno = 0;

  constructor(pageSize = 4096, ...bases: bigint[]) {
    this.#pageSize = BigInt(pageSize);
    this.bases = bases.length > 0 ? bases : [0x7000_0000_0000n];
  }

  #fails(name: string, ...args: (bigint | number)[]): boolean {
    this.calls.push(
      `${name}(${args.map((arg) => "0x" + (BigInt(arg) & 0xffff_ffff_ffff_ffffn).toString(16))})`,
    );
    const index = this.failures.findIndex(([failing]) => failing === name);
    if (index < 0) return false;
    [[, this.#errno]] = this.failures.splice(index, 1);
    return true;
  }

  mmap(address: bigint, length: bigint, prot: number, flags: number, file: number, offset: bigint): bigint {
    if (this.#fails("mmap", address, length, prot, flags, file, offset)) return 0xffff_ffff_ffff_ffffn;
    // MAP_FIXED replaces pages of a mapping that is there.
    if ((flags & 0x10) !== 0) return address;
    const base = address !== 0n ? address : this.bases.length > 1 ? this.bases.shift()! : this.bases[0];
    this.mapped.set(base, length);
    return base;
  }

  mprotect(address: bigint, length: bigint, prot: number): number {
    return this.#fails("mprotect", address, length, prot) ? -1 : 0;
  }

  munmap(address: bigint, length: bigint): number {
    if (this.#fails("munmap", address, length)) return -1;
    for (const [base, size] of [...this.mapped]) {
      if (address < base || address + length > base + size) continue;
      this.mapped.delete(base);
      if (address > base) this.mapped.set(base, address - base);
      const rest = base + size - (address + length);
      if (rest > 0n) this.mapped.set(address + length, rest);
    }
    return 0;
  }

  madvise(address: bigint, length: bigint, advice: number): number {
    return this.#fails("madvise", address, length, advice) ? -1 : 0;
  }

  sysconf(name: number): bigint {
    return this.#fails("sysconf", name) ? -1n : this.#pageSize;
  }

  errno(): number {
    return this.#errno;
  }
}
