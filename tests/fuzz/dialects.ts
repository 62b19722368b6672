/**
 * The layouts of SMF files once more, for the oracle: written from the
 * description of the format, they share no code with src/.
 */

/** The offset and size of a field in its header, in bytes. */
export type Place = readonly [offset: number, size: number];

/** The fields of a header that are needed to read the rest of the file. */
interface HeaderPlaces {
  readonly size: number;
  readonly sectionCount: Place;
  readonly sectionTable: Place;
  readonly symbolTable: Place;
  readonly symbolCount: Place;
  readonly exportedCount: Place;
  readonly entryPoint: Place;
  readonly moduleHash: Place;
  readonly dataOffset?: Place;
  /** The offset of the mark of this package's writer. */
  readonly mark: number;
}

const H72: HeaderPlaces = {
  size: 72,
  sectionCount: [12, 4],
  sectionTable: [16, 8],
  symbolTable: [24, 8],
  symbolCount: [32, 4],
  exportedCount: [36, 4],
  entryPoint: [40, 8],
  moduleHash: [48, 8],
  mark: 64,
};

const H96: HeaderPlaces = {
  size: 96,
  sectionCount: [16, 4],
  sectionTable: [24, 8],
  symbolTable: [32, 8],
  symbolCount: [40, 4],
  exportedCount: [44, 4],
  entryPoint: [48, 8],
  dataOffset: [60, 4],
  moduleHash: [64, 8],
  mark: 88,
};

const P128: HeaderPlaces = {
  size: 128,
  sectionCount: [16, 4],
  sectionTable: [20, 8],
  symbolTable: [28, 8],
  symbolCount: [36, 4],
  exportedCount: [40, 4],
  entryPoint: [44, 8],
  dataOffset: [56, 4],
  moduleHash: [60, 8],
  mark: 104,
};

/** The five layouts: the fields of their headers, and the sizes of their section and symbol records. */
export const DIALECTS: Readonly<Record<string, { header: HeaderPlaces; section: number; symbol: number }>> = {
  H72: { header: H72, section: 56, symbol: 40 },
  H80: { header: { ...H72, size: 80, mark: 72 }, section: 56, symbol: 40 },
  H96: { header: H96, section: 56, symbol: 56 },
  "H96-trailer": { header: H96, section: 56, symbol: 56 },
  P128: { header: P128, section: 64, symbol: 56 },
};

/** The size of a relocation record. */
export const RELOCATION = 24;
