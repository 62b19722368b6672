// Tests that every program must pass as a module, in whatever language it is written.
import { assert, assertEquals } from "@std/assert";
import { linkObjects, type LinkOptions, type LoadedModule, ModuleRegistry } from "../../mod.ts";
import { IN_PROCESS, isolated } from "./isolated.ts";
import { runChild } from "./modules.ts";
import { TestWorker } from "./workers.ts";
import { NOT_LINUX_X86_64 } from "./testing.ts";
import { type Outcome, reloadProgram } from "./program_reload_child.ts";
import type { ProgramOrder } from "./program_worker.ts";
import {
  answersOf,
  askAtOnce,
  CATCHER,
  definitionsOf,
  EXCEPTIONS,
  expectedOf,
  type Functions,
  nonblockingDefinitionsOf,
  type Program,
  SHARED,
  THREADS,
  TOUR,
} from "./programs.ts";

/** The host libraries that C++ and Rust need. */
export const RUNTIME = ["libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6"];

/** The modules of a program by name, providers first. */
export type Modules = readonly (readonly [name: string, bytes: Uint8Array])[];

/** Whether programs in these languages can run here. */
export const RUNS: boolean = hasRuntime();

function hasRuntime(): boolean {
  if (NOT_LINUX_X86_64) return false;
  try {
    for (const name of RUNTIME) Deno.dlopen(name, {}).close();
    return true;
  } catch {
    return false;
  }
}

/** Registers a test that runs in a child; where programs cannot run it is skipped and says so. */
export function programTest(name: string, work: () => void | Promise<void>): void {
  register(name, isolated(work));
}

function register(name: string, work: Deno.TestDefinition["fn"]): void {
  Deno.test({
    name: RUNS ? name : `${name} (SKIPPED: needs libstdc++ on Linux x86-64)`,
    ignore: !RUNS,
    fn: work,
  });
}

/** Programs in C++, and the objects of their modules in fixtures/cpp/ by the modules' names, providers first. */
export const CPP_PROGRAMS: readonly (readonly [Program, Readonly<Record<string, readonly string[]>>])[] = [
  [EXCEPTIONS, { exceptions: ["exceptions"] }],
  [CATCHER, { thrower: ["thrower"], catcher: ["catcher"] }],
  [TOUR, { tour: ["tour"] }],
  [SHARED, { shared: ["shared_a", "shared_b"] }],
  [THREADS, { threads: ["threads"] }],
];

/** Links the modules of a program in C++. */
export function linkedModules(
  modules: Readonly<Record<string, readonly string[]>>,
  options: LinkOptions,
): [name: string, bytes: Uint8Array<ArrayBuffer>][] {
  return Object.entries(modules).map(([name, objects]) => {
    const inputs = objects.map((object) => ({
      name: object,
      bytes: Deno.readFileSync(new URL(`../../fixtures/cpp/${object}.o`, import.meta.url)),
    }));
    return [name, linkObjects(inputs, options).bytes as Uint8Array<ArrayBuffer>];
  });
}

/** Registers the tests of every program, for modules in the repository. */
export function programTests(description: string, program: Program, files: readonly URL[]): void {
  const modules = (): Modules => files.map((file) => [file.pathname, Deno.readFileSync(file)]);

  programTest(description, () => {
    using registry = new ModuleRegistry({ libraries: RUNTIME });
    assertEquals(ask(program, loadProgram(registry, modules())), expectedOf(program));
  });

  programTest(`${description}, from Workers and in nonblocking calls, all at once`, async () => {
    await checkAtOnce(program, modules(), 20);
  });

  register(`${description}, in 100 versions, one after the other, in the same memory`, async () => {
    await checkReloads(program, files, 100);
  });
}

/** Asks each question once. */
export function ask(program: Program, module: LoadedModule): (number | string)[] {
  return answersOf(program, module.bind(definitionsOf(program)).symbols as unknown as Functions);
}

/** Loads the modules into a registry; returns the last one, which answers the questions. */
export function loadProgram(registry: ModuleRegistry, modules: Modules): LoadedModule {
  return modules.map(([name, bytes]) => registry.loadBytes(name, bytes)).at(-1)!;
}

/** Asks in nonblocking calls and in two Workers, all at once. */
async function checkAtOnce(program: Program, modules: Modules, rounds: number): Promise<void> {
  const questions = { ...program, questions: program.questions.filter(({ atOnce }) => atOnce) };
  await using registry = new ModuleRegistry({ libraries: RUNTIME });
  const module = loadProgram(registry, modules);
  const script = new URL("./program_worker.ts", import.meta.url);
  using first = new TestWorker<ProgramOrder>(script);
  using second = new TestWorker<ProgramOrder>(script);
  const order = { token: module.share(), program: questions, rounds };
  const answers = [first, second].map((worker) => worker.ask(order));
  const { symbols } = module.bind(nonblockingDefinitionsOf(questions));
  await askAtOnce(questions, symbols as unknown as Functions, rounds);
  assertEquals(await Promise.all(answers), [rounds, rounds]);
}

/** Reloads many times in a child and asks each time; its memory stays the same. In this process: a tenth. */
async function checkReloads(
  program: Program,
  files: readonly URL[],
  reloads: number,
): Promise<void> {
  if (IN_PROCESS) {
    const { right } = await reloadProgram(program, files, Math.ceil(reloads / 10));
    return assertEquals(right, Math.ceil(reloads / 10));
  }
  const child = await runChild(new URL("./program_reload_child.ts", import.meta.url), {
    v8Flags: "--expose-gc",
    args: [JSON.stringify(program), String(reloads), ...files.map(String)],
  });
  assertEquals([child.code, child.signal], [0, null], child.stderr);
  const { right, resident } = JSON.parse(child.stdout) as Outcome;
  assertEquals(right, reloads);
  // The first half is warm-up.
  const growth = resident.at(-1)! - resident[resident.length >> 1];
  assert(growth < 8 * 1024 * 1024, JSON.stringify(resident));
}
