/**
 * `smf run`: starts a program, or calls one function.
 */
import { argumentVector } from "../../os/c_strings.ts";
import type { LoadedModule } from "../../module/handle.ts";
import type { ModuleRegistry } from "../../registry/registry.ts";
import { type Command, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { fileName, readInput } from "../terminal/files.ts";
import { LOADING_HELP, LOADING_LISTS, registryOf } from "./loading.ts";
import { readOptions } from "../terminal/options.ts";
import { examining } from "../terminal/problems.ts";
import { parseSignature, type Signature } from "./signature.ts";
import { printable } from "../terminal/table.ts";

const HELP = `smf run <file | -> [args...] [options]
smf run <file | -> <name> [args...] --signature "result(parameters)" [options]

Loads a module and starts it at its entry point, as int main(int argc, char **argv);
what that returns is the exit code. With --signature it calls an exported function
instead and prints what it returns. Needs --allow-ffi and --allow-read; a module may
do whatever this process may.

  --signature TEXT    types of result and parameters: i8 to i64, u8 to u64, isize,
                      usize, f32, f64, bool, pointer, cstring, and void as a result
${LOADING_HELP}
  --integrity TEXT    refuse the file if it is not this, as smf hash prints it
  --json              print one JSON document: the result or the exit code
  --color WHEN        auto (default), always or never

Negative numbers are arguments; other arguments that begin with - stand behind --.

Examples:
  smf run program.smf input.txt -- --verbose
  smf run mylib.smf add 2 -3 --signature "i64(i64, i64)"
  smf run geometry.smf length 3 4 --signature "f64(f64, f64)" --library libm.so.6`;

/** The command. */
export const run: Command = {
  help: HELP,
  run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, {
      values: ["signature", "integrity"],
      lists: LOADING_LISTS,
      switches: ["json"],
    }, output);
    const { writer, rest: [file, ...rest] } = options;
    if (file === undefined) throw new UsageError("say which file, or - for standard input");
    const json = options.has("json");
    const types = options.value("signature");
    const signature = types === undefined ? undefined : parseSignature(types);
    const [name, ...texts] = rest;
    if (signature !== undefined && name === undefined) {
      throw new UsageError("--signature is of a function: name it");
    }
    const values = signature?.values(texts);
    return examining({ command: "run", file, writer, json }, () => {
      using registry = registryOf(options);
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

/** Calls an export; what it is called with has been read already. */
export function callFunction(
  module: LoadedModule,
  name: string,
  { definition }: Signature,
  values: readonly unknown[],
): unknown {
  const native = module.getFunction(name, definition);
  if (native !== null) return native(...values as never[]);
  throw noFunction(module, name);
}

/** Says which functions there are in place of one that there is not. */
export function noFunction(module: LoadedModule, name: string): UsageError {
  const known = module.exports().filter(({ type }) => type === "Function").map(({ name }) => name);
  const some = known.slice(0, 8).map((name) => printable(name)).join(", ");
  return new UsageError(
    `there is no function '${name}'; there ${known.length === 1 ? "is" : "are"} ${
      some === "" ? "none" : some
    }`,
  );
}

/** Starts a program; what it prints itself must not overtake what was printed before. */
function start(module: LoadedModule, file: string, args: readonly string[], writer: Writer): number {
  const main = module.entryPoint({ parameters: ["i32", "buffer"], result: "i32" });
  if (main === null) {
    throw new UsageError(
      `${file} has no entry point: call a function, smf run ${file} NAME --signature "i32()", ` +
        "or link it with --entry",
    );
  }
  writer.flush?.();
  const argv = argumentVector([file, ...args]);
  return main(args.length + 1, argv);
}
