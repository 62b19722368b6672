/**
 * The part that `smf run` and `smf watch` share: providers of imports, and functions by name.
 */
import type { CrashOptions } from "../../call/guard.ts";
import type { LoadedModule } from "../../module/handle.ts";
import { ModuleRegistry } from "../../registry/registry.ts";
import { didYouMean, nearestSymbol } from "../../errors/names.ts";
import { UsageError } from "../terminal/command.ts";
import { declarationText, type ModuleExports } from "../analysis/typed_exports.ts";
import { readPublicKeys } from "../terminal/keys.ts";
import type { Options } from "../terminal/options.ts";
import { printable } from "../terminal/table.ts";
import { TRACE_HELP, traceListener } from "./trace.ts";

/** The help on the options that {@linkcode createRegistry} reads. */
export const LOADING_HELP = `${TRACE_HELP}
  --debug             tell debuggers (gdb, lldb) of the modules, on Linux
  --with FILE         load this module first, to provide imports; repeatable
  --library NAME      use this shared library of the system for imports; repeatable
  --trust KEY         load only modules that this key has signed (smf sign): a public
                      key as ed25519-... or the path of its file; repeatable
  -C, --demangle      show names of C++ and Rust as their sources write them`;

/** The options that {@linkcode createRegistry} reads and that may be repeated. */
export const LOADING_LISTS = ["with", "library", "trust"] as const;

/** The options that {@linkcode createRegistry} reads and that may be given once. */
export const LOADING_VALUES = ["trace"] as const;

/** The switches that {@linkcode createRegistry} reads. */
export const LOADING_SWITCHES = ["debug", "demangle"] as const;

/** Creates a registry with the providers of imports that the options name; the caller disposes of it. */
export function createRegistry(options: Options, { onCrash = "end" }: CrashOptions = {}): ModuleRegistry {
  using stack = new DisposableStack();
  const libraries = options.list("library");
  const keys = readPublicKeys(options.list("trust"));
  const onTrace = traceListener(options.value("trace"), options.writer);
  const registry = stack.use(
    new ModuleRegistry({
      ...libraries.length > 0 && { libraries },
      ...onTrace && { onTrace },
      ...keys.length > 0 && { trust: { keys } },
      debug: options.has("debug"),
      onCrash,
    }),
  );
  const providers = options.list("with");
  if (providers.length > 0) registry.loadAll(providers);
  stack.move();
  return registry;
}

/**
 * The error for a function that a module does not export; it lists some that the module does export, by their
 * declarations if their types are known.
 */
export function noSuchFunction(module: LoadedModule, name: string, exports?: ModuleExports): UsageError {
  const known = module.exports().filter(({ type }) => type === "Function").map(({ name }) => name);
  const declarations = new Map(
    exports?.exports.map((item) => [item.name, declarationText(exports.types, item)]),
  );
  const near = nearestSymbol(name, known);
  const some = known.slice(0, 8).map((name) => printable(declarations.get(name) ?? name)).join(", ");
  return new UsageError(
    `there is no function '${name}'${didYouMean(near && printable(near))}; there ${
      known.length === 1 ? "is" : "are"
    } ${some === "" ? "none" : some}`,
  );
}
