/**
 * `smf convert`: rewrites a module in another layout, compressed or uncompressed.
 */
import { SmfBuilder } from "../../smf/builder.ts";
import { Binding, SectionType } from "../../smf/enums.ts";
import type { RewriteOptions } from "../../smf/builder_options.ts";
import { type ParsedSmf, parseSmf } from "../../smf/file.ts";
import { type LayoutName, LAYOUTS } from "../../smf/layout.ts";
import { type Command, type Output, printJson, UsageError } from "../terminal/command.ts";
import { readInput, replaceFile } from "../terminal/files.ts";
import { readOptions, singleFile } from "../terminal/options.ts";
import { writeProblem } from "../terminal/problem_format.ts";
import { reportingErrors } from "../terminal/problems.ts";

const HELP = `smf convert <file | -> -o <file.smf> [options]

Rewrites a module in another layout, or with its sections compressed or
decompressed. Leaves out, and reports, what the layout cannot hold: a stub in front
of the header, hints, templates; and signatures, which are of the file as it was.

  -o, --output FILE  the file to write
  --layout NAME      H72, H80, H96, H96-trailer or P128; default: that of the input
  --compress         compress the sections with zstd (not in H72 and H80)
  --decompress       store all sections uncompressed
  --json             print one JSON document
  --color WHEN       auto (default), always or never

Exit codes: 0 success, 1 a bad file, 2 wrong usage or a file that cannot be read or
written.

Examples:
  smf convert old.smf --layout H96 -o new.smf
  smf convert big.smf --compress -o small.smf
  smf convert trailer.smf --layout H72 --decompress -o plain.smf`;

export const convert: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, {
      values: ["output", "layout"],
      switches: ["compress", "decompress", "json"],
      alias: { o: "output" },
    }, output);
    const { writer } = options;
    const file = singleFile(options);
    const json = options.has("json");
    const target = options.value("output");
    if (target === undefined) throw new UsageError("name the file to write: -o <file.smf>");
    if (options.has("compress") && options.has("decompress")) {
      throw new UsageError("--compress and --decompress exclude each other");
    }
    const compression = options.has("compress") ? "zstd" : options.has("decompress") ? "none" : "keep";
    const newLayout = layoutOf(options.value("layout"));
    return reportingErrors({ command: "convert", file, writer, json }, () => {
      const input = readInput(file);
      const module = parseSmf(input, { path: file });
      const layout = newLayout ?? module.header.layout;
      const bytes = rewrite(file, module, { layout, compression });
      const lost = lossesIn(module, layout);
      replaceFile(target, bytes);
      for (const loss of lost) {
        const message = `${file}: left out: ${loss}`;
        writeProblem({ level: "warning", file, message }, writer, [message]);
      }
      if (!json) return;
      const sizes = { before: input.length, after: bytes.length };
      printJson(writer, "convert", { file, output: target, layout, sizes, leftOut: lost });
    });
  },
};

function layoutOf(name: string | undefined): LayoutName | undefined {
  if (name === undefined) return undefined;
  if (Object.hasOwn(LAYOUTS, name)) return LAYOUTS[name as LayoutName].name;
  throw new UsageError(`there is no layout '${name}'; the layouts are ${Object.keys(LAYOUTS).join(", ")}`);
}

/** Rewrites a module; a result that the format forbids is wrong usage, not a bad file. */
function rewrite(file: string, module: ParsedSmf, options: RewriteOptions): Uint8Array {
  try {
    return SmfBuilder.from(module, options).build();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new UsageError(`${file}: ${error.message}`);
  }
}

const HINTS = ["appType", "windowWidth", "windowHeight", "prefetchHint", "prefetchFileCount"] as const;

/** Describes the parts of a module that a layout cannot hold. */
function lossesIn(module: ParsedSmf, layout: LayoutName): string[] {
  const { header: { fields }, symbolSize, symbolTypeBase, trailer } = LAYOUTS[layout];
  const lost: string[] = [];
  const stub = module.stub().length;
  if (module.sections.some(({ type }) => type === SectionType.Signatures)) {
    lost.push("the signatures, which are of the file as it was");
  }
  if (stub > 0 && !trailer) lost.push(`the stub, ${stub} bytes in front of the header`);
  const hints = HINTS.filter((hint) => module.header[hint] !== 0);
  if (fields.app_type === undefined && hints.length > 0) lost.push(`the hints ${hints.join(", ")}`);
  const hasTemplates = [...module.symbols].some(({ templateParamCount, templateOffset }) =>
    templateParamCount !== 0 || templateOffset !== 0
  );
  if (symbolSize === 40 && hasTemplates) lost.push("the templates of symbols");
  const untyped = [...module.symbols].filter(({ type, binding }) =>
    binding === Binding.Local && type < symbolTypeBase
  );
  if (untyped.length === 1) lost.push("the missing type of 1 local symbol, which becomes Data");
  if (untyped.length > 1) lost.push(`the missing type of ${untyped.length} local symbols, which become Data`);
  return lost;
}
