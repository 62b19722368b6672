/**
 * Addresses that stay while the functions behind them are replaced.
 *
 * ```text
 * trampoline i                        table pointer     table of a version
 * ┌──────────────────────────────┐    ┌───────────┐     ┌────────────────┐
 * │ jump to table[i] of the word ├───→│ one word  ├────→│ 0: address     │
 * └──────────────────────────────┘    └───────────┘     │ 1: address     │
 *                                                       └────────────────┘
 * ```
 *
 * All trampolines of a module read one word, so a single aligned store sends
 * all of them to another table at once, in every thread. A thread between the
 * two loads may still use the old table, which therefore lives as long as the
 * version that it belongs to.
 *
 * | x86-64 | | aarch64 | |
 * |---|---|---|---|
 * | `49 bb imm64` | `mov r11, &word` | `ldr x16, .+24` | `&word` |
 * | `4d 8b 1b` | `mov r11, [r11]` | `ldr x16, [x16]` | the table |
 * | | | `add x16, x16, (8·i) >> 12, lsl 12` | the entry's 4 KiB |
 * | `41 ff a3 disp32` | `jmp [r11 + 8·i]` | `ldr x16, [x16, (8·i) & 4095]` | the address |
 * | | | `br x16` | then, aligned, `&word` as data |
 *
 * Both registers are free between a call and the first instruction of what is
 * called (psABI x86-64, 3.2.3; AAPCS64, 6.1.1: IP0).
 */

import { LoadError } from "../errors.ts";
import { type ExecutableMemory, type MemoryAllocator, Protection } from "../os/memory/allocator.ts";
import { abandon } from "../os/memory/deferred_release.ts";

const STUB_SIZE = 32;
const WORD_SIZE = 8;

/** Writes one trampoline. */
type StubWriter = (view: DataView, at: number, index: number, word: bigint) => void;

const STUB_WRITERS: Record<typeof Deno.build.arch, StubWriter> = {
  x86_64(view, at, index, word): void {
    view.setUint16(at, 0xbb49, true);
    view.setBigUint64(at + 2, word, true);
    view.setUint32(at + 10, 0x411b_8b4d, true);
    view.setUint16(at + 14, 0xa3ff, true);
    view.setInt32(at + 16, WORD_SIZE * index, true);
    for (let trap = 20; trap < STUB_SIZE; trap++) view.setUint8(at + trap, 0xcc);
  },
  aarch64(view, at, index, word): void {
    const entry = WORD_SIZE * index;
    view.setUint32(at, 0x5800_00d0, true);
    view.setUint32(at + 4, 0xf940_0210, true);
    view.setUint32(at + 8, 0x9140_0210 | ((entry >> 12) << 10), true);
    view.setUint32(at + 12, 0xf940_0210 | (((entry & 0xfff) / WORD_SIZE) << 10), true);
    view.setUint32(at + 16, 0xd61f_0200, true);
    view.setBigUint64(at + 24, word, true);
  },
};

/** The largest number of trampolines that one module can have: aarch64 counts 4 KiB of table entries in 12 bits. */
export const MAX_TRAMPOLINES = (4096 * 4096) / WORD_SIZE;

/** Where a table lies. */
interface TableMemory {
  readonly address: bigint;
  readonly entries: BigUint64Array<ArrayBuffer>;
  free(): void;
}

/** The addresses that the trampolines of a module lead to, in one version of it. */
export class JumpTable implements Disposable {
  readonly capacity: number;
  readonly #memory: TableMemory;

  /** @param addresses By the trampolines' indices. There is room for more than these. */
  constructor(memory: TableMemory, addresses: readonly bigint[]) {
    this.#memory = memory;
    this.capacity = memory.entries.length;
    addresses.forEach((address, index) => this.set(index, address));
  }

  get address(): bigint {
    return this.#memory.address;
  }

  /** Enters an address that no trampoline in use leads to yet. */
  set(index: number, address: bigint): void {
    Atomics.store(this.#memory.entries, index, address);
  }

  /** The address at an index. */
  get(index: number): bigint {
    return this.#memory.entries[index];
  }

  [Symbol.dispose](): void {
    this.#memory.free();
  }
}

/** Entries of a table that lies behind the word. */
const SMALL_TABLE = 32;

/** The trampolines of one module; they live as long as a version that they may lead to. */
export class Trampolines {
  readonly #allocator: MemoryAllocator;
  /** Each a page of trampolines; behind those of the first lies the page of the word. */
  readonly #blocks: ExecutableMemory[] = [];
  readonly #perBlock: number;
  /** The word, then room for small tables. */
  readonly #words: BigUint64Array<ArrayBuffer>;
  /** Where in these a small table can begin; most modules never need a page for a table. */
  readonly #room: number[] = [];
  #holders = 0;

  constructor(allocator: MemoryAllocator) {
    this.#allocator = allocator;
    this.#perBlock = Math.floor(allocator.pageSize / STUB_SIZE);
    this.#addBlock(2 * allocator.pageSize);
    this.#words = words(allocator.view(this.#blocks[0], allocator.pageSize, allocator.pageSize));
    for (let end = this.#words.length; end >= 2 * SMALL_TABLE; end -= SMALL_TABLE) {
      this.#room.push(end - SMALL_TABLE);
    }
  }

  /**
   * The address of a trampoline; it is the same for ever.
   *
   * @throws {LoadError} `Unsupported` beyond {@linkcode MAX_TRAMPOLINES}.
   */
  address(index: number): bigint {
    if (index >= MAX_TRAMPOLINES) {
      throw new LoadError(
        "Unsupported",
        "Cannot import from module: too many of its functions are imported",
        {
          range: [0, MAX_TRAMPOLINES + 1],
        },
      );
    }
    const block = Math.floor(index / this.#perBlock);
    while (this.#blocks.length <= block) this.#addBlock(this.#allocator.pageSize);
    return this.#blocks[block].address + BigInt(STUB_SIZE * (index % this.#perBlock));
  }

  /** Where the word that all trampolines read lies. */
  get tablePointer(): bigint {
    return this.#blocks[0].address + BigInt(this.#allocator.pageSize);
  }

  /**
   * A new table, which must be disposed of before the last holder is gone.
   *
   * @param addresses By index. There is room for more than these.
   */
  table(addresses: readonly bigint[]): JumpTable {
    return new JumpTable(this.#smallTable(addresses.length) ?? this.#ownTable(addresses.length), addresses);
  }

  #smallTable(length: number): TableMemory | undefined {
    const start = length > SMALL_TABLE ? undefined : this.#room.pop();
    if (start === undefined) return undefined;
    const entries = this.#words.subarray(start, start + SMALL_TABLE);
    return {
      address: this.tablePointer + BigInt(WORD_SIZE * start),
      entries,
      free: () => {
        entries.fill(0n);
        this.#room.push(start);
      },
    };
  }

  #ownTable(length: number): TableMemory {
    const allocator = this.#allocator;
    const memory = allocator.allocate(WORD_SIZE * length, WORD_SIZE);
    return {
      address: memory.address,
      entries: words(allocator.view(memory)),
      free: () => allocator.free(memory),
    };
  }

  /** Sends all trampolines to a table: one aligned store, which no thread sees half done. */
  lead(table: JumpTable): void {
    Atomics.store(this.#words, 0, table.address);
  }

  /** Keeps the trampolines until disposed; the last holder frees them. */
  hold(): Disposable {
    this.#holders++;
    return {
      [Symbol.dispose]: (): void => {
        if (this.#holders === 1) this.#free();
        this.#holders--;
      },
    };
  }

  #free(): void {
    // The first block, with the word, goes last.
    while (this.#blocks.length > 0) {
      this.#allocator.free(this.#blocks.at(-1)!);
      this.#blocks.pop();
    }
  }

  /** All trampolines of a block are written before any is used: what can be executed never changes. */
  #addBlock(size: number): void {
    const { pageSize } = this.#allocator;
    const first = this.#blocks.length * this.#perBlock;
    const memory = this.#allocator.allocate(size, pageSize, this.#blocks[0]?.address);
    const word = (this.#blocks[0] ?? memory).address + BigInt(pageSize);
    try {
      const bytes = this.#allocator.view(memory, 0, pageSize);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let index = 0; index < this.#perBlock; index++) {
        STUB_WRITERS[Deno.build.arch](view, STUB_SIZE * index, first + index, word);
      }
      this.#allocator.protect(memory, Protection.READ_EXECUTE, 0, pageSize);
    } catch (error) {
      abandon({ [Symbol.dispose]: () => this.#allocator.free(memory) });
      throw error;
    }
    this.#blocks.push(memory);
  }
}

function words(bytes: Uint8Array<ArrayBuffer>): BigUint64Array<ArrayBuffer> {
  return new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / WORD_SIZE);
}
