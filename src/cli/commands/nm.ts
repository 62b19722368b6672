/**
 * `smf nm`: lists the symbols of a module as nm(1) lists those of an object file.
 */
import { demangle } from "../../demangle/mod.ts";
import { readableName } from "../../image/symbol_names.ts";
import { isAddress } from "../../image/plan.ts";
import { Binding, bindingName, SectionType, symbolTypeName } from "../../smf/enums.ts";
import { type ParsedSmf, parseSmf } from "../../smf/file.ts";
import { homeAt } from "../../smf/homes.ts";
import type { SmfSymbol } from "../../smf/symbol.ts";
import { TLS_SECTION } from "../../smf/thread_local.ts";
import { type Command, type Output, printJson, UsageError } from "../terminal/command.ts";
import { fileName, readInput } from "../terminal/files.ts";
import { forEachFile, type Options, readOptions } from "../terminal/options.ts";
import { declarableType } from "../analysis/list_types.ts";
import { sectionAt, type SectionRange, sectionRanges } from "../analysis/section_ranges.ts";
import { reportingErrors } from "../terminal/problems.ts";
import { printable, table } from "../terminal/table.ts";

const HELP = `smf nm <file | ->... [options]

Lists the symbols of each module: value (an offset in its image), kind, name, and the
declaration in C if the module keeps its type.
Kinds: T code, D data, R read-only data, B zero-initialized data, U imported, W weak,
w weak and imported, N without an address (types, traits, actors). Lower-case
letters mean local symbols.

  -g, --extern-only     leave out local symbols
  -u, --undefined-only  list only imported symbols
  --defined-only        list only defined symbols
  -n, --numeric-sort    sort by value instead of by name
  -p, --no-sort         list in the order of the file
  -S, --print-size      show sizes
  -C, --demangle        show names of C++ and Rust as their sources write them
  --homes               show the start of the home that a variable is in: the section that
                        stays where it is, as a whole, over reloads
  --json                print one JSON document
  --color WHEN          auto (default), always or never

Exit codes: 0 success, 1 a bad file, 2 wrong usage or a file that cannot be read.

Examples:
  smf nm plugin.smf
  smf nm -g native/*.smf
  smf nm -u plugin.smf        the symbols that other modules or libraries must define
  smf nm -C engine.smf
  smf nm -gS --json plugin.smf`;

const LETTERS: Readonly<Record<number, string>> = {
  [SectionType.Code]: "T",
  [SectionType.Data]: "D",
  [SectionType.RoData]: "R",
  [SectionType.Bss]: "B",
};

/** The letter by which nm(1) shows a symbol's kind. */
function symbolLetter(file: ParsedSmf, ranges: readonly SectionRange[], symbol: SmfSymbol): string {
  const weak = symbol.binding === Binding.Weak;
  if (!file.isDefined(symbol.index)) return weak ? "w" : "U";
  if (weak) return "W";
  if (!isAddress(symbol.type)) return symbol.binding === Binding.Local ? "n" : "N";
  const range = sectionAt(ranges, symbol.value);
  // Thread-local variables are data, although all threads share the read-only copy that they begin with.
  const letter = range === undefined
    ? "?"
    : range.section.name === TLS_SECTION
    ? "D"
    : LETTERS[range.section.type];
  return symbol.binding === Binding.Local ? letter.toLowerCase() : letter;
}

export const nm: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, {
      switches: [
        "extern-only",
        "undefined-only",
        "defined-only",
        "numeric-sort",
        "no-sort",
        "print-size",
        "homes",
        "demangle",
        "json",
      ],
      alias: {
        g: "extern-only",
        u: "undefined-only",
        n: "numeric-sort",
        p: "no-sort",
        S: "print-size",
        C: "demangle",
      },
    }, output);
    if (options.has("undefined-only") && options.has("defined-only")) {
      throw new UsageError("--undefined-only and --defined-only exclude each other");
    }
    return forEachFile(options, (file, isOneOfMany) => listFile(file, options, isOneOfMany));
  },
};

/** Lists the symbols of one file; the exit code. */
function listFile(file: string, options: Options, isOneOfMany: boolean): Promise<number> {
  const { writer } = options;
  const { style } = writer;
  const json = options.has("json");
  return reportingErrors({ command: "nm", file, writer, json }, () => {
    const module = parseSmf(readInput(file), { path: file });
    const ranges = sectionRanges(module);
    const types = module.types();
    const homes = module.homes();
    const homeOf = ({ index, value, type }: SmfSymbol): number | undefined =>
      module.isDefined(index) && isAddress(type) ? homeAt(homes, value)?.offset : undefined;
    const declarationOf = (symbol: SmfSymbol): string | undefined => {
      const type = types && module.isDefined(symbol.index) ? declarableType(types, symbol) : undefined;
      if (type === undefined) return undefined;
      // A demangled name has the parameters already, and is not a name of C.
      const isOfOther = options.has("demangle") && demangle(symbol.name) !== undefined;
      return types?.declaration(isOfOther ? "" : symbol.name, type).trim();
    };
    const rows = [...module.symbols].filter((symbol) => {
      const defined = module.isDefined(symbol.index);
      return !(options.has("extern-only") && symbol.binding === Binding.Local) &&
        !(options.has("undefined-only") && defined) && !(options.has("defined-only") && !defined);
    }).map((symbol) => {
      const section = sectionAt(ranges, symbol.value)?.section.name;
      return { symbol, letter: symbolLetter(module, ranges, symbol), section };
    });
    if (options.has("numeric-sort")) rows.sort((left, right) => left.symbol.value - right.symbol.value);
    else if (!options.has("no-sort")) {
      rows.sort(({ symbol: { name: left } }, { symbol: { name: right } }) =>
        left < right ? -1 : left > right ? 1 : 0
      );
    }
    if (json) {
      const symbols = rows.map(({ symbol, letter, section }) => {
        const { name, value, size, type, binding } = symbol;
        const defined = module.isDefined(symbol.index);
        const declaration = declarationOf(symbol);
        const home = homeOf(symbol);
        const readable = options.has("demangle") ? demangle(name) : undefined;
        return {
          name,
          ...(readable !== undefined && { demangled: readable }),
          letter,
          defined,
          ...(defined && isAddress(type) && { section }),
          value,
          size,
          type: symbolTypeName(type),
          binding: bindingName(binding),
          ...(home !== undefined && { home }),
          ...(declaration !== undefined && { declaration }),
        };
      });
      return printJson(writer, "nm", { file, symbols });
    }
    const cells = rows.map(({ symbol, letter }) => {
      const hasValue = letter !== "U" && letter !== "w";
      const home = homeOf(symbol);
      return [
        hasValue ? hex16(symbol.value) : "",
        ...(options.has("print-size") ? [hasValue ? hex16(symbol.size) : ""] : []),
        ...(options.has("homes") ? [home === undefined ? "" : hex16(home)] : []),
        letter,
        writer.named(readableName(symbol.name)),
        ...(types === undefined ? [] : [printable(declarationOf(symbol) ?? "")]),
      ];
    });
    if (isOneOfMany) writer.print(style.heading(`${fileName(file)}:`));
    table(cells, ["right"]).forEach((line, index) => {
      const { letter } = rows[index];
      writer.print(letter === "U" ? style.warning(line) : /[a-z]/.test(letter) ? style.faint(line) : line);
    });
  });
}

/** Sixteen hexadecimal digits. */
function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
