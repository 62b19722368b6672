/**
 * Versions of small modules, for every processor: functions that return a
 * number or jump to another function, and variables of 64 bits.
 */
import { Binding, HeaderFlag, RelocationType, SectionType, SymbolType } from "../../src/smf/mod.ts";
import { HOMES_SECTION, homesBytes } from "../../src/smf/homes.ts";
import type { SymbolOptions } from "../../mod.ts";
import { hostBuilder, JUMP_ADDRESS, machineCode } from "./testing.ts";

/** The contents of a version. */
export interface Parts {
  /** By name: the number that it returns, or the name of the function that it jumps to, imported or not. */
  readonly functions?: Readonly<Record<string, number | string>>;
  /** By name: words, each a number or a symbol's address, with an offset after `+`. */
  readonly data?: Readonly<Record<string, readonly (bigint | string)[]>>;
  /** By name: further options of a variable's symbol. */
  readonly details?: Readonly<Record<string, Partial<SymbolOptions>>>;
  /** Names of weak imports. */
  readonly weak?: readonly string[];
  readonly flags?: number;
  readonly sourceHash?: bigint;
  /** The names of initialisers. */
  readonly init?: readonly string[];
  /** The names of finalisers. */
  readonly fini?: readonly string[];
  /** Whether each variable has a home, in which a reload can keep it. */
  readonly homes?: boolean;
}

const PAGE = 4096;

/** Builds a version. */
export function version(parts: Parts): Uint8Array<ArrayBuffer> {
  const { functions = {}, data = {}, details = {}, weak = [] } = parts;
  const builder = hostBuilder({
    flags: parts.flags ?? HeaderFlag.Reloadable,
    sourceHash: parts.sourceHash ?? 0n,
  });
  const symbols = new Map<string, number>();
  const relocations: { offset: number; name: string; addend: bigint }[] = [];

  const pieces: Uint8Array[] = [];
  let codeSize = 0;
  for (const [name, what] of Object.entries(functions)) {
    const bytes = typeof what === "number" ? machineCode.returns(what) : machineCode.jump();
    const value = codeSize;
    symbols.set(name, builder.symbol({ name, type: SymbolType.Function, value, size: bytes.length }));
    if (typeof what === "string") {
      relocations.push({ offset: value + JUMP_ADDRESS, name: what, addend: 0n });
    }
    const padded = new Uint8Array(Math.ceil(bytes.length / 16) * 16);
    padded.set(bytes);
    pieces.push(padded);
    codeSize += padded.length;
  }
  if (codeSize > 0) {
    const bytes = new Uint8Array(codeSize);
    pieces.reduce((at, piece) => (bytes.set(piece, at), at + piece.length), 0);
    builder.section({ name: "code", type: SectionType.Code, bytes });
  }
  let place = Math.ceil(codeSize / PAGE) * PAGE;
  const words = (contents: readonly (bigint | string)[], at: number): BigUint64Array =>
    BigUint64Array.from(contents, (word, index) => {
      if (typeof word === "bigint") return word;
      const [name, offset = "0"] = word.split("+");
      relocations.push({ offset: at + 8 * index, name, addend: BigInt(offset) });
      return 0n;
    });
  const all: bigint[] = [];
  const homes: Parameters<typeof homesBytes>[0][number][] = [];
  for (const [name, contents] of Object.entries(data)) {
    const value = place + 8 * all.length;
    const size = 8 * contents.length;
    const variable = builder.symbol({ name, type: SymbolType.Data, value, size, ...details[name] });
    symbols.set(name, variable);
    if (parts.homes) {
      const symbol = builder.symbol({
        name: `.data.${name}`,
        type: SymbolType.Data,
        binding: Binding.Local,
        value,
      });
      symbols.set(name, symbol);
      homes.push({ symbol, size, alignment: 8 });
    }
    all.push(...words(contents, value));
  }
  if (all.length > 0) {
    const bytes = new Uint8Array(BigUint64Array.from(all).buffer);
    builder.section({ name: "data", type: SectionType.Data, bytes, alignment: 8 });
    place += bytes.length;
  }
  for (const [name, entries] of [[".init_array", parts.init], [".fini_array", parts.fini]] as const) {
    if (entries === undefined) continue;
    const bytes = new Uint8Array(words(entries, place).buffer as ArrayBuffer);
    builder.section({ name, type: SectionType.Data, bytes, alignment: 8 });
    place += bytes.length;
  }
  if (parts.homes) {
    builder.section({ name: HOMES_SECTION, type: SectionType.Homes, bytes: homesBytes(homes) });
  }
  for (const { offset, name, addend } of relocations) {
    let symbol = symbols.get(name);
    if (symbol === undefined) {
      const type = parts.details?.[name]?.type ?? SymbolType.Function;
      const binding = weak.includes(name) ? { binding: Binding.Weak } : {};
      symbols.set(name, symbol = builder.symbol({ name, type, defined: false, ...binding }));
    }
    builder.relocation({ offset, symbol, type: RelocationType.Abs64, addend });
  }
  return builder.build() as Uint8Array<ArrayBuffer>;
}

/** The definition of functions of {@linkcode version}. */
export const INT = { parameters: [], result: "i32" } as const;
/** The definition of a function that sleeps for microseconds, as `usleep` does. */
export const SLEEP = { parameters: ["u32"], result: "i32", nonblocking: true } as const;
