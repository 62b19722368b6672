/**
 * Instructions of a function or section, by Capstone: a package that is
 * fetched from npm when somebody asks for instructions, and not before.
 */
import { hex } from "../../errors.ts";
import { isAddress } from "../../image/plan.ts";
import { Arch, archName, relocationTypeName, SectionType } from "../../smf/enums.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import type { SmfSymbol } from "../../smf/symbol.ts";
import { UsageError } from "../terminal/command.ts";
import { sectionAt, type SectionPlace, sectionPlaces } from "./places.ts";
import type { Style } from "../terminal/style.ts";
import { printable, table } from "../terminal/table.ts";

/** The package: BSD-3-Clause, the port of Capstone to WebAssembly. Pinned, for it is code. */
const CAPSTONE = "npm:@alexaltea/capstone-js@5.0.9";

/** The part of it that is used. */
interface Capstone {
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

/** One instruction. */
export interface Instruction {
  /** In the file's image. */
  readonly offset: number;
  readonly bytes: string;
  readonly text: string;
  /** What relocations put into it. */
  readonly relocations: readonly string[];
  /** The functions that begin here. */
  readonly labels: readonly string[];
}

/** The instructions of what was asked for. */
export interface Disassembly {
  readonly disassembled: string;
  readonly arch: string;
  readonly instructions: readonly Instruction[];
}

/** Fetches and starts the disassembler. */
async function loadCapstone(): Promise<Capstone> {
  try {
    // Not a literal: what may never be needed is not fetched with the rest.
    const name: string = CAPSTONE;
    const { default: start } = await import(name);
    return await start();
  } catch (error) {
    throw new UsageError(
      `--disasm needs the package ${CAPSTONE}, which cannot be had: ${(error as Error).message}; ` +
        `fetch it once with a network: deno cache ${CAPSTONE}`,
    );
  }
}

/** Which bytes were asked for. */
interface Extent {
  readonly start: number;
  readonly end: number;
  readonly place: SectionPlace;
}

/**
 * The instructions of a function or a Code section.
 *
 * @throws {UsageError} if there is no such code, or no disassembler for it.
 */
export async function disassemble(module: ParsedSmf, name: string): Promise<Disassembly> {
  const { arch } = module.header;
  if (arch !== Arch.X86_64 && arch !== Arch.Aarch64) {
    throw new UsageError(`--disasm knows X86_64 and Aarch64, and this module is for ${archName(arch)}`);
  }
  const { start, end, place } = findCode(module, name);
  const capstone = await loadCapstone();
  const x86 = arch === Arch.X86_64;
  const decoder = new capstone.Capstone(
    x86 ? capstone.ARCH_X86 : capstone.ARCH_ARM64,
    x86 ? capstone.MODE_64 : 0,
  );
  try {
    const bytes = module.contents(place.section).subarray(start - place.start, end - place.start);
    const instructions = decode(decoder, bytes, start, x86 ? 1 : 4);
    return { disassembled: name, arch: archName(arch), instructions: annotate(module, instructions) };
  } finally {
    decoder.close();
  }
}

/** Everything decodes: what is no instruction becomes data. */
function decode(
  decoder: InstanceType<Capstone["Capstone"]>,
  bytes: Uint8Array,
  start: number,
  unit: number,
): Instruction[] {
  const found: Instruction[] = [];
  for (let at = 0; at < bytes.length;) {
    const before = at;
    for (const instruction of attempt(decoder, bytes.subarray(at), start + at)) {
      const encoded = Uint8Array.from(instruction.bytes);
      found.push({
        offset: start + at,
        bytes: encoded.toHex(),
        text: `${instruction.mnemonic} ${instruction.op_str}`.trimEnd(),
        relocations: [],
        labels: [],
      });
      at += encoded.length;
    }
    if (at > before) continue;
    const rest = bytes.subarray(at, at + unit);
    found.push({ offset: start + at, bytes: rest.toHex(), text: ".byte", relocations: [], labels: [] });
    at += rest.length;
  }
  return found;
}

/** Capstone throws when not even the first bytes are an instruction. */
function attempt(
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

function annotate(module: ParsedSmf, instructions: readonly Instruction[]): Instruction[] {
  const { relocations, symbols, header } = module;
  const named = [...symbols].filter(({ index, name, type }) =>
    name !== "" && isAddress(type) && module.isDefined(index)
  );
  const labels = Map.groupBy(named, ({ value }) => value);
  const patches = [...relocations].map(({ offset, type, symbol, addend }) => {
    const sum = addend === 0n ? "" : addend < 0n ? `-${hex(-addend)}` : `+${hex(addend)}`;
    return { offset, text: `${relocationTypeName(type, header.arch)} ${symbols.name(symbol)}${sum}` };
  }).sort((left, right) => left.offset - right.offset);
  let next = 0;
  return instructions.map((instruction) => {
    const { offset, bytes } = instruction;
    const inside: string[] = [];
    while (next < patches.length && patches[next].offset < offset) next++;
    for (; next < patches.length && patches[next].offset < offset + bytes.length / 2; next++) {
      inside.push(patches[next].text);
    }
    const reached = inside.length === 0 ? reachedBy(instruction) : undefined;
    const target = reached === undefined ? undefined : nameOf(named, reached);
    const text = target === undefined ? instruction.text : `${instruction.text}  # ${target}`;
    return {
      ...instruction,
      text,
      relocations: inside,
      labels: (labels.get(offset) ?? []).map(({ name }) => name),
    };
  });
}

/** What x86-64 reaches by its distance from the next instruction, which is settled where no relocation is. */
function reachedBy({ offset, bytes, text }: Instruction): number | undefined {
  const [, sign, distance] = /\[rip ([+-]) (0x[0-9a-f]+|\d+)\]/.exec(text) ?? [];
  if (distance === undefined) return undefined;
  return offset + bytes.length / 2 + (sign === "-" ? -1 : 1) * Number(distance);
}

/** The symbol that has a place, and how far behind its beginning that is. */
function nameOf(named: readonly SmfSymbol[], place: number): string | undefined {
  const found = named.find(({ value, size }) => place === value || (place > value && place < value + size));
  if (found === undefined) return undefined;
  return place === found.value ? found.name : `${found.name}+${hex(BigInt(place - found.value))}`;
}

/** The code that a name means: a function's, or a whole Code section's. */
function findCode(module: ParsedSmf, name: string): Extent {
  const places = sectionPlaces(module).filter(({ section }) => section.type === SectionType.Code);
  const whole = places.find(({ section }) => section.name === name || `#${section.index}` === name);
  if (whole !== undefined) return { ...whole, place: whole };
  const symbol = module.symbols.find(name);
  if (symbol !== undefined && module.isDefined(symbol.index) && isAddress(symbol.type)) {
    const place = sectionAt(places, symbol.value);
    if (place !== undefined && symbol.value < place.end) {
      const { value: start, size } = symbol;
      // Without a size it goes on to the next symbol.
      const next = [...module.symbols].filter(({ index, type, value }) =>
        isAddress(type) && module.isDefined(index) && value > start
      ).map(({ value }) => value);
      const end = size > 0 ? start + size : Math.min(place.end, ...next);
      return { start, end: Math.min(end, place.end), place };
    }
  }
  const known = [...module.symbols].filter(({ index, value, type }) =>
    module.isDefined(index) && isAddress(type) &&
    places.some(({ start, end }) => value >= start && value < end)
  ).map(({ name }) => name);
  const listed = known.slice(0, 8).map(printable).join(", ");
  throw new UsageError(
    `there is no code called '${name}'; there is ${listed === "" ? "none with a name" : listed}`,
  );
}

/** The lines for people. */
export function disassemblyLines({ instructions }: Disassembly, style: Style): string[] {
  const rows = table(
    instructions.map(({ offset, bytes, text }) => [offset.toString(16), bytes.match(/../g)!.join(" "), text]),
    ["right"],
  );
  return instructions.flatMap(({ labels, relocations }, index) => [
    ...labels.map((label) => style.heading(`${printable(label)}:`)),
    `  ${rows[index]}`,
    ...relocations.map((text) => style.faint(`      ${printable(text)}`)),
  ]);
}
