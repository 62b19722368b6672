/**
 * `smf inspect`: shows the contents of a module file.
 */
import { parseSmf } from "../../smf/file.ts";
import type { SmfSection } from "../../smf/section.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { readInput, replaceFile } from "../terminal/files.ts";
import { type Inspection, inspectModule } from "../analysis/inspect.ts";
import { hexBytes } from "../../smf/hex_bytes.ts";
import { inspectionLines } from "./inspect_text.ts";
import { readOptions, singleFile } from "../terminal/options.ts";
import { reportingErrors, reportModuleError } from "../terminal/problems.ts";
import { hexLines, printable } from "../terminal/table.ts";

const HELP = `smf inspect <file | -> [options]

Shows the header, sections, symbols, relocations, imports, homes and entries of a module,
and the plan of its memory image.

  --section NAME   show only this section, by name or by #index; repeatable
  --hex            show the sections' contents as well, decompressed
  --disasm NAME    show the instructions of a function or of a Code section
  --types          show only the types that the module keeps, with sizes, fields,
                   offsets and hashes of layouts, and what has which
  --html           write a picture as one HTML page: the image to scale, functions and
                   variables by size, relocations by kind, imports by who could answer
  -o, --output FILE  the page to write; default: standard output
  --json           print one JSON document
  --color WHEN     auto (default), always or never

Examples:
  smf inspect plugin.smf
  smf inspect plugin.smf --section .rodata --hex
  smf inspect plugin.smf --disasm update
  smf inspect plugin.smf --types
  smf inspect plugin.smf --html -o plugin.html
  cat plugin.smf | smf inspect - --json | jq .header`;

export const inspect: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, {
      values: ["disasm", "output"],
      lists: ["section"],
      switches: ["hex", "types", "html", "json"],
      alias: { o: "output" },
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
      const module = parseSmf(readInput(file), { path: file });
      const disassembled = options.value("disasm");
      if (disassembled !== undefined) {
        const { disassembleNamed, disassemblyLines } = await import("./disassembly.ts");
        const disassembly = await disassembleNamed(module, disassembled);
        if (json) return printJson(writer, "inspect", { file, ...disassembly });
        for (const line of disassemblyLines(disassembly, writer.style)) writer.print(line);
        return;
      }
      if (options.has("types")) {
        const { exportsWithTypes } = await import("../analysis/typed_exports.ts");
        const { listTypes } = await import("../analysis/list_types.ts");
        const { typeLines } = await import("./types_text.ts");
        const listing = listTypes(module, exportsWithTypes(module, file).types);
        if (json) return printJson(writer, "inspect", { file, ...listing });
        for (const line of typeLines(listing, writer.style)) writer.print(line);
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
      const inspection = inspectModule(module, chosen, file);
      const contents = options.has("hex") ? chosen.map((section) => module.contents(section)) : undefined;
      if (json) {
        printJson(writer, "inspect", {
          file,
          ...inspection.data,
          ...(contents && { contents: contents.map((bytes) => hexBytes(bytes)) }),
        });
      } else {
        printText(inspection, chosen.length < module.sections.length, contents, writer);
      }
      if (inspection.problem === undefined) return;
      reportModuleError(inspection.problem, file, writer);
      return ExitCode.BAD_INPUT;
    });
  },
};

function chooseSections(sections: readonly SmfSection[], names: readonly string[]): readonly SmfSection[] {
  if (names.length === 0) return sections;
  const unknown = names.find((name) => !sections.some((section) => isCalled(section, name)));
  if (unknown !== undefined) {
    const known = sections.map(({ name, index }) => name === "" ? `#${index}` : name).join(", ");
    throw new UsageError(`there is no section '${unknown}'; the sections are ${printable(known)}`);
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
  for (const line of inspectionLines(inspection, isPartial, style)) writer.print(line);
  contents?.forEach((bytes, position) => {
    const { name, index } = inspection.data.sections[position];
    writer.print("");
    writer.print(style.heading(`contents of section ${name === "" ? `#${index}` : printable(name)}`));
    for (const line of hexLines(bytes)) writer.print(line);
  });
}
