/**
 * The map of a link, as data and as text: the address of everything, and the reasons.
 */

import { remedyOf, type Unswitched } from "./unswitched.ts";

/** One input section and its address. */
export interface MapEntry {
  /** The object, or archive member as `libz.a(crc32.o)`. */
  readonly object: string;
  /** The name of the section in the object. */
  readonly section: string;
  /** Offset in the image. */
  readonly address: number;
  /** Size in bytes. */
  readonly size: number;
}

/** A section of the module. */
export interface MapSection {
  /** The name of the section. */
  readonly name: string;
  /** The group that it is in. */
  readonly kind: "code" | "rodata" | "data" | "bss";
  /** Offset in the image. */
  readonly address: number;
  /** Size in bytes. */
  readonly size: number;
  /** Alignment of the address, a power of two. */
  readonly alignment: number;
  /** The input sections that it was made of. */
  readonly entries: readonly MapEntry[];
}

/** An archive member that was pulled in. */
export interface MapMember {
  /** The member, as `libz.a(crc32.o)`. */
  readonly member: string;
  /** The symbol that it was pulled in for. */
  readonly symbol: string;
  /** The object that needs the symbol; absent if an option asked for it. */
  readonly neededBy?: string;
}

/** A section that was left out of the module. */
export interface MapDropped {
  /** The object, or archive member. */
  readonly object: string;
  /** The name of the section in the object. */
  readonly section: string;
  /** Size in bytes. */
  readonly size: number;
  /** `unreachable` from every root, or part of a `duplicate` COMDAT group. */
  readonly reason: "unreachable" | "duplicate";
}

/** One step of the references that keep a section in the module. */
export interface MapLiveStep {
  /** The object, or archive member. */
  readonly object: string;
  /** The name of the section in the object. */
  readonly section: string;
  /** The symbol by which the next step, or an option, refers to the section. */
  readonly symbol?: string;
}

/** Why a section is in the module, or not. */
export interface MapLive {
  /** The object, or archive member. */
  readonly object: string;
  /** The name of the section in the object. */
  readonly section: string;
  /** The section itself, the section that refers to it, and so on to the root; empty if it was dropped. */
  readonly chain: readonly MapLiveStep[];
  /**
   * Why the end of the chain stays: its symbol is `exported`, or is the `entry point`, or an `option` names it
   * (`keep`, `undefined`), or it is a `root` by itself, such as an array of initialisers. Of a section that was
   * dropped: `unreachable` from every root, or part of a `duplicate` COMDAT group.
   */
  readonly reason: "exported" | "entry point" | "option" | "root" | "unreachable" | "duplicate";
}

/** A name that the module exports. */
export interface MapExport {
  /** The symbol. */
  readonly name: string;
  /** Offset in the image. */
  readonly address: number;
  /** Size in bytes. */
  readonly size: number;
  /** Whether it names a function, a variable, or a variable that each thread has one of. */
  readonly kind: "function" | "data" | "thread-local";
}

/** A name that is resolved when the module is loaded. */
export interface MapImport {
  /** The symbol. */
  readonly name: string;
  /** Whether the name may stay undefined; its address is 0 then. */
  readonly weak: boolean;
  /** The objects that refer to it. */
  readonly neededBy: readonly string[];
}

/** A name, and the objects that define it and refer to it. */
export interface MapReference {
  /** The symbol. */
  readonly name: string;
  /** The object that defines it; absent for an import, and for a name that the linker or an option defines. */
  readonly definedBy?: string;
  /** The other objects that have the name. */
  readonly neededBy: readonly string[];
}

/** The types that a link found. */
export interface MapTypes {
  /** The number of types that the module keeps. */
  readonly count: number;
  /** How many of its functions and variables have one. */
  readonly typed: number;
  /** Objects whose debug information cannot be read. */
  readonly unreadable: readonly { readonly object: string; readonly reason: string }[];
}

/** The debug information that a link found. */
export interface MapDebug {
  /** The sections of debug information, with their sizes in bytes before compression. */
  readonly sections: readonly { readonly name: string; readonly size: number }[];
  /** Objects whose debug information cannot be read, and is left out. */
  readonly unreadable: readonly { readonly object: string; readonly reason: string }[];
}

/** A section of several variables in a reloadable module, which a reload keeps all together or not at all. */
export interface MapHome extends MapEntry {
  /** The variables in it, by their places. */
  readonly variables: readonly string[];
  /** The flags with which the compiler gives each variable a section of its own; none if the source chose it. */
  readonly flags: readonly string[];
}

/** The map of a link. */
export interface LinkMap {
  /** The sections of the module, in file order. */
  readonly sections: readonly MapSection[];
  /** Archive members that were pulled in. */
  readonly members: readonly MapMember[];
  /** Sections that were left out. */
  readonly dropped: readonly MapDropped[];
  /** The names that the module exports. */
  readonly exports: readonly MapExport[];
  /** The names that the module imports. */
  readonly imports: readonly MapImport[];
  /** Static libraries that objects ask for (`.drectve`), which the link does not look for. */
  readonly defaultLibraries: readonly string[];
  /** Where each global name is defined and used, by name; empty without the option `cref`. */
  readonly references: readonly MapReference[];
  /** Why the sections that the option `whyLive` names are in the module, or not; empty without it. */
  readonly live: readonly MapLive[];
  /** The types that the module keeps, and why it keeps none of some objects. */
  readonly types: MapTypes;
  /** The debug information of the module or of its companion file; empty if it is left out. */
  readonly debug: MapDebug;
  /** The sections of several variables in a reloadable module; none in others. */
  readonly sharedHomes: readonly MapHome[];
  /** The functions of a hot module of which calls stay within their version; none in others. */
  readonly unswitched: readonly Unswitched[];
  /**
   * The sections of a hot module with tables of C++ classes, which are the `variables`, and with other constants:
   * such tables start anew with each version.
   */
  readonly mixedTables: readonly MapHome[];
  /** How many relocations the linker applied, and how many it left to the loader. */
  readonly relocations: { readonly applied: number; readonly kept: number };
}

/** Eight hexadecimal digits without prefix, so that columns line up. */
function column(value: number): string {
  return value.toString(16).padStart(8, "0");
}

/**
 * Formats a map as `smf link --map` prints it: one item a line, tables with fixed columns.
 *
 * @param map The map that `linkObjects` returned.
 * @returns lines, each ended by a newline. Addresses are offsets in the module's image, sizes are in bytes.
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
    lines.push(
      `${column(section.address)} ${column(section.size)} ${section.kind.padEnd(6)} ${section.name}`,
    );
    for (const entry of section.entries) {
      lines.push(`  ${column(entry.address)} ${column(entry.size)} ${entry.section} ${entry.object}`);
    }
  }
  const part = (title: string, rows: readonly string[]): void => {
    if (rows.length > 0) lines.push("", title, ...rows.map((row) => `  ${row}`));
  };
  part(
    "exports",
    map.exports.map(({ name, address, size, kind }) => `${column(address)} ${column(size)} ${kind} ${name}`),
  );
  part(
    "imports",
    map.imports.map(({ name, weak, neededBy }) =>
      `${name}${weak ? " (weak)" : ""} needed by ${neededBy.join(", ")}`
    ),
  );
  part("libraries that objects ask for", map.defaultLibraries);
  part(
    "archive members",
    map.members.map(({ member, symbol, neededBy }) =>
      `${member} for ${symbol}, ${neededBy ?? "asked for by option"}`
    ),
  );
  part(
    "dropped",
    map.dropped.map(({ object, section, size, reason }) =>
      `${column(size)} ${section} ${object} (${reason})`
    ),
  );
  part("cross references", crossReferences(map));
  if (map.types.count > 0) {
    part("types", [`${map.types.count} types of ${map.types.typed} functions and variables`]);
  }
  part(
    "objects whose types cannot be read",
    map.types.unreadable.map(({ object, reason }) => `${object}: ${reason}`),
  );
  part("debug information", map.debug.sections.map(({ name, size }) => `${column(size)} ${name}`));
  part(
    "objects whose debug information cannot be read",
    map.debug.unreadable.map(({ object, reason }) => `${object}: ${reason}`),
  );
  part(
    "sections of several variables, which a reload keeps together",
    map.sharedHomes.map(({ object, section, address, size, variables, flags }) =>
      `${column(address)} ${column(size)} ${section} ${object}: ${variables.join(", ")}${
        flags.length === 0 ? "" : ` (split by ${flags.join(" ")})`
      }`
    ),
  );
  part(
    "functions of which calls stay within their version",
    map.unswitched.map((one) => `${one.name} ${one.object} (${one.reason}: ${remedyOf(one)})`),
  );
  part("relocations", [`${map.relocations.applied} settled, ${map.relocations.kept} left to the loader`]);
  return lines.join("\n") + "\n";
}

/**
 * Formats why sections are in the module, as `smf link --why-live` prints it.
 *
 * @returns for each section a line with the reason, and one for each reference that leads to it.
 */
export function liveReasons({ live }: LinkMap): string[] {
  return live.flatMap(({ object, section, chain, reason }) => {
    const place = `${section} of ${object}`;
    if (chain.length === 0) return [`${place} is left out: ${LEFT_OUT[reason]}`];
    const { symbol } = chain.at(-1)!;
    return [
      `${place} stays`,
      ...chain.slice(1).map((step, index) => {
        const by = chain[index].symbol;
        return `  ${step.section} of ${step.object} refers to ${by === undefined ? "its group" : by}`;
      }),
      `  ${symbol === undefined ? chain.at(-1)!.section : symbol} is ${STAYING[reason]}`,
    ];
  });
}

const LEFT_OUT: Partial<Record<MapLive["reason"], string>> = {
  unreachable: "nothing reaches it",
  duplicate: "another object has the same COMDAT group",
};

const STAYING: Partial<Record<MapLive["reason"], string>> = {
  exported: "exported",
  "entry point": "the entry point",
  option: "kept by an option",
  root: "a root by itself",
};

/**
 * Formats the cross references of a map, as `smf link --cref` prints them.
 *
 * @returns a line for each name: where it is defined, and who refers to it.
 */
export function crossReferences({ references }: LinkMap): string[] {
  return references.map(({ name, definedBy, neededBy }) => {
    const users = neededBy.length === 0 ? "" : `; used in ${neededBy.join(", ")}`;
    return `${name} ${
      definedBy === undefined ? "not defined in an input" : `defined in ${definedBy}`
    }${users}`;
  });
}
