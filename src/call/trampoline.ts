/**
 * Trampolines: permanent addresses of functions that can be replaced.
 *
 * ```text
 * trampoline i                        table pointer     table of a version
 * ┌──────────────────────────────┐    ┌───────────┐     ┌────────────────┐
 * │ jump to table[i] of the word ├───→│ one word  ├────→│ 0: address     │
 * └──────────────────────────────┘    └───────────┘     │ 1: address     │
 *                                                       └────────────────┘
 * ```
 *
 * All trampolines of a module read one word, so a single aligned store switches
 * all of them to another table at once, in every thread. A thread between the
 * two loads may still use the old table, which therefore lives as long as the
 * version that it belongs to.
 *
 * | x86-64 | | aarch64 | |
 * |---|---|---|---|
 * | `49 bb imm64` | `mov r11, &word` | `ldr x16, .+24` | `&word` |
 * | `4d 8b 1b` | `mov r11, [r11]` | `ldr x16, [x16]` | the table |
 * | | | `add x16, x16, (8·i) >> 12, lsl 12` | the slot's 4 KiB |
 * | `41 ff a3 disp32` | `jmp [r11 + 8·i]` | `ldr x16, [x16, (8·i) & 4095]` | the address |
 * | | | `br x16` | then, aligned, `&word` as data |
 *
 * Both registers may be overwritten between a call and the first instruction of
 * the callee (psABI x86-64, 3.2.3; AAPCS64, 6.1.1: IP0).
 */

import { Atomics } from "../os/intrinsics.ts";
import { LoadError } from "../errors/load_error.ts";
import { storeAddress } from "../os/address_words.ts";
import { readAddresses } from "../os/native_memory.ts";
import { type ExecutableMemory, type MemoryAllocator, Protection } from "../os/memory/allocator.ts";
import { abandon } from "../os/memory/deferred_release.ts";

const TRAMPOLINE_SIZE = 32;
const SLOT_SIZE = 8;

/** Writes one trampoline. */
type TrampolineWriter = (view: DataView, at: number, index: number, word: bigint) => void;

const TRAMPOLINE_WRITERS: Record<typeof Deno.build.arch, TrampolineWriter> = {
  x86_64(view, at, index, word): void {
    view.setUint16(at, 0xbb49, true);
    view.setBigUint64(at + 2, word, true);
    view.setUint32(at + 10, 0x411b_8b4d, true);
    view.setUint16(at + 14, 0xa3ff, true);
    view.setInt32(at + 16, SLOT_SIZE * index, true);
    for (let trap = 20; trap < TRAMPOLINE_SIZE; trap++) view.setUint8(at + trap, 0xcc);
  },
  aarch64(view, at, index, word): void {
    const slot = SLOT_SIZE * index;
    view.setUint32(at, 0x5800_00d0, true);
    view.setUint32(at + 4, 0xf940_0210, true);
    view.setUint32(at + 8, 0x9140_0210 | ((slot >> 12) << 10), true);
    view.setUint32(at + 12, 0xf940_0210 | (((slot & 0xfff) / SLOT_SIZE) << 10), true);
    view.setUint32(at + 16, 0xd61f_0200, true);
    view.setBigUint64(at + 24, word, true);
  },
};

/** The largest number of trampolines of one module: on aarch64 the index of a table's 4 KiB has 12 bits. */
export const MAX_TRAMPOLINES = (4096 * 4096) / SLOT_SIZE;

/** The memory of a table. */
interface TableMemory {
  readonly address: bigint;
  readonly slots: BigUint64Array<ArrayBuffer>;
  free(): void;
}

/** The table of one version: the addresses that the module's trampolines jump to. */
export class JumpTable implements Disposable {
  readonly capacity: number;
  /** The address of the word that says whether the version is quarantined; undefined without guards. */
  quarantine: bigint | undefined;
  readonly #memory: TableMemory;
  /** The slots as halves of words. */
  readonly #halves: Uint32Array;

  /** @param addresses The first slots, by the trampolines' indices; there may be room for more. */
  constructor(memory: TableMemory, addresses: Float64Array) {
    this.#memory = memory;
    const { slots } = memory;
    this.capacity = slots.length;
    this.#halves = new Uint32Array(slots.buffer, slots.byteOffset, 2 * slots.length);
    for (let index = 0; index < addresses.length; index++) {
      storeAddress(this.#halves, index, addresses[index]);
    }
  }

  get address(): bigint {
    return this.#memory.address;
  }

  /**
   * Fills a slot that no trampoline in use jumps through yet.
   *
   * Safety: the address must be that of a function that lives as long as the table.
   */
  set(index: number, address: bigint): void {
    Atomics.store(this.#memory.slots, index, address);
  }

  /** Fills all slots anew; a thread may still be reading them. */
  refill(addresses: Float64Array): void {
    addresses.forEach((address, index) => this.set(index, BigInt(address)));
  }

  /** Whether there is an address in a slot. */
  isFilled(index: number): boolean {
    return this.#halves[2 * index] !== 0 || this.#halves[2 * index + 1] !== 0;
  }

  /** The address in a slot. */
  get(index: number): bigint {
    return this.#memory.slots[index];
  }

  [Symbol.dispose](): void {
    this.#memory.free();
  }
}

/** How far behind the table pointer is the word that leads to the current version's quarantine, in bytes. */
export const QUARANTINE_WORD = 8n;
/** The word behind it, which is always 0: nothing is quarantined. */
const NO_QUARANTINE_WORD = 16n;

/** Whether the version behind a table pointer is prepared for guards. */
export function hasQuarantine(tablePointer: bigint): boolean {
  return readAddresses(tablePointer + QUARANTINE_WORD, 1)[0] !== tablePointer + NO_QUARANTINE_WORD;
}

/** The number of slots of a small table, which shares the word's page. */
const SMALL_TABLE = 32;

/** The trampolines of one module; they live as long as a version that they may jump into. */
export class Trampolines {
  readonly #allocator: MemoryAllocator;
  /** Blocks of one page of trampolines; in the first block, the page of the word follows. */
  readonly #blocks: ExecutableMemory[] = [];
  /** The addresses of the blocks. */
  readonly #starts: number[] = [];
  readonly #perBlock: number;
  /** The page of the word, which also has room for small tables. */
  readonly #words: BigUint64Array<ArrayBuffer>;
  /** The indices in `#words` at which a small table can begin; most modules never need a page for a table. */
  readonly #freeTables: number[] = [];
  #holders = 0;

  constructor(allocator: MemoryAllocator) {
    this.#allocator = allocator;
    this.#perBlock = Math.floor(allocator.pageSize / TRAMPOLINE_SIZE);
    this.#addBlock(2 * allocator.pageSize);
    this.#words = words(allocator.view(this.#blocks[0], allocator.pageSize, allocator.pageSize));
    for (let end = this.#words.length; end >= 2 * SMALL_TABLE; end -= SMALL_TABLE) {
      this.#freeTables.push(end - SMALL_TABLE);
    }
  }

  /**
   * The address of a trampoline, which is permanent.
   *
   * Safety: a call through it ends the process before {@linkcode Trampolines.switchTo}
   * has set a table with an address at `index`, and after the trampolines are freed.
   *
   * @throws {LoadError} `Unsupported` beyond {@linkcode MAX_TRAMPOLINES}.
   */
  address(index: number): bigint {
    return BigInt(this.addressAsNumber(index));
  }

  /** Like {@linkcode Trampolines.address}, as a number, for loops over many. */
  addressAsNumber(index: number): number {
    if (index >= MAX_TRAMPOLINES) {
      throw new LoadError(
        "Unsupported",
        "Cannot import from module: too many of its functions are imported",
        {
          range: [0, MAX_TRAMPOLINES + 1],
          hint: `split the module: others can import ${MAX_TRAMPOLINES} of its functions or call them live`,
        },
      );
    }
    const block = Math.floor(index / this.#perBlock);
    while (this.#blocks.length <= block) this.#addBlock(this.#allocator.pageSize);
    return this.#starts[block] + TRAMPOLINE_SIZE * (index - block * this.#perBlock);
  }

  /** The index of the trampoline that an address lies in; undefined for other addresses. */
  indexAt(address: bigint): number | undefined {
    const size = BigInt(this.#perBlock * TRAMPOLINE_SIZE);
    const block = this.#blocks.findIndex(({ address: start }) => address >= start && address < start + size);
    if (block === -1) return undefined;
    const inBlock = Number(address - this.#blocks[block].address);
    return block * this.#perBlock + Math.floor(inBlock / TRAMPOLINE_SIZE);
  }

  /** The address of the word that all trampolines read. */
  get tablePointer(): bigint {
    return this.#blocks[0].address + BigInt(this.#allocator.pageSize);
  }

  /**
   * Makes a table, which must be disposed of before the last holder is gone.
   *
   * @param addresses The first slots, by the trampolines' indices; there may be room for more.
   */
  table(addresses: Float64Array): JumpTable {
    return new JumpTable(this.#smallTable(addresses.length) ?? this.#largeTable(addresses.length), addresses);
  }

  #smallTable(length: number): TableMemory | undefined {
    const start = length > SMALL_TABLE ? undefined : this.#freeTables.pop();
    if (start === undefined) return undefined;
    const slots = this.#words.subarray(start, start + SMALL_TABLE);
    return {
      address: this.tablePointer + BigInt(SLOT_SIZE * start),
      slots,
      free: () => {
        slots.fill(0n);
        this.#freeTables.push(start);
      },
    };
  }

  #largeTable(length: number): TableMemory {
    const allocator = this.#allocator;
    const memory = allocator.allocate(SLOT_SIZE * length, SLOT_SIZE);
    return {
      address: memory.address,
      slots: words(allocator.view(memory)),
      free: () => allocator.free(memory),
    };
  }

  /**
   * Switches all trampolines to a table: one aligned store, which no thread sees
   * half done.
   *
   * Safety: the table must live as long as the trampolines or until the next
   * switch, and as any thread that may be between the two loads.
   */
  switchTo(table: JumpTable): void {
    Atomics.store(this.#words, 0, table.address);
    const { quarantine = this.tablePointer + NO_QUARANTINE_WORD } = table;
    Atomics.store(this.#words, Number(QUARANTINE_WORD) / SLOT_SIZE, quarantine);
  }

  /** Keeps the trampolines until disposed; the last holder frees them, and remains if the system refuses. */
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
    // The first block goes last: the other blocks' trampolines read its word. A refused block can be freed again.
    while (this.#blocks.length > 0) {
      this.#allocator.free(this.#blocks.at(-1)!);
      this.#blocks.pop();
      this.#starts.pop();
    }
  }

  /** Adds a block. All its trampolines are written before any is used, so executable memory never changes. */
  #addBlock(size: number): void {
    const { pageSize } = this.#allocator;
    const first = this.#blocks.length * this.#perBlock;
    using undo = new DisposableStack();
    const memory = this.#allocator.allocate(size, pageSize, this.#blocks[0]?.address);
    undo.defer(() => abandon({ [Symbol.dispose]: () => this.#allocator.free(memory) }));
    const word = (this.#blocks[0] ?? memory).address + BigInt(pageSize);
    const bytes = this.#allocator.view(memory, 0, pageSize);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let index = 0; index < this.#perBlock; index++) {
      TRAMPOLINE_WRITERS[Deno.build.arch](view, TRAMPOLINE_SIZE * index, first + index, word);
    }
    this.#allocator.protect(memory, Protection.READ_EXECUTE, 0, pageSize);
    this.#blocks.push(memory);
    this.#starts.push(Number(memory.address));
    undo.move();
  }
}

function words(bytes: Uint8Array<ArrayBuffer>): BigUint64Array<ArrayBuffer> {
  return new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / SLOT_SIZE);
}
