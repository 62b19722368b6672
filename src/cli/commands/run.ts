/**
 * `smf run`: starts a program or calls a function.
 */
import { argumentVector } from "../../os/c_strings.ts";
import type { LoadedModule } from "../../module/handle.ts";
import type { ModuleRegistry } from "../../registry/registry.ts";
import { type Command, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { fileName, readInput } from "../terminal/files.ts";
import { createRegistry, LOADING_HELP, LOADING_LISTS, noSuchFunction } from "./loading.ts";
import { readOptions } from "../terminal/options.ts";
import { reportingErrors } from "../terminal/problems.ts";
import { parseSignature, type Signature } from "./signature.ts";

const HELP = `smf run <file | -> [args...] [options]
smf run <file | -> <name> [args...] --signature "result(parameters)" [options]

Loads a module and calls its entry point as int main(int argc, char **argv); the
return value becomes the exit code. With --signature, calls an exported function
instead and prints its result. Needs --allow-ffi and --allow-read; the module can do
whatever this process may do.

  --signature TEXT    types of result and parameters: i8 to i64, u8 to u64, isize,
                      usize, f32, f64, bool, pointer, cstring, and void as a result
${LOADING_HELP}
  --integrity TEXT    refuse a file with another integrity string (see smf hash)
  --json              print one JSON document: the result or the exit code
  --color WHEN        auto (default), always or never

Negative numbers are arguments; put other arguments that begin with - after --.

Examples:
  smf run program.smf input.txt -- --verbose
  smf run mylib.smf add 2 -3 --signature "i64(i64, i64)"
  smf run geometry.smf length 3 4 --signature "f64(f64, f64)" --library libm.so.6`;

export const run: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, {
      values: ["signature", "integrity"],
      lists: LOADING_LISTS,
      switches: ["json"],
    }, output);
    const { writer, rest: [file, ...rest] } = options;
    if (file === undefined) throw new UsageError("name a file, or - for standard input");
    const json = options.has("json");
    const types = options.value("signature");
    const signature = types === undefined ? undefined : parseSignature(types);
    const [name, ...texts] = rest;
    if (signature !== undefined && name === undefined) {
      throw new UsageError("--signature needs the name of a function");
    }
    const values = signature?.values(texts);
    return reportingErrors({ command: "run", file, writer, json }, () => {
      using registry = createRegistry(options);
      const integrity = options.value("integrity");
      const module = load(registry, file, integrity === undefined ? {} : { integrity });
      if (signature !== undefined && values !== undefined) {
        const result = signature.text(callFunction(module, name, signature, values));
        if (json) printJson(writer, "run", { file, name, result: result ?? null });
        else if (result !== undefined) writer.print(result);
        return;
      }
      const code = start(module, fileName(file), rest, writer);
      if (json) printJson(writer, "run", { file, exitCode: code });
      return code;
    });
  },
};

function load(
  registry: ModuleRegistry,
  file: string,
  options: { readonly integrity?: string },
): LoadedModule {
  return file === "-"
    ? registry.loadBytes(fileName(file), readInput(file), options)
    : registry.load(file, options);
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
): unknown {
  const native = module.getFunction(name, definition);
  if (native !== null) return native(...values as never[]);
  throw noSuchFunction(module, name);
}

/**
 * Calls the entry point; flushes the output first, because the program writes to the same file descriptors.
 *
 * Safety: an entry point that is not a `main` of C corrupts memory or ends the process.
 */
function start(module: LoadedModule, file: string, args: readonly string[], writer: Writer): number {
  const main = module.entryPoint({ parameters: ["i32", "buffer"], result: "i32" });
  if (main === null) {
    throw new UsageError(
      `${file} has no entry point: call a function (smf run ${file} NAME --signature "i32()") ` +
        "or link it with --entry",
    );
  }
  writer.flush?.();
  const argv = argumentVector([file, ...args]);
  return main(args.length + 1, argv);
}
