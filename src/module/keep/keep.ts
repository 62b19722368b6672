/**
 * Keeps the variables of a module where they are while a new version takes over: settles the plan, withdraws what
 * the candidate registered for objects that nobody uses, aims its code, and moves what has another shape.
 */

import { LoadError } from "../../errors/load_error.ts";
import { Ranges } from "../../image/homes/ranges.ts";
import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import { openOtherBlocks } from "../../load/thread_locals.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { homeAt } from "../../smf/homes.ts";
import { takeSteps } from "../../types/steps.ts";
import type { CarryOptions, CarryReport, OldPointer } from "../carry.ts";
import { HomeValues } from "./home_values.ts";
import { AimedImage } from "./aimed_image.ts";
import { aimOf } from "./plan.ts";
import { reportOf } from "./report.ts";
import { countKept, type HomePlan, type KeepPlan } from "./plan_model.ts";
import { settle } from "./settle.ts";
import { shareConstants } from "./shared_constants.ts";
import { StartedThreads } from "./started_threads.ts";
import { freshHomes, homeAddress, type HomeTable } from "./table.ts";
import { fillAppended } from "./virtual_words.ts";

/** A candidate that works on the variables of the version before, and does not serve yet. */
export interface KeptCandidate {
  readonly report: CarryReport;
  /** The table once it serves. */
  readonly table: HomeTable;
  /** Whether each thread that its initialisers have started is to run once it serves. */
  readonly threads: readonly boolean[];
  /**
   * Leads the candidate into its own memory again.
   *
   * @returns false if that was not possible: then nobody may run its code, and its memory must stay.
   */
  undo(): boolean;
}

/**
 * Keeps variables.
 *
 * Safety: nobody may be running the candidate's code.
 *
 * @throws {LoadError} `OutOfMemory` if the system refuses a protection; `Incompatible` if old pointers are left and
 * are to be refused, and if nobody knows whether a thread is to run that an initialiser has started. `failed` is called
 * if the candidate's code cannot run any more.
 */
export function keepState(
  plan: KeepPlan,
  { oldPointers: treatment = "keep" }: Pick<CarryOptions, "oldPointers">,
  failed: () => void,
): KeptCandidate {
  const { previous, candidate, homes, places, table, threadLocals } = plan;
  const started = new StartedThreads(plan);
  const { withdrawn, doneGuards } = settle(plan);
  const threads = started.settle();
  const moved = homes.filter(({ fate }) => fate === "moved");
  const oldPointers = pointersTo(plan);
  if (treatment === "refuse" && oldPointers.length > 0) throw refusal(oldPointers);

  using undo = new DisposableStack();
  const blocks = threadLocals?.library === undefined
    ? undefined
    : undo.use(openOtherBlocks(candidate, threadLocals.library));
  const { aim, addresses } = aimOf(plan);
  const aimed = new AimedImage(candidate, places, addresses, aim, blocks?.bytes);
  candidate.exits?.setWithdrawn(withdrawn, true);
  undo.defer(() => candidate.exits?.setWithdrawn(withdrawn, false));
  const emptyAppended = places.tables.length === 0 ? () => {} : fillAppended(
    table,
    candidate,
    new Map(homes.flatMap(({ home, fate, place }) => fate === "kept" ? [[home, place!] as const] : [])),
  );
  undo.defer(emptyAppended);
  try {
    aimed.aim();
  } catch (error) {
    if (aimed.isBroken) failed();
    throw error;
  }
  for (const address of doneGuards) bytesAt(address, 1)[0] = 1;
  for (const home of moved) move(home, candidate);
  const report = reportOf(plan, oldPointers, {
    threads: threads.filter((goesOn) => !goesOn).length,
    sharedBytes: shareConstants(previous as PlacedImage, candidate),
  });
  const next = table.with(candidate, homes.map(({ fate, place }) => fate === "kept" ? place : undefined));
  undo.move();
  if (blocks !== undefined) {
    const library = threadLocals!.library!;
    candidate.keptBlocks = { library, [Symbol.dispose]: () => blocks[Symbol.dispose]() };
  }
  freshHomes.set(
    candidate,
    new Map(homes.flatMap(({ home, fate, reason }) => fate === "fresh" ? [[home, reason!]] : [])),
  );
  return {
    report,
    table: next,
    threads,
    undo() {
      try {
        aimed.undo();
      } catch {
        return false;
      }
      emptyAppended();
      candidate.keptBlocks?.[Symbol.dispose]();
      candidate.keptBlocks = undefined;
      candidate.exits?.setWithdrawn(withdrawn, false);
      return true;
    },
  };
}

/** Converts the value of a variable that has another shape now. */
export function move({ home, variables, from, place }: HomePlan, candidate: PlacedImage): void {
  const [{ index, before, plan }] = variables;
  const to = homeAddress(candidate, home) +
    BigInt(candidate.file.symbols.value(index) - candidate.homes[home].offset);
  const { symbols } = from!.file;
  const old = bytesAt(place!.address + BigInt(offsetInHome(from!, before)), symbols.size(before)).slice();
  takeSteps(plan!.steps, old, bytesAt(to, candidate.file.symbols.size(index)));
}

function offsetInHome({ homes, file: { symbols } }: LoadedImage, variable: number): number {
  const value = symbols.value(variable);
  return value - homeAt(homes!, value)!.offset;
}

/** Finds the words of variables that lead to the places of variables which the new version has elsewhere, or not at all. */
function pointersTo({ homes, candidate, places, table }: KeepPlan): OldPointer[] {
  const found: OldPointer[] = [];
  if (countKept(homes) === table.size) return found;
  const kept = new Set(homes.flatMap(({ fate, place }) => fate === "kept" ? [place] : []));
  const left = new Ranges(
    table.places().filter((place) => !kept.has(place)).map(({ start, size }) => {
      return { first: start, end: start + size };
    }),
  );
  const values = new HomeValues();
  const { symbols } = candidate.file;
  for (const { home, fate, place } of homes) {
    if (fate !== "kept" || places.isTable(home)) continue;
    values.forEachAddress(place!, left.all, (value, at) => {
      if (left.find(value) === undefined) return;
      const start = places.homes[home].offset;
      const variable = places.variables[home].findLast((index) => symbols.value(index) - start <= at);
      if (variable === undefined) return;
      const offset = at - (symbols.value(variable) - start);
      found.push({ name: symbols.name(variable), offset, value: BigInt(value) });
    });
  }
  return found;
}

function refusal(oldPointers: readonly OldPointer[]): LoadError {
  const [{ name, offset, value }] = oldPointers;
  return new LoadError(
    "Incompatible",
    "Cannot keep variables: some hold addresses of variables that the new version has elsewhere, or not at all",
    {
      symbols: [...new Set(oldPointers.map(({ name }) => name))],
      symbol: name,
      offset,
      value,
      hint: 'set these variables in `migrate`, name them in `take`, or reload with oldPointers: "keep"',
    },
  );
}
