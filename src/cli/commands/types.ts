/**
 * `smf types`: writes a TypeScript module of a module's types, or compares a file with them.
 */
import { didYouMean, nearestWord } from "../../errors/names.ts";
import { matchesGlob } from "../../smf/glob.ts";
import { parseSmf } from "../../smf/file.ts";
import { compareDefinitions } from "../../types/typescript/compare_definitions.ts";
import { compareModules } from "../../types/typescript/compare_modules.ts";
import { exportDefinition } from "../../types/typescript/definitions.ts";
import { WRITTEN_BY } from "../../types/typescript/module.ts";
import { readDefinitions } from "../../types/typescript/read_definitions.ts";
import { definitionsText } from "../analysis/definitions_text.ts";
import { declarationText, exportsWithTypes, type ModuleExports } from "../analysis/typed_exports.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import { fileName, readInput, replaceFile } from "../terminal/files.ts";
import { type Options, readOptions, singleFile } from "../terminal/options.ts";
import { nextStepLine, reportingErrors } from "../terminal/problems.ts";
import { writeProblem } from "../terminal/problem_format.ts";
import type { Writer } from "../terminal/style.ts";
import { printable } from "../terminal/table.ts";

const HELP = `smf types <file | -> [options]

Writes a TypeScript module of the types that a module keeps (link objects that were
compiled with -g): definitions of all functions and variables for open and bind, with
their declarations in C, enumerations, and a class for each struct that functions and
variables have or point to. What cannot be called is listed in a comment.

  -o, --output FILE   write to this file; default: standard output
  --check FILE        write nothing; list what differs from this file, and end with
                      exit code 1 if it is out of date. A file that smf types did
                      not write is searched for definitions, without running it
  --only GLOB         only the functions and variables with these names; repeatable
  --buffer GLOB       functions whose pointers are buffers, which take a Uint8Array
                      instead of a pointer; repeatable
  --all-structs       also structs that only fields of structs point to
  -C, --demangle      show names of C++ and Rust as their sources write them, in messages;
                      definitions need them as linkers see them
  --json              print one JSON document
  --color WHEN        auto (default), always or never

Exit codes: 0 success, 1 a bad file or, with --check, one that is out of date, 2 wrong
usage or a file that cannot be read or written.

Examples:
  smf types mylib.smf -o mylib.ts
  smf types mylib.smf --check mylib.ts
  smf types zlib.smf --only 'crc32*' --buffer crc32 -o crc32.ts`;

export const types: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, {
      values: ["output", "check"],
      lists: ["only", "buffer"],
      switches: ["all-structs", "demangle", "json"],
      alias: { o: "output", C: "demangle" },
    }, output);
    const { writer } = options;
    const file = singleFile(options);
    const json = options.has("json");
    const [target, checked] = [options.value("output"), options.value("check")];
    if (target !== undefined && checked !== undefined) {
      throw new UsageError("--output and --check exclude each other");
    }
    return reportingErrors({ command: "types", file, writer, json }, () => {
      const module = exportsWithTypes(parseSmf(readInput(file), { path: file }), file);
      const chosen = { ...module, exports: chosenExports(module, options.list("only")) };
      return checked === undefined
        ? write(file, chosen, textOf(chosen, options, file), target, writer, json)
        : check(file, chosen, (name) => textOf(chosen, options, name), checked, writer, json);
    });
  },
};

function chosenExports({ exports }: ModuleExports, globs: readonly string[]): ModuleExports["exports"] {
  if (globs.length === 0) return exports;
  const chosen = exports.filter(({ name }) => globs.some((glob) => matchesGlob(glob, name)));
  if (chosen.length === 0) {
    const suggestion = didYouMean(nearestWord(globs[0], exports.map(({ name }) => name)));
    throw new UsageError(`--only chooses nothing that the module exports${suggestion}`);
  }
  return chosen;
}

function textOf(module: ModuleExports, options: Options, file: string): string {
  const buffers = options.list("buffer");
  return definitionsText(module, file, {
    allStructs: options.has("all-structs"),
    takesBuffers: (name) => buffers.some((glob) => matchesGlob(glob, name)),
  });
}

function write(
  file: string,
  { types, exports }: ModuleExports,
  text: string,
  target: string | undefined,
  writer: Writer,
  json: boolean,
): void {
  if (target !== undefined) replaceFile(target, new TextEncoder().encode(text));
  const leftOut = exports.flatMap((item) => {
    const definition = exportDefinition(types.types, item);
    if (!("reason" in definition)) return [];
    return [{ name: item.name, declaration: declarationText(types, item), reason: definition.reason }];
  });
  if (json) {
    const result = target === undefined ? { text } : { output: target };
    return printJson(writer, "types", {
      file,
      ...result,
      definitions: exports.length - leftOut.length,
      leftOut,
    });
  }
  if (target === undefined) return text.trimEnd().split("\n").forEach((line) => writer.print(line));
  if (leftOut.length === 0) return;
  const names = leftOut.map(({ name, reason }) => `${writer.named(name)} (${printable(reason)})`);
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more, which ${target} lists` : "";
  const message = `${file}: left out: ${names.slice(0, LISTED).join(", ")}${more}`;
  writeProblem({ level: "warning", file, message }, writer, [message]);
}

/** The number of functions that a message lists. */
const LISTED = 4;

/** Prints the differences between a file and the module. */
function check(
  file: string,
  module: ModuleExports,
  textFor: (name: string) => string,
  checked: string,
  writer: Writer,
  json: boolean,
): number {
  const old = new TextDecoder().decode(readInput(checked));
  const isWritten = old.startsWith(WRITTEN_BY);
  // The file may have been written for the same module under another name, such as that for another system.
  const lines = isWritten
    ? moduleDifferences(old, textFor(writtenFor(old) ?? file))
    : definitionDifferences(old, module, checked);
  const isCurrent = lines.length === 0;
  if (json) {
    printJson(writer, "types", { file, checked, current: isCurrent, differences: lines });
  } else if (!isCurrent) {
    const verdict = isWritten ? "is out of date" : `does not agree with ${printable(fileName(file))}`;
    writer.print(writer.style.heading(`${printable(checked)} ${verdict}`));
    for (const line of lines) writer.print(`  ${writer.named(line)}`);
    const hint = isWritten
      ? `write the file again: smf types ${file} -o ${checked}, with the same options`
      : "correct the definitions; smf types FILE prints those of the module";
    const message = [`${checked} ${verdict}`, ...lines, `next: ${hint}`].map(printable).join("\n");
    writeProblem({ level: "error", file: checked, message }, writer, [
      nextStepLine(hint, writer.complaintStyle),
    ]);
  }
  return isCurrent ? ExitCode.OK : ExitCode.BAD_INPUT;
}

/** The name of the module's file in a text that this command has written. */
function writtenFor(text: string): string | undefined {
  return /^ (.*)`: /.exec(text.slice(WRITTEN_BY.length))?.[1];
}

const KINDS = { missing: "+", extra: "-", changed: "~" } as const;

/** Lists what has come to a written module (+), gone from it (-) or changed (~). */
function moduleDifferences(old: string, text: string): string[] {
  if (old === text) return [];
  return compareModules(old, text).map(({ name, kind, before, now }) => {
    const declaration = now ?? before;
    const was = before !== undefined && now !== undefined && before !== now ? `, was ${before}` : "";
    return `${KINDS[kind]} ${name}${declaration === undefined ? "" : `: ${declaration}`}${was}`;
  });
}

function definitionDifferences(old: string, { types, exports }: ModuleExports, checked: string): string[] {
  const { compared, differences } = compareDefinitions(types.types, exports, readDefinitions(old));
  if (compared === 0) {
    throw new UsageError(
      `${checked}: there are no definitions of what the module exports; they are found if they are literals, ` +
        `such as { add: { parameters: ["i32", "i32"], result: "i32" } }`,
    );
  }
  return differences.map(({ name, problem, declaration }) =>
    `${name}: ${problem}${declaration === undefined ? "" : ` (${declaration})`}`
  );
}
