/**
 * What several tests need: small modules, an allocator that can be watched,
 * snapshots of what this process has mapped and open, temporary files.
 */
import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { LoadError, type LoadErrorData, type LoadErrorKind } from "../../src/errors.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../../src/load/runtime/host.ts";
import {
  type ExecutableMemory,
  type MemoryAllocator,
  platformAllocator,
  type Protection,
} from "../../src/os/memory/allocator.ts";
import { SmfBuilder, type SmfBuilderOptions } from "../../src/smf/builder.ts";
import { HeaderFlag, RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import type { LayoutName } from "../../src/smf/layout.ts";
import type { SmfSection } from "../../src/smf/section.ts";

/** /proc tells what is mapped and open on Linux only. */
export const NO_PROC: boolean = Deno.build.os !== "linux";
/** Relocations other than Abs64 and Pc64 are those of x86-64. */
export const NOT_X86_64: boolean = Deno.build.arch !== "x86_64";
/** The modules in fixtures/ are for Linux on x86-64. */
export const NOT_LINUX_X86_64: boolean = NO_PROC || NOT_X86_64;

/** Registers a test of a fixture whose code is for Linux on x86-64. */
export function fixtureTest(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os !== "linux" || Deno.build.arch !== "x86_64", fn });
}

/** How many rounds of `full` to run: all of them with `SMF_STRESS=1`, a few by default. */
export function stress(full: number): number {
  return Math.max(1, Math.ceil(full * Number(Deno.env.get("SMF_STRESS") ?? "0.05")));
}

/** Numbers in [0, 2³²) that look random and are the same every time (mulberry32). */
export function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Sections as the parser would give them: type, size in memory, alignment. */
export function sections(
  ...of: (readonly [type: number, virtualSize: number, alignment?: number])[]
): SmfSection[] {
  return of.map(([type, virtualSize, alignment = 1], index) => ({
    index,
    name: `s${index}`,
    type,
    flags: 0,
    offset: 0,
    size: 0,
    virtualSize,
    alignment,
    compressed: false,
  }));
}

/** Little-endian words of 32 bits. */
function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

/** Machine code for this processor; Windows passes parameters in other registers. */
export const machineCode = {
  /** `int returns(void)`; `value` in [0, 65536). */
  returns(value: number): Uint8Array {
    if (Deno.build.arch === "aarch64") return words(0x52800000 | (value << 5), 0xd65f03c0);
    return new Uint8Array([0xb8, value & 0xff, value >> 8, 0, 0, 0xc3]); // mov eax, value; ret
  },
  /** `long add(long, long)` */
  add(): Uint8Array {
    if (Deno.build.arch === "aarch64") return words(0x8b010000, 0xd65f03c0);
    const operands = Deno.build.os === "windows" ? 0x11 : 0x37; // rcx + rdx, rdi + rsi
    return new Uint8Array([0x48, 0x8d, 0x04, operands, 0xc3]); // lea rax, [a + b]; ret
  },
  /** `void append(void)`: `*log = *log * 10 + digit`; the address of log goes to {@linkcode LOG_ADDRESS}. */
  append(digit: number): Uint8Array {
    if (Deno.build.arch === "aarch64") {
      // ldr x0, =log; ldr x1, [x0]; mov x2, 10; mul x1, x1, x2; add x1, x1, digit; str x1, [x0]; ret; nop
      const add = 0x91000021 | (digit << 10);
      return words(
        0x58000100,
        0xf9400001,
        0xd2800142,
        0x9b027c21,
        add,
        0xf9000001,
        0xd65f03c0,
        0xd503201f,
        0,
        0,
      );
    }
    // deno-fmt-ignore
    return new Uint8Array([
      0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, // movabs rax, log
      0x48, 0x6b, 0x08, 10, //               imul rcx, [rax], 10
      0x48, 0x83, 0xc1, digit, //            add rcx, digit
      0x48, 0x89, 0x08, //                   mov [rax], rcx
      0xc3,
    ]);
  },
  /** `void jump(void)`: goes to the address that Abs64 puts at {@linkcode JUMP_ADDRESS}. */
  jump(): Uint8Array {
    if (Deno.build.arch === "aarch64") return words(0x58000050, 0xd61f0200, 0, 0); // ldr x16, =target; br x16
    return new Uint8Array([0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0]); // movabs rax, target; jmp rax
  },
};

/** Where `machineCode.jump` has its target's address; for Abs64. */
export const JUMP_ADDRESS: number = Deno.build.arch === "aarch64" ? 8 : 2;

/** Where `machineCode.append` has the address that it writes to; for Abs64. */
export const LOG_ADDRESS: number = Deno.build.arch === "aarch64" ? 32 : 2;

/** A builder of modules for this machine. */
export function hostBuilder(options: SmfBuilderOptions = {}): SmfBuilder {
  return new SmfBuilder({ platform: HOST_PLATFORM, arch: HOST_ARCH, ...options });
}

/** The plan's module: `long add(long, long)`. */
export function addModule(options: SmfBuilderOptions = {}): Uint8Array {
  const bytes = machineCode.add();
  const builder = hostBuilder(options);
  builder.section({ name: "code", type: SectionType.Code, bytes });
  builder.symbol({ name: "add", type: SymbolType.Function, size: bytes.length });
  return builder.build();
}

/** A program whose entry point returns `value`, with a function `seven` that does too. */
export function mainModule(value = 7, options: SmfBuilderOptions = {}): Uint8Array {
  const bytes = machineCode.returns(value);
  const builder = hostBuilder({ flags: HeaderFlag.Executable, ...options });
  builder.section({ name: "code", type: SectionType.Code, bytes });
  builder.symbol({ name: "seven", type: SymbolType.Function, size: bytes.length });
  return builder.build();
}

/** A module that needs `names`: a word in its data has the address of each. */
export function importerModule(names: readonly string[], options: SmfBuilderOptions = {}): Uint8Array {
  const code = machineCode.returns(7);
  const builder = hostBuilder(options);
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8 * names.length) });
  builder.symbol({ name: "seven", type: SymbolType.Function, size: code.length });
  names.forEach((name, index) => {
    const symbol = builder.symbol({ name, type: SymbolType.None, defined: false });
    builder.relocation({ offset: 4096 + 8 * index, symbol, type: RelocationType.Abs64 });
  });
  return builder.build();
}

/** A module with every kind of section, whose words hold addresses of each other. */
export function sampler(
  options: { compress?: boolean; layout?: LayoutName } = {},
): { bytes: Uint8Array; plainBytes: (from: number) => Uint8Array } {
  const builder = hostBuilder({ layout: options.layout ?? "H96" });
  const bytes = (from: number) => Uint8Array.from({ length: 64 }, (_, index) => from + index);
  const compress = options.compress ?? false;
  const code = new Uint8Array(64);
  code.set(machineCode.returns(7));
  builder.section({ name: "note", type: 77, bytes: bytes(9) });
  builder.section({
    name: "data",
    type: SectionType.Data,
    bytes: bytes(100),
    virtualSize: 80,
    compress: false,
  });
  builder.section({ name: "rodata", type: SectionType.RoData, bytes: bytes(150), compress });
  builder.section({ name: "code", type: SectionType.Code, bytes: code, compress });
  builder.section({ name: "bss", type: SectionType.Bss, virtualSize: 48 });
  const seven = builder.symbol({ name: "seven", type: SymbolType.Function, size: 6 });
  const constant = builder.symbol({ name: "constant", type: SymbolType.Constant, value: 4096, size: 64 });
  const variable = builder.symbol({ name: "variable", type: SymbolType.Data, value: 8192, size: 80 });
  const zeroed = builder.symbol({ name: "zeroed", type: SymbolType.Data, value: 12288, size: 48 });
  [seven, constant, variable, zeroed].forEach((symbol, index) => {
    for (const group of [32, 4096, 8192, 12288]) {
      if (group === 32 && index > 3) continue;
      builder.relocation({ offset: group + 8 * index, symbol, type: RelocationType.Abs64, addend: index });
    }
  });
  return { bytes: builder.build(), plainBytes: bytes };
}

/** A copy of `bytes` with little-endian fields overwritten. */
export function patched(
  bytes: Uint8Array,
  ...changes: readonly (readonly [offset: number, size: 1 | 2 | 4 | 8, value: number | bigint])[]
): Uint8Array {
  const copy = bytes.slice();
  for (const [offset, size, value] of changes) {
    for (let index = 0; index < size; index++) {
      copy[offset + index] = Number((BigInt(value) >> BigInt(8 * index)) & 0xffn);
    }
  }
  return copy;
}

/** Where a leading H96 header has its `module_hash`; zero means that there is nothing to compare with. */
export const H96_MODULE_HASH = 64;

/** A copy of a leading H96 file that promises no hash, so that other errors can be reached. */
export function unhashed(bytes: Uint8Array): Uint8Array {
  return patched(bytes, [H96_MODULE_HASH, 8, 0]);
}

/** Asserts that `work` throws a {@linkcode LoadError} of this kind with at least these facts. */
export function assertLoadError(
  work: () => unknown,
  kind: LoadErrorKind,
  data: LoadErrorData = {},
): LoadError {
  return checkLoadError(assertThrows(work), kind, data);
}

/** Asserts that an error is a {@linkcode LoadError} of this kind with at least these facts. */
export function checkLoadError(error: unknown, kind: LoadErrorKind, data: LoadErrorData = {}): LoadError {
  assertInstanceOf(error, LoadError, `not a LoadError: ${error instanceof Error ? error.stack : error}`);
  assertEquals(error.kind, kind, error.message);
  for (const [name, value] of Object.entries(data)) {
    assertEquals(error.data[name as keyof LoadErrorData] as unknown, value, `${name} in: ${error.message}`);
  }
  return error;
}

/** Asserts that `work` rejects with a {@linkcode LoadError} of this kind with at least these facts. */
export async function assertLoadErrorLater(
  work: () => Promise<unknown>,
  kind: LoadErrorKind,
  data: LoadErrorData = {},
): Promise<LoadError> {
  return checkLoadError(await assertRejects(work), kind, data);
}

/** An allocator that counts what is live and puts it where nothing else of this process is. */
export class WatchedAllocator implements MemoryAllocator {
  /** What was handed out and not given back. */
  readonly live = new Set<ExecutableMemory>();
  /** Every protection that was set, in order. */
  readonly protections: Protection[] = [];
  /** The neighbours that were asked for. */
  readonly nearby: (bigint | undefined)[] = [];
  readonly #inner = platformAllocator();
  readonly #place: bigint = emptyPlace();
  /** The least range that covers everything that was handed out, with its guards. */
  #first = this.#place;
  #last = this.#place;

  get pageSize(): number {
    return this.#inner.pageSize;
  }

  allocate(size: number, alignment: number, near?: bigint): ExecutableMemory {
    this.nearby.push(near);
    const memory = this.#inner.allocate(size, alignment, this.#place);
    this.live.add(memory);
    const page = BigInt(this.pageSize);
    const [first, last] = [memory.address - page, memory.address + BigInt(memory.size) + page];
    if (first < this.#first) this.#first = first;
    if (last > this.#last) this.#last = last;
    return memory;
  }

  protect(memory: ExecutableMemory, protection: Protection, offset?: number, length?: number): void {
    this.protections.push(protection);
    this.#inner.protect(memory, protection, offset, length);
  }

  view(memory: ExecutableMemory, offset?: number, length?: number): Uint8Array<ArrayBuffer> {
    return this.#inner.view(memory, offset, length);
  }

  prefault(memory: ExecutableMemory, offset?: number, length?: number): void {
    this.#inner.prefault?.(memory, offset, length);
  }

  free(memory: ExecutableMemory): void {
    this.#inner.free(memory);
    this.live.delete(memory);
  }

  retain(): Disposable {
    return this.#inner.retain?.() ?? { [Symbol.dispose]: () => {} };
  }

  /** What the system itself says is mapped where this allocator's memory was; nothing where it does not say. */
  mappings(): Mapping[] {
    return mappings().filter(({ start, end }) => end > this.#first && start < this.#last);
  }
}

/** An address in the middle of nothing. V8 takes address space at random, so no fixed one will do. */
function emptyPlace(): bigint {
  const reach = 1n << 30n; // an allocator may go that far from what is asked of it
  const taken = mappings();
  for (let place = 0x1000_0000_0000n;; place += 8n * reach) {
    if (!taken.some(({ start, end }) => end > place - reach && start < place + reach)) return place;
  }
}

/** A line of `/proc/self/maps`. */
export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  /** `r-xp` and the like. */
  readonly permissions: string;
}

/** What this process has mapped; empty where the system does not tell. */
export function mappings(): Mapping[] {
  if (NO_PROC) return [];
  return Deno.readTextFileSync("/proc/self/maps").trimEnd().split("\n").map((line) => {
    const [, start, end, permissions] = /^(\w+)-(\w+) (\S+)/.exec(line)!;
    return { start: BigInt(`0x${start}`), end: BigInt(`0x${end}`), permissions };
  });
}

/** The permissions at an address, "" where nothing is mapped. */
export function permissionsAt(address: bigint): string {
  return mappings().find(({ start, end }) => start <= address && address < end)?.permissions ?? "";
}

/** What the file descriptors of this process lead to, sorted; empty where the system does not tell. */
export function descriptors(): string[] {
  if (NO_PROC) return [];
  const links: string[] = [];
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      links.push(Deno.readLinkSync(`/proc/self/fd/${name}`));
    } catch {
      // The descriptor that the listing itself was read through.
    }
  }
  return links.sort();
}

/** A directory that goes when it is disposed. */
export class TemporaryDirectory implements Disposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "smf_test_" });

  /** Writes a file into it. */
  file(name: string, bytes: Uint8Array = new Uint8Array(0)): string {
    const path = this.join(name);
    Deno.writeFileSync(path, bytes);
    return path;
  }

  /** The path of a name in it. */
  join(name: string): string {
    return Deno.build.os === "windows" ? `${this.path}\\${name}` : `${this.path}/${name}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Eight bytes at an address, as a number without a sign. */
export function readWord(address: bigint): bigint {
  return new Deno.UnsafePointerView(Deno.UnsafePointer.create(address)!).getBigUint64();
}

/** Bytes at an address, copied. */
export function readMemory(address: bigint, length: number): Uint8Array {
  const into = new Uint8Array(length);
  if (length > 0) new Deno.UnsafePointerView(Deno.UnsafePointer.create(address)!).copyInto(into);
  return into;
}

/** The little-endian number of 64 bits at an offset. */
export function wordAt(bytes: Uint8Array, offset: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(offset, true);
}

/** The little-endian signed number of 32 bits at an offset. */
export function displacementAt(bytes: Uint8Array, offset: number): bigint {
  return BigInt(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(offset, true));
}
