/** Runs programs whose oldest loop goes on through reloads, and compares with their evaluation. */

import { type LoadedModule, ModuleRegistry, parseSmf } from "../../../mod.ts";
import type { LinkMap } from "../../../src/link/mod.ts";
import type { Build } from "../identity/build.ts";
import type { Program, Statement } from "./ast.ts";
import { Evaluation, type Facts } from "./evaluate.ts";
import { print } from "./print.ts";

/** A linked version. */
export interface Linked {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly map: LinkMap;
}

/** The steps between the rounds of the loop: the version that serves from then on. */
const STEPS: ReadonlyMap<number, number> = new Map([[1, 1], [3, 2], [5, 1]]);
const ROUNDS = 8;
/** The most calls of which both versions are tried. */
const MOST_UNCLEAR = 9;

/** How many calls of the programs go to the version that serves, stay in their own, or may do both. */
export interface Counts {
  switched: number;
  staying: number;
  unclear: number;
  /** The programs with too many unclear calls to try all combinations. */
  unjudged: number;
}

/** The reach of each call of a version, as its linker says; undefined where it may be either. */
type Reach = ReadonlyMap<number, boolean | undefined>;

/** The functions of a version that have entries, by their indices, and where its calls lead. */
interface Described {
  readonly entries: ReadonlySet<number>;
  readonly reach: Reach;
}

/** @throws {Error} with the sources, if a result is not the one of the evaluation. */
export async function runProgram(
  program: Program,
  build: Build,
  seed: number,
  linked: readonly Linked[],
  counts: Counts,
): Promise<void> {
  const described = linked.map((each, version) => describe(program, version, build, each));
  const reaches = described.map(({ reach }) => reach);
  const sites = reaches.flatMap((reach, version) =>
    [...reach].flatMap(([site, reached]) => reached === undefined ? [`${version}:${site}`] : [])
  );
  for (const reach of reaches) {
    for (const reached of reach.values()) {
      counts[reached === undefined ? "unclear" : reached ? "switched" : "staying"]++;
    }
  }
  const found = await execute(linked);
  const choices = 2 ** Math.min(sites.length, MOST_UNCLEAR);
  let expected = "";
  for (let choice = 0; choice < choices; choice++) {
    expected = evaluate(program, {
      hasEntry: (version, callee) => described[version].entries.has(callee),
      isSwitched(version, call) {
        const reached = reaches[version].get(call.site);
        return reached ?? (choice >> sites.indexOf(`${version}:${call.site}`) & 1) === 1;
      },
    });
    if (expected === found) return;
  }
  if (sites.length > MOST_UNCLEAR) {
    counts.unjudged++;
    return;
  }
  const sources = linked.map(({ map }, version) =>
    `=== version ${version}\n${print(program, version)}\n${
      map.unswitched.map(({ name, reason }) => `${name}: ${reason}`).join("\n")
    }`
  );
  throw new Error(
    `seed ${seed}: found ${found}, expected ${expected}${choices > 1 ? ` or ${choices - 1} others` : ""}\n` +
      `${build.compiler} ${build.flags.join(" ")}\n${sources.join("\n")}`,
  );
}

/**
 * Whether a compiler leaves all calls of a function as they are. Where it does not, it may have left none for the
 * linker to see: clang knows what a function returns although it is not inlined.
 */
function keepsToAbi({ compiler, flags }: Build, isStatic: boolean): boolean {
  if (flags.some((flag) => flag.startsWith("-flive-patching"))) return true;
  if (isStatic) return false;
  return compiler === "gcc"
    ? !flags.includes("-fvisibility=hidden")
    : flags.includes("-fsemantic-interposition");
}

/** Finds which functions a version has for others and where its calls lead, from what its linker says of it. */
function describe(
  { signatures, versions }: Program,
  version: number,
  build: Build,
  { bytes, map }: Linked,
): Described {
  const file = parseSmf(bytes);
  const names = new Set([...file.symbols].map(({ name }) => name));
  const listed = new Set(file.entries()!.functions.map(({ symbol }) => file.symbols.name(symbol)));
  const entries = new Set(
    signatures.keys().filter((index) => listed.has(signatures[index].name)),
  );
  const reasons = new Map<string, string>();
  for (const { name, reason } of map.unswitched) reasons.set(name, reason);
  const reach = new Map<number, boolean | undefined>();
  const visit = (statement: Statement): void => {
    if (statement.kind === "loop") statement.body.forEach(visit);
    if (statement.kind !== "call") return;
    const { name, isStatic, isInline } = signatures[statement.callee];
    const hasEntry = entries.has(statement.callee);
    const isCloned = [...names].some((each) => each.startsWith(`${name}.`));
    const reason = reasons.get(name);
    const reached = statement.isIndirect
      ? hasEntry
      : isCloned || reason === "clone" || isInline && isStatic && keepsToAbi(build, isStatic)
      ? undefined
      : names.has(name) && reason === undefined && hasEntry && keepsToAbi(build, isStatic);
    reach.set(statement.site, reached);
  };
  versions[version].bodies.forEach(({ statements }) => statements.forEach(visit));
  versions[version].loop.forEach(visit);
  return { entries, reach };
}

function evaluate(program: Program, facts: Facts): string {
  const evaluation = new Evaluation(program, facts);
  const results = [
    evaluation.run(ROUNDS, (round) => {
      const next = STEPS.get(round);
      if (next !== undefined) evaluation.takeOver(next);
    }),
  ];
  results.push(evaluation.run(2, () => {}));
  return results.join();
}

const RUN = { parameters: ["u32", "function"], result: "u64" } as const;

async function execute(linked: readonly Linked[]): Promise<string> {
  await using registry = new ModuleRegistry({ keepVersions: 4 });
  let module: LoadedModule = registry.loadBytes("m", linked[0].bytes);
  let current = 0;
  const results: bigint[] = [];
  const run = (count: number, between: (round: number) => void): void => {
    using callback = new ClosableCallback(between);
    results.push(module.getFunction("run", RUN)!(count, callback.pointer) as bigint);
  };
  const older: LoadedModule[] = [];
  run(ROUNDS, (round) => {
    const next = STEPS.get(round);
    if (next === undefined) return;
    older.push(module);
    module = next > current
      ? registry.reload("m", { bytes: linked[next].bytes, state: "keep" })
      : registry.rollback("m", { state: "keep" });
    current = next;
  });
  run(2, () => {});
  for (const each of [...older, module]) each.close();
  return results.join();
}

class ClosableCallback implements Disposable {
  readonly #callback: Deno.UnsafeCallback<{ readonly parameters: readonly ["u32"]; readonly result: "void" }>;

  constructor(work: (round: number) => void) {
    this.#callback = new Deno.UnsafeCallback({ parameters: ["u32"], result: "void" } as const, work);
  }

  get pointer(): Deno.PointerValue {
    return this.#callback.pointer;
  }

  [Symbol.dispose](): void {
    this.#callback.close();
  }
}
