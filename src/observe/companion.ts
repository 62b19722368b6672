/**
 * Reads the companion file of a module: the sections of debug information of an ELF file.
 */
import { LoadError } from "../errors/load_error.ts";
import { RecordSize, SectionType } from "../os/elf.ts";

/**
 * Returns the sections of debug information by their names, as views of the file.
 *
 * @throws {LoadError} `InvalidFormat` if the file is not an ELF file of 64 bits, or its tables lead out of it.
 */
export function companionSections(bytes: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isElf = bytes.length >= RecordSize.EHDR && view.getUint32(0) === 0x7f454c46 && bytes[4] === 2 &&
    bytes[5] === 1;
  if (!isElf) throw damaged("it is not an ELF file of 64 bits");
  const word = (at: number): number =>
    view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
  const table = word(40), count = view.getUint16(60, true), names = view.getUint16(62, true);
  if (table + count * RecordSize.SHDR > bytes.length || names >= count) {
    throw damaged("its section table lies outside the file");
  }
  const contentsOf = (index: number): Uint8Array => {
    const header = table + index * RecordSize.SHDR;
    const start = word(header + 24), end = start + word(header + 32);
    if (end > bytes.length) throw damaged("a section lies outside the file");
    return bytes.subarray(start, end);
  };
  const text = contentsOf(names);
  const sections = new Map<string, Uint8Array>();
  for (let index = 1; index < count; index++) {
    const header = table + index * RecordSize.SHDR;
    if (view.getUint32(header + 4, true) !== SectionType.PROGBITS) continue;
    const start = view.getUint32(header, true), end = text.indexOf(0, start);
    const name = end < start ? "" : new TextDecoder().decode(text.subarray(start, end));
    if (name.startsWith(".debug_")) sections.set(name, contentsOf(index));
  }
  return sections;
}

function damaged(problem: string): LoadError {
  return new LoadError("InvalidFormat", `Cannot read companion file: ${problem}`, {
    hint: "link the module again, and put both files in one folder",
  });
}
