/**
 * The gate of one registry, through which native code passes where a reload suits it: `void smf_safe_point(void)`,
 * a name that the loader defines.
 */

import type { FoundImport, ImportSource, ModuleIdentity, Provider } from "../imports/resolve.ts";
import { Atomics } from "../../os/intrinsics.ts";
import { openDynamicLinker } from "../../os/dynamic_linker.ts";
import { SAFE_POINT } from "../../os/loader_names.ts";
import {
  type ExecutableMemory,
  type MemoryAllocator,
  platformAllocator,
  Protection,
} from "../../os/memory/allocator.ts";
import { abandon } from "../../os/memory/deferred_release.ts";
import { pointerCall } from "../../os/pointer.ts";
import { Platform } from "../../smf/enums.ts";
import { HOST_ARCH, HOST_PLATFORM } from "./host.ts";
import { GATE_WORDS, safePointCode } from "./safe_point_code.ts";

/** How long a thread sleeps before it looks at the gate again, in nanoseconds. */
const SLEEP = 200_000n;

/**
 * The gate, which is made when the first module imports it, and is freed once no module is left that does and its
 * owner has gone.
 *
 * Platforms: Linux on x86-64 and AArch64, Windows on x86-64. Elsewhere nobody defines the name.
 */
export class SafePointGate implements ImportSource, Provider, Disposable {
  readonly description = "the safe points of the loader";
  readonly #allocator: MemoryAllocator;
  #memory: ExecutableMemory | undefined;
  #words: Int32Array | undefined;
  #users = 0;
  #hasEnded = false;

  constructor(allocator: MemoryAllocator) {
    this.#allocator = allocator;
  }

  find(name: string): FoundImport | undefined {
    if (name !== SAFE_POINT) return undefined;
    const memory = this.#memory ??= this.#make();
    return memory && { address: memory.address, from: this.description, provider: this };
  }

  hold(_importer: ModuleIdentity): Disposable {
    this.#users++;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#users--;
        isHeld = false;
        this.#freeIfUnused();
      },
    };
  }

  /** Whether any module uses it. */
  get isUsed(): boolean {
    return this.#users > 0;
  }

  /** Has threads wait that come to it from now on. */
  close(): void {
    this.#set(GATE_WORDS.gate, 1);
  }

  /** Lets all threads go on. */
  open(): void {
    this.#set(GATE_WORDS.gate, 0);
  }

  /** The number of threads that wait. None of them goes on before the gate is opened. */
  get waiting(): number {
    return this.#words === undefined ? 0 : Atomics.load(this.#words, GATE_WORDS.waiting / 4);
  }

  /** Frees it with the last module that uses it. */
  [Symbol.dispose](): void {
    this.#hasEnded = true;
    this.open();
    this.#freeIfUnused();
  }

  #set(word: number, value: number): void {
    if (this.#words !== undefined) Atomics.store(this.#words, word / 4, value);
  }

  #make(): ExecutableMemory | undefined {
    const allocator = this.#allocator, page = allocator.pageSize;
    const code = safePointCode(HOST_PLATFORM, HOST_ARCH, page);
    if (code === undefined) return undefined;
    const memory = allocator.allocate(2 * page, page);
    using undo = new DisposableStack();
    undo.defer(() => allocator.free(memory));
    allocator.view(memory, 0, code.bytes.length).set(code.bytes);
    const words = allocator.view(memory, page, 32);
    const view = new DataView(words.buffer, words.byteOffset, words.byteLength);
    const sleep = HOST_PLATFORM === Platform.Windows ? sleepAddress() : 0n;
    view.setBigUint64(GATE_WORDS.sleep, sleep, true);
    if (HOST_PLATFORM !== Platform.Windows) view.setBigUint64(GATE_WORDS.sleep + 8, SLEEP, true);
    allocator.protect(memory, Protection.READ_EXECUTE, 0, page);
    const thread = pointerCall(memory.address + BigInt(code.thread), { parameters: [], result: "usize" });
    view.setBigUint64(GATE_WORDS.thread, BigInt(thread() as bigint), true);
    this.#words = new Int32Array(words.buffer, words.byteOffset, words.byteLength / 4);
    undo.move();
    return memory;
  }

  #freeIfUnused(): void {
    const memory = this.#memory;
    if (!this.#hasEnded || this.#users > 0 || memory === undefined) return;
    this.#memory = this.#words = undefined;
    abandon({ [Symbol.dispose]: () => this.#allocator.free(memory) });
  }
}

let always: SafePointGate | undefined;

/** A gate that is always open, for modules that are never reloaded. It stays until the process ends. */
export const openGate: ImportSource = {
  find: (name) =>
    name === SAFE_POINT ? (always ??= new SafePointGate(platformAllocator())).find(name) : undefined,
};

/** The address of `void Sleep(DWORD milliseconds)`. */
function sleepAddress(): bigint {
  using linker = openDynamicLinker();
  return linker.find(linker.open("kernel32.dll"), "Sleep");
}
