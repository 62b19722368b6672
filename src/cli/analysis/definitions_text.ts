/**
 * TypeScript definitions of the exports of a module, as `smf types` writes them.
 */
import { typeScriptModule } from "../../types/typescript/module.ts";
import type { ModuleExports } from "./typed_exports.ts";

/** The text of the definitions. */
export function definitionsText(
  { types, exports }: ModuleExports,
  file: string,
  { allStructs = false, takesBuffers = () => false }: {
    readonly allStructs?: boolean;
    readonly takesBuffers?: (name: string) => boolean;
  } = {},
): string {
  return typeScriptModule({
    // The folder would make the text depend on where the command runs.
    moduleName: file === "-" ? "-" : file.split(/[/\\]/).at(-1)!,
    types: types.types,
    layoutHash: (type) => types.layoutHash(type),
    exports,
    allStructs,
    takesBuffers,
  });
}
