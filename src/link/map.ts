/**
 * What a link did, for people and for tests.
 */

/** One input section and where it went. */
export interface MapEntry {
  /** The object, or archive member as `libz.a(crc32.o)`. */
  readonly object: string;
  /** Its name there. */
  readonly section: string;
  /** Offset in the image. */
  readonly address: number;
  /** In bytes. */
  readonly size: number;
}

/** A section of the module. */
export interface MapSection {
  /** Its name. */
  readonly name: string;
  /** Which group it is in. */
  readonly kind: "code" | "rodata" | "data" | "bss";
  /** Offset in the image. */
  readonly address: number;
  /** In bytes. */
  readonly size: number;
  /** A power of two. */
  readonly alignment: number;
  /** What it was made of. */
  readonly entries: readonly MapEntry[];
}

/** An archive member that was pulled in. */
export interface MapMember {
  /** The member, as `libz.a(crc32.o)`. */
  readonly member: string;
  /** The symbol that it was pulled in for. */
  readonly symbol: string;
  /** The object that needs the symbol; absent when an option asked for it. */
  readonly neededBy?: string;
}

/** A section that is not in the module. */
export interface MapDropped {
  /** The object, or archive member. */
  readonly object: string;
  /** Its name there. */
  readonly section: string;
  /** In bytes. */
  readonly size: number;
  /** `unreachable` from any root, or a `duplicate` of a COMDAT group that is there already. */
  readonly reason: "unreachable" | "duplicate";
}

/** A name that the module exports. */
export interface MapExport {
  /** The symbol. */
  readonly name: string;
  /** Offset in the image. */
  readonly address: number;
  /** In bytes. */
  readonly size: number;
  /** What it names. */
  readonly kind: "function" | "data";
}

/** A name that must be answered when the module is loaded. */
export interface MapImport {
  /** The symbol. */
  readonly name: string;
  /** Whether it may stay unanswered, and is 0 then. */
  readonly weak: boolean;
  /** The objects that refer to it. */
  readonly neededBy: readonly string[];
}

/** What a link did. */
export interface LinkMap {
  /** Of the module, in file order. */
  readonly sections: readonly MapSection[];
  /** Archive members that were pulled in. */
  readonly members: readonly MapMember[];
  /** Sections that were left out. */
  readonly dropped: readonly MapDropped[];
  /** What the module offers. */
  readonly exports: readonly MapExport[];
  /** What it needs. */
  readonly imports: readonly MapImport[];
  /** How many relocations the linker settled, and how many it left to the loader. */
  readonly relocations: { readonly applied: number; readonly kept: number };
}

function hex(value: number, digits = 8): string {
  return value.toString(16).padStart(digits, "0");
}

/**
 * The map as `smf link --map` prints it: one thing a line, tables with fixed columns.
 *
 * @param map What `linkObjects` returned beside the bytes.
 * @returns lines, the last one ended too. Addresses are offsets in the module's image, sizes are bytes.
 *
 * @example
 * ```ts
 * import { formatMap, linkObjects } from "@simple/loader/link";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const object = { name: "arith.o", bytes: Deno.readFileSync("fixtures/c/arith.o") };
 * assertStringIncludes(formatMap(linkObjects([object]).map), "add_i32");
 * ```
 */
export function formatMap(map: LinkMap): string {
  const lines: string[] = [];
  for (const section of map.sections) {
    lines.push(`${hex(section.address)} ${hex(section.size)} ${section.kind.padEnd(6)} ${section.name}`);
    for (const entry of section.entries) {
      lines.push(`  ${hex(entry.address)} ${hex(entry.size)} ${entry.section} ${entry.object}`);
    }
  }
  const part = (title: string, rows: readonly string[]): void => {
    if (rows.length > 0) lines.push("", title, ...rows.map((row) => `  ${row}`));
  };
  part(
    "exports",
    map.exports.map(({ name, address, size, kind }) => `${hex(address)} ${hex(size)} ${kind} ${name}`),
  );
  part(
    "imports",
    map.imports.map(({ name, weak, neededBy }) =>
      `${name}${weak ? " (weak)" : ""} needed by ${neededBy.join(", ")}`
    ),
  );
  part(
    "archive members",
    map.members.map(({ member, symbol, neededBy }) =>
      `${member} for ${symbol}, ${neededBy ?? "asked for by option"}`
    ),
  );
  part(
    "dropped",
    map.dropped.map(({ object, section, size, reason }) => `${hex(size)} ${section} ${object} (${reason})`),
  );
  part("relocations", [`${map.relocations.applied} settled, ${map.relocations.kept} left to the loader`]);
  return lines.join("\n") + "\n";
}
