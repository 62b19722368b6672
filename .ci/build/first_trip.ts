/** The functions that every program needs: found by running some under V8's coverage. */
import { fromFileUrl, join, toFileUrl } from "@std/path";
import { deno } from "./deno.ts";
import type { Range } from "./eager.ts";
import { addModule } from "../../tests/support/testing.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** A program that loads a module in each of the usual ways, with a cache too, and one that links an object by the command. */
function programs(scripts: string, data: string): string[] {
  const url = (path: string): string => JSON.stringify(toFileUrl(path).href);
  const file = join(data, "add.smf"), object = join(ROOT, "fixtures", "c", "arith.o");
  return [
    `
      import { ModuleLoader, ModuleRegistry } from ${url(join(scripts, "mod.js"))};

      const ADD = { add: { parameters: ["i64", "i64"], result: "i64" } };
      {
        using module = new ModuleLoader().load(${JSON.stringify(file)});
        if (module.bind(ADD).symbols.add(2n, 3n) !== 5n) throw new Error("a wrong sum");
      }
      using registry = new ModuleRegistry();
      const module = registry.load(${JSON.stringify(file)});
      if (module.getFunction("add", ADD.add)(2n, 3n) !== 5n) throw new Error("a wrong sum");

      // Only a file that has not changed for a second is known afterwards.
      await new Promise((resolve) => setTimeout(resolve, 1100));
      let known = false;
      for (let start = 1; start <= 2 && Deno.build.os !== "windows"; start++) {
        using registry = new ModuleRegistry({
          cache: ${JSON.stringify(join(data, "cache"))},
          onTrace: (event) => event.kind === "read" && (known = event.known),
        });
        registry.load(${JSON.stringify(file)});
      }
      if (Deno.build.os !== "windows" && !known) throw new Error("the file is not known");
    `,
    `
      import { runProgram } from ${url(join(scripts, "src", "cli", "main.js"))};

      const code = await runProgram(["link", ${JSON.stringify(object)}, "-o", ${
      JSON.stringify(join(data, "arith.smf"))
    }]);
      if (code !== 0) throw new Error("the command failed");
    `,
  ];
}

/** Imports all modules of the package, and then runs the programs with it. */
export function makeTrips(scripts: readonly string[], folder: string): void {
  run(() => [importing(scripts)]);
  run((data) => programs(folder, data));
}

/** A program that only imports modules. */
function importing(scripts: readonly string[]): string {
  return scripts.map((path) => `import ${JSON.stringify(toFileUrl(path).href)};`).join("\n");
}

/** Runs programs, which are given a folder with files. */
function run(programs: (folder: string) => readonly string[], ...options: readonly string[]): void {
  const folder = Deno.makeTempDirSync({ prefix: "first_trip_" });
  try {
    Deno.writeFileSync(join(folder, "add.smf"), addModule());
    programs(folder).forEach((program, index) => {
      const path = join(folder, `trip_${index}.js`);
      Deno.writeTextFileSync(path, program);
      deno("run", "--allow-all", "--no-config", ...options, path);
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The part of V8's coverage of a script that is used. */
interface Coverage {
  readonly url: string;
  readonly functions: readonly {
    readonly ranges: readonly {
      readonly startOffset: number;
      readonly endOffset: number;
      readonly count: number;
    }[];
  }[];
}

/** The functions that run, by script. */
export interface CalledFunctions {
  readonly path: string;
  /** The functions that run when a program uses the package. */
  readonly inPrograms: readonly Range[];
  /** The functions that run when the package is imported. */
  readonly atImport: readonly Range[];
}

/** Finds the functions that run in the programs, and when all of the package is imported. */
export function calledFunctions(scripts: readonly string[], folder: string): readonly CalledFunctions[] {
  const inPrograms = covered((data) => programs(folder, data));
  const atImport = covered(() => [importing(scripts)]);
  return scripts.map((path) => ({
    path,
    inPrograms: inPrograms.get(toFileUrl(path).href) ?? [],
    atImport: atImport.get(toFileUrl(path).href) ?? [],
  }));
}

/** Runs programs and returns the functions that they call, by the URL of their script. */
function covered(programs: (folder: string) => readonly string[]): Map<string, Range[]> {
  const folder = Deno.makeTempDirSync({ prefix: "coverage_" });
  try {
    run(programs, `--coverage=${folder}`);
    const found = new Map<string, Range[]>();
    for (const { name } of Deno.readDirSync(folder)) {
      if (!name.endsWith(".json")) continue;
      const { url, functions }: Coverage = JSON.parse(Deno.readTextFileSync(join(folder, name)));
      const ranges = found.get(url) ?? [];
      found.set(url, ranges);
      for (const { ranges: [{ startOffset: start, endOffset: end, count }] } of functions) {
        if (count > 0 && !ranges.some((range) => range.start === start)) ranges.push({ start, end });
      }
    }
    return found;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
