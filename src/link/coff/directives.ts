/**
 * Reads `.drectve`, the options of the linker that are in an object ("PE Format", "The .drectve Section"): those of
 * Microsoft's linker (`/EXPORT:f`) and of GNU's (`-export:f`, `-aligncomm:"x",4`).
 *
 * | option | effect |
 * |---|---|
 * | `EXPORT:NAME[=OTHER][,DATA]` | the module exports the name, if no option says what it exports |
 * | `EXCLUDE-SYMBOLS:NAME,…` | the name is hidden |
 * | `INCLUDE:NAME` | what defines the name is linked, and stays |
 * | `ALTERNATENAME:NAME=OTHER` | the name is the other one, unless something defines it |
 * | `ALIGNCOMM:NAME,N` | a tentative definition is aligned to 2^N bytes |
 * | `DEFAULTLIB:LIB` | the map says so |
 * | `FAILIFMISMATCH:KEY=VALUE` | the link fails if another object has another value |
 *
 * Others are about programs and their manifests, and have no effect.
 */
import { decodeText } from "../elf/bytes.ts";
import { type Directives, NO_DIRECTIVES } from "../directives.ts";
import { malformed, unsupported } from "../problems.ts";
import type { CoffFile } from "./file.ts";

/** The options of an object, with those that only its own symbols need. */
export interface CoffDirectives extends Directives {
  /** Names that no other module may see. */
  readonly hidden: ReadonlySet<string>;
  /** The alignments of tentative definitions. */
  readonly alignments: ReadonlyMap<string, number>;
}

/** An option: what stands between spaces, outside of quotes, which may enclose all of it or a part. */
const OPTION = /(?:"[^"]*"|[^\s"])+/g;

/** Returns an option without the quotes around all of it. */
function unquoted(option: string): string {
  return /^"[^"]*"$/.test(option) ? option.slice(1, -1) : option;
}

/** The longest section that is read. */
const MOST_BYTES = 2 ** 24;

/** Reads the options of an object. */
export function readDirectives({ file, sections }: CoffFile): CoffDirectives {
  const exports: string[] = [], libraries: string[] = [], required: string[] = [];
  const aliases: { name: string; target: string }[] = [];
  const marks: { key: string; value: string }[] = [];
  const hidden = new Set<string>();
  const alignments = new Map<string, number>();
  for (const { name: section, offset, size, hasBytes } of sections) {
    if (section !== ".drectve" || !hasBytes) continue;
    if (size > MOST_BYTES) {
      throw malformed(file.name, "the section of options is too long", { section, size });
    }
    // Clang begins it with a byte order mark where a name is not ASCII.
    const text = decodeText(file.bytes, offset, offset + size).replace(/^\ufeff/, "").replaceAll("\0", " ");
    for (const [option] of text.matchAll(OPTION)) {
      const [, key, value] = /^[-/]([^:]+):?(.*)$/s.exec(unquoted(option)) ?? [];
      const values = (value ?? "").match(/(?:"[^"]*"|[^",])+/g)?.map((part) => part.replaceAll('"', "")) ??
        [];
      const [first = "", ...rest] = values;
      if (first === "") continue;
      switch (key?.toLowerCase()) {
        case "export": {
          const [name, target] = first.split("=", 2);
          if (target?.includes(".") && !/^[?.]/.test(target)) {
            throw unsupported(
              file.name,
              `the export '${name}' is forwarded to another library: '${target}'`,
              {
                section,
                symbol: name,
                hint: "define a function of this name that calls the other",
              },
            );
          }
          if (target !== undefined && target !== name) aliases.push({ name, target });
          exports.push(name);
          break;
        }
        case "exclude-symbols":
          for (const name of values) hidden.add(name);
          break;
        case "include":
          required.push(first);
          break;
        case "alternatename": {
          const [name, target] = first.split("=", 2);
          if (target !== undefined && target !== name) aliases.push({ name, target });
          break;
        }
        case "aligncomm": {
          const power = Number(rest[0]);
          if (!Number.isInteger(power) || power < 0 || power > 24) {
            throw malformed(file.name, `the alignment of '${first}' is not a power of two up to 2^24`, {
              section,
            });
          }
          alignments.set(first, 2 ** power);
          break;
        }
        case "failifmismatch": {
          const [key, value] = first.split("=", 2);
          if (value !== undefined) marks.push({ key, value });
          break;
        }
        case "defaultlib":
          libraries.push(first);
      }
    }
  }
  return { ...NO_DIRECTIVES, exports, libraries, required, aliases, marks, hidden, alignments };
}
