/**
 * The five layouts of an SMF file, as tables: field, offset, size in bytes. Field
 * names are the specification's. All integers are little-endian; bytes that no
 * table lists are padding or reserved, ignored on reading and zero on writing.
 */

/** The offset of a field in its record, and its width in bytes. */
export type Field = readonly [offset: number, size: 1 | 2 | 4 | 8];

/** Header fields that every layout has. */
export type HeaderField =
  | "version_major"
  | "version_minor"
  | "platform"
  | "arch"
  | "flags"
  | "section_count"
  | "section_table_offset"
  | "symbol_table_offset"
  | "symbol_count"
  | "exported_count"
  | "entry_point"
  | "module_hash"
  | "source_hash";

/** Header fields that only H96 and P128 have. */
export type ExtraHeaderField =
  | "compression"
  | "compression_level"
  | "stub_size"
  | "smf_data_offset"
  | "app_type"
  | "window_width"
  | "window_height"
  | "prefetch_hint"
  | "prefetch_file_count";

/** The header of a layout. */
export interface HeaderLayout {
  /** Its size in bytes. */
  readonly size: number;
  /** The fields. */
  readonly fields: Readonly<Record<HeaderField, Field> & Partial<Record<ExtraHeaderField, Field>>>;
  /**
   * The offset of six bytes that the format leaves unused: in five this package records how `module_hash` was made,
   * in the sixth the level of processors that the file needs.
   */
  readonly mark: number;
}

/** The names of the layouts. H96 may be at either end of a file. */
export type LayoutName = "H72" | "H80" | "H96" | "H96-trailer" | "P128";

/** Everything in which a layout differs from the others. */
export interface Layout {
  /** Its name. */
  readonly name: LayoutName;
  /** Whether this package writes the header at the end of the file. */
  readonly trailer: boolean;
  /** The header. */
  readonly header: HeaderLayout;
  /** An entry of the section table. */
  readonly section: SectionLayout;
  /** Size of a symbol in bytes: 40, or 56 with the template fields. */
  readonly symbolSize: 40 | 56;
  /** The number to add to a stored symbol type to get the common numbering. */
  readonly symbolTypeBase: 0 | 1;
}

/** An entry of the section table. */
export interface SectionLayout {
  /** Its size in bytes. */
  readonly size: number;
  /** The fields other than the name. */
  readonly fields: Readonly<
    Record<"section_type" | "flags" | "offset" | "size" | "virtual_size" | "alignment", Field>
  >;
  /** The offset of the 16 bytes of the name. */
  readonly name: number;
  /**
   * The offset of the name in records of writers that store the alignment in 64
   * bits: those with zeros at `name` and something here. Absent if there are none.
   */
  readonly nameBehindLongAlignment?: number;
}

/** The first four bytes of every header: "SMF" and a NUL. */
export const MAGIC = "SMF\0";
/** The bytes at the layout's `mark` in files of this package's writer. */
export const WRITER_MARK = "XXH32";
/** Size of a relocation in bytes. */
export const RELOCATION_SIZE = 24;
/** Size of a section's name field in bytes. */
export const SECTION_NAME_SIZE = 16;

/** The fields in bytes 4..11, which are the same in all layouts, so that they can be checked before the layout is known. */
export const COMMON_FIELDS = {
  version_major: [4, 1],
  version_minor: [5, 1],
  platform: [6, 1],
  arch: [7, 1],
  flags: [8, 4],
} as const satisfies Record<string, Field>;

const H72_FIELDS = {
  ...COMMON_FIELDS,
  section_count: [12, 4],
  section_table_offset: [16, 8],
  symbol_table_offset: [24, 8],
  symbol_count: [32, 4],
  exported_count: [36, 4],
  entry_point: [40, 8],
  module_hash: [48, 8],
  source_hash: [56, 8],
} as const satisfies HeaderLayout["fields"];

const H96_HEADER: HeaderLayout = {
  size: 96,
  fields: {
    ...COMMON_FIELDS,
    compression: [12, 1],
    compression_level: [13, 1],
    section_count: [16, 4],
    section_table_offset: [24, 8],
    symbol_table_offset: [32, 8],
    symbol_count: [40, 4],
    exported_count: [44, 4],
    entry_point: [48, 8],
    stub_size: [56, 4],
    smf_data_offset: [60, 4],
    module_hash: [64, 8],
    source_hash: [72, 8],
    app_type: [80, 1],
    window_width: [82, 2],
    window_height: [84, 2],
    prefetch_hint: [86, 1],
    prefetch_file_count: [87, 1],
  },
  mark: 88,
};

/** A packed header: no field is aligned from byte 20 on. */
const P128_HEADER: HeaderLayout = {
  size: 128,
  fields: {
    ...COMMON_FIELDS,
    compression: [12, 1],
    compression_level: [13, 1],
    section_count: [16, 4],
    section_table_offset: [20, 8],
    symbol_table_offset: [28, 8],
    symbol_count: [36, 4],
    exported_count: [40, 4],
    entry_point: [44, 8],
    stub_size: [52, 4],
    smf_data_offset: [56, 4],
    module_hash: [60, 8],
    source_hash: [68, 8],
    app_type: [76, 1],
    window_width: [77, 2],
    window_height: [79, 2],
    prefetch_hint: [81, 1],
    prefetch_file_count: [82, 1],
  },
  mark: 104, // after the 16 bytes that may hold a hash of compile options
};

const SECTION_56: SectionLayout = {
  size: 56,
  fields: {
    section_type: [0, 1],
    flags: [4, 4],
    offset: [8, 8],
    size: [16, 8],
    virtual_size: [24, 8],
    alignment: [32, 8],
  },
  name: 40,
};

const SECTION_64: SectionLayout = {
  size: 64,
  fields: {
    section_type: [0, 1],
    flags: [4, 4],
    offset: [8, 8],
    size: [16, 8],
    virtual_size: [24, 8],
    alignment: [32, 4],
  },
  name: 36,
  nameBehindLongAlignment: 40,
};

/** The fields of a symbol; the last two only where it has 56 bytes. */
export const SYMBOL_FIELDS = {
  name_offset: [0, 4],
  name_hash: [4, 4],
  sym_type: [8, 1],
  binding: [9, 1],
  visibility: [10, 1],
  flags: [11, 1],
  value: [16, 8],
  size: [24, 8],
  type_id: [32, 4],
  version: [36, 4],
  template_param_count: [40, 1],
  template_offset: [48, 8],
} as const satisfies Record<string, Field>;

/** The fields of a relocation. */
export const RELOCATION_FIELDS = {
  offset: [0, 8],
  symbol_index: [8, 4],
  reloc_type: [12, 1],
  addend: [16, 8],
} as const satisfies Record<string, Field>;

/** The layouts by name. */
export const LAYOUTS: Readonly<Record<LayoutName, Layout>> = {
  H72: {
    name: "H72",
    trailer: false,
    header: { size: 72, fields: H72_FIELDS, mark: 64 },
    section: SECTION_56,
    symbolSize: 40,
    symbolTypeBase: 0,
  },
  // Bytes 64..71 are start-up hints in two variants that cannot be told apart; loading does not need them.
  H80: {
    name: "H80",
    trailer: false,
    header: { size: 80, fields: H72_FIELDS, mark: 72 },
    section: SECTION_56,
    symbolSize: 40,
    symbolTypeBase: 0,
  },
  H96: {
    name: "H96",
    trailer: false,
    header: H96_HEADER,
    section: SECTION_56,
    symbolSize: 56,
    symbolTypeBase: 0,
  },
  "H96-trailer": {
    name: "H96-trailer",
    trailer: true,
    header: H96_HEADER,
    section: SECTION_56,
    symbolSize: 56,
    symbolTypeBase: 0,
  },
  P128: {
    name: "P128",
    trailer: true,
    header: P128_HEADER,
    section: SECTION_64,
    symbolSize: 56,
    symbolTypeBase: 1,
  },
};
