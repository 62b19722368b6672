/**
 * Runs tests again and again in one process, each time with another validation
 * switched off, until one fails. Started in the copy by main.ts; answers with
 * lines of JSON.
 */
import { join, toFileUrl } from "@std/path";

/** What a runner is told. */
export interface Work {
  /** Test files, the most likely to notice first. */
  readonly tests: readonly string[];
  /** Numbers of validations, each with the test file of its own file, which is asked first. */
  readonly validations: readonly (readonly [number: number, own: string])[];
}

/** What a runner says. */
export type Line =
  | { readonly is: "ready"; readonly tests: number; readonly left: readonly string[] }
  | { readonly is: "trying"; readonly number: number }
  | { readonly is: "noticed"; readonly number: number; readonly by: string }
  | { readonly is: "survived"; readonly number: number }
  /** A test that failed with the validation off fails without, too: a new process has to decide. */
  | { readonly is: "spoilt"; readonly number: number; readonly by: string };

interface Test {
  readonly file: string;
  readonly name: string;
  readonly run: () => unknown;
}

const global = globalThis as { MUTANT?: number };
const say = (line: Line): void => console.log(JSON.stringify(line));

/** A context in which steps are run as they come. */
const context = {
  step: async (first: unknown, second?: unknown): Promise<boolean> => {
    const fn = (typeof first === "object" ? (first as Deno.TestStepDefinition).fn : second ?? first) as (
      t: unknown,
    ) => unknown;
    await fn(context);
    return true;
  },
};

/** Everything that test files register. */
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

/** Answers after how long; a test that takes longer is left out, since all would wait for it every time. */
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
    // What noticed one validation often notices the next.
    tests = [noticed, ...tests.filter((test) => test !== noticed)];
  }
  // Whatever tests have left running.
  Deno.exit(0);
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]));
