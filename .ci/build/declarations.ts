/** Declarations of the exports of the entry points, with the documentation. */
import ts from "npm:typescript@5.9.3";
import { dirname, fromFileUrl, join, relative, resolve } from "@std/path";
import { deno } from "./deno.ts";

/** The specifier of another file, in `from "…"` and `import("…")`. */
const SPECIFIER = /(\b(?:from|import)\s*\(?\s*")(\.\.?\/[^"]+)\.ts(")/g;

const OPTIONS: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: false,
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  allowImportingTsExtensions: true,
  declaration: true,
  emitDeclarationOnly: true,
  skipLibCheck: true,
  types: [],
};

/**
 * Writes the declarations of files and of all files that their declarations refer to: one `.d.ts` for each,
 * beside each other as the sources are.
 *
 * @throws {Error} If a type cannot be written down, because it is not exported.
 */
export function writeDeclarations(root: string, files: readonly string[], target: string): void {
  const types = Deno.makeTempFileSync({ suffix: ".d.ts" });
  try {
    Deno.writeFileSync(types, deno("types"));
    const paths = files.map((path) => resolve(root, path));
    const declarations = emit([types, ...paths]);
    const queue = [...paths];
    for (const path of queue) {
      const declaration = declarations.get(path.replaceAll("\\", "/"));
      if (declaration === undefined) throw new Error(`${path} has no declarations`);
      const text = declaration.replace(SPECIFIER, (_, before: string, specifier: string, after: string) => {
        const other = resolve(dirname(path), `${specifier}.ts`);
        if (!queue.includes(other)) queue.push(other);
        return `${before}${specifier}.d.ts${after}`;
      });
      const output = join(target, relative(root, path).replace(/\.ts$/, ".d.ts"));
      Deno.mkdirSync(dirname(output), { recursive: true });
      Deno.writeTextFileSync(output, text);
    }
  } finally {
    Deno.removeSync(types);
  }
}

/** The declarations of files and of what they import, by the path of the source. */
function emit(paths: readonly string[]): Map<string, string> {
  const host = ts.createCompilerHost(OPTIONS);
  // The standard library, whose types no declaration has.
  host.resolveModuleNameLiterals = (literals, importer, _, options) =>
    literals.map(({ text }) =>
      text.startsWith("@std/")
        ? { resolvedModule: { resolvedFileName: standardModule(text), extension: ".ts" } }
        : ts.resolveModuleName(text, importer, options, host)
    );
  const declarations = new Map<string, string>();
  const program = ts.createProgram(paths, OPTIONS, host);
  const { diagnostics } = program.emit(undefined, (_, text, __, ___, sources) => {
    declarations.set(sources![0].fileName, text);
  });
  if (diagnostics.length > 0) throw new Error(ts.formatDiagnostics(diagnostics, host));
  return declarations;
}

function standardModule(specifier: string): string {
  const name = specifier.replace("@std/", "").replaceAll("-", "_");
  return fromFileUrl(new URL(`../std/${name}.ts`, import.meta.url)).replaceAll("\\", "/");
}
