import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { LoadError, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { build, cc } from "../../src/build/mod.ts";
import { cutStacks } from "../../src/errors/edge.ts";
import { fixtureTest } from "../support/testing.ts";

/** The frames of a stack, first the one that threw. */
function frames(error: Error): string[] {
  return error.stack!.split("\n").filter((line) => /^\s+at /.test(line));
}

Deno.test("the stack of an error begins with the frame that called the package", () => {
  using registry = new ModuleRegistry();
  const loader = new ModuleLoader();
  const calls: (() => void)[] = [
    function mistake() {
      registry.load("gone.smf");
    },
    function mistake() {
      loader.load("gone.smf");
    },
    function mistake() {
      registry.load("fixtures/mylib.smf", { integrty: "" } as never);
    },
    function mistake() {
      registry.open("gone.smf", {});
    },
  ];
  for (const call of calls) {
    const error = assertThrows(call) as Error;
    assert(/ at (?:\w+\.)?mistake /.test(frames(error)[0]), error.stack);
    assert(error.stack!.startsWith(`${error.name}: ${error.message}`), error.stack);
  }
});

const ADD = { parameters: ["i64", "i64"], result: "i64" } as const;

Deno.test("so does that of a promise, wherever it is awaited, and its cause by the system", async () => {
  using registry = new ModuleRegistry();
  const loader = new ModuleLoader();
  const calls: (() => Promise<unknown>)[] = [
    async function mistake() {
      await registry.loadAsync("gone.smf");
    },
    function mistake() {
      return loader.loadAsync("gone.smf");
    },
    async function mistake() {
      await registry.loadAsync("fixtures/mylib.smf", { integrty: "" } as never);
    },
    async function mistake() {
      await build("gone.c");
    },
    async function mistake() {
      await build([]);
    },
    function mistake() {
      return cc("gone.c");
    },
    async function mistake() {
      await cc("gone.c", { flag: [] } as never);
    },
  ];
  for (const call of calls) {
    const error = await assertRejects(call) as Error;
    assertMatch(frames(error)[0], / at (?:\w+\.)?mistake /);
    assert(error.stack!.startsWith(`${error.name}: ${error.message}`), error.stack);
    if (error.cause !== undefined) assertMatch(frames(error.cause as Error)[0], / at (?:\w+\.)?mistake /);
  }
});

fixtureTest("so does that of a call of a closed module, by every kind of function", async () => {
  using registry = new ModuleRegistry();
  const module = new ModuleLoader().load("fixtures/mylib.smf");
  const live = registry.open("fixtures/mylib.smf", { add: ADD });
  const [fast, slow] = [ADD, { ...ADD, callPath: "pointer" }].map((each) => module.getFunction("add", each)!);
  const nonblocking = module.getFunction("add", { ...ADD, nonblocking: true })!;
  fast(1n, 2n);
  module.close();
  live.close();
  const calls: (() => unknown)[] = [
    function mistake() {
      fast(1n, 2n);
    },
    function mistake() {
      slow(1n, 2n);
    },
    function mistake() {
      live.symbols.add(1n, 2n);
    },
    async function mistake() {
      await nonblocking(1n, 2n);
    },
  ];
  for (const call of calls) {
    const error = await assertRejects(async () => await call(), LoadError);
    assertEquals(error.kind, "Closed");
    assertMatch(frames(error)[0], / at mistake /);
  }
});

Deno.test("an error that nobody waits for is reported once, and one of the caller's own keeps its stack", async () => {
  const own = new TypeError("own");
  const before = own.stack;
  await assertRejects(() => new Edge().run(() => Promise.reject(own)) as Promise<void>);
  assertEquals(own.stack, before);
  const reported: unknown[] = [];
  const first = Promise.withResolvers<void>();
  const listen = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    reported.push(event.reason);
    first.resolve();
  };
  addEventListener("unhandledrejection", listen);
  const error = new LoadError("Busy", "busy");
  new Edge().run(() => Promise.reject(error));
  await first.promise;
  await new Promise((resolve) => setTimeout(resolve, 10));
  removeEventListener("unhandledrejection", listen);
  assertEquals(reported, [error]);
});

class Edge {
  run(work: () => unknown): unknown {
    return inside(work);
  }
}
cutStacks(Edge.prototype);

function inside(work: () => unknown): unknown {
  return work();
}

Deno.test("errors of the caller's own keep their stack", () => {
  const own = new TypeError("own");
  const before = own.stack;
  assertThrows(() =>
    new Edge().run(() => {
      throw own;
    })
  );
  assertEquals(own.stack, before);
});

Deno.test("an error of a call in a callback keeps the callback's frames", () => {
  const error = assertThrows(() =>
    new Edge().run(function outerCallback() {
      new Edge().run(function innerCallback() {
        throw new LoadError("Busy", "busy");
      });
    }), LoadError);
  const names = frames(error);
  assert(names[0].includes("outerCallback"), error.stack);
});

Deno.test("methods keep their names, numbers of parameters and results", () => {
  assertEquals([Edge.prototype.run.name, Edge.prototype.run.length], ["run", 1]);
  assertEquals(new Edge().run(() => 5), 5);
});
