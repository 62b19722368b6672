/**
 * The part that `smf run` and `smf watch` share: providers of imports, and functions by name.
 */
import type { LoadedModule } from "../../module/handle.ts";
import { ModuleRegistry } from "../../registry/registry.ts";
import { UsageError } from "../terminal/command.ts";
import { declarationText, type ModuleExports } from "../analysis/typed_exports.ts";
import type { Options } from "../terminal/options.ts";
import { printable } from "../terminal/table.ts";
import { TRACE_HELP, traceListener } from "./trace.ts";

/** The help on the options that {@linkcode createRegistry} reads. */
export const LOADING_HELP = `${TRACE_HELP}
  --debug             tell debuggers (gdb, lldb) of the modules, on Linux
  --with FILE         load this module first, to provide imports; repeatable
  --library NAME      use this shared library of the system for imports; repeatable`;

/** The options that {@linkcode createRegistry} reads. */
export const LOADING_LISTS = ["with", "library"] as const;

/** Those of them that may be given once. */
export const LOADING_VALUES = ["trace"] as const;

/** Those that are switches. */
export const LOADING_SWITCHES = ["debug"] as const;

/** Creates a registry with the providers of imports that the options name; the caller disposes of it. */
export function createRegistry(options: Options): ModuleRegistry {
  using stack = new DisposableStack();
  const libraries = options.list("library");
  const onTrace = traceListener(options.value("trace"), options.writer);
  const registry = stack.use(
    new ModuleRegistry({
      ...libraries.length > 0 && { libraries },
      ...onTrace && { onTrace },
      debug: options.has("debug"),
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
  const some = known.slice(0, 8).map((name) => printable(declarations.get(name) ?? name)).join(", ");
  return new UsageError(
    `there is no function '${name}'; there ${known.length === 1 ? "is" : "are"} ${
      some === "" ? "none" : some
    }`,
  );
}
