/**
 * Reads the members of import libraries as Microsoft's tools, LLVM and zig write them ("PE Format", "Import Library
 * Format"): a header, the symbol's name, and the name of the DLL.
 */
import { decodeText, InputBytes } from "../elf/bytes.ts";
import type { ElfObject } from "../elf/object.ts";
import { malformed, unsupported } from "../problems.ts";
import { checkCoffMachine } from "./file.ts";
import { importedObject } from "./import_object.ts";

const HEADER_SIZE = 20;

/** A file name, which file systems limit to 255 bytes. */
const LIBRARY_NAME = /^[^\\/:*?"<>|\p{Cc}]{1,255}$/u;

/** IMPORT_CODE, IMPORT_DATA, IMPORT_CONST. */
const ImportType = { CODE: 0, CONST: 2 } as const;

/** IMPORT_ORDINAL and so on: how the DLL's name of an import follows from the symbol's. */
const ImportName = { ORDINAL: 0, NAME: 1, NO_PREFIX: 2, UNDECORATE: 3, EXPORT_AS: 4 } as const;

/** Returns the object that stands for an import. */
export function readShortImport(path: string, bytes: Uint8Array): ElfObject {
  const file = new InputBytes(path, bytes);
  const { view } = file;
  file.table(0, 1, HEADER_SIZE, "an import's header");
  checkCoffMachine(path, view.getUint16(6, true));
  const end = HEADER_SIZE + view.getUint32(12, true);
  if (end > bytes.length) throw malformed(path, "the names of an import pass the end of the file");
  const flags = view.getUint16(18, true);
  const type = flags & 3, nameType = (flags >>> 2) & 7;
  let at = HEADER_SIZE;
  const text = (): string => {
    const start = at, stop = file.nameEnd(start, end);
    if (stop <= start) throw malformed(path, "an import has no name", { offset: start });
    at = stop + 1;
    return decodeText(bytes, start, stop);
  };
  const name = text(), library = text();
  if (!LIBRARY_NAME.test(library)) {
    throw malformed(path, "the name of an import's DLL is not that of a file", { symbol: name });
  }
  if (type > ImportType.CONST) {
    throw malformed(path, `the type ${type} of an import is unknown`, { symbol: name });
  }
  return importedObject(path, {
    name,
    exported: exportedName(nameType, name, path, library, text),
    isFunction: type === ImportType.CODE,
  }, library);
}

function exportedName(
  nameType: number,
  name: string,
  path: string,
  library: string,
  next: () => string,
): string {
  switch (nameType) {
    case ImportName.NAME:
      return name;
    case ImportName.NO_PREFIX:
      return name.replace(/^[?@_]/, "");
    case ImportName.UNDECORATE:
      return name.replace(/^[?@_]/, "").replace(/@.*$/s, "");
    case ImportName.EXPORT_AS:
      return next();
    case ImportName.ORDINAL:
      throw byOrdinal(path, name, library);
    default:
      throw malformed(path, `the kind ${nameType} of an import's name is unknown`, { symbol: name });
  }
}

/** The error for a function that a DLL exports by a number only. */
export function byOrdinal(path: string, symbol: string, library: string | undefined): Error {
  const from = library === undefined ? "its DLL" : `'${library}'`;
  return unsupported(path, `${from} exports '${symbol}' by a number, not by a name`, {
    symbol,
    hint: "give its address in the option `imports` when the module is loaded, and leave the library out",
  });
}
