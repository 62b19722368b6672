/**
 * Tells debuggers of code in memory, by gdb's JIT Compilation Interface: a list of symbol files, which a debugger
 * that attaches reads, and a call for each change, which one that is there notices.
 *
 * Debuggers open the path in the dynamic linker's list, so the library's file stays open, under a path that other
 * processes can use.
 */
import { openLibrary } from "./library.ts";
import { Machine } from "./elf.ts";
import { DESCRIPTOR, DESCRIPTOR_SIZE, REGISTER_CODE, writeJitLibrary } from "./jit_library.ts";
import { MemoryFiles } from "./memory_file.ts";
import { bytesAt } from "./native_memory.ts";
import { addressOfBuffer } from "./pointer.ts";

/** jit_actions_t. */
const Action = { NONE: 0, REGISTER: 1, UNREGISTER: 2 } as const;

/** Words of struct jit_code_entry. */
const Field = { NEXT: 0, PREVIOUS: 1, FILE: 2, SIZE: 3 } as const;
const FIELDS = 4;

/** Words of struct jit_descriptor; the first holds the version, and the action in its upper half. */
const Descriptor = { ACTION: 0, RELEVANT: 1, FIRST: 2 } as const;
const VERSION = 1n;

const FUNCTIONS = {
  // void __jit_debug_register_code(void); cannot fail
  [REGISTER_CODE]: { parameters: [], result: "void" },
  [DESCRIPTOR]: { type: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** An entry of the list. Debuggers read its memory for as long as it is in the list. */
interface CodeEntry {
  readonly address: bigint;
  readonly words: BigUint64Array<ArrayBuffer>;
  /** Kept, because a debugger reads it. */
  readonly file: Uint8Array<ArrayBuffer>;
}

/** The library of this isolate, and its list. */
class JitInterface implements Disposable {
  readonly #resources = new DisposableStack();
  readonly #registerCode: () => void;
  readonly #descriptor: BigUint64Array<ArrayBuffer>;
  /** The last one registered comes first. */
  readonly #entries: CodeEntry[] = [];

  constructor() {
    using undo = new DisposableStack();
    const files = undo.use(new MemoryFiles("smf-jit"));
    const machine = Deno.build.arch === "aarch64" ? Machine.AARCH64 : Machine.X86_64;
    const file = undo.use(files.keep(writeJitLibrary(machine)));
    const { symbols } = undo.use(openLibrary([file.path], FUNCTIONS));
    this.#registerCode = () => symbols[REGISTER_CODE]();
    const address = Deno.UnsafePointer.value(symbols[DESCRIPTOR]);
    this.#descriptor = new BigUint64Array(bytesAt(BigInt(address), DESCRIPTOR_SIZE).buffer);
    this.#resources = undo.move();
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  add(file: Uint8Array<ArrayBuffer>): CodeEntry {
    // A buffer of its own: V8 keeps small arrays without one where they may move.
    const words = new BigUint64Array(new ArrayBuffer(8 * FIELDS));
    const entry: CodeEntry = { address: addressOfBuffer(words), words, file };
    const [first] = this.#entries;
    words[Field.NEXT] = first?.address ?? 0n;
    words[Field.FILE] = addressOfBuffer(file);
    words[Field.SIZE] = BigInt(file.length);
    if (first !== undefined) first.words[Field.PREVIOUS] = entry.address;
    // Last, so that a debugger that attaches now finds a whole list.
    this.#descriptor[Descriptor.FIRST] = entry.address;
    this.#entries.unshift(entry);
    this.#announce(Action.REGISTER, entry);
    return entry;
  }

  remove(entry: CodeEntry): void {
    const index = this.#entries.indexOf(entry);
    const previous = this.#entries[index - 1], next = this.#entries[index + 1];
    if (next !== undefined) next.words[Field.PREVIOUS] = previous?.address ?? 0n;
    if (previous !== undefined) previous.words[Field.NEXT] = next?.address ?? 0n;
    else this.#descriptor[Descriptor.FIRST] = next?.address ?? 0n;
    this.#entries.splice(index, 1);
    this.#announce(Action.UNREGISTER, entry);
  }

  #announce(action: number, { address }: CodeEntry): void {
    this.#descriptor[Descriptor.RELEVANT] = address;
    this.#descriptor[Descriptor.ACTION] = VERSION | BigInt(action) << 32n;
    this.#registerCode();
    this.#descriptor[Descriptor.ACTION] = VERSION | BigInt(Action.NONE) << 32n;
    this.#descriptor[Descriptor.RELEVANT] = 0n;
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}

let jit: JitInterface | undefined;

/** Whether debuggers can be told of code on this system. */
export const DEBUGGERS_LISTEN: boolean = Deno.build.os === "linux";

/** A symbol file that debuggers have, until it is disposed of. */
export interface SymbolRegistration extends Disposable {
  /** Gives debuggers another file for the same code. lldb wants to forget the first one before. */
  replace(file: Uint8Array<ArrayBuffer>): void;
}

/**
 * Gives debuggers a symbol file: an ELF file whose sections have the addresses of the code in memory. Lasts until
 * the result is disposed of.
 *
 * Platforms: Linux only.
 *
 * @throws {LoadError} `OutOfMemory` if the system refuses a file in memory; `Unsupported` if it does not let code
 * be loaded from one; `PermissionDenied`.
 */
export function registerSymbolFile(file: Uint8Array<ArrayBuffer>): SymbolRegistration {
  const used = jit ??= new JitInterface();
  let entry = used.add(file);
  let isThere = true;
  return {
    replace(file) {
      if (!isThere) return;
      used.remove(entry);
      entry = used.add(file);
    },
    [Symbol.dispose]() {
      if (!isThere) return;
      isThere = false;
      used.remove(entry);
      if (!used.isEmpty) return;
      jit = undefined;
      used[Symbol.dispose]();
    },
  };
}
