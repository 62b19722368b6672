/**
 * The files of a new project.
 */
import { compilerVariable } from "../../build/compilers.ts";
import type { Starter } from "./languages.ts";

/** Where the project gets this package from. */
export interface PackageSource {
  /** The specifier in the project's import map. */
  readonly specifier: string;
  /** Folders of packages, from the project's folder, if the package is not published. */
  readonly links: readonly string[];
  /** The schema of the configuration, as a URL or a path from the project's folder. */
  readonly schema: string;
}

/**
 * The files by their paths in the project's folder.
 *
 * @param compiler The package of npm that the tasks install first, because it has the compiler.
 */
export function projectFiles(
  starter: Starter,
  { specifier, links, schema }: PackageSource,
  compiler?: { readonly name: string; readonly version: string },
): Record<string, string> {
  const install = compiler === undefined ? "" : "deno install --quiet --node-modules-dir && ";
  const smf = `${install}deno run --allow-run --allow-read --allow-write=. ` +
    `--allow-env=${compilerVariable(starter.compiler)} @simple/loader/cli`;
  const config = {
    imports: {
      "@simple/loader": specifier,
      ...(compiler !== undefined && { [compiler.name]: `npm:${compiler.name}@${compiler.version}` }),
    },
    ...(links.length > 0 && { links }),
    tasks: {
      dev: `${smf} dev main.ts`,
      build: `${smf} build`,
      test: `${smf} build && deno test --allow-ffi --allow-read`,
    },
  };
  const modules = {
    $schema: schema,
    counter: { sources: [starter.source], types: "native/counter.ts" },
  };
  return {
    "deno.json": `${JSON.stringify(config, null, 2)}\n`,
    "smf.json": `${JSON.stringify(modules, null, 2)}\n`,
    ".gitignore": `.smf/\n${compiler === undefined ? "" : "node_modules/\n"}`,
    ...starter.files,
    "main.ts": `// Calls ${starter.title} twice a second: deno task dev
import { counter } from "./counter.ts";

let by = 1;
setInterval(() => console.log(counter.symbols.count(by++)), 500);
`,
    "counter.ts": `import { ModuleRegistry } from "@simple/loader";
// \`smf build\` and \`smf dev\` write the types.
import { definitions } from "./native/counter.ts";

const registry = new ModuleRegistry();

/** The native module, with its functions by their names. */
export const counter = registry.open(
  new URL(".smf/counter.smf", import.meta.url),
  definitions,
);
`,
    "counter_test.ts": `import { strictEqual } from "node:assert/strict";
import { counter } from "./counter.ts";

Deno.test("count adds up", () => {
  const before = counter.symbols.count(0);
  strictEqual(counter.symbols.count(2), before + 2);
  strictEqual(counter.symbols.count(3), before + 5);
});
`,
  };
}
