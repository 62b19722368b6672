/**
 * Runs the tests of one process repeatedly, each time with another validation
 * switched off, until one fails. main.ts starts it in the copy; it prints lines of
 * JSON.
 */
import { join, toFileUrl } from "@std/path";

/** The argument of a runner, as JSON. */
export interface Work {
  /** Test files, the most likely to fail first. */
  readonly tests: readonly string[];
  /** The numbers of the validations to switch off, each with the test file of its source file, which runs first. */
  readonly validations: readonly (readonly [number: number, own: string])[];
}

/** A line that a runner prints. */
export type Line =
  | { readonly is: "ready"; readonly tests: number; readonly left: readonly string[] }
  | { readonly is: "trying"; readonly number: number }
  | { readonly is: "noticed"; readonly number: number; readonly by: string }
  | { readonly is: "survived"; readonly number: number }
  /** The test that failed also fails with the validation on: a new process has to decide. */
  | { readonly is: "spoilt"; readonly number: number; readonly by: string };

interface Test {
  readonly file: string;
  readonly name: string;
  readonly run: () => unknown;
}

const global = globalThis as { MUTANT?: number };
const say = (line: Line): void => console.log(JSON.stringify(line));

/** A test context that runs steps at once. */
const context = {
  step: async (first: unknown, second?: unknown): Promise<boolean> => {
    const fn = (typeof first === "object" ? (first as Deno.TestStepDefinition).fn : second ?? first) as (
      t: unknown,
    ) => unknown;
    await fn(context);
    return true;
  },
};

/** Imports test files and collects the tests that they register. */
async function collect(files: readonly string[]): Promise<Test[]> {
  const tests: Test[] = [];
  let file = "";
  const register = (...given: unknown[]): void => {
    const options = given.find((one) => typeof one === "object") as Partial<Deno.TestDefinition> | undefined;
    const fn = (given.find((one) => typeof one === "function") ?? options?.fn) as (t: unknown) => unknown;
    const name = given.find((one) => typeof one === "string") as string | undefined ?? options?.name ??
      fn.name;
    if (options?.ignore !== true) tests.push({ file, name, run: () => fn(context) });
  };
  Object.defineProperty(Deno, "test", {
    value: Object.assign(register, { ignore: () => {}, only: register }),
  });
  for (file of files) await import(toFileUrl(join(Deno.cwd(), file)).href);
  return tests;
}

async function fails({ run }: Test, number: number | undefined): Promise<boolean> {
  global.MUTANT = number;
  try {
    await run();
    return false;
  } catch {
    return true;
  } finally {
    global.MUTANT = undefined;
  }
}

/** The longest time of a test; slower ones are left out, because each mutant would wait for them. */
const LONGEST_MS = 5000;

async function main({ tests: files, validations }: Work): Promise<void> {
  const left: string[] = [];
  let tests: Test[] = [];
  for (const test of await collect(files)) {
    const began = performance.now();
    if (await fails(test, undefined) || performance.now() - began > LONGEST_MS) left.push(test.name);
    else tests.push(test);
  }
  say({ is: "ready", tests: tests.length, left });
  for (const [number, own] of validations) {
    say({ is: "trying", number });
    let noticed: Test | undefined;
    const first = tests.filter(({ file }) => file === own);
    for (const test of [...first, ...tests.filter(({ file }) => file !== own)]) {
      if (!(await fails(test, number))) continue;
      noticed = test;
      break;
    }
    if (noticed === undefined) {
      say({ is: "survived", number });
      continue;
    }
    if (await fails(noticed, undefined)) {
      say({ is: "spoilt", number, by: noticed.name });
      Deno.exit(3);
    }
    say({ is: "noticed", number, by: noticed.name });
    // A test that notices one mutant often notices the next.
    tests = [noticed, ...tests.filter((test) => test !== noticed)];
  }
  // Ends timers and workers that tests have left running.
  Deno.exit(0);
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]));
