/**
 * Reads the headers of COFF objects: the file header, also that of `/bigobj` files, and the section table.
 */
import { decodeText, InputBytes, textEnd } from "../elf/bytes.ts";
import { malformed, unsupported } from "../problems.ts";
import { CoffFlag, CoffMachine, CoffSize } from "./format.ts";

/** A section header, checked: its bytes and its relocations lie in the file. */
export interface CoffSection {
  /** Its number, which counts from 1. */
  readonly number: number;
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly flags: number;
  readonly alignment: number;
  readonly hasBytes: boolean;
  readonly relocations: number;
  readonly relocationCount: number;
}

/** The headers of an object. */
export interface CoffFile {
  readonly file: InputBytes;
  /** The sections by number; the first has number 1. */
  readonly sections: readonly CoffSection[];
  readonly isBig: boolean;
  readonly symbols: number;
  readonly symbolCount: number;
  /** The file offset of the string table, whose first word is its size; names count from there. */
  readonly strings: number;
  readonly stringsEnd: number;
}

/** ClassID of `/bigobj` files: {D1BAA1C7-BAEE-4BA9-AF20-FAF66AA4DCB8}. */
// deno-fmt-ignore
const BIG_CLASS = [0xc7, 0xa1, 0xba, 0xd1, 0xee, 0xba, 0xa9, 0x4b, 0xaf, 0x20, 0xfa, 0xf6, 0x6a, 0xa4, 0xdc, 0xb8];

const MACHINE_NAMES: Readonly<Record<number, string>> = {
  [CoffMachine.I386]: "32-bit x86",
  [CoffMachine.ARMNT]: "32-bit ARM",
  [CoffMachine.ARM64]: "AArch64",
};

/** The kind of a file by its first bytes: an object, an object of the large kind, an import, or another. */
export function coffKind(bytes: Uint8Array): "object" | "big" | "imported" | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const machine = view.getUint16(0, true);
  if (machine !== 0) return machine in MACHINE_NAMES || machine === CoffMachine.AMD64 ? "object" : undefined;
  if (view.getUint16(2, true) !== 0xffff) return undefined;
  return view.getUint16(4, true) === 0 ? "imported" : "big";
}

/** Fails for objects of other processors. */
export function checkCoffMachine(name: string, machine: number): void {
  if (machine === CoffMachine.AMD64) return;
  const processor = MACHINE_NAMES[machine] ?? `another processor, machine 0x${machine.toString(16)}`;
  throw unsupported(name, `it is a Windows object for ${processor}`, {
    value: machine,
    hint: "compile for 64-bit x86: cc --target=x86_64-pc-windows-msvc -c, or x86_64-w64-mingw32-gcc -c",
  });
}

/** Reads the headers of an object, and checks that all tables lie in the file. */
export function readCoffFile(name: string, bytes: Uint8Array): CoffFile {
  const file = new InputBytes(name, bytes);
  const { view } = file;
  const isBig = coffKind(bytes) === "big";
  file.table(0, 1, isBig ? CoffSize.BIG_HEADER : CoffSize.HEADER, "the COFF header");
  if (isBig && BIG_CLASS.some((byte, at) => bytes[12 + at] !== byte)) {
    throw unsupported(name, "it holds only intermediate code for link-time code generation", {
      hint: "compile without /GL and -flto",
    });
  }
  checkCoffMachine(name, view.getUint16(isBig ? 6 : 0, true));
  const count = isBig ? view.getUint32(44, true) : view.getUint16(2, true);
  const symbols = view.getUint32(isBig ? 48 : 8, true);
  const symbolCount = view.getUint32(isBig ? 52 : 12, true);
  const symbolSize = isBig ? CoffSize.BIG_SYMBOL : CoffSize.SYMBOL;
  const table = isBig ? CoffSize.BIG_HEADER : CoffSize.HEADER + view.getUint16(16, true);
  if (!isBig && (view.getUint16(18, true) & EXECUTABLE_IMAGE) !== 0) {
    throw unsupported(name, "it is an executable", { hint: "link the objects of which it was made" });
  }
  file.table(table, count, CoffSize.SECTION, "the section table");
  file.table(symbols, symbolCount, symbolSize, "the symbol table");
  let strings = symbols + symbolCount * symbolSize;
  let stringsEnd = strings;
  // An object without long names may end with its symbols.
  if (symbols === 0) strings = stringsEnd = bytes.length;
  else if (strings + 4 <= bytes.length) {
    stringsEnd = strings + Math.max(4, view.getUint32(strings, true));
    if (stringsEnd > bytes.length) throw malformed(name, "the string table passes the end of the file");
  }
  const headers = { file, isBig, symbols, symbolCount, strings, stringsEnd, sections: [] };
  return { ...headers, sections: readSections(headers, table, count) };
}

const EXECUTABLE_IMAGE = 2;

function readSections(headers: CoffFile, table: number, count: number): CoffSection[] {
  const { file } = headers;
  const { view, bytes, name: path } = file;
  const sections: CoffSection[] = [];
  let total = 0;
  for (let number = 1; number <= count; number++) {
    const at = table + (number - 1) * CoffSize.SECTION;
    const name = sectionName(headers, at, number);
    const flags = view.getUint32(at + 36, true);
    const size = view.getUint32(at + 16, true);
    const offset = view.getUint32(at + 20, true);
    const hasBytes = (flags & CoffFlag.CNT_UNINITIALIZED_DATA) === 0 && offset !== 0;
    if (hasBytes && size > 0 && offset + size > bytes.length) {
      throw malformed(path, `the section's ${size} bytes lie outside the file`, { section: name, offset });
    }
    let relocations = view.getUint32(at + 24, true);
    let relocationCount = view.getUint16(at + 32, true);
    if ((flags & CoffFlag.LNK_NRELOC_OVFL) !== 0 && relocationCount === 0xffff) {
      // The first record holds the count, itself included.
      file.table(relocations, 1, CoffSize.RELOCATION, "the relocation table");
      relocationCount = view.getUint32(relocations, true) - 1;
      if (relocationCount < 0) throw malformed(path, "the count of relocations is 0", { section: name });
      relocations += CoffSize.RELOCATION;
    }
    file.table(relocations, relocationCount, CoffSize.RELOCATION, "the relocation table");
    total += relocationCount * CoffSize.RELOCATION + (hasBytes ? size : 0);
    const alignment = alignmentOf(flags);
    sections.push({
      number,
      name,
      offset: hasBytes ? offset : 0,
      size,
      flags,
      alignment,
      hasBytes,
      relocations,
      relocationCount,
    });
  }
  // Overlapping tables would let a small file ask for any amount of memory.
  if (total > bytes.length) throw malformed(path, "sections overlap in the file");
  return sections;
}

function alignmentOf(flags: number): number {
  if ((flags & CoffFlag.TYPE_NO_PAD) !== 0) return 1;
  const power = (flags >>> 20) & 15;
  return power === 0 ? 16 : 1 << (power - 1);
}

/** Returns the name of a section: 8 bytes, or `/` and the offset of a longer one, in base 64 behind `//`. */
function sectionName(headers: CoffFile, at: number, number: number): string {
  const { bytes, name: path } = headers.file;
  const name = decodeText(bytes, at, textEnd(bytes, at, at + 8));
  if (!name.startsWith("/")) return name;
  const offset = name.startsWith("//") ? base64(name.slice(2)) : /^\/\d+$/.test(name) ? +name.slice(1) : NaN;
  const [start, stop] = longName(headers, offset) ?? [];
  if (start === undefined) {
    throw malformed(path, "a section's name lies outside the string table", { section: `#${number}` });
  }
  return decodeText(bytes, start, stop!);
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function base64(text: string): number {
  let value = 0;
  for (const letter of text) {
    const digit = DIGITS.indexOf(letter);
    if (digit === -1) return NaN;
    value = value * 64 + digit;
  }
  return value;
}

/** Returns where a name of the string table begins and ends; undefined if it is not in the table. */
export function longName(
  { file, strings, stringsEnd }: CoffFile,
  offset: number,
): readonly [start: number, end: number] | undefined {
  const start = strings + offset;
  if (!(offset >= 4 && start < stringsEnd)) return undefined;
  const end = file.nameEnd(start, stringsEnd);
  return end === -1 ? undefined : [start, end];
}
