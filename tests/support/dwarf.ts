// Debug information by hand: one unit, each of whose entries has an abbreviation of its own.
import { ATTRIBUTES as At, Form, Tag } from "../../src/types/dwarf/constants.ts";
import { collectTypes, ModuleTypes } from "../../src/types/dwarf/collect.ts";
import type { DwarfSections } from "../../src/types/dwarf/sections.ts";
import type { TypeRecord } from "../../src/types/model.ts";
import { readType } from "../../src/types/spelling.ts";

/** The address of the variable that units describe. */
const ADDRESS = [0x40, 0x33, 0x22, 0x11, 0, 0, 0, 0];
const ROOT = 0x11223340;

/** An attribute: its form and the bytes of its value. Of a form `ref4` the name of an entry may stand for them. */
export type Attribute = readonly [attribute: number, form: number, ...value: (number | string)[]];

/** An entry with its attributes and children. */
export interface Die {
  readonly tag: number;
  readonly attributes?: readonly Attribute[];
  readonly children?: readonly Die[];
  /** The name by which attributes refer to it. */
  readonly label?: string;
  /** Uses the abbreviation with this code, without declaring one. */
  readonly code?: number;
}

/** The header of a unit, and what stands beside it. */
export interface UnitOptions {
  readonly version?: number;
  readonly kind?: number;
  readonly addressSize?: number;
  /** Attributes of the unit's own entry. */
  readonly root?: readonly Attribute[];
  /** Added to the unit's length. */
  readonly longer?: number;
  /** Bytes behind the entries, within the unit. */
  readonly behind?: readonly number[];
  /** Changes the abbreviations. */
  readonly abbrev?: (bytes: number[]) => number[];
  readonly str?: Uint8Array;
}

/** The location of the variable that is looked for. */
export const LOCATION: Attribute = [At.location, Form.exprloc, 9, 0x03, ...ADDRESS];

/** A variable of the type with the label `type`, and further entries. */
export function variableOf(type: Die, ...more: readonly Die[]): Die[] {
  const variable = { tag: Tag.variable, attributes: [LOCATION, [At.type, Form.ref4, "type"] as const] };
  return [variable, { label: "type", ...type }, ...more];
}

/** Makes the sections of one unit. */
export function dwarf(entries: readonly Die[], options: UnitOptions = {}): DwarfSections {
  const { version = 5, kind = 1, addressSize = 8, root = [], longer = 0, behind = [], str } = options;
  const abbrev: number[] = [];
  const body: number[] = [];
  const start = version === 5 ? 12 : 11;
  const labels = new Map<string, number>();
  const references: { readonly at: number; readonly label: string }[] = [];
  let codes = 0;
  const write = ({ tag, attributes = [], children, label, code }: Die): void => {
    if (label !== undefined) labels.set(label, start + body.length);
    const own = code ?? ++codes;
    if (code === undefined) {
      const implicit = ([attribute, form, ...value]: Attribute) =>
        form === Form.implicitConst ? [attribute, form, ...value] : [attribute, form];
      abbrev.push(...[own, tag, children === undefined ? 0 : 1], ...uleb(attributes.flatMap(implicit)), 0, 0);
    }
    body.push(own);
    for (const [, form, ...value] of attributes) {
      if (form === Form.implicitConst) continue;
      for (const item of value) {
        if (typeof item === "number") body.push(item);
        else {
          references.push({ at: body.length, label: item });
          body.push(0, 0, 0, 0);
        }
      }
    }
    if (children === undefined) return;
    children.forEach(write);
    body.push(0);
  };
  write({ tag: Tag.compileUnit, attributes: [[At.language, Form.data1, 0x1d], ...root], children: entries });
  body.push(...behind);
  for (const { at, label } of references) {
    const offset = labels.get(label)!;
    body.splice(at, 4, offset & 0xff, offset >> 8, 0, 0);
  }
  const length = start - 4 + body.length + longer;
  const sizes = version === 5 ? [kind, addressSize, 0, 0, 0, 0] : [0, 0, 0, 0, addressSize];
  const header = [length & 0xff, (length >> 8) & 0xff, length >> 16, 0, version, 0, ...sizes];
  const { abbrev: change = (bytes) => bytes } = options;
  return sectionsOf(Uint8Array.from([...header, ...body]), Uint8Array.from(change([...abbrev, 0])), str);
}

/** Names, forms and constants are bytes; vendors' attributes take two. */
function uleb(values: readonly (number | string)[]): number[] {
  return values.flatMap((value) =>
    Number(value) > 0xff ? [(Number(value) & 0x7f) | 0x80, Number(value) >> 7] : [Number(value)]
  );
}

/** Makes sections of bytes; the addresses of the variable are found wherever they stand, and at `places`. */
export function sectionsOf(
  info: Uint8Array,
  abbrev: Uint8Array,
  str?: Uint8Array,
  places: number[] = [],
): DwarfSections {
  for (let at = 0; at + 8 <= info.length; at++) {
    if (ADDRESS.every((byte, index) => info[at + index] === byte)) places.push(at);
  }
  const relocations = { word: () => undefined, address: () => undefined, wordsThatAre: () => places };
  return {
    info: [{ bytes: info, relocations, isTypes: false }],
    abbrev,
    str,
    lineStr: undefined,
    strOffsets: undefined,
    addr: undefined,
  };
}

/** Reads the types of the variable; `module` has those of other objects. */
export function collected(
  sections: DwarfSections,
  module: ModuleTypes = new ModuleTypes(),
): (TypeRecord | undefined)[] {
  collectTypes(sections, { addresses: new Set([ROOT]), byName: new Map() }, module);
  const { types } = module;
  return Array.from({ length: types.length }, (_, id) => id === 0 ? undefined : readType(types, id));
}
