/**
 * Reads line programs (DWARF 5, 6.2; the versions 2 to 5): a unit's table of files, and the rows that its
 * instructions make.
 */
import { damaged } from "../damaged.ts";
import { Form } from "./constants.ts";
import { Cursor } from "./cursor.ts";
import { LineTable } from "./line_table.ts";
import { valueAt } from "./values.ts";

/** The sections that line programs are in. */
export interface LineSections {
  readonly line: Uint8Array;
  readonly str: Uint8Array | undefined;
  readonly lineStr: Uint8Array | undefined;
}

/** DW_LNS_*. */
const Standard = {
  copy: 1,
  advancePc: 2,
  advanceLine: 3,
  setFile: 4,
  setColumn: 5,
  constAddPc: 8,
  fixedAdvancePc: 9,
} as const;

/** DW_LNE_*. */
const Extended = { endSequence: 1, setAddress: 2 } as const;

/** DW_LNCT_*. */
const Content = { path: 1, folder: 2 } as const;

const decoder = new TextDecoder();

interface Header {
  readonly version: number;
  readonly minimumLength: number;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** The number of operands of each standard operation, by opcode. */
  readonly operands: readonly number[];
}

/**
 * Reads the line program at an offset.
 *
 * @param folder The folder in which the compiler ran, to which paths are relative.
 * @throws {LoadError} `InvalidFormat` if it is damaged.
 */
export function readLines(sections: LineSections, offset: number, folder: string): LineTable {
  const cursor = new Cursor(sections.line, offset);
  const length = cursor.u32();
  const end = cursor.at + length;
  if (end > sections.line.length) throw damaged("a line program passes the end of its section");
  const version = cursor.u16();
  if (version < 2 || version > 5) throw damaged(`a line program has the version ${version}, not 2 to 5`);
  // Sizes of addresses and of segment selectors.
  if (version === 5) cursor.take(2);
  const headerLength = cursor.u32();
  const program = cursor.at + headerLength;
  const minimumLength = cursor.u8();
  // Operations for each instruction, which only processors with very long instructions need.
  if (version >= 4) cursor.u8();
  cursor.u8();
  const lineBase = cursor.u8() << 24 >> 24;
  const lineRange = cursor.u8();
  const opcodeBase = cursor.u8();
  if (lineRange === 0 || opcodeBase === 0) throw damaged("a line program cannot advance");
  const operands = [0];
  for (let opcode = 1; opcode < opcodeBase; opcode++) operands.push(cursor.u8());
  const files = version === 5 ? readTables(cursor, sections, folder) : readLists(cursor, folder);
  const table = new LineTable(files);
  cursor.at = program;
  run(cursor, end, { version, minimumLength, lineBase, lineRange, opcodeBase, operands }, table);
  return table;
}

/** Joins paths as the compiler means them; they are those of the machine that compiled. */
function join(folder: string, path: string): string {
  if (folder === "" || /^(?:[/\\]|[A-Za-z]:[/\\])/.test(path)) return path;
  return /[/\\]$/.test(folder) ? folder + path : `${folder}/${path}`;
}

/** Reads the lists of folders and files of DWARF 2 to 4, which count from 1; the folder 0 is the compiler's. */
function readLists(cursor: Cursor, folder: string): Map<number, string> {
  const folders = [folder];
  for (let text = readText(cursor); text !== ""; text = readText(cursor)) folders.push(join(folder, text));
  const files = new Map<number, string>();
  for (let text = readText(cursor); text !== ""; text = readText(cursor)) {
    files.set(files.size + 1, join(folders[cursor.uleb()] ?? folder, text));
    // The time and the size of the file.
    cursor.uleb();
    cursor.uleb();
  }
  return files;
}

function readText(cursor: Cursor): string {
  return textAt(cursor.bytes, cursor.text());
}

function textAt(bytes: Uint8Array | undefined, at: number): string {
  const end = bytes === undefined || at >= bytes.length ? -1 : bytes.indexOf(0, at);
  if (end === -1) throw damaged("a text lies outside its section");
  return decoder.decode(bytes!.subarray(at, end));
}

/** Reads the tables of folders and files of DWARF 5, which count from 0. */
function readTables(cursor: Cursor, sections: LineSections, folder: string): Map<number, string> {
  const folders: string[] = [];
  readTable(cursor, sections, (path) => folders.push(join(folder, path)));
  const files = new Map<number, string>();
  readTable(cursor, sections, (path, number) => files.set(files.size, join(folders[number] ?? folder, path)));
  return files;
}

function readTable(
  cursor: Cursor,
  sections: LineSections,
  add: (path: string, folder: number) => void,
): void {
  const format: [content: number, form: number][] = [];
  for (let left = cursor.u8(); left > 0; left--) format.push([cursor.uleb(), cursor.uleb()]);
  const count = cursor.uleb();
  // Records without fields would make any number of entries from no bytes.
  if (count > 0 && (format.length === 0 || count > cursor.bytes.length)) {
    throw damaged("a table of files is damaged");
  }
  for (let left = count; left > 0; left--) {
    let [path, folder] = ["", 0];
    for (const [content, form] of format) {
      const value = readField(cursor, sections, form);
      if (content === Content.path) path = String(value);
      if (content === Content.folder) folder = Number(value);
    }
    add(path, folder);
  }
}

function readField(cursor: Cursor, sections: LineSections, form: number): string | number {
  switch (form) {
    case Form.string:
      return readText(cursor);
    case Form.lineStrp:
      return textAt(sections.lineStr, cursor.u32());
    case Form.strp:
      return textAt(sections.str, cursor.u32());
    case Form.udata:
    case Form.data1:
    case Form.data2:
    case Form.data4:
    case Form.data8:
      return valueAt(cursor, form, 0);
    case Form.data16:
      return cursor.take(16);
    case Form.block:
      return cursor.take(cursor.uleb());
    default:
      throw damaged(`a table of files has the form 0x${form.toString(16)}`);
  }
}

/** Runs a program. Each operation takes a byte or more and makes one row at most. */
function run(cursor: Cursor, end: number, header: Header, table: LineTable): void {
  const { minimumLength, lineBase, lineRange, opcodeBase, operands } = header;
  let [address, file, line, column] = [0, 1, 1, 0];
  const special = (opcode: number): void => {
    const adjusted = opcode - opcodeBase;
    address += Math.floor(adjusted / lineRange) * minimumLength;
    line += lineBase + adjusted % lineRange;
  };
  while (cursor.at < end) {
    const opcode = cursor.u8();
    if (opcode >= opcodeBase) {
      special(opcode);
      table.add(address, file, line, column);
      continue;
    }
    switch (opcode) {
      case 0: {
        const size = cursor.uleb();
        const next = cursor.at + size;
        const kind = size === 0 ? 0 : cursor.u8();
        if (kind === Extended.endSequence) {
          table.endSequence(address);
          [address, file, line, column] = [0, 1, 1, 0];
        } else if (kind === Extended.setAddress && size === 9) {
          address = cursor.u64();
        }
        cursor.at = next;
        break;
      }
      case Standard.copy:
        table.add(address, file, line, column);
        break;
      case Standard.advancePc:
        address += cursor.uleb() * minimumLength;
        break;
      case Standard.advanceLine:
        line += Number(cursor.sleb());
        break;
      case Standard.setFile:
        file = cursor.uleb();
        break;
      case Standard.setColumn:
        column = cursor.uleb();
        break;
      case Standard.constAddPc:
        address += Math.floor((255 - opcodeBase) / lineRange) * minimumLength;
        break;
      case Standard.fixedAdvancePc:
        address += cursor.u16();
        break;
      default:
        for (let left = operands[opcode]; left > 0; left--) cursor.uleb();
    }
  }
}
