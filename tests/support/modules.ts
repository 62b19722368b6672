/**
 * Small modules in machine code, and the tests that run them.
 * Routines are written in x86-64 code with the System V calling convention;
 * `native_code.ts` has their counterparts for the other machines.
 */
import { type SectionOptions, SmfBuilder } from "../../mod.ts";
import { Binding, HeaderFlag, RelocationType, SectionType, SymbolType } from "../../src/smf/mod.ts";
import { WARM_UP_CALLS } from "../../src/call/lazy_call.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../../src/load/runtime/host.ts";
import { bytesOf, HAS_NATIVE_CODE, nativeCode } from "./native_code.ts";

export { bytesOf as code };
export {
  isMapped,
  mappingCount,
  maps,
  ownDescriptors as descriptors,
  stubMappings,
} from "./process_state.ts";

/** One function: its bytes, and the names that 32-bit fields in them refer to. */
export interface Routine {
  readonly hex: string;
  /** Field offset in the routine → name; the field is relative to its own end. */
  readonly refers?: Readonly<Record<number, string>>;
  /** Like `refers`, through the GOT. */
  readonly refersByGot?: Readonly<Record<number, string>>;
  /** Replaces `hex` on Windows, where the same code needs different counterparts. */
  readonly windows?: string;
  readonly binding?: number;
}

/** Routines that tests share. */
export const ROUTINES = {
  nothing: { hex: "c3" },
  /** int32_t add32(int32_t, int32_t) */
  add32: { hex: "8d 04 37 c3" },
  /** int64_t add64(int64_t, int64_t) */
  add64: { hex: "48 8d 04 37 c3" },
  /** int64_t sub64(int64_t, int64_t) */
  sub64: { hex: "48 89 f8 48 29 f0 c3" },
  /** double addf64(double, double) */
  addf64: { hex: "f2 0f 58 c1 c3" },
  /** float addf32(float, float) */
  addf32: { hex: "f3 0f 58 c1 c3" },
  /** int64_t sum8(int64_t × 8) */
  sum8: {
    hex: "48 8d 04 37 48 01 d0 48 01 c8 4c 01 c0 4c 01 c8 48 03 44 24 08 48 03 44 24 10 c3",
  },
  /** uint8_t first(const uint8_t *) */
  first: { hex: "0f b6 07 c3" },
  /** void *offset(void *, size_t) */
  offset: { hex: "48 8d 04 37 c3" },
  /** int32_t call(int32_t (*)(int32_t), int32_t) */
  call: { hex: "48 83 ec 08 48 89 f8 89 f7 ff d0 48 83 c4 08 c3" },
  /** int32_t wait(volatile int32_t *): returns what it sees as soon as that is not 0 */
  wait: { hex: "8b 07 f3 90 85 c0 74 f8 c3" },
  /** double sumPair(struct { double, double }) */
  sumPair: { hex: "f2 0f 58 c1 c3", windows: "f2 0f 10 01 f2 0f 58 41 08 c3" },
  /** struct { int64_t, int64_t } pair(int64_t, int64_t) */
  pair: { hex: "48 89 f8 48 89 f2 c3" },
} as const satisfies Record<string, Routine>;

/** The contents of a module that {@linkcode build} makes. */
export interface Parts {
  readonly routines?: Readonly<Record<string, Routine>>;
  /** Variables: name → initial bytes. */
  readonly data?: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
  /** Data symbols that are imported; other undefined names that routines refer to are functions. */
  readonly importedData?: readonly string[];
  /** Functions in `.init_array` and `.fini_array`: names, or plain numbers as wrong entries. */
  readonly init?: readonly (string | bigint)[];
  readonly fini?: readonly (string | bigint)[];
  /** The name of the entry point; marks the file EXECUTABLE. */
  readonly entry?: string;
  readonly flags?: number;
  readonly sourceHash?: bigint;
  /** Defined symbols of a type that is not an address. */
  readonly types?: readonly string[];
  /** Sections that are not part of the image. */
  readonly sections?: readonly SectionOptions[];
}

const align = (value: number, to: number) => Math.ceil(value / to) * to;

/** Builds a module: one Code section, one Data section, arrays of initialisers and finalisers. */
export function build(parts: Parts): Uint8Array<ArrayBuffer> {
  const routines = Object.entries(parts.routines ?? {}).map(([name, routine]) => ({
    name,
    routine,
    ...nativeCode(routine),
  }));
  const starts = new Map<string, number>();
  let end = 0;
  for (const { name, bytes } of routines) {
    starts.set(name, end);
    end = align(end + bytes.length, 16);
  }
  const text = new Uint8Array(Math.max(end, 16)).fill(0xcc);
  for (const { name, bytes } of routines) text.set(bytes, starts.get(name)!);

  const entry = parts.entry === undefined ? undefined : starts.get(parts.entry)!;
  const builder = new SmfBuilder({
    platform: HOST_PLATFORM,
    arch: HOST_ARCH,
    flags: (parts.flags ?? 0) | (entry === undefined ? 0 : HeaderFlag.Executable),
    entryPoint: entry,
    sourceHash: parts.sourceHash,
  });
  builder.section({ name: "code", type: SectionType.Code, bytes: text });
  let place = align(text.length, 4096);

  const symbols = new Map<string, number>();
  for (const { name, routine } of routines) {
    symbols.set(
      name,
      builder.symbol({
        name,
        type: SymbolType.Function,
        value: starts.get(name),
        // The x86-64 size on every machine, so that tests can assert it.
        size: bytesOf(routine.hex).length,
        binding: routine.binding,
      }),
    );
  }
  const data = Object.entries(parts.data ?? {});
  if (data.length > 0) {
    const offsets: number[] = [];
    let length = 0;
    for (const [, bytes] of data) {
      offsets.push(length);
      length = align(length + bytes.length, 16);
    }
    const bytes = new Uint8Array(length);
    data.forEach(([name, initial], index) => {
      bytes.set(initial, offsets[index]);
      const value = place + offsets[index];
      symbols.set(name, builder.symbol({ name, type: SymbolType.Data, value, size: initial.length }));
    });
    builder.section({ name: "data", type: SectionType.Data, bytes });
    place += length;
  }
  for (const name of parts.types ?? []) {
    symbols.set(name, builder.symbol({ name, type: SymbolType.Type, value: 1 }));
  }
  const symbolOf = (name: string): number => {
    const known = symbols.get(name);
    if (known !== undefined) return known;
    const type = parts.importedData?.includes(name) ? SymbolType.Data : SymbolType.Function;
    const index = builder.symbol({ name, type, defined: false });
    symbols.set(name, index);
    return index;
  };
  for (const name of parts.importedData ?? []) symbolOf(name);
  for (const { name, references } of routines) {
    for (const { offset, name: target, type, addend } of references) {
      builder.relocation({ offset: starts.get(name)! + offset, symbol: symbolOf(target), type, addend });
    }
  }
  for (const [name, entries] of [[".init_array", parts.init], [".fini_array", parts.fini]] as const) {
    if (entries === undefined) continue;
    place = align(place, 16);
    const bytes = new Uint8Array(8 * entries.length);
    const view = new DataView(bytes.buffer);
    entries.forEach((entry, index) => {
      if (typeof entry === "bigint") view.setBigUint64(8 * index, entry, true);
      else {
        builder.relocation({
          offset: place + 8 * index,
          symbol: symbolOf(entry),
          type: RelocationType.Abs64,
        });
      }
    });
    builder.section({ name, type: SectionType.Data, bytes });
    place += bytes.length;
  }
  for (const section of parts.sections ?? []) builder.section(section);
  return builder.build() as Uint8Array<ArrayBuffer>;
}

/** A variable of 64 bits. */
export function word(value: bigint): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new BigInt64Array([value]).buffer);
}

/** A module with all {@linkcode ROUTINES}, a counter with its increment, a Local function and a Type. */
export function sample(): Uint8Array<ArrayBuffer> {
  return build({
    routines: {
      ...ROUTINES,
      /** int64_t increment(void) */
      increment: {
        hex: "48 ff 05 00 00 00 00 48 8b 05 00 00 00 00 c3",
        refers: { 3: "counter", 10: "counter" },
      },
      inner: { hex: "b8 05 00 00 00 c3", binding: Binding.Local },
    },
    data: { counter: word(40n) },
    types: ["Point"],
  });
}

/** A module whose function `name` returns `value`. */
export function answering(value: number, name = "value"): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(6);
  bytes[0] = 0xb8; // mov eax, value; ret
  new DataView(bytes.buffer).setInt32(1, value, true);
  bytes[5] = 0xc3;
  return build({ routines: { [name]: { hex: bytes.toHex() } } });
}

/** A module whose function calls the imported function `name` through the GOT and adds 1. */
export function importing(name: string, ownName = "ask"): Uint8Array<ArrayBuffer> {
  return build({
    routines: {
      // sub rsp, 8; call [rip + GOT]; add rsp, 8; inc eax; ret
      [ownName]: { hex: "48 83 ec 08 ff 15 00 00 00 00 48 83 c4 08 ff c0 c3", refersByGot: { 6: name } },
    },
  });
}

/** The definition of the functions of {@linkcode answering} and {@linkcode importing}. */
export const ANSWER = { parameters: [], result: "i32" } as const;

/** Calls a bound function until its calls are fast; returns the last result. */
export function warm<T>(call: () => T): T {
  for (let count = 1; count < WARM_UP_CALLS; count++) call();
  return call();
}

/** Resolves at a later turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}

/** Whether x86-64 machine code for Linux runs here. */
export const HERE: boolean = Deno.build.os === "linux" && Deno.build.arch === "x86_64";

/** Registers a test of these modules, for machines that have code for them. */
export function nativeTest(name: string, run: () => void | Promise<void>): void {
  Deno.test({ name, ignore: !HAS_NATIVE_CODE, fn: run });
}

/** Registers a test with symbolic links, which only some users can make on Windows. */
export function linkTest(name: string, run: () => void | Promise<void>): void {
  Deno.test({ name, ignore: !HAS_NATIVE_CODE || Deno.build.os === "windows", fn: run });
}

/** Registers a test that needs {@linkcode HERE}. */
export function linuxTest(name: string, run: () => void | Promise<void>): void {
  Deno.test({ name, ignore: !HERE, fn: run });
}

/** Runs a process to its end, or kills it after a time in milliseconds. */
export async function outputWithin(
  command: string,
  options: Omit<Deno.CommandOptions, "stdout" | "stderr">,
  time: number,
): Promise<Deno.CommandOutput> {
  const child = new Deno.Command(command, { ...options, stdout: "piped", stderr: "piped" }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), time);
  try {
    return await child.output();
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a script beside the tests in a new process. `timeout`, in milliseconds: when to kill it. */
export async function runChild(
  script: URL,
  options: { v8Flags?: string; args?: string[]; env?: Record<string, string>; timeout?: number } = {},
): Promise<{ code: number; signal: Deno.Signal | null; stdout: string; stderr: string }> {
  const flags = options.v8Flags === undefined ? [] : [`--v8-flags=${options.v8Flags}`];
  const { code, signal, stdout, stderr } = await outputWithin(Deno.execPath(), {
    args: ["run", "-A", "--no-check", ...flags, script.href, ...(options.args ?? [])],
    env: { NO_COLOR: "1", ...options.env },
  }, options.timeout ?? 2 ** 31 - 1);
  const text = new TextDecoder();
  return { code, signal, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
