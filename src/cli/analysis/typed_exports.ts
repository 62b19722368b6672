/**
 * The functions and variables that a module exports, with their types.
 */
import { LoadError } from "../../errors/load_error.ts";
import { Binding, SymbolType } from "../../smf/enums.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import type { SmfSymbol } from "../../smf/symbol.ts";
import type { ModuleTypes } from "../../smf/types.ts";
import type { TypedExport } from "../../types/typescript/definitions.ts";

/** The types of a module, and what it exports. */
export interface ModuleExports {
  readonly types: ModuleTypes;
  /** Sorted by name. */
  readonly exports: readonly TypedExport[];
}

/**
 * Reads the types and the exports of a module.
 *
 * @throws {LoadError} `Unsupported` if the module keeps no types.
 */
export function exportsWithTypes(module: ParsedSmf, path: string): ModuleExports {
  const types = module.types();
  if (types === undefined) {
    throw new LoadError("Unsupported", "Cannot tell types: the module keeps none", {
      path,
      hint: "compile its objects with -g and link them again",
    });
  }
  return { types, exports: exportsOf(module, types) };
}

/** Lists what a module exports, sorted by name. */
export function exportsOf(module: ParsedSmf, types: ModuleTypes | undefined): TypedExport[] {
  const found: TypedExport[] = [];
  for (const symbol of module.symbols) {
    if (!module.isDefined(symbol.index) || symbol.binding === Binding.Local) continue;
    const type = types?.of(symbol);
    const kind = kindOf(symbol, types, type);
    if (kind !== undefined) found.push({ name: symbol.name, kind, type });
  }
  return found.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

function kindOf(
  { type: symbolType }: SmfSymbol,
  types: ModuleTypes | undefined,
  type: number | undefined,
): TypedExport["kind"] | undefined {
  switch (symbolType) {
    case SymbolType.Function:
      return "function";
    case SymbolType.Data:
    case SymbolType.Constant:
      return "variable";
    case SymbolType.None:
      // Assembly code often does not say what its names are.
      if (type === undefined) return undefined;
      return types?.types[type]?.kind === "function" ? "function" : "variable";
    default:
      return undefined;
  }
}

/** Writes the declaration of an export in C; the name alone if the module does not know its type. */
export function declarationText(types: ModuleTypes | undefined, { name, type }: TypedExport): string {
  return types === undefined || type === undefined ? name : types.declaration(name, type);
}
