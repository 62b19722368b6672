/**
 * Operations that a fault may interrupt, with the conditions that must hold
 * before and after.
 */
import { assertEquals } from "@std/assert";
import { type LoadedModule, type MemoryAllocator, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { ANSWER, build } from "../support/modules.ts";
import { version } from "../support/versions.ts";
import { importerModule } from "../support/testing.ts";

/** A run of a scenario, in which one step may fail. */
export interface Life {
  /** Takes the step; is called again after a failure. */
  act(): unknown;
  /** Asserts the conditions before the step, and after it has failed. */
  before(): void;
  /** Asserts the conditions after the step has succeeded. */
  after(): void;
  /** Closes everything. */
  end(): unknown;
}

/** Prepares a run with modules in the allocator's memory. */
export type Scenario = (allocator: MemoryAllocator) => Life;

const READ = { value: ANSWER, total: { type: "i64" } } as const;

/** A module that returns its value, with a variable and further functions, which may be those of another module. */
function answering(value: number, more: Readonly<Record<string, string>> = {}): Uint8Array<ArrayBuffer> {
  return version({
    functions: { value, other: value + 100, ...more },
    data: { total: [BigInt(value)], self: ["total"] },
  });
}

const valueOf = (module: LoadedModule, name = "value"): unknown => module.getFunction(name, ANSWER)!();

/** Reads an imported variable, whose address its GOT holds: mov rax, [rip + GOT]; mov rax, [rax]; ret */
export const READER = build({
  importedData: ["total"],
  routines: { read: { hex: "48 8b 05 00 00 00 00 48 8b 00 c3", refersByGot: { 3: "total" } } },
});
/** The definition of `read` in {@linkcode READER}. */
export const LONG = { parameters: [], result: "i64" } as const;

/** A registry with a module, live bindings on it, and importers of its functions and variables. */
function populated(allocator: MemoryAllocator) {
  const registry = new ModuleRegistry({ allocator });
  registry.loadBytes("m", answering(1));
  const live = registry.open("m", READ);
  const functions = registry.loadBytes("f", version({ functions: { ask: "value", twice: "other" } }));
  registry.loadBytes("d", importerModule(["total"]));
  const read = registry.loadBytes("g", READER).getFunction("read", LONG)!;
  const check = (value: number, total = value): void => {
    assertEquals(live.symbols.value(), value);
    assertEquals([live.symbols.total, read()], [BigInt(total), BigInt(total)]);
    assertEquals(valueOf(functions, "ask"), value);
    assertEquals(valueOf(functions, "twice"), value + 100);
  };
  const end = (): void => {
    live.close();
    registry[Symbol.dispose]();
  };
  return { registry, live, check, end };
}

/** A scenario that loads a new module. */
function loading(
  load: (registry: ModuleRegistry, allocator: MemoryAllocator) => LoadedModule | Promise<LoadedModule>,
): Scenario {
  return (allocator) => {
    const registry = new ModuleRegistry({ allocator });
    registry.loadBytes("anchor", answering(9));
    let module: LoadedModule | undefined;
    return {
      act: async () => module = await load(registry, allocator),
      before: () => assertEquals(registry.modules(), ["anchor"]),
      after: () => assertEquals(valueOf(module!), 3),
      end() {
        module!.close();
        registry[Symbol.dispose]();
      },
    };
  };
}

/** All scenarios by name. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "ModuleLoader.loadBytes": loading((_, allocator) =>
    new ModuleLoader({ allocator }).loadBytes(answering(3))
  ),
  "ModuleRegistry.loadBytes": loading((registry) => registry.loadBytes("new", answering(3))),

  "the first load of all": (allocator) => {
    const loader = new ModuleLoader({ allocator });
    let module: LoadedModule | undefined;
    return {
      act: () => module = loader.loadBytes(answering(3)),
      before() {},
      after: () => assertEquals(valueOf(module!), 3),
      end: () => module!.close(),
    };
  },

  "loading an importer of functions and variables"(allocator) {
    const registry = new ModuleRegistry({ allocator });
    registry.loadBytes("m", answering(1));
    let importer: LoadedModule | undefined;
    const bytes = version({ functions: { ask: "value", twice: "other" }, data: { where: ["total"] } });
    return {
      act: () => importer = registry.loadBytes("i", bytes),
      before: () => assertEquals(registry.modules(), ["m"]),
      after: () => assertEquals([valueOf(importer!, "ask"), valueOf(importer!, "twice")], [1, 101]),
      end: () => registry[Symbol.dispose](),
    };
  },

  "opening live bindings, more of them than a page of trampolines holds"(allocator) {
    const registry = new ModuleRegistry({ allocator });
    const functions = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`f${index}`, index]));
    const first = registry.loadBytes("m", version({ functions }));
    const names = Object.keys(functions);
    const definitions = Object.fromEntries(names.map((name) => [name, ANSWER]));
    let live: ReturnType<typeof registry.open> | undefined;
    return {
      act: () => live = registry.open("m", definitions),
      before: () => assertEquals(valueOf(first, "f199"), 199),
      after: () => assertEquals((live!.symbols.f199 as () => number)(), 199),
      end() {
        live!.close();
        registry[Symbol.dispose]();
      },
    };
  },

  "loading a circle"(allocator) {
    const registry = new ModuleRegistry({ allocator });
    const directory = Deno.makeTempDirSync({ prefix: "smf_test_" });
    const paths = [["a", "b"], ["b", "a"]].map(([own, other]) => {
      const path = `${directory}/${own}.smf`;
      const functions = { [own]: own.charCodeAt(0), [`to_${own}`]: other };
      Deno.writeFileSync(path, version({ functions }));
      return path;
    });
    let group: LoadedModule[] = [];
    return {
      act: () => group = registry.loadAll(paths),
      before: () => assertEquals(registry.modules(), []),
      after: () => assertEquals([valueOf(group[0], "to_a"), valueOf(group[1], "to_b")], [98, 97]),
      end() {
        registry[Symbol.dispose]();
        Deno.removeSync(directory, { recursive: true });
      },
    };
  },

  "reload, state carried"(allocator) {
    const { registry, check, end } = populated(allocator);
    return {
      act: () => void registry.reload("m", { bytes: answering(2), state: "carry" }),
      before: () => check(1),
      after: () => check(2, 1),
      end,
    };
  },

  "reload, state fresh"(allocator) {
    const { registry, check, end } = populated(allocator);
    return {
      act: () => void registry.reload("m", { bytes: answering(2) }),
      before: () => check(1),
      after: () => check(2),
      end,
    };
  },

  "reload when the version before the last has to go"(allocator) {
    const { registry, check, end } = populated(allocator);
    registry.reload("m", { bytes: answering(2) }).close();
    return {
      act: () => registry.reload("m", { bytes: answering(3) }).close(),
      before: () => check(2),
      after: () => check(3),
      end,
    };
  },

  "rollback"(allocator) {
    const { registry, check, end } = populated(allocator);
    registry.reload("m", { bytes: answering(2) }).close();
    return {
      act: () => registry.rollback("m").close(),
      before: () => check(2),
      after: () => check(1),
      end,
    };
  },

  "unload by force"(allocator) {
    const { registry, live, end } = populated(allocator);
    const other = registry.loadBytes("other", answering(5));
    return {
      act: () => void registry.unload("other", { force: true }),
      before: () => assertEquals(live.symbols.value(), 1),
      after: () => {
        assertEquals(registry.modules(), ["m", "f", "d", "g"]);
        assertEquals(other.isOpen, false);
      },
      end,
    };
  },

  "closing the last handle"(allocator) {
    const module = new ModuleLoader({ allocator }).loadBytes(answering(3));
    return {
      act: () => module.close(),
      before() {},
      after() {},
      end: () => module.close(),
    };
  },

  "disposing a registry"(allocator) {
    const { registry, live } = populated(allocator);
    live.close();
    return {
      act: () => registry[Symbol.dispose](),
      before() {},
      after() {},
      end: () => registry[Symbol.dispose](),
    };
  },
};
