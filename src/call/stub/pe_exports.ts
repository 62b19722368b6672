/**
 * Writes export directories of DLLs (Microsoft, "PE Format", "The .edata Section").
 */
import { alignUp } from "../../smf/offsets.ts";
import { ascii } from "./pe_headers.ts";

/** The size of an export directory in bytes, without the tables that it names. */
export const EXPORT_DIRECTORY_SIZE = 40;

/** The tables of an export directory ("The .edata Section"), by their offsets in memory. */
export interface ExportTables {
  /** The DLL's name. */
  readonly fileName: number;
  /** The number of exports, each of which has a name. */
  readonly count: number;
  readonly addresses: number;
  readonly names: number;
  readonly ordinals: number;
}

/** Writes an export directory at an offset in the file. Ordinals begin with 1. */
export function writeExportDirectory(
  view: DataView,
  offset: number,
  { fileName, count, addresses, names, ordinals }: ExportTables,
): void {
  view.setUint32(offset + 12, fileName, true); // Name RVA
  view.setUint32(offset + 16, 1, true); // Ordinal Base
  view.setUint32(offset + 20, count, true); // Address Table Entries
  view.setUint32(offset + 24, count, true); // Number of Name Pointers
  view.setUint32(offset + 28, addresses, true);
  view.setUint32(offset + 32, names, true);
  view.setUint32(offset + 36, ordinals, true);
}

/** One export and the tables that it needs, one behind the other. */
export interface SingleExport {
  readonly tables: ExportTables;
  /** The export's name, as an offset in memory. */
  readonly name: number;
  /** The end of everything, aligned for 32-bit words. */
  readonly end: number;
}

/** The places of an export directory at an offset in memory, and of all that it names, for one export. */
export function placeSingleExport(at: number, dll: string, name: string): SingleExport {
  const addresses = at + EXPORT_DIRECTORY_SIZE, names = addresses + 4, ordinals = names + 4;
  const fileName = ordinals + 4, nameAt = fileName + dll.length + 1;
  return {
    tables: { fileName, count: 1, addresses, names, ordinals },
    name: nameAt,
    end: alignUp(nameAt + name.length + 1, 4),
  };
}

/**
 * Writes what {@linkcode placeSingleExport} has placed.
 *
 * @param distance The offset in the file of what is in memory at 0.
 * @param value The offset in memory that the export leads to.
 */
export function writeSingleExport(
  bytes: Uint8Array<ArrayBuffer>,
  { tables, name: nameAt }: SingleExport,
  { distance, dll, name, value }: {
    readonly distance: number;
    readonly dll: string;
    readonly name: string;
    readonly value: number;
  },
): void {
  const view = new DataView(bytes.buffer);
  // The directory stands right before its first table.
  writeExportDirectory(view, tables.addresses - EXPORT_DIRECTORY_SIZE + distance, tables);
  view.setUint32(tables.addresses + distance, value, true);
  view.setUint32(tables.names + distance, nameAt, true);
  bytes.set(ascii(dll), tables.fileName + distance);
  bytes.set(ascii(name), nameAt + distance);
}
