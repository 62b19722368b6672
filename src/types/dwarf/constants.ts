/**
 * Numbers of DWARF 4 and 5 (chapter 7, "Data Representation"), as far as types need them.
 */

/** DW_TAG_*. */
export const Tag = {
  array: 0x01,
  class: 0x02,
  enumeration: 0x04,
  parameter: 0x05,
  lexicalBlock: 0x0b,
  member: 0x0d,
  pointer: 0x0f,
  reference: 0x10,
  compileUnit: 0x11,
  structure: 0x13,
  subroutine: 0x15,
  typedef: 0x16,
  union: 0x17,
  unspecifiedParameters: 0x18,
  inheritance: 0x1c,
  memberPointer: 0x1f,
  subrange: 0x21,
  base: 0x24,
  const: 0x26,
  enumerator: 0x28,
  subprogram: 0x2e,
  variantPart: 0x33,
  variable: 0x34,
  volatile: 0x35,
  restrict: 0x37,
  namespace: 0x39,
  unspecified: 0x3b,
  typeUnit: 0x41,
  rvalueReference: 0x42,
  atomic: 0x47,
  skeletonUnit: 0x4a,
} as const;

/** DW_AT_*: the attributes that are read. */
export const ATTRIBUTES = {
  sibling: 0x01,
  location: 0x02,
  name: 0x03,
  byteSize: 0x0b,
  bitOffset: 0x0c,
  bitSize: 0x0d,
  lowPc: 0x11,
  language: 0x13,
  constValue: 0x1c,
  upperBound: 0x2f,
  producer: 0x25,
  prototyped: 0x27,
  abstractOrigin: 0x31,
  calling: 0x36,
  count: 0x37,
  memberLocation: 0x38,
  declaration: 0x3c,
  encoding: 0x3e,
  external: 0x3f,
  specification: 0x47,
  type: 0x49,
  virtuality: 0x4c,
  containingType: 0x1d,
  artificial: 0x34,
  signature: 0x69,
  dataBitOffset: 0x6b,
  linkageName: 0x6e,
  strOffsetsBase: 0x72,
  addrBase: 0x73,
  dwoName: 0x76,
  defaulted: 0x8b,
  mipsLinkageName: 0x2007,
  gnuVector: 0x2107,
  gnuDwoName: 0x2130,
} as const;

/** The attributes that are read, numbered from 0 on. */
export const At = Object.fromEntries(Object.keys(ATTRIBUTES).map((name, index) => [name, index])) as {
  readonly [name in keyof typeof ATTRIBUTES]: number;
};

/** The members of {@linkcode At}, plus 1, by DW_AT_*; 0 for attributes that are not read. */
export const ATTRIBUTE_INDEX = new Uint8Array(Math.max(...Object.values(ATTRIBUTES)) + 1);
Object.values(ATTRIBUTES).forEach((attribute, index) => ATTRIBUTE_INDEX[attribute] = index + 1);

/** DW_FORM_*. */
export const Form = {
  addr: 0x01,
  block2: 0x03,
  block4: 0x04,
  data2: 0x05,
  data4: 0x06,
  data8: 0x07,
  string: 0x08,
  block: 0x09,
  block1: 0x0a,
  data1: 0x0b,
  flag: 0x0c,
  sdata: 0x0d,
  strp: 0x0e,
  udata: 0x0f,
  refAddr: 0x10,
  ref1: 0x11,
  ref2: 0x12,
  ref4: 0x13,
  ref8: 0x14,
  refUdata: 0x15,
  indirect: 0x16,
  secOffset: 0x17,
  exprloc: 0x18,
  flagPresent: 0x19,
  strx: 0x1a,
  addrx: 0x1b,
  refSup4: 0x1c,
  strpSup: 0x1d,
  data16: 0x1e,
  lineStrp: 0x1f,
  refSig8: 0x20,
  implicitConst: 0x21,
  loclistx: 0x22,
  rnglistx: 0x23,
  refSup8: 0x24,
  strx1: 0x25,
  strx2: 0x26,
  strx3: 0x27,
  strx4: 0x28,
  addrx1: 0x29,
  addrx2: 0x2a,
  addrx3: 0x2b,
  addrx4: 0x2c,
} as const;

/** DW_UT_*. */
export const UnitType = {
  compile: 1,
  type: 2,
  partial: 3,
  skeleton: 4,
  splitCompile: 5,
  splitType: 6,
} as const;
