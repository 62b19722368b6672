/**
 * Names that an option defines: as constants, in an object with nothing but absolute symbols, or by
 * other names of the link.
 */
import { SectionIndex, SymbolVisibility } from "../os/elf.ts";
import { Archive, isArchive } from "./elf/archive.ts";
import { readObject } from "./object_file.ts";
import { ElfWriter } from "../os/elf_writer.ts";
import type { ReadInput } from "./resolve.ts";

/** The value of a name: a constant, or a distance from another name. */
export interface Definition {
  /** The other name; undefined for a constant. */
  readonly base: string | undefined;
  readonly offset: number;
}

/** A number as `ld` writes it, with `K` and `M` for 2^10 and 2^20. */
const NUMBER = /^(0[xX][\da-fA-F]+|0[0-7]*|[1-9]\d*)([kKmM]?)$/;
/** A term with the sign in front of it. */
const TERM = /\s*([-+]?)\s*([^\s+-]+)\s*/y;
const SCALES: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 * 1024 };

/**
 * Reads the value of a definition: numbers and at most one name, added or subtracted.
 *
 * @returns undefined for anything else, and for a number beyond 2^53 - 1.
 */
export function parseDefinition(text: string): Definition | undefined {
  let base: string | undefined;
  let offset = 0;
  TERM.lastIndex = 0;
  for (let at = 0; at < text.length; at = TERM.lastIndex) {
    const [, sign, term] = TERM.exec(text) ?? [];
    if (term === undefined || at > 0 && sign === "") return undefined;
    const [, digits, scale] = NUMBER.exec(term) ?? [];
    if (digits !== undefined) {
      const value = /^0\d/.test(digits) ? parseInt(digits, 8) : Number(digits);
      offset += value * SCALES[scale.toUpperCase()] * (sign === "-" ? -1 : 1);
    } else if (base !== undefined || sign === "-" || /^\d|[()*/&|^~<>?:=!,"]/.test(term)) {
      return undefined;
    } else {
      base = term;
    }
  }
  return text.trim() !== "" && Number.isSafeInteger(offset) ? { base, offset } : undefined;
}

/** The value of a name that another one defines. */
export interface AliasDefinition {
  readonly base: string;
  readonly offset: number;
}

/** Splits definitions into constants and distances from other names. */
export function readDefinitions(
  given: Readonly<Record<string, number | string>>,
): { constants: [name: string, value: number][]; aliases: Map<string, AliasDefinition> } {
  const constants: [string, number][] = [];
  const aliases = new Map<string, AliasDefinition>();
  for (const [name, value] of Object.entries(given)) {
    const definition = typeof value === "number"
      ? { base: undefined, offset: value }
      : parseDefinition(value);
    if (definition === undefined) {
      throw new TypeError(
        `Cannot link module: the option \`defsym\` defines '${name}' as '${value}', not as a number, a name, ` +
          "or a name with a number added or subtracted",
      );
    }
    const { base, offset } = definition;
    if (base === undefined) constants.push([name, offset]);
    else aliases.set(name, { base, offset });
  }
  return { constants, aliases };
}

/** Returns the inputs, behind an object that defines the constants. */
export function withConstants(
  inputs: readonly ReadInput[],
  constants: readonly (readonly [name: string, value: number])[],
): readonly ReadInput[] {
  const machine = constants.length === 0 ? undefined : machineOf(inputs);
  if (machine === undefined) return inputs;
  const writer = new ElfWriter(machine);
  for (const [name, value] of constants) {
    writer.symbol({ name, value, section: SectionIndex.ABS, visibility: SymbolVisibility.HIDDEN });
  }
  return [{ name: "(defined by option)", bytes: writer.build() }, ...inputs];
}

/** The processor of the first object, in an archive or not; undefined if there is none. */
export function machineOf(inputs: readonly ReadInput[]): number | undefined {
  for (const { name, bytes, partial } of inputs) {
    if (!isArchive(bytes)) return readObject(name, bytes).machine;
    for (const member of new Archive(name, bytes, partial).objects()) {
      return readObject(member.name, member.bytes, member.partial).machine;
    }
  }
  return undefined;
}
