// Helpers of the linker's tests: objects, archives, and a view of linked modules.
import { assert, assertInstanceOf, assertThrows } from "@std/assert";
import { LoadError, type LoadErrorKind } from "../../src/errors/load_error.ts";
import { SectionFlag, SectionType, SymbolBinding, SymbolKind } from "../../src/os/elf.ts";
import { ElfWriter } from "../../src/os/elf_writer.ts";
import { type LinkedModule, linkObjects, type LinkOptions } from "../../src/link/linker.ts";
import { HeaderFlag } from "../../src/smf/enums.ts";
import { type ParsedSmf, parseSmf } from "../../src/smf/file.ts";
import { imageOffsets } from "../../src/smf/offsets.ts";

export { ElfWriter };

export const CODE = SectionFlag.ALLOC | SectionFlag.EXECINSTR;
export const DATA = SectionFlag.ALLOC | SectionFlag.WRITE;
export const RODATA = SectionFlag.ALLOC;
export const STRINGS = SectionFlag.ALLOC | SectionFlag.MERGE | SectionFlag.STRINGS;

export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Adds `name` as a global function in a section of its own with these bytes. */
export function addFunction(writer: ElfWriter, name: string, bytes: Uint8Array, binding?: number): number {
  const section = writer.section({ name: `.text.${name}`, flags: CODE, bytes, alignment: 16 });
  writer.symbol({
    name,
    section,
    size: bytes.length,
    kind: SymbolKind.FUNC,
    binding: binding ?? SymbolBinding.GLOBAL,
  });
  return section;
}

/** Adds `name` as a global variable in a section of its own. */
export function addVariable(writer: ElfWriter, name: string, bytes: Uint8Array, binding?: number): number {
  const section = writer.section({ name: `.data.${name}`, flags: DATA, bytes, alignment: 8 });
  writer.symbol({
    name,
    section,
    size: bytes.length,
    kind: SymbolKind.OBJECT,
    binding: binding ?? SymbolBinding.GLOBAL,
  });
  return section;
}

/** An object with one function, filled with `byte`, that refers to `needs`. */
export function functionObject(
  name: string,
  byte: number,
  needs: readonly string[] = [],
  binding?: number,
): Uint8Array {
  const writer = new ElfWriter();
  const section = addFunction(writer, name, new Uint8Array(5 * needs.length + 1).fill(byte), binding);
  needs.forEach((need, i) => {
    writer.relocation(section, { offset: 5 * i, symbol: writer.symbol({ name: need }), type: 4, addend: -4 });
  });
  return writer.build();
}

/** A GNU archive; without `withIndex` it has no symbol index. */
export function archive(
  members: readonly { name: string; bytes: Uint8Array; symbols?: readonly string[] }[],
  { withIndex = true, thin = false } = {},
): Uint8Array {
  const longNames = members.filter(({ name }) => name.length > 15).map(({ name }) => `${name}/\n`);
  const pieces: Uint8Array[] = [];
  let size = 8;
  const push = (name: string, bytes: Uint8Array): void => {
    const header = name.padEnd(16) + "0".padEnd(12) + "0".padEnd(6) + "0".padEnd(6) + "644".padEnd(8) +
      String(bytes.length).padEnd(10) + "`\n";
    pieces.push(ascii(header), bytes);
    size += 60 + bytes.length;
    if (bytes.length % 2 === 1) {
      pieces.push(ascii("\n"));
      size++;
    }
  };
  const symbols = members.flatMap(({ symbols = [] }, member) => symbols.map((name) => ({ name, member })));
  const text = symbols.map(({ name }) => `${name}\0`).join("");
  const index = new Uint8Array(4 + 4 * symbols.length + text.length);
  if (withIndex) push("/", index);
  if (longNames.length > 0) push("//", ascii(longNames.join("")));
  let longOffset = 0;
  const offsets = members.map(({ name, bytes }) => {
    const offset = size;
    if (name.length > 15) {
      push(`/${longOffset}`, bytes);
      longOffset += name.length + 2;
    } else {
      push(`${name}/`, bytes);
    }
    return offset;
  });
  const view = new DataView(index.buffer);
  view.setUint32(0, symbols.length);
  symbols.forEach(({ member }, i) => view.setUint32(4 + 4 * i, offsets[member]));
  index.set(ascii(text), 4 + 4 * symbols.length);
  return concat([ascii(thin ? "!<thin>\n" : "!<arch>\n"), ...pieces]);
}

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** A relocation of the linked module, with its symbol's name. */
export interface KeptRelocation {
  readonly offset: number;
  readonly symbol: string;
  readonly type: number;
  readonly addend: number;
}

/** A linked module, parsed, with its image before relocation. */
export class Linked {
  readonly module: LinkedModule;
  readonly file: ParsedSmf;
  readonly image: Uint8Array;

  constructor(module: LinkedModule) {
    this.module = module;
    this.file = parseSmf(module.bytes);
    const { offsets, end } = imageOffsets(this.file.sections);
    this.image = new Uint8Array(end);
    this.file.sections.forEach((section, index) => {
      const offset = offsets[index];
      if (offset !== undefined) this.image.set(this.file.contents(section), offset);
    });
  }

  get map(): LinkedModule["map"] {
    return this.module.map;
  }

  /** The image offset of a symbol. */
  at(name: string): number {
    const symbol = this.file.symbols.find(name);
    assert(symbol !== undefined, `there is no symbol '${name}'`);
    return symbol.value;
  }

  bytesAt(offset: number, length: number): number[] {
    return [...this.image.subarray(offset, offset + length)];
  }

  int32(offset: number): number {
    return new DataView(this.image.buffer).getInt32(offset, true);
  }

  int64(offset: number): bigint {
    return new DataView(this.image.buffer).getBigInt64(offset, true);
  }

  text(offset: number): string {
    return new TextDecoder().decode(this.image.subarray(offset, this.image.indexOf(0, offset)));
  }

  relocations(): KeptRelocation[] {
    const { relocations, symbols } = this.file;
    return Array.from({ length: relocations.length }, (_, i) => ({
      offset: relocations.offset(i),
      symbol: symbols.name(relocations.symbol(i)),
      type: relocations.type(i),
      addend: Number(relocations.addend(i)),
    }));
  }

  /** The target of the relocation at `offset`: its symbol's value plus its addend. */
  target(offset: number): number {
    const { relocations, symbols } = this.file;
    for (let i = 0; i < relocations.length; i++) {
      if (relocations.offset(i) !== offset) continue;
      return symbols.value(relocations.symbol(i)) + Number(relocations.addend(i));
    }
    throw new Error(`no relocation at ${offset}`);
  }

  /** The target of a 32-bit distance at `offset` that the linker has resolved. */
  settled(offset: number): number {
    const isLeft = this.relocations().some((relocation) => relocation.offset === offset);
    assert(!isLeft, `the distance at ${offset} is left to the loader`);
    return offset + this.int32(offset);
  }

  /** Whether code relies on the distances between groups. */
  get isFixed(): boolean {
    return (this.file.header.flags & HeaderFlag.FixedLayout) !== 0;
  }

  exportNames(): string[] {
    return this.map.exports.map(({ name }) => name);
  }

  importNames(): string[] {
    return this.map.imports.map(({ name }) => name);
  }

  section(name: string): { address: number; size: number } {
    const section = this.map.sections.find((one) => one.name === name);
    assert(section !== undefined, `there is no section '${name}'`);
    return section;
  }
}

/** Links objects and archives given as bytes. */
export function link(inputs: Record<string, Uint8Array> | Uint8Array, options: LinkOptions = {}): Linked {
  const named = inputs instanceof Uint8Array ? { "a.o": inputs } : inputs;
  return new Linked(linkObjects(Object.entries(named).map(([name, bytes]) => ({ name, bytes })), options));
}

/** Asserts that linking fails; returns the error. */
export function linkFails(
  inputs: Record<string, Uint8Array> | Uint8Array,
  kind: LoadErrorKind,
  message: string | RegExp,
  options: LinkOptions = {},
): LoadError {
  const error = assertThrows(() => link(inputs, options), LoadError);
  assertInstanceOf(error, LoadError);
  const matches = typeof message === "string" ? error.message.includes(message) : message.test(error.message);
  assert(error.kind === kind && matches, `${error.kind}: ${error.message}`);
  return error;
}

export { SectionType };
