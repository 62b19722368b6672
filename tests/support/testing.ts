/**
 * Helpers of many tests: small modules, assertions about errors, temporary
 * files; and by re-export, an allocator that tests can watch and the state of
 * this process.
 */
import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { LoadError, type LoadErrorData, type LoadErrorKind } from "../../src/errors/load_error.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../../src/load/runtime/host.ts";
import { SmfBuilder, type SmfBuilderOptions } from "../../src/smf/builder.ts";
import { HeaderFlag, RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import type { LayoutName } from "../../src/smf/layout.ts";
import type { SmfSection } from "../../src/smf/section.ts";
import { NO_PROC } from "./process_state.ts";

export {
  descriptors,
  type Mapping,
  mappings,
  NO_PROC,
  permissionsAt,
  readMemory,
  readWord,
} from "./process_state.ts";
export { WatchedAllocator } from "./watched_allocator.ts";

/** Tests with relocations other than Abs64 and Pc64 need x86-64. */
export const NOT_X86_64: boolean = Deno.build.arch !== "x86_64";
/** The modules in fixtures/ are for Linux on x86-64. */
export const NOT_LINUX_X86_64: boolean = NO_PROC || NOT_X86_64;

/** Registers a test of a fixture whose code is for Linux on x86-64. */
export function fixtureTest(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os !== "linux" || Deno.build.arch !== "x86_64", fn });
}

/** The number of rounds to run out of `full`: all with `SMF_STRESS=1`, a few by default. */
export function stress(full: number): number {
  return Math.max(1, Math.ceil(full * Number(Deno.env.get("SMF_STRESS") ?? "0.05")));
}

/**
 * The cases of a matrix that a test tries: all, or a quarter with `SMF_SAMPLE`, and in lanes, where processes take
 * seconds. Four tests, numbered from 0 on, try them all, and so does one test with the samples 0 to 3.
 */
export function casesOf<T>(all: readonly T[], test: number): readonly T[] {
  const sample = Deno.env.get("SMF_SAMPLE") ?? (NOT_X86_64 || stress(1000) < 10 ? "0" : undefined);
  return sample === undefined ? all : all.filter((_, index) => (index + test + Number(sample)) % 4 === 0);
}

/** Generates pseudorandom numbers in [0, 2³²), the same for each seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Sections as the parser returns them: type, size in memory, alignment. */
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

/** Machine code for this processor and system; Windows passes parameters in other registers. */
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
  /** `void append(void)`: `*log = *log * 10 + digit`; Abs64 writes the address of log at {@linkcode LOG_ADDRESS}. */
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
  /** `void jump(void)`: jumps to the address that Abs64 writes at {@linkcode JUMP_ADDRESS}. */
  jump(): Uint8Array {
    if (Deno.build.arch === "aarch64") return words(0x58000050, 0xd61f0200, 0, 0); // ldr x16, =target; br x16
    return new Uint8Array([0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0]); // movabs rax, target; jmp rax
  },
};

/** The offset of the target's address in `machineCode.jump`; for Abs64. */
export const JUMP_ADDRESS: number = Deno.build.arch === "aarch64" ? 8 : 2;

/** The offset of the variable's address in `machineCode.append`; for Abs64. */
export const LOG_ADDRESS: number = Deno.build.arch === "aarch64" ? 32 : 2;

/** A builder of modules for this system and processor. */
export function hostBuilder(options: SmfBuilderOptions = {}): SmfBuilder {
  return new SmfBuilder({ platform: HOST_PLATFORM, arch: HOST_ARCH, ...options });
}

/** A module with one function, `long add(long, long)`. */
export function addModule(options: SmfBuilderOptions = {}): Uint8Array {
  const bytes = machineCode.add();
  const builder = hostBuilder(options);
  builder.section({ name: "code", type: SectionType.Code, bytes });
  builder.symbol({ name: "add", type: SymbolType.Function, size: bytes.length });
  return builder.build();
}

/** A program whose entry point, exported as `seven`, returns `value`. */
export function mainModule(value = 7, options: SmfBuilderOptions = {}): Uint8Array {
  const bytes = machineCode.returns(value);
  const builder = hostBuilder({ flags: HeaderFlag.Executable, ...options });
  builder.section({ name: "code", type: SectionType.Code, bytes });
  builder.symbol({ name: "seven", type: SymbolType.Function, size: bytes.length });
  return builder.build();
}

/** A module that imports `names`; a word of its data holds the address of each. */
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

/** A module with every kind of section, whose words hold addresses in the others. */
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

/** The offset of `module_hash` in a leading H96 header; zero there means that the file has no hash. */
export const H96_MODULE_HASH = 64;

/** A copy of a file with a leading H96 header, without its hash, so that later checks are reached. */
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

/** A directory that is removed when it is disposed of. */
export class TemporaryDirectory implements Disposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "smf_test_" });

  /** Writes a file into the directory; returns its path. */
  file(name: string, bytes: Uint8Array = new Uint8Array(0)): string {
    const path = this.join(name);
    Deno.writeFileSync(path, bytes);
    return path;
  }

  /** The path of a name in the directory. */
  join(name: string): string {
    return Deno.build.os === "windows" ? `${this.path}\\${name}` : `${this.path}/${name}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** The little-endian number of 64 bits at an offset. */
export function wordAt(bytes: Uint8Array, offset: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(offset, true);
}

/** The little-endian signed number of 32 bits at an offset. */
export function displacementAt(bytes: Uint8Array, offset: number): bigint {
  return BigInt(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(offset, true));
}
