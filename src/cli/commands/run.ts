/**
 * `smf run`: starts a program or calls a function.
 */
import { argumentVector } from "../../os/c_strings.ts";
import type { LoadedModule } from "../../module/handle.ts";
import { type Command, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { fileName } from "../terminal/files.ts";
import {
  createRegistry,
  LOADING_HELP,
  LOADING_LISTS,
  LOADING_SWITCHES,
  LOADING_VALUES,
  noSuchFunction,
} from "./loading.ts";
import { readOptions } from "../terminal/options.ts";
import { ModuleFile } from "./module_file.ts";
import { reportingErrors } from "../terminal/problems.ts";
import { parseSignature, type Signature } from "./signature.ts";
import { functionLines, MOST_LISTED, type TypedSignature, typedSignature } from "./typed_signature.ts";

const HELP = `smf run <file | -> [args...] [options]
smf run <file | -> <name> [args...] [--signature "result(parameters)"] [options]

Loads a module and calls its entry point as int main(int argc, char **argv); the
return value becomes the exit code. In a module without an entry point, or with
--call or --signature, calls an exported function instead and prints its result. The
types are those that the module keeps (smf types), or those of --signature. With
--help, lists the functions of the file. Needs --allow-ffi and --allow-read; the
module can do whatever this process may do.

  --call              call the function that is named, although there is an entry point
  --signature TEXT    types of result and parameters, instead of the module's own: i8 to
                      i64, u8 to u64, isize, usize, f32, f64, bool, pointer, cstring,
                      and void as a result; or a declaration of C, such as
                      "int f(const char *, size_t)"
${LOADING_HELP}
  --integrity TEXT    refuse a file with another integrity string (see smf hash)
  --json              print one JSON document: the result or the exit code
  --color WHEN        auto (default), always or never

Negative numbers are arguments; put other arguments that begin with - after --.

Exit codes: that of the program; without one 0 success, 1 a bad file, 2 wrong usage, a
file that cannot be read or a missing permission.

Examples:
  smf run program.smf input.txt -- --verbose
  smf run mylib.smf add 2 -3
  smf run mylib.smf add 2 -3 --signature "i64(i64, i64)"
  smf run mylib.smf add 2 -3 --signature "long add(long, long)"
  smf run geometry.smf length '{"x": 3, "y": 4}' --library libm.so.6`;

export const run: Command = {
  help: HELP,
  helpOn(args: readonly string[]): readonly string[] {
    const file = args.find((argument) => !argument.startsWith("-"));
    const exports = file === undefined ? undefined : new ModuleFile(file).exports();
    return exports === undefined ? [] : ["", `Functions of ${file}:`, ...functionLines(exports)];
  },
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, {
      values: [...LOADING_VALUES, "signature", "integrity"],
      lists: LOADING_LISTS,
      switches: [...LOADING_SWITCHES, "call", "json"],
      alias: { C: "demangle" },
    }, output);
    const { writer, rest: [path, ...rest] } = options;
    if (path === undefined) throw new UsageError("name a file, or - for standard input");
    const json = options.has("json");
    const types = options.value("signature");
    const given = types === undefined ? undefined : parseSignature(types);
    const [name, ...texts] = rest;
    for (const option of ["signature", "call"]) {
      const isGiven = option === "call" ? options.has(option) : given !== undefined;
      if (isGiven && name === undefined) throw new UsageError(`--${option} needs the name of a function`);
    }
    if (given?.name !== undefined && given.name !== name) {
      throw new UsageError(`--signature declares '${given.name}', the function to call is '${name}'`);
    }
    const values = given?.values(texts);
    const file = new ModuleFile(path);
    return reportingErrors({ command: "run", file: path, writer, json }, () => {
      const signature = given ??
        (file.starts() && !options.has("call") ? undefined : ownSignature(file, name));
      if (signature === undefined && options.has("call")) {
        throw new UsageError(`${fileName(path)} keeps no types: give --signature "result(parameters)"`);
      }
      const converted = values ?? signature?.values(texts);
      using registry = createRegistry(options);
      const module = file.load(registry, options, given === undefined && signature !== undefined);
      if (signature !== undefined && converted !== undefined) {
        const result = callFunction(module, name, signature, converted, file);
        printResult(signature, name, result, path, writer, json);
        return;
      }
      const code = start(module, fileName(path), rest, writer);
      if (json) printJson(writer, "run", { file: path, exitCode: code });
      return code;
    });
  },
};

/** Returns the signature of a function by the module's own types; undefined if the module keeps none. */
function ownSignature(file: ModuleFile, name: string | undefined): TypedSignature | undefined {
  const exports = file.exports();
  if (exports === undefined) return undefined;
  if (name !== undefined) return typedSignature(exports, name);
  const path = fileName(file.path);
  const lines = functionLines(exports, MOST_LISTED);
  throw new UsageError(
    [`${path} has no entry point: call a function (smf run ${path} NAME [args...])`, ...lines].join("\n"),
  );
}

function printResult(
  signature: Signature | TypedSignature,
  name: string,
  result: unknown,
  file: string,
  writer: Writer,
  json: boolean,
): void {
  const text = signature.text(result);
  if (!json) {
    if (text !== undefined) writer.print(text);
    return;
  }
  const typed = "show" in signature
    ? { declaration: signature.declaration, value: signature.show(result)?.json ?? null }
    : {};
  printJson(writer, "run", { file, name, result: text ?? null, ...typed });
}

/**
 * Calls an exported function.
 *
 * Safety: a signature that is not the function's own corrupts memory or ends the process.
 *
 * @param values The arguments, as {@linkcode Signature.values} makes them.
 */
function callFunction(
  module: LoadedModule,
  name: string,
  { definition }: Signature,
  values: readonly unknown[],
  file: ModuleFile,
): unknown {
  const native = module.getFunction(name, definition);
  if (native !== null) return native(...values as never[]);
  throw noSuchFunction(module, name, file.exports());
}

/**
 * Calls the entry point; flushes the output first, because the program writes to the same file descriptors.
 *
 * Safety: an entry point that is not a `main` of C corrupts memory or ends the process.
 */
function start(module: LoadedModule, file: string, args: readonly string[], writer: Writer): number {
  // C calls every `main` in the same way, also one that is declared without parameters.
  const definition = { parameters: ["i32", "buffer"], result: "i32" } as const;
  const main = module.entryPoint(definition, { types: "ignore" });
  if (main === null) {
    throw new UsageError(
      `${file} has no entry point: call a function (smf run ${file} NAME --signature "i32()", or by its types ` +
        "if it is compiled with -g) or link it with --entry",
    );
  }
  writer.flush?.();
  const argv = argumentVector([file, ...args]);
  return main(args.length + 1, argv);
}
