/**
 * Disassembles a function or section with Capstone, a package that is fetched
 * from npm on first use.
 */
import { readableName } from "../../image/symbol_names.ts";
import { hex } from "../../errors/load_error.ts";
import { isAddress } from "../../image/plan.ts";
import { Arch, archName, RelocationType, relocationTypeName, SectionType } from "../../smf/enums.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import { homeAt } from "../../smf/homes.ts";
import type { SmfSymbol } from "../../smf/symbol.ts";
import { hexBytes } from "../../smf/hex_bytes.ts";
import { sectionAt, type SectionRange, sectionRanges } from "./section_ranges.ts";

/** The port of Capstone to WebAssembly (BSD-3-Clause). Pinned, because it is code that runs here. */
export const CAPSTONE = "npm:@alexaltea/capstone-js@5.0.9";

/** The part of Capstone's interface that is used here. */
export interface Capstone {
  readonly ARCH_X86: number;
  readonly ARCH_ARM64: number;
  readonly MODE_64: number;
  readonly Capstone: new (arch: number, mode: number) => {
    option(option: number, value: number): void;
    disasm(bytes: Uint8Array, address: number): readonly {
      readonly address: bigint;
      readonly bytes: readonly number[];
      readonly mnemonic: string;
      readonly op_str: string;
    }[];
    close(): void;
  };
}

/** A decoded instruction. */
export interface Instruction {
  /** Its offset in the file's image. */
  readonly offset: number;
  readonly bytes: string;
  readonly text: string;
  /** The relocations that patch it. */
  readonly relocations: readonly string[];
  /** The symbols that begin at it. */
  readonly labels: readonly string[];
}

/** The instructions of a function or section, in the form of `smf inspect --disasm --json`. */
export interface Disassembly {
  readonly disassembled: string;
  readonly arch: string;
  readonly instructions: readonly Instruction[];
}

/**
 * Fetches and starts the disassembler.
 *
 * @throws {Error} if it can neither be fetched nor found in Deno's cache.
 */
export async function loadCapstone(): Promise<Capstone> {
  // Not a literal: the package would be fetched with this module.
  const name: string = CAPSTONE;
  const { default: start } = await import(name);
  return await start();
}

/** Whether the instructions of an architecture can be disassembled. */
export function canDisassemble(arch: number): boolean {
  return arch === Arch.X86_64 || arch === Arch.Aarch64;
}

/** Code in the file's image: from `start` up to but not including `end`. */
export interface CodeRange {
  readonly start: number;
  readonly end: number;
  /** The section that contains it. */
  readonly container: SectionRange;
}

/**
 * Disassembles code of a module whose architecture {@linkcode canDisassemble} accepts.
 *
 * @param name The name that {@linkcode findCode} found `code` by.
 */
export function disassemble(
  capstone: Capstone,
  module: ParsedSmf,
  name: string,
  { start, end, container }: CodeRange,
): Disassembly {
  const { arch } = module.header;
  const x86 = arch === Arch.X86_64;
  const decoder = new capstone.Capstone(
    x86 ? capstone.ARCH_X86 : capstone.ARCH_ARM64,
    x86 ? capstone.MODE_64 : 0,
  );
  using cleanup = new DisposableStack();
  cleanup.defer(() => decoder.close());
  const bytes = module.contents(container.section).subarray(start - container.start, end - container.start);
  const instructions = decode(decoder, bytes, start, x86 ? 1 : 4);
  return { disassembled: name, arch: archName(arch), instructions: annotate(module, instructions) };
}

/**
 * Decodes all of the bytes; those that are not an instruction become `.byte`.
 *
 * @param unit The least size of an instruction, which is skipped where decoding fails.
 */
function decode(
  decoder: InstanceType<Capstone["Capstone"]>,
  bytes: Uint8Array,
  start: number,
  unit: number,
): Instruction[] {
  const found: Instruction[] = [];
  for (let at = 0; at < bytes.length;) {
    const before = at;
    for (const instruction of decodeFrom(decoder, bytes.subarray(at), start + at)) {
      const encoded = Uint8Array.from(instruction.bytes);
      found.push({
        offset: start + at,
        bytes: hexBytes(encoded),
        text: `${instruction.mnemonic} ${instruction.op_str}`.trimEnd(),
        relocations: [],
        labels: [],
      });
      at += encoded.length;
    }
    if (at > before) continue;
    const rest = bytes.subarray(at, at + unit);
    found.push({ offset: start + at, bytes: hexBytes(rest), text: ".byte", relocations: [], labels: [] });
    at += rest.length;
  }
  return found;
}

/** Decodes up to the first bytes that are not an instruction; Capstone throws if those are at the start. */
function decodeFrom(
  decoder: InstanceType<Capstone["Capstone"]>,
  bytes: Uint8Array,
  address: number,
): ReturnType<InstanceType<Capstone["Capstone"]>["disasm"]> {
  try {
    return decoder.disasm(bytes, address);
  } catch {
    return [];
  }
}

/** Adds labels, relocations, and the targets of addresses relative to the instruction pointer. */
function annotate(module: ParsedSmf, instructions: readonly Instruction[]): Instruction[] {
  const { relocations, symbols, header } = module;
  const named = [...symbols].filter(({ index, name, type }) =>
    name !== "" && isAddress(type) && module.isDefined(index)
  );
  const labels = Map.groupBy(named, ({ value }) => value);
  const homes = new Map(module.homes().map((home) => [home.symbol, home]));
  const patches = [...relocations].map(({ offset, type, symbol, addend }) => {
    const sum = addend === 0n ? "" : addend < 0n ? hex(addend) : `+${hex(addend)}`;
    const home = homes.get(symbol);
    // A distance in x86-64 code counts from the end of the instruction.
    const isBiased = type === RelocationType.Pc32 && header.arch === Arch.X86_64;
    const text = `${relocationTypeName(type, header.arch)} ${readableName(symbols.name(symbol))}${sum}`;
    return { offset, text, home, target: symbols.value(symbol) + Number(addend), isBiased };
  }).sort((left, right) => left.offset - right.offset);
  let next = 0;
  return instructions.map((instruction) => {
    const { offset, bytes } = instruction;
    const end = offset + bytes.length / 2;
    const patching: string[] = [];
    let targetOffset: number | undefined;
    while (next < patches.length && patches[next].offset < offset) next++;
    for (; next < patches.length && patches[next].offset < end; next++) {
      const { text, home, target, isBiased, offset: place } = patches[next];
      patching.push(text);
      const variable = isBiased ? target + end - place : target;
      // Outside of its home an address is of no variable, though another may lie there.
      if (home !== undefined && homeAt([home], variable) !== undefined) targetOffset = variable;
    }
    if (patching.length === 0) targetOffset = targetOf(instruction);
    const target = targetOffset === undefined ? undefined : nameAt(named, targetOffset);
    const text = target === undefined ? instruction.text : `${instruction.text}  # ${target}`;
    return {
      ...instruction,
      text,
      relocations: patching,
      labels: (labels.get(offset) ?? []).map(({ name }) => name),
    };
  });
}

/** The offset that an x86-64 instruction addresses relative to the next one; final where no relocation patches it. */
function targetOf({ offset, bytes, text }: Instruction): number | undefined {
  const [, sign, distance] = /\[rip ([+-]) (0x[0-9a-f]+|\d+)\]/.exec(text) ?? [];
  if (distance === undefined) return undefined;
  return offset + bytes.length / 2 + (sign === "-" ? -1 : 1) * Number(distance);
}

/** The symbol that contains an offset, with the distance from its start. */
function nameAt(named: readonly SmfSymbol[], at: number): string | undefined {
  const found = named.find(({ value, size }) => at === value || (at > value && at < value + size));
  if (found === undefined) return undefined;
  const name = readableName(found.name);
  return at === found.value ? name : `${name}+${hex(at - found.value)}`;
}

/** Finds code by name: a function, or a whole Code section (by `#index`, too). */
export function findCode(module: ParsedSmf, name: string): CodeRange | undefined {
  const ranges = codeSections(module);
  const whole = ranges.find(({ section }) => section.name === name || `#${section.index}` === name);
  if (whole !== undefined) return { ...whole, container: whole };
  const symbol = module.symbols.find(name);
  if (symbol === undefined || !module.isDefined(symbol.index) || !isAddress(symbol.type)) return undefined;
  const container = sectionAt(ranges, symbol.value);
  if (container === undefined || symbol.value >= container.end) return undefined;
  const { value: start, size } = symbol;
  // A symbol without a size extends to the next one.
  const next = [...module.symbols].filter(({ index, type, value }) =>
    isAddress(type) && module.isDefined(index) && value > start
  ).map(({ value }) => value);
  const end = size > 0 ? start + size : Math.min(container.end, ...next);
  return { start, end: Math.min(end, container.end), container };
}

/** The names of the symbols in Code sections. */
export function codeNames(module: ParsedSmf): string[] {
  const ranges = codeSections(module);
  return [...module.symbols].filter(({ index, value, type }) =>
    module.isDefined(index) && isAddress(type) &&
    ranges.some(({ start, end }) => value >= start && value < end)
  ).map(({ name }) => name);
}

function codeSections(module: ParsedSmf): SectionRange[] {
  return sectionRanges(module).filter(({ section }) => section.type === SectionType.Code);
}
