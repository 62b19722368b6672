/**
 * `smf symbolize`: says which function and line of the source is at an offset in a module's image, as addr2line(1)
 * does for programs.
 */
import { LoadError } from "../../errors/load_error.ts";
import { nearestSymbol } from "../../errors/names.ts";
import { SymbolPlaces } from "../../observe/symbol_places.ts";
import { SymbolType } from "../../smf/enums.ts";
import { type ParsedSmf, parseSmf } from "../../smf/file.ts";
import type { SourceFrame } from "../../types/dwarf/source_map.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import { readInput } from "../terminal/files.ts";
import { sourceOf } from "./module_source.ts";
import { readOptions } from "../terminal/options.ts";
import { reportingErrors } from "../terminal/problems.ts";
import type { Writer } from "../terminal/style.ts";
import { printable } from "../terminal/table.ts";

const HELP = `smf symbolize <file | -> <offset | function+distance>... [options]

Says what is at offsets in a module's image: function and distance, and with debug
information (gcc -g) file and line, functions that are inlined there included. Reads
debug information that is compressed or in a companion file, which reports of crashes
cannot: their line "for lines of source:" has the arguments. Offsets are those that
smf nm shows; of functions with the same name the first is taken.

  -C, --demangle      show names of C++ and Rust as their sources write them
  --json              print one JSON document
  --color WHEN        auto (default), always or never

Exit codes: 0 success, 1 a bad file or no lines of source, 2 wrong usage or a file that
cannot be read.

Examples:
  smf symbolize plugin.smf 0x1010 0x1050
  smf symbolize -C engine.smf 0x1010
  smf symbolize plugin.smf store+0x4     a frame as reports of crashes name it`;

/** The function and the lines of source at an offset. */
interface Found {
  readonly offset: number;
  readonly symbol: string | undefined;
  readonly distance: number | undefined;
  /** Innermost first. */
  readonly frames: readonly SourceFrame[];
}

export const symbolize: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, { switches: ["demangle", "json"], alias: { C: "demangle" } }, output);
    const { writer } = options;
    const [file, ...places] = options.rest;
    if (file === undefined) throw new UsageError("name a file, or - for standard input");
    if (places.length === 0) throw new UsageError("name an offset, such as 0x1010, or a function");
    const json = options.has("json");
    return reportingErrors({ command: "symbolize", file, writer, json }, () => {
      const bytes = readInput(file);
      const module = parseSmf(bytes, { path: file });
      const offsets = places.map((place) => offsetOf(module, place));
      const symbols = new SymbolPlaces(module);
      const source = sourceOf(module, bytes, file);
      const found = offsets.map((offset): Found => {
        const symbol = symbols.find(offset);
        const frames = typeof source === "string" ? [] : source.find(offset);
        return { offset, symbol: symbol?.name ?? frames.at(-1)?.function, distance: symbol?.offset, frames };
      });
      if (json) {
        printJson(writer, "symbolize", { file, places: found.map(jsonOf) });
      } else {
        for (const each of found) for (const line of linesOf(each, writer)) writer.print(line);
      }
      if (typeof source !== "string") return ExitCode.OK;
      writer.complain(`${file}: there are no lines of source: ${source}`);
      return ExitCode.BAD_INPUT;
    });
  },
};

/** An offset, in decimal or hexadecimal, or a function and the distance from its start. */
function offsetOf(module: ParsedSmf, place: string): number {
  const offset = numberOf(place);
  if (offset !== undefined) return offset;
  const [, name, after] = /^(.+?)(?:\+(0x[0-9a-fA-F]+|\d+))?$/s.exec(place) ?? [place, place];
  const { symbols } = module;
  for (let index = 0; index < symbols.length; index++) {
    if (symbols.type(index) !== SymbolType.Function || !symbols.isDefined(index)) continue;
    if (symbols.name(index) === name) return symbols.value(index) + (numberOf(after ?? "0") ?? 0);
  }
  const names = [...symbols].filter(({ index, type }) =>
    type === SymbolType.Function && symbols.isDefined(index)
  )
    .map((symbol) => symbol.name);
  const near = nearestSymbol(name, names);
  throw new LoadError("UndefinedSymbol", `Cannot find '${name}': the module has no such function`, {
    symbol: name,
    hint: near === undefined ? "smf nm FILE lists the functions" : `did you mean '${near}'?`,
  });
}

function numberOf(text: string): number | undefined {
  if (!/^(?:0x[0-9a-fA-F]+|\d+)$/.test(text)) return undefined;
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new UsageError(`'${text}' is too large for an offset`);
  return number;
}

function placeOf({ file, line }: SourceFrame): string {
  return file === undefined ? "?" : `${printable(file)}:${line ?? "?"}`;
}

function linesOf({ offset, symbol, distance, frames }: Found, { named }: Writer): string[] {
  const where = symbol === undefined ? "?" : `${named(symbol)}+0x${(distance ?? 0).toString(16)}`;
  const head = `0x${offset.toString(16)} ${where}`;
  if (frames.length === 0) return [head];
  const [innermost, ...callers] = frames;
  // Only where something is inlined does the name say more than the symbol's.
  const inlined = callers.length === 0 ? "" : `${named(innermost.name ?? "?")} `;
  return [
    `${head} at ${inlined}${placeOf(innermost)}`,
    ...callers.map((frame) => `    inlined in ${named(frame.name ?? "?")} ${placeOf(frame)}`),
  ];
}

function jsonOf({ offset, symbol, distance, frames }: Found): Readonly<Record<string, unknown>> {
  return {
    offset,
    ...symbol !== undefined && { function: symbol },
    ...distance !== undefined && { distance },
    frames,
  };
}
