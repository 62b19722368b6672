/**
 * `smf inspect`: shows the contents of a module file.
 */
import { type ParsedSmf, parseSmf } from "../../smf/file.ts";
import type { SmfSection } from "../../smf/section.ts";
import { attempt, ignore } from "../../errors/load_error.ts";
import { didYouMean, nearestWord } from "../../errors/names.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { readInput, replaceFile } from "../terminal/files.ts";
import { type Inspection, inspectModule } from "../analysis/inspect.ts";
import { hexBytes } from "../../smf/hex_bytes.ts";
import type { SourceMap } from "../../types/dwarf/source_map.ts";
import { inspectionLines } from "./inspect_text.ts";
import { readOptions, singleFile } from "../terminal/options.ts";
import { reportingErrors, reportModuleError } from "../terminal/problems.ts";
import { hexLines, printable } from "../terminal/table.ts";

const HELP = `smf inspect <file | -> [options]

Shows a module on a screen: its sections, the largest functions and variables, the code of
each source that has debug information, and imports. With --all, --section or --hex, shows
all of the header, sections, symbols, relocations, imports, homes and entries, and the
plan of the memory image.

  --all            show everything
  --map FILE       show sizes by object, archive and member as well, by the map that
                   smf link --map --json has printed
  --section NAME   show only this section, by name or by #index; repeatable
  --hex            show the sections' contents as well, decompressed
  --disasm NAME    show the instructions of a function or of a Code section
  --types          show only the types that the module keeps, with sizes, fields,
                   offsets and hashes of layouts, and what has which
  --html           write a picture as one HTML page: the image to scale, functions and
                   variables by size, relocations by kind, imports by who could answer
  -o, --output FILE  the page to write; default: standard output
  -C, --demangle   show names of C++ and Rust as their sources write them
  --json           print one JSON document
  --color WHEN     auto (default), always or never

Exit codes: 0 success, 1 a bad file, 2 wrong usage or a file that cannot be read or
written.

Examples:
  smf inspect plugin.smf
  smf inspect plugin.smf --all
  smf link a.o libz.a -o a.smf --map --json > a.map && smf inspect a.smf --map a.map
  smf inspect plugin.smf --section .rodata --hex
  smf inspect plugin.smf --disasm update
  smf inspect plugin.smf --types
  smf inspect plugin.smf --html -o plugin.html
  cat plugin.smf | smf inspect - --json | jq .header`;

export const inspect: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, {
      values: ["disasm", "map", "output"],
      lists: ["section"],
      switches: ["all", "hex", "types", "html", "demangle", "json"],
      alias: { o: "output", C: "demangle" },
    }, output);
    const { writer } = options;
    const file = singleFile(options);
    const json = options.has("json");
    const views = ["disasm", "types", "html"].filter((name) =>
      options.has(name) || name === "disasm" && options.value(name) !== undefined
    );
    if (views.length > 1) throw new UsageError(`--${views[0]} and --${views[1]} exclude each other`);
    const target = options.value("output");
    if (target !== undefined && views[0] !== "html") throw new UsageError("--output needs --html");
    return reportingErrors({ command: "inspect", file, writer, json }, async () => {
      const input = readInput(file);
      const module = parseSmf(input, { path: file });
      const disassembled = options.value("disasm");
      if (disassembled !== undefined) {
        const { disassembleNamed, disassemblyLines } = await import("./disassembly.ts");
        const disassembly = await disassembleNamed(module, disassembled);
        if (json) return printJson(writer, "inspect", { file, ...disassembly });
        for (const line of disassemblyLines(disassembly, writer)) writer.print(line);
        return;
      }
      if (options.has("types")) {
        const { exportsWithTypes } = await import("../analysis/typed_exports.ts");
        const { listTypes } = await import("../analysis/list_types.ts");
        const { typeLines } = await import("./types_text.ts");
        const listing = listTypes(module, exportsWithTypes(module, file).types);
        if (json) return printJson(writer, "inspect", { file, ...listing });
        for (const line of typeLines(listing, writer)) writer.print(line);
        return;
      }
      if (options.has("html")) {
        const { picturePage } = await import("./inspect_picture.ts");
        const { pictureOf } = await import("../analysis/picture.ts");
        const { importAnswers } = await import("../analysis/import_answers.ts");
        const { systemLibraryNames } = await import("./link_inputs.ts");
        const { data } = inspectModule(module, module.sections, file);
        const page = picturePage(file, pictureOf(data, importAnswers(module, systemLibraryNames)));
        if (target === undefined) writer.print(page.trimEnd());
        else replaceFile(target, new TextEncoder().encode(page));
        return;
      }
      const chosen = chooseSections(module.sections, options.list("section"));
      const linked = options.value("map");
      const isWhole = chosen.length < module.sections.length || options.has("all") || options.has("hex");
      const inspection = inspectModule(module, chosen, file);
      const contents = options.has("hex") ? chosen.map((section) => module.contents(section)) : undefined;
      if (json) {
        printJson(writer, "inspect", {
          file,
          ...inspection.data,
          ...(contents && { contents: contents.map((bytes) => hexBytes(bytes)) }),
        });
      } else if (!isWhole || linked !== undefined) {
        const { sourceOf } = await import("./module_source.ts");
        const source = attempt(ignore, () => sourceOf(module, input, file));
        await printSummary(module, inspection, source, linked, writer);
      } else {
        printText(inspection, chosen.length < module.sections.length, contents, writer);
      }
      if (inspection.problem === undefined) return;
      reportModuleError(inspection.problem, file, writer);
      return ExitCode.BAD_INPUT;
    });
  },
};

/** Prints the summary; with the sizes of objects if there is a map of the link. */
async function printSummary(
  module: ParsedSmf,
  inspection: Inspection,
  source: SourceMap | string | undefined,
  map: string | undefined,
  writer: Writer,
): Promise<void> {
  const { linkedSizes, sizesOf } = await import("../analysis/sizes.ts");
  const { summaryLines } = await import("./inspect_summary.ts");
  const linked = map === undefined ? undefined : linkedSizes(readJson(map));
  if (map !== undefined && linked === undefined) {
    throw new UsageError(`${map}: it is not the map of a link; smf link --map --json prints one`);
  }
  const sizes = sizesOf(module, typeof source === "string" ? undefined : source);
  for (const line of summaryLines(inspection, sizes, linked, writer)) writer.print(line);
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(readInput(path)));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

function chooseSections(sections: readonly SmfSection[], names: readonly string[]): readonly SmfSection[] {
  if (names.length === 0) return sections;
  const unknown = names.find((name) => !sections.some((section) => isCalled(section, name)));
  if (unknown !== undefined) {
    const known = sections.map(({ name, index }) => name === "" ? `#${index}` : name).join(", ");
    const near = didYouMean(nearestWord(unknown, sections.map(({ name }) => name)));
    throw new UsageError(`there is no section '${unknown}'${near}; the sections are ${printable(known)}`);
  }
  return sections.filter((section) => names.some((name) => isCalled(section, name)));
}

function isCalled(section: SmfSection, name: string): boolean {
  return name === section.name || name === `#${section.index}`;
}

function printText(
  inspection: Inspection,
  isPartial: boolean,
  contents: readonly Uint8Array[] | undefined,
  writer: Writer,
): void {
  const { style } = writer;
  for (const line of inspectionLines(inspection, isPartial, writer)) writer.print(line);
  contents?.forEach((bytes, position) => {
    const { name, index } = inspection.data.sections[position];
    writer.print("");
    writer.print(style.heading(`contents of section ${name === "" ? `#${index}` : printable(name)}`));
    for (const line of hexLines(bytes)) writer.print(line);
  });
}
