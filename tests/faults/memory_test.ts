/**
 * Rows 33 to 35: the system refuses every call for memory in turn, with every
 * error number, in every operation that makes such calls. After each refusal the
 * operation throws an error that says so, modules that were loaded go on working,
 * the next attempt succeeds, and in the end nothing is left.
 */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { LoadError } from "../../mod.ts";
import { descriptors, stubMappings, turn } from "../support/modules.ts";
import { HAS_NATIVE_CODE } from "../support/native_code.ts";
import { checkLoadError, NO_PROC } from "../support/testing.ts";
import {
  ALLOCATOR_FAULTS,
  type Faults,
  faultyAllocator,
  type FaultyMemory,
  faultySystem,
  LINUX_FAULTS,
  type Refusal,
} from "./faulty_memory.ts";
import { type Life, type Scenario, SCENARIOS } from "./scenarios.ts";

/** More calls of one kind than any operation here makes. */
const MAX_CALLS = 200;
/** Kinds of calls that give memory back. */
const FREES = new Set(["munmap", "free"]);

async function ended(life: Life, memory: FaultyMemory): Promise<void> {
  await life.end();
  for (let round = 0; memory.allocated() > 0n && round < 50; round++) await turn();
  assertEquals(memory.allocated(), 0n, "memory is left");
  memory.close();
}

/** The most bytes that are allocated before or after a step without a fault. */
async function mostAllocatedBy(scenario: Scenario, make: () => FaultyMemory): Promise<bigint> {
  const memory = make();
  const life = scenario(memory.allocator);
  life.before();
  const before = memory.allocated();
  await life.act();
  life.after();
  const after = memory.allocated();
  await ended(life, memory);
  return before > after ? before : after;
}

/**
 * Runs one scenario with one refusal.
 *
 * @returns whether the step failed or overcame it; undefined if there was no n-th call.
 */
async function refused(
  scenario: Scenario,
  memory: FaultyMemory,
  refusal: Refusal,
  mostAllocated: bigint,
): Promise<"error" | "overcome" | undefined> {
  const life = scenario(memory.allocator);
  life.before();
  memory.arm(refusal);
  let error: unknown;
  try {
    await life.act();
  } catch (thrown) {
    error = thrown;
  }
  const fired = memory.disarm();
  if (error === undefined) {
    life.after();
    await ended(life, memory);
    return fired ? "overcome" : undefined;
  }
  assert(fired, `an error without a fault: ${error instanceof Error ? error.stack : error}`);
  assertInstanceOf(error, LoadError, `not a LoadError: ${error instanceof Error ? error.stack : error}`);
  const { call, errno, extent } = refusal;
  checkLoadError(error, "OutOfMemory", { errno });
  // The error is about the first failure, not about one while undoing.
  if (!FREES.has(call)) assert(!FREES.has(error.data.call!), error.message);
  if (extent === "one") {
    assertEquals(error.data.call, call);
    const allocated = memory.allocated();
    assert(
      FREES.has(call) || allocated <= mostAllocated,
      `${allocated - mostAllocated} bytes more than without a fault`,
    );
  }
  life.before();
  await life.act();
  life.after();
  await ended(life, memory);
  return "error";
}

const EXTENTS = {
  one: "every call refused in turn, with every error number",
  all: "every call refused in turn, and all that follow it",
};

function tests(
  where: string,
  extent: "one" | "all",
  make: () => FaultyMemory,
  faults: Faults,
  ignore: boolean,
): void {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    Deno.test({
      name: `${where}, ${name}: ${EXTENTS[extent]}`,
      ignore,
      async fn() {
        const mostAllocated = await mostAllocatedBy(scenario, make);
        const before = [descriptors(), stubMappings()];
        let injected = 0;
        for (const [call, errnos] of Object.entries(faults)) {
          for (const errno of extent === "one" ? errnos : errnos.slice(0, 1)) {
            for (let n = 1;; n++) {
              assert(n < MAX_CALLS, `${call} is called without end`);
              let outcome: string | undefined;
              try {
                outcome = await refused(scenario, make(), { call, errno, n, extent }, mostAllocated);
              } catch (error) {
                throw new Error(`${call} number ${n} refused with ${errno}`, { cause: error });
              }
              if (outcome === undefined) break;
              injected++;
            }
          }
        }
        assert(injected > 0, "nothing was refused");

        assertEquals([descriptors(), stubMappings()], before);
      },
    });
  }
}

for (const extent of ["one", "all"] as const) {
  tests("system calls", extent, faultySystem, LINUX_FAULTS, NO_PROC || !HAS_NATIVE_CODE);
  tests("allocator", extent, faultyAllocator, ALLOCATOR_FAULTS, !HAS_NATIVE_CODE);
}
