/**
 * `smf convert`: a module in another layout, compressed or not.
 */
import { SmfBuilder } from "../../smf/builder.ts";
import { Binding } from "../../smf/enums.ts";
import type { RewriteOptions } from "../../smf/builder_options.ts";
import { type ParsedSmf, parseSmf } from "../../smf/file.ts";
import { type LayoutName, LAYOUTS } from "../../smf/layout.ts";
import { type Command, type Output, printJson, UsageError } from "../terminal/command.ts";
import { readInput, replaceFile } from "../terminal/files.ts";
import { oneFile, readOptions } from "../terminal/options.ts";
import { examining } from "../terminal/problems.ts";

const HELP = `smf convert <file | -> -o <file.smf> [options]

Writes a module again, in another layout or compressed in another way. What the
layout has no place for (a stub before a leading header, hints, templates) is
left out, and said so.

  -o, --output FILE  where the result goes
  --layout NAME      H72, H80, H96, H96-trailer or P128; default: as it is
  --compress         compress the sections with zstd (not in H72 and H80)
  --decompress       store all sections as they are in memory
  --json             print one JSON document
  --color WHEN       auto (default), always or never

Examples:
  smf convert old.smf --layout H96 -o new.smf
  smf convert big.smf --compress -o small.smf
  smf convert trailer.smf --layout H72 --decompress -o plain.smf`;

/** The command. */
export const convert: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, {
      values: ["output", "layout"],
      switches: ["compress", "decompress", "json"],
      alias: { o: "output" },
    }, output);
    const { writer } = options;
    const file = oneFile(options);
    const json = options.has("json");
    const target = options.value("output");
    if (target === undefined) throw new UsageError("say where the result goes: -o <file.smf>");
    if (options.has("compress") && options.has("decompress")) {
      throw new UsageError("--compress and --decompress exclude each other");
    }
    const compression = options.has("compress") ? "zstd" : options.has("decompress") ? "none" : "keep";
    const wanted = layoutOf(options.value("layout"));
    return examining({ command: "convert", file, writer, json }, () => {
      const input = readInput(file);
      const module = parseSmf(input, { path: file });
      const layout = wanted ?? module.header.layout;
      const bytes = rewrite(file, module, { layout, compression });
      const lost = withoutPlace(module, layout);
      replaceFile(target, bytes);
      for (const what of lost) writer.complain(`${file}: left out: ${what}`);
      if (!json) return;
      const sizes = { before: input.length, after: bytes.length };
      printJson(writer, "convert", { file, output: target, layout, sizes, leftOut: lost });
    });
  },
};

function layoutOf(name: string | undefined): LayoutName | undefined {
  if (name === undefined) return undefined;
  if (Object.hasOwn(LAYOUTS, name)) return LAYOUTS[name as LayoutName].name;
  throw new UsageError(`there is no layout '${name}'; there are ${Object.keys(LAYOUTS).join(", ")}`);
}

/** What cannot be written in the way that was asked for is a wrong wish, not a bad file. */
function rewrite(file: string, module: ParsedSmf, options: RewriteOptions): Uint8Array {
  try {
    return SmfBuilder.from(module, options).build();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new UsageError(`${file}: ${error.message}`);
  }
}

const HINTS = ["appType", "windowWidth", "windowHeight", "prefetchHint", "prefetchFileCount"] as const;

/** What a module has that a layout has no place for, for people. */
function withoutPlace(module: ParsedSmf, layout: LayoutName): string[] {
  const { header: { fields }, symbolSize, symbolTypeBase, trailer } = LAYOUTS[layout];
  const lost: string[] = [];
  const stub = module.stub().length;
  if (stub > 0 && !trailer) lost.push(`the stub, ${stub} bytes before the module`);
  const hints = HINTS.filter((hint) => module.header[hint] !== 0);
  if (fields.app_type === undefined && hints.length > 0) lost.push(`the hints ${hints.join(", ")}`);
  const hasTemplates = [...module.symbols].some(({ templateParamCount, templateOffset }) =>
    templateParamCount !== 0 || templateOffset !== 0
  );
  if (symbolSize === 40 && hasTemplates) lost.push("the templates of symbols");
  const marks = [...module.symbols].filter(({ type, binding }) =>
    binding === Binding.Local && type < symbolTypeBase
  );
  if (marks.length === 1) lost.push("that 1 local symbol has no type: it becomes Data");
  if (marks.length > 1) lost.push(`that ${marks.length} local symbols have no type: they become Data`);
  return lost;
}
