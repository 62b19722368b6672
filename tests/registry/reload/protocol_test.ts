// A fault of any participant at any step before the commit leaves the running version as it was.
import { assertEquals, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { ModuleRegistry, type TakeoverOptions } from "../../../mod.ts";
import type { ModuleVersion } from "../../../src/module/version.ts";
import { loadingOf } from "../../../src/registry/module_set.ts";
import type { Participant } from "../../../src/registry/reload/participant.ts";
import { participantsOf } from "../../../src/registry/reload/participants.ts";
import { Reloader } from "../../../src/registry/reload/reloader.ts";
import { FailingAllocator } from "../../support/failing_allocator.ts";
import { isolated } from "../../support/isolated.ts";

const FILES = [1, 2].map((version) =>
  new URL(
    `../../../fixtures/platform/${Deno.build.os}-${Deno.build.arch}_v${version}.smf`,
    import.meta.url,
  )
);
const INCREMENT = { increment: { parameters: [], result: "i64" } } as const;

/** The steps in which a participant may fail. */
const STEPS = ["plan", "check", "move", "migrate", "verify", "prepare"] as const;

/** Modules of a registry, reloaded by participants of which one fails when it is told to. */
class Faulty implements AsyncDisposable {
  readonly allocator = new FailingAllocator();
  readonly registry = new ModuleRegistry({
    allocator: this.allocator,
    imports: { host_value: { parameters: ["i32"], result: "i32", callback: (value: number) => value } },
    libraries: Deno.build.os === "windows" ? ["ucrtbase.dll", "kernel32.dll"] : ["libc.so.6"],
  });
  readonly names: readonly string[];
  /** The step in which the last module's reload fails, and whether before or after the other participants. */
  fault: { readonly step: typeof STEPS[number]; readonly isFirst: boolean } | undefined;
  readonly #reloader: Reloader;
  readonly #live;

  constructor(names: readonly string[]) {
    this.names = names;
    const bytes = Deno.readFileSync(FILES[0]);
    for (const name of names) this.registry.loadBytes(name, bytes);
    this.#live = names.map((name) => this.registry.open(name, INCREMENT));
    this.#reloader = new Reloader(
      loadingOf(this.registry).catalog,
      "auto",
      undefined,
      (context, guards) => (replacement) => {
        const usual = participantsOf(context, guards)(replacement);
        if (this.fault === undefined || replacement.entry.key !== names.at(-1)) return usual;
        const { step, isFirst } = this.fault;
        const failing: Participant = {
          [step]: () => {
            throw new Error(`the fault at ${step}`);
          },
        };
        return isFirst ? [failing, ...usual] : [...usual, failing];
      },
    );
  }

  /** Counts in each module; the new version adds 2 instead of 1. */
  increment(): bigint[] {
    return this.#live.map(({ symbols }) => symbols.increment());
  }

  reload(options: TakeoverOptions): void {
    const loading = loadingOf(this.registry);
    const entries = this.names.map((name) => loading.catalog.get(name)!);
    const file = fromFileUrl(FILES[1]);
    this.#reloader.reload(
      entries.map((entry) => ({ entry, options })),
      (orders) =>
        loading.loadTogether(entries.map(({ key, exports }, index) => {
          const { number, near, linked } = orders[index];
          const expose = (version: ModuleVersion) => exports.exposeCandidate(version);
          return { key, file, number, near, expose, sealed: linked };
        })),
    );
  }

  /** What a failed reload must not change. */
  state(): unknown {
    return {
      versions: this.names.map((name) => this.registry.versions(name)),
      address: this.registry.resolveSymbol("increment"),
      live: this.allocator.live.size,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const live of this.#live) live.close();
    await this.registry[Symbol.asyncDispose]();
    assertEquals(this.allocator.live.size, 0);
  }
}

for (const state of ["fresh", "carry", "keep"] as const) {
  for (const names of [["one"], ["one", "two"]]) {
    Deno.test({
      name: `a fault at any step of reloading ${names.length} with state ${state} changes nothing`,
      // macOS has no fixture, since nobody could run its modules.
      ignore: Deno.build.os === "darwin",
      fn: isolated(async () => {
        await using modules = new Faulty(names);
        let count = 40n;
        const all = (value: bigint) => names.map(() => value);
        for (const step of STEPS) {
          for (const isFirst of [true, false]) {
            assertEquals(modules.increment(), all(count += 1n));
            const before = modules.state();
            modules.fault = { step, isFirst };
            assertThrows(() => modules.reload({ state }), Error, `the fault at ${step}`);
            assertEquals(modules.increment(), all(count += 1n), `after ${step}`);
            await new Promise((resolve) => setTimeout(resolve, 0));
            assertEquals(modules.state(), before, `after ${step}`);
          }
        }
        modules.fault = undefined;
        modules.reload({ state });
        assertEquals(modules.increment(), all(state === "fresh" ? 42n : count + 2n));
      }),
    });
  }
}
