/** Takes generated programs through their versions, and judges each reload and rollback. */

import { type LoadedModule, LoadError, ModuleRegistry } from "../../../mod.ts";
import type { Random } from "../mutate.ts";
import type { Build } from "./build.ts";
import { type Cells, initialTarget, newCell, Newest } from "./cells.ts";
import { restartValues, uniqueValue } from "./draft.ts";
import { type Access, judge } from "./judge.ts";
import { describe, type Variable, type Version } from "./model.ts";
import { accessName, NOTHING, print, slotOf } from "./print.ts";

/** A program: its versions, in the order of their reloads. */
export interface Program {
  readonly seed: number;
  readonly build: Build;
  readonly versions: readonly Version[];
}

/** How often variables had each fate. */
export type Counts = Record<"kept" | "fresh" | "moved" | "any" | "refused", number>;

/** Written values begin here: initial ones are smaller. */
const WRITTEN = 12_000;

const ACCESS = { parameters: ["i32", "i32", "i32", "i32"], result: "i32" } as const;

/** A program that runs. */
class Run implements Access {
  readonly #registry = new ModuleRegistry({ keepVersions: 3 });
  readonly #newest = new Newest();
  /** Whose each written value is. */
  readonly owners = new Map<number, string>();
  readonly #isKnown: boolean;
  #hadFiles = false;
  #cells: Cells = new Map();
  #module: LoadedModule | undefined;
  #functions = new Map<string, (slot: number, part: number, write: number, value: number) => number>();

  constructor({ flags }: Build) {
    this.#isKnown = flags.includes("-g") && flags.includes("-fdata-sections");
  }

  load(version: Version, bytes: Uint8Array<ArrayBuffer>): Cells {
    this.#module = this.#registry.loadBytes("m", bytes);
    const cells = new Map(version.variables.map((variable) => [variable, newCell(variable)]));
    for (const [variable, cell] of cells) cell.target = initialTarget(version, cells, variable);
    this.#newest.enter(version, cells);
    // A module of one file does not name it.
    this.#hadFiles = version.files.length > 1;
    return this.#cells = cells;
  }

  reload(version: Version, bytes: Uint8Array<ArrayBuffer>, counts: Counts): Cells {
    return this.#take(version, this.#registry.reload("m", { bytes, state: "keep" }), undefined, counts);
  }

  rollback(version: Version, own: Cells, counts: Counts): Cells {
    return this.#take(version, this.#registry.rollback("m", { state: "keep" }), own, counts);
  }

  #take(version: Version, module: LoadedModule, own: Cells | undefined, counts: Counts): Cells {
    this.#module!.close();
    this.#module = module;
    this.#functions.clear();
    const { cells, fates } = judge(version, this, module.carried!, {
      newest: this.#newest,
      own,
      previous: this.#cells,
      isKnown: this.#isKnown && version.files.length > 1 && this.#hadFiles,
    });
    for (const fate of fates.values()) counts[fate]++;
    this.#newest.enter(version, cells);
    // A module of one file does not name it.
    this.#hadFiles = version.files.length > 1;
    return this.#cells = cells;
  }

  read(version: Version, variable: Variable, part: number): number {
    return this.#access(version, variable, part, 0, 0);
  }

  write(version: Version, variable: Variable, part: number, value: number): void {
    this.#access(version, variable, part, 1, value);
  }

  #access(version: Version, variable: Variable, part: number, write: number, value: number): number {
    const name = accessName(version, variable.file);
    let found = this.#functions.get(name);
    if (found === undefined) {
      found = this.#module!.getFunction(name, ACCESS)!;
      this.#functions.set(name, found);
    }
    const result = found(slotOf(version, variable), part, write, value);
    if (result === NOTHING) throw new Error(`${name} does not know slot ${slotOf(version, variable)}`);
    return result;
  }

  close(): Promise<void> {
    this.#module?.close();
    return this.#registry[Symbol.asyncDispose]();
  }
}

/**
 * Runs a program.
 *
 * @param modules Its versions, linked.
 * @throws {Error} with seed and sources, if anything is wrong.
 */
export async function runProgram(
  program: Program,
  modules: readonly Uint8Array<ArrayBuffer>[],
  random: Random,
  counts: Counts,
): Promise<void> {
  const run = new Run(program.build), { versions } = program;
  restartValues(WRITTEN);
  let step = 0;
  try {
    const past = [{ version: versions[0], cells: run.load(versions[0], modules[0]) }];
    for (step = 1; step < versions.length; step++) {
      writeAll(run, past.at(-1)!);
      if (past.length > 1 && random.once(5)) {
        const { version, cells } = past.at(-2)!;
        try {
          past.splice(-2, 2, { version, cells: run.rollback(version, cells, counts) });
        } catch (error) {
          if (!(error instanceof LoadError) || error.kind !== "Incompatible") throw error;
          counts.refused++;
        }
        writeAll(run, past.at(-1)!);
      }
      past.push({ version: versions[step], cells: run.reload(versions[step], modules[step], counts) });
      // Three older versions are kept.
      if (past.length > 4) past.shift();
      readAll(run, past.at(-1)!);
    }
  } catch (error) {
    throw new Error(failure(program, step, error, run.owners), { cause: error });
  } finally {
    await run.close();
  }
}

interface Current {
  readonly version: Version;
  readonly cells: Cells;
}

/** Gives all variables new values, so that each tells whose it is. */
function writeAll(run: Run, { version, cells }: Current): void {
  for (const [variable, { values }] of cells) {
    for (const part of values.keys()) {
      const value = variable.shape.kind === "flag" ? variable.shape.other : uniqueValue();
      run.write(version, variable, part, value);
      if (variable.shape.kind !== "flag") run.owners.set(value, describe(variable));
      values[part] = value;
    }
  }
  readAll(run, { version, cells });
}

/** Reads all variables again: nothing that was written may have gone elsewhere. */
function readAll(run: Run, { version, cells }: Current): void {
  for (const [variable, { values, target }] of cells) {
    values.forEach((value, part) => {
      const found = run.read(version, variable, part);
      if (found !== value) throw new Error(`${variable.name} holds ${found} after ${value} was written`);
    });
    if (target === undefined) continue;
    const found = run.read(version, variable, values.length);
    if (found !== target.cell.values[target.part]) throw new Error(`${variable.name} leads to ${found} now`);
  }
}

function failure(
  { seed, build, versions }: Program,
  step: number,
  error: unknown,
  owners: ReadonlyMap<number, string>,
): string {
  const message = `${error instanceof Error ? error.message : error}`;
  const known = (message.match(/\b\d{5}\b/g) ?? []).map((value) =>
    `${value} was ${owners.get(Number(value))}`
  );
  const sources = [step - 1, step].flatMap((number) =>
    versions[number] === undefined
      ? []
      : print(versions[number]).map(({ path, text }) => `=== version ${number}: ${path}\n${text}`)
  );
  return [
    `seed ${seed}, version ${step}: ${message}; ${known.join(", ")}`,
    `${build.compiler} ${build.flags.join(" ")}`,
    ...sources,
  ].join("\n");
}
