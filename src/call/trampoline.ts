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
import { SharedWords } from "../os/address_words.ts";
import { readAddresses } from "../os/native_memory.ts";
import { type ExecutableMemory, type MemoryAllocator, prefault, Protection } from "../os/memory/allocator.ts";
import { abandon } from "../os/memory/deferred_release.ts";

const TRAMPOLINE_SIZE = 32;
const SLOT_SIZE = 8;

/** Writes trampolines. */
interface TrampolineWriter {
  /** Writes one for some slot into bytes that are traps. */
  write(view: DataView, at: number, word: bigint): void;
  /** Says the slot of one. `words` are the bytes as words, the first of the trampoline at `at`. */
  setSlot(words: Uint32Array, at: number, slot: number): void;
}

/** The byte of instructions that end the process: `int3`, and `udf` of aarch64. */
const TRAP = Deno.build.arch === "x86_64" ? 0xcc : 0;

const TRAMPOLINE_WRITERS: Record<typeof Deno.build.arch, TrampolineWriter> = {
  x86_64: {
    write(view, at, word): void {
      view.setUint16(at, 0xbb49, true);
      view.setBigUint64(at + 2, word, true);
      view.setUint32(at + 10, 0x411b_8b4d, true);
      view.setUint16(at + 14, 0xa3ff, true);
    },
    setSlot(words, at, slot): void {
      words[at + 4] = SLOT_SIZE * slot;
    },
  },
  aarch64: {
    write(view, at, word): void {
      view.setUint32(at, 0x5800_00d0, true);
      view.setUint32(at + 4, 0xf940_0210, true);
      view.setUint32(at + 16, 0xd61f_0200, true);
      view.setBigUint64(at + 24, word, true);
    },
    setSlot(words, at, slot): void {
      const offset = SLOT_SIZE * slot;
      words[at + 2] = 0x9140_0210 | ((offset >> 12) << 10);
      words[at + 3] = 0xf940_0210 | (((offset & 0xfff) / SLOT_SIZE) << 10);
    },
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
  readonly #slots: SharedWords;

  /** @param addresses The first slots, by the trampolines' indices; there may be room for more. */
  constructor(memory: TableMemory, addresses: Float64Array) {
    this.#memory = memory;
    this.capacity = memory.slots.length;
    this.#slots = new SharedWords(memory.slots);
    this.#slots.fill(addresses);
  }

  get address(): bigint {
    return this.#memory.address;
  }

  /**
   * Fills a slot that no trampoline in use jumps through yet.
   *
   * Safety: the address must be that of a function that lives as long as the table.
   */
  set(index: number, address: number): void {
    this.#slots.store(index, address);
  }

  /** Fills the first slots anew; a thread may still be reading them. */
  refill(addresses: Float64Array): void {
    addresses.forEach((address, index) => this.#slots.store(index, address));
  }

  /** The address in a slot; 0 if there is none. */
  get(index: number): number {
    return this.#slots.at(index);
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
  /** In the first one, the page of the word follows a page of trampolines; the others are pages of trampolines. */
  readonly #memories: ExecutableMemory[] = [];
  /** The addresses of the blocks of one page. */
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
    this.#addBlocks(1, allocator.pageSize);
    this.#words = words(allocator.view(this.#memories[0], allocator.pageSize, allocator.pageSize));
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
    if (block >= this.#starts.length) this.#addBlocks(block + 1 - this.#starts.length);
    return this.#starts[block] + TRAMPOLINE_SIZE * (index - block * this.#perBlock);
  }

  /** Makes the first `count` trampolines at once, which costs less than one block after the other. */
  reserve(count: number): void {
    const blocks = Math.ceil(Math.min(count, MAX_TRAMPOLINES) / this.#perBlock);
    if (blocks > this.#starts.length) this.#addBlocks(blocks - this.#starts.length);
  }

  /** The index of the trampoline that an address lies in; undefined for other addresses. */
  indexAt(address: bigint): number | undefined {
    const at = Number(address), size = this.#perBlock * TRAMPOLINE_SIZE;
    const block = this.#starts.findIndex((start) => at >= start && at < start + size);
    if (block === -1) return undefined;
    const inBlock = at - this.#starts[block];
    return block * this.#perBlock + Math.floor(inBlock / TRAMPOLINE_SIZE);
  }

  /** The address of the word that all trampolines read. */
  get tablePointer(): bigint {
    return this.#memories[0].address + BigInt(this.#allocator.pageSize);
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
    prefault(allocator, memory, 0, memory.size);
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
    // The first goes last: the others' trampolines read its word. Memory that is refused can be freed again.
    while (this.#memories.length > 0) {
      const { address } = this.#memories.at(-1)!;
      this.#allocator.free(this.#memories.at(-1)!);
      this.#memories.pop();
      this.#starts.length = this.#starts.indexOf(Number(address));
    }
  }

  /** Writes all trampolines of new blocks. */
  #write(bytes: Uint8Array<ArrayBuffer>, first: number, word: bigint): void {
    const { write, setSlot } = TRAMPOLINE_WRITERS[Deno.build.arch];
    bytes.fill(TRAP, 0, TRAMPOLINE_SIZE);
    write(new DataView(bytes.buffer, bytes.byteOffset, TRAMPOLINE_SIZE), 0, word);
    for (let end = TRAMPOLINE_SIZE; end < bytes.length; end *= 2) bytes.copyWithin(end, 0, end);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let at = 0, slot = first; at < bytes.length; at += TRAMPOLINE_SIZE, slot++) {
      setSlot(words, at / 4, slot);
    }
  }

  /**
   * Adds blocks. All their trampolines are written before any is used, so executable memory never changes.
   *
   * @param behind Bytes behind the blocks, which stay writable.
   */
  #addBlocks(count: number, behind = 0): void {
    const allocator = this.#allocator, { pageSize } = allocator, length = count * pageSize;
    const first = this.#starts.length * this.#perBlock;
    using undo = new DisposableStack();
    const memory = allocator.allocate(length + behind, pageSize, this.#memories[0]?.address);
    undo.defer(() => abandon({ [Symbol.dispose]: () => allocator.free(memory) }));
    const word = (this.#memories[0] ?? memory).address + BigInt(pageSize);
    prefault(allocator, memory, 0, length);
    this.#write(allocator.view(memory, 0, length), first, word);
    allocator.protect(memory, Protection.READ_EXECUTE, 0, length);
    this.#memories.push(memory);
    for (let block = 0; block < count; block++) {
      this.#starts.push(Number(memory.address) + block * pageSize);
    }
    undo.move();
  }
}

function words(bytes: Uint8Array<ArrayBuffer>): BigUint64Array<ArrayBuffer> {
  return new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / SLOT_SIZE);
}
