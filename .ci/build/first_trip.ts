/** What every program needs of the bundles: found by running some under V8's coverage. */
import { fromFileUrl, join, toFileUrl } from "@std/path";
import { deno } from "./deno.ts";
import { filesIn } from "./files.ts";
import type { Range } from "./eager.ts";
import { addModule } from "../../tests/support/testing.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/**
 * A program that loads a module in each of the usual ways, with a cache too, and uses one by its token.
 *
 * @param main The module that exports what the package does.
 * @param attach The one that exports what Workers need.
 */
function loading(main: string, attach: string, data: string): string {
  const file = join(data, "add.smf");
  return `
    import { ModuleLoader, ModuleRegistry } from ${JSON.stringify(toFileUrl(main).href)};
    import { LiveLibrary, LoadedModule } from ${JSON.stringify(toFileUrl(attach).href)};

    const ADD = { add: { parameters: ["i64", "i64"], result: "i64" } };
    const check = (sum) => {
      if (sum !== 5n) throw new Error("a wrong sum");
    };
    {
      using module = new ModuleLoader().load(${JSON.stringify(file)});
      check(module.bind(ADD).symbols.add(2n, 3n));
    }
    using registry = new ModuleRegistry();
    const module = registry.load(${JSON.stringify(file)});
    check(module.getFunction("add", ADD.add)(2n, 3n));
    using live = registry.open(${JSON.stringify(file)}, ADD);
    check(live.symbols.add(2n, 3n));
    {
      using attached = LiveLibrary.attach(live.share(), ADD);
      check(attached.symbols.add(2n, 3n));
      using version = LoadedModule.attach(module.share());
      check(version.bind(ADD).symbols.add(2n, 3n));
    }

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
  `;
}

/** A program that links an object by the command. */
function linking(command: string, data: string): string {
  const args = ["link", join(ROOT, "fixtures", "c", "arith.o"), "-o", join(data, "arith.smf")];
  return `
    import { runProgram } from ${JSON.stringify(toFileUrl(command).href)};

    const code = await runProgram(${JSON.stringify(args)});
    if (code !== 0) throw new Error("the command failed");
  `;
}

/** The programs that the package is to be fast for. */
function programs(scripts: string, data: string): string[] {
  const main = join(scripts, "mod.js"), command = join(scripts, "src", "cli", "main.js");
  const attach = join(scripts, "src", "module", "share", "mod.js");
  return [loading(main, main, data), loading(main, attach, data), linking(command, data)];
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
    /** The function's own range, and then those of blocks in it whose counts differ. */
    readonly ranges: readonly CountedRange[];
  }[];
}

interface CountedRange {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
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
  const inPrograms = calledIn(covered((data) => programs(folder, data)));
  const atImport = calledIn(covered(() => [importing(scripts)]));
  return scripts.map((path) => ({
    path,
    inPrograms: inPrograms.get(toFileUrl(path).href) ?? [],
    atImport: atImport.get(toFileUrl(path).href) ?? [],
  }));
}

/**
 * Finds what runs of a bundle when it is imported, and when a program attaches to modules with it.
 *
 * @param loader The bundle with which the program loads the modules.
 * @returns a byte for each UTF-16 code unit of the text: 1 if it has run.
 */
export function textThatRuns(path: string, loader: string): Uint8Array {
  const { length } = Deno.readTextFileSync(path), url = toFileUrl(path).href;
  const ran = new Uint8Array(length);
  for (const script of covered((data) => [importing([path]), loading(loader, path, data)])) {
    if (script.url !== url) continue;
    const counted = new Uint8Array(length);
    // Inner ranges come after those around them.
    const ranges = script.functions.flatMap(({ ranges }) => ranges);
    for (const { startOffset, endOffset, count } of ranges.toSorted(bySize)) {
      counted.fill(Math.min(count, 1), startOffset, endOffset);
    }
    counted.forEach((value, at) => ran[at] |= value);
  }
  return ran;
}

/** Puts larger ranges first. */
function bySize(a: CountedRange, b: CountedRange): number {
  return (b.endOffset - b.startOffset) - (a.endOffset - a.startOffset);
}

/** The functions that were called, by the URL of their script. */
function calledIn(scripts: readonly Coverage[]): Map<string, Range[]> {
  const found = new Map<string, Range[]>();
  for (const { url, functions } of scripts) {
    const ranges = found.get(url) ?? [];
    found.set(url, ranges);
    for (const { ranges: [{ startOffset: start, endOffset: end, count }] } of functions) {
      if (count > 0 && !ranges.some((range) => range.start === start)) ranges.push({ start, end });
    }
  }
  return found;
}

/** Runs programs, and returns the coverage of each script in each of them. */
function covered(programs: (folder: string) => readonly string[]): readonly Coverage[] {
  const folder = Deno.makeTempDirSync({ prefix: "coverage_" });
  try {
    run(programs, `--coverage=${folder}`);
    return filesIn(folder, ".json").map((path) => JSON.parse(Deno.readTextFileSync(path)));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
