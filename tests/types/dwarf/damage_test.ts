// The checks of debug information: each of them by a unit that only it refuses.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../../src/errors/load_error.ts";
import { ModuleTypes } from "../../../src/types/dwarf/collect.ts";
import { ATTRIBUTES as At, Form, Tag, UnitType } from "../../../src/types/dwarf/constants.ts";
import type { DwarfSections } from "../../../src/types/dwarf/sections.ts";
import {
  type Attribute,
  collected,
  type Die,
  dwarf,
  LOCATION,
  sectionsOf,
  type UnitOptions,
  variableOf,
} from "../../support/dwarf.ts";

const INT: Die = {
  tag: Tag.base,
  attributes: [[At.byteSize, Form.data1, 4], [At.encoding, Form.data1, 5]],
};
/** Attributes that types do not need: DW_AT_decl_line, DW_AT_producer. */
const [DECLARED_LINE, PRODUCER] = [0x3b, 0x25];

const typeOf = (tag: number, ...attributes: Attribute[]): Die => ({ tag, attributes });

function refused(sections: DwarfSections, problem: string, module?: ModuleTypes): void {
  const error = assertThrows(() => collected(sections, module), LoadError, problem);
  assertEquals(error.kind, "InvalidFormat");
}

/** Refuses a variable of a type in a unit with these options. */
function refusedType(type: Die, problem: string, options: UnitOptions = {}, ...more: Die[]): void {
  refused(dwarf(variableOf(type, ...more), options), problem);
}

Deno.test("a unit by hand is read", () => {
  for (const version of [2, 3, 4, 5]) {
    assertEquals(collected(dwarf(variableOf(INT), { version })).slice(1), [
      { kind: "base", name: "", size: 4, encoding: "signed" },
    ]);
  }
});

Deno.test("the header of a unit is checked", () => {
  const { info: [{ bytes }], abbrev } = dwarf(variableOf(INT));
  refused(sectionsOf(bytes.with(0, 0xff).with(1, 0xff).with(2, 0xff).with(3, 0xff), abbrev), "64-bit DWARF");
  refusedType(INT, "a unit passes the end of its section", { longer: 1 });
  for (const version of [1, 6]) refusedType(INT, `it is DWARF ${version}, not 2 to 5`, { version });
  for (const version of [4, 5]) {
    refusedType(INT, "addresses do not have 8 bytes", { version, addressSize: 4 });
  }
  for (const kind of [UnitType.skeleton, UnitType.splitCompile, UnitType.splitType]) {
    refusedType(INT, "the types are in a .dwo file", { kind });
  }
  for (const name of [At.dwoName, At.gnuDwoName]) {
    refusedType(INT, "the types are in a .dwo file", { root: [[name, Form.string, 0]] });
  }
});

Deno.test("abbreviations have one code each, and tables do not overlap", () => {
  refusedType(INT, "two abbreviations have one code", {
    abbrev: (bytes) => [...bytes.slice(0, -1), 1, Tag.base, 0, 0, 0, 0],
  });
  refusedType(INT, "two abbreviations have one code", {
    abbrev: (bytes) => [...bytes.slice(0, -1), 77, Tag.base, 0, 0, 0, 77, Tag.base, 0, 0, 0, 0],
  });
  refusedType({ tag: Tag.base, code: 77 }, "an entry's abbreviation does not exist");
  refusedType(INT, "a record passes the end of its section", { abbrev: (bytes) => bytes.slice(0, -1) });
  refusedType(INT, "a number has too many bytes", {
    abbrev: (bytes) => [...bytes.slice(0, -1), ...new Array(12).fill(0x80), 0],
  });
  // Six units, each with the rest of the table of the one before.
  const { info: [{ bytes }], abbrev } = dwarf([]);
  const rows = Array.from({ length: 20 }, (_, index) => [2 + index, Tag.base, 0, 0, 0]);
  const table = Uint8Array.from([...abbrev.slice(0, -1), ...rows.flat(), 0]);
  const units = [0, ...[1, 2, 3, 4, 5].map((index) => abbrev.length - 1 + 5 * index)].map((offset) =>
    // The unit itself stays unread.
    bytes.with(8, offset)
  );
  refused(sectionsOf(Uint8Array.from(units.flatMap((unit) => [...unit])), table), "abbreviations overlap");
});

Deno.test("forms are known, and indirect ones are not indirect again", () => {
  // The size stands behind it.
  refusedType(typeOf(Tag.base, [At.name, 0x70], [At.byteSize, Form.data1, 4]), "the form 0x70 is unknown");
  for (const form of [Form.indirect, Form.implicitConst]) {
    refusedType(
      typeOf(Tag.base, [At.byteSize, Form.indirect, form, 4]),
      "an indirect form is indirect again",
    );
  }
  const [type] = collected(dwarf(variableOf(typeOf(Tag.base, [At.byteSize, Form.indirect, Form.data1, 4]))))
    .slice(1);
  assert(type?.kind === "base");
  assertEquals(type.size, 4);
});

Deno.test("references lead to entries", () => {
  const pointer = (...to: Attribute) => typeOf(Tag.pointer, to);
  refusedType(pointer(At.type, Form.ref4, 200, 0, 0, 0), "an entry lies outside its unit");
  refusedType(pointer(At.type, Form.ref4, 3, 0, 0, 0), "an entry lies outside its unit");
  refusedType(pointer(At.type, Form.refAddr, 200, 0, 0, 0), "a reference leads to no unit");
  refusedType(pointer(At.type, Form.refAddr, 3, 0, 0, 0), "a reference leads to no unit");
  refusedType(pointer(At.type, Form.refSig8, 1, 2, 3, 4, 5, 6, 7, 8), "a type unit is missing");
  // The end of the list of the unit's children is the last byte but one.
  const sections = (at: number) =>
    dwarf(variableOf(pointer(At.type, Form.ref4, at, 0, 0, 0)), { behind: [0] });
  refused(sections(sections(0).info[0].bytes.length - 2), "a reference leads to no entry");
  const origin: Attribute = [At.abstractOrigin, Form.ref4, "own"];
  refused(
    dwarf([{ tag: Tag.variable, label: "own", attributes: [LOCATION, origin] }]),
    "an entry's origin is itself",
  );
});

Deno.test("entries and their siblings stay in their unit", () => {
  const child = { tag: Tag.base };
  // A sibling at the first attribute, whose bytes are not an entry.
  const backwards: Die = {
    tag: Tag.structure,
    attributes: [[At.sibling, Form.ref4, 15, 0, 0, 0]],
    children: [child],
  };
  refused(dwarf([backwards, ...variableOf(INT)]), "an entry's sibling does not lie ahead in its unit");
  // Half of the last value is the length of the next unit.
  const value: Attribute = [At.constValue, Form.data8, 1, 2, 3, 4, 5, 6, 7, 8];
  const { info: [{ bytes }], abbrev } = dwarf([{ tag: Tag.base, attributes: [value] }], { longer: -5 });
  const next = dwarf([]).info[0].bytes;
  const end = bytes.length - 5;
  refused(
    sectionsOf(Uint8Array.from([...bytes.subarray(0, end), ...next]), abbrev, undefined, [end - 4]),
    "an entry passes the end of its unit",
  );
  // The same within a member of the variable's type, which is passed with all that it contains.
  const members = [{ tag: Tag.structure, children: [{ tag: Tag.base, attributes: [value] }] }];
  const nested = dwarf(variableOf({ tag: Tag.structure, children: members }), { longer: -7 });
  const nestedEnd = nested.info[0].bytes.length - 7;
  refused(
    sectionsOf(Uint8Array.from([...nested.info[0].bytes.subarray(0, nestedEnd), ...next]), nested.abbrev),
    "an entry passes the end of its unit",
  );
});

Deno.test("texts lie in their sections, end, and do not overlap without end", () => {
  const named = (...name: number[]): Die => typeOf(Tag.base, [At.name, Form.strp, ...name, 0, 0, 0]);
  refusedType(named(0), "a text lies outside its section");
  refusedType(named(9), "a text lies outside its section", { str: new Uint8Array(9) });
  for (const before of [-1, -(2 ** 62), NaN]) {
    const sections = dwarf(variableOf(named(0)), { str: new Uint8Array(9) });
    // The last words of the unit: the name's place and the end of the list.
    const isName = (at: number): boolean => at > sections.info[0].bytes.length - 10;
    const info = sections.info.map((section) => ({
      ...section,
      relocations: { ...section.relocations!, word: (at: number) => isName(at) ? before : undefined },
    }));
    refused({ ...sections, info }, "lies outside its section");
  }
  refusedType(named(0), "a text has no end", { str: new Uint8Array(9).fill(0x61) });
  refusedType(named(0), "a text has no end", { str: new Uint8Array(60).fill(0x61) });
  refusedType(typeOf(Tag.base, [At.name, Form.strx1, 0]), "the section .debug_str_offsets is missing");
  const open = dwarf(
    variableOf(typeOf(Tag.base, [PRODUCER, Form.string, 0x61], [At.byteSize, Form.data1, 4])),
    {
      longer: -1,
    },
  );
  // Without the end of the list of entries no byte behind the name is 0.
  refused(sectionsOf(open.info[0].bytes.slice(0, -1), open.abbrev), "a text has no end");
  // Each member's name is all of the section but some bytes.
  const members = Array.from({ length: 100 }, (_, index): Die => ({
    tag: Tag.member,
    attributes: [[At.name, Form.strp, index, 0, 0, 0]],
  }));
  refusedType({ tag: Tag.structure, children: members }, "texts overlap", {
    str: new Uint8Array(6000).fill(0x61).with(5999, 0),
  });
});

Deno.test("sizes and offsets are between 0 and 2^47", () => {
  const size = (...value: [form: number, ...bytes: number[]]): Die =>
    typeOf(Tag.base, [At.byteSize, ...value]);
  const large = [0, 0, 0, 0, 0, 0x81, 0, 0], wide = [0, 0, 0, 0, 0, 0, 0, 0x80];
  for (const bytes of [large, wide]) {
    refusedType(size(Form.data8, ...bytes), "a size is not between 0 and 2^47");
  }
  refusedType(size(Form.sdata, 0x7f), "a size is not between 0 and 2^47");
  collected(dwarf(variableOf(size(Form.data8, 0, 0, 0, 0, 0, 0x80, 0, 0))));
  const member = (...attributes: Attribute[]): Die => ({
    tag: Tag.structure,
    children: [{ tag: Tag.member, attributes }],
  });
  const location = (...value: [form: number, ...bytes: number[]]) => member([At.memberLocation, ...value]);
  for (const bytes of [large, wide]) {
    refusedType(location(Form.data8, ...bytes), "an offset is not between 0 and 2^47");
  }
  refusedType(location(Form.sdata, 0x7f), "an offset is not between 0 and 2^47");
  refusedType(member([At.bitSize, Form.sdata, 0x7f]), "an offset is not between 0 and 2^47");
  // What follows could pass for the expression of an offset.
  refusedType(
    member([At.memberLocation, Form.loclistx, 2], [DECLARED_LINE, Form.data2, 0x23, 5]),
    "the offset of a field is computed",
  );
  refusedType(location(Form.exprloc, 2, 0x06, 0), "the offset of a field is computed");
  const [struct] = collected(dwarf(variableOf(location(Form.exprloc, 2, 0x23, 8)))).slice(1);
  assert(struct?.kind === "struct");
  assertEquals(struct.fields[0].offset, 8);
});

Deno.test("there are bounds of dimensions, and of types", () => {
  const array = (dimensions: number): Die => ({
    tag: Tag.array,
    children: Array.from({ length: dimensions }, (_, index) => ({
      tag: Tag.subrange,
      attributes: [[At.count, Form.data1, 2]] as const,
      // All but the first use its abbreviation, the fourth.
      ...(index > 0 && { code: 4 }),
    })),
  });
  collected(dwarf(variableOf(array(256))));
  refusedType(array(257), "an array has more than 256 dimensions");
  const module = new ModuleTypes();
  while (module.types.length <= 1_000_000) module.types.reserve();
  refused(dwarf(variableOf(INT)), "there are more than 1000000 types", module);
});

Deno.test("an index into .debug_addr needs the section", () => {
  const location: Attribute = [At.location, Form.exprloc, 2, 0xa1, 0];
  // The address stands in the entry, so that it is looked at.
  const value = [At.constValue, Form.data8, ...LOCATION.slice(4)] as unknown as Attribute;
  refused(
    dwarf([{ tag: Tag.variable, attributes: [location, value] }]),
    "the section .debug_addr is missing",
  );
});
