import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { LoadError, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { isInsideCall } from "../../src/call/gate.ts";
import {
  ANSWER,
  answering,
  build,
  nativeTest,
  ROUTINES,
  runChild,
  sample,
  word,
} from "../support/modules.ts";

const CALL = { parameters: ["function", "i32"], result: "i32" } as const;
const CALLBACK = { parameters: ["i32"], result: "i32" } as const;
const ADD = { parameters: ["i32", "i32"], result: "i32" } as const;

function assertClosed(work: () => unknown, name: string): void {
  const error = assertThrows(work, LoadError);
  assertEquals(error.kind, "Closed");
  assertStringIncludes(error.message, name);
}

for (const callPath of ["auto", "fast", "pointer"] as const) {
  nativeTest(
    `functions and statics bound by the ${callPath} path throw Closed after close, with their names`,
    () => {
      const module = new ModuleLoader({ callPath }).loadBytes(
        build({
          routines: { ...ROUTINES, start: { hex: "31 c0 c3" } },
          data: { counter: word(7n) },
          entry: "start",
        }),
      );
      const { symbols } = module.bind({
        add32: ADD,
        nothing: { parameters: [], result: "void" },
        counter: { type: "i64" },
        wait: { parameters: ["buffer"], result: "i32", nonblocking: true },
        sumPair: { parameters: [{ struct: ["f64", "f64"] }], result: "f64" },
      });
      const { add32, nothing, sumPair, wait } = symbols;
      const alone = module.getFunction("add64", { parameters: ["i64", "i64"], result: "i64" })!;
      const start = module.entryPoint(ANSWER)!;
      assertEquals([add32(1, 2), alone(1n, 2n), start(), symbols.counter], [3, 3n, 0, 7n]);
      module.close();
      for (let round = 0; round < 3; round++) {
        assertClosed(() => add32(1, 2), "add32");
        assertClosed(() => symbols.add32(1, 2), "add32");
        assertClosed(() => nothing(), "nothing");
        assertClosed(() => symbols.counter, "counter");
        assertClosed(() => wait(new Int32Array([1])), "wait");
        assertClosed(() => sumPair(new Uint8Array(16)), "sumPair");
        assertClosed(() => alone(1n, 2n), "add64");
        assertClosed(() => start(), "entry point");
      }
    },
  );
}

nativeTest("optimised code notices the close: a loop that ran a million times throws", () => {
  const module = new ModuleLoader().loadBytes(sample());
  const add = module.getFunction("add32", ADD, { callPath: "fast" })!;
  const run = (count: number): number => {
    let sum = 0;
    for (let index = 0; index < count; index++) sum = add(sum, 1);
    return sum;
  };
  assertEquals(run(1_000_000), 1_000_000);
  module.close();
  assertClosed(() => run(1), "add32");
});

nativeTest("a close in the middle of a hot loop ends it at the next call", () => {
  const module = new ModuleLoader().loadBytes(sample());
  const add = module.getFunction("add32", ADD, { callPath: "fast" })!;
  let calls = 0;
  assertClosed(() => {
    for (;;) {
      add(calls, 1);
      calls++;
      if (calls === 2_000_000) module.close();
    }
  }, "add32");
  assertEquals(calls, 2_000_000);
});

nativeTest("closing one module leaves the optimised functions of another open", () => {
  const loader = new ModuleLoader();
  using kept = loader.loadBytes(sample());
  const add = kept.getFunction("add32", ADD)!;
  for (let round = 0; round < 20; round++) {
    const other = loader.loadBytes(sample());
    const otherAdd = other.getFunction("add32", ADD)!;
    let sum = 0;
    for (let index = 0; index < 20_000; index++) sum = otherAdd(sum, 1) + add(0, 0);
    assertEquals(sum, 20_000);
    other.close();
    assertClosed(() => otherAdd(1, 1), "add32");
    assertEquals(add(2, 3), 5);
  }
});

nativeTest("functions have the symbol's name and as many parameters as their definition", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const { symbols } = module.bind({
    add32: ADD,
    renamed: { name: "sum8", parameters: Array(8).fill("i64") as "i64"[], result: "i64" },
    nothing: { parameters: [], result: "void" },
    sumPair: { parameters: [{ struct: ["f64", "f64"] }], result: "f64" },
  });
  const of = (call: (...parameters: never[]) => unknown) => [call.name, call.length];
  assertEquals(of(symbols.add32), ["add32", 2]);
  assertEquals(of(symbols.renamed), ["sum8", 8]);
  assertEquals(of(symbols.nothing), ["nothing", 0]);
  assertEquals(of(symbols.sumPair), ["sumPair", 1]);
});

nativeTest("a nonblocking function has as many parameters as its definition", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const wait = module.getFunction("wait", { parameters: ["buffer"], result: "i32", nonblocking: true })!;
  assertEquals([wait.name, wait.length], ["wait", 1]);
});

nativeTest("symbol names that look like code are never run", () => {
  const names = [
    "a'b",
    'a"b',
    "a`${1}`",
    "a\\",
    "a\nb",
    "a\u2028b",
    "*/",
    "]; throw 1; [",
    "__proto__",
    "${x}",
    "\u{1f600}",
  ];
  const routine = { hex: "b8 2a 00 00 00 c3" };
  using module = new ModuleLoader().loadBytes(
    build({ routines: Object.fromEntries(names.map((name) => [name, routine])) }),
  );
  for (const name of names) {
    const call = module.getFunction(name, ANSWER)!;
    assertEquals([call.name, call()], [name, 42]);
  }
  const definitions = Object.fromEntries(names.map((name, index) => [`f${index}`, { ...ANSWER, name }]));
  const calls = Object.values(module.bind(definitions).symbols) as (() => number)[];
  assertEquals(calls.map((call) => call()), names.map(() => 42));
  module.close();
  calls.forEach((call, index) => assertClosed(call, names[index]));
});

nativeTest(
  "every function has a position of its own in a script, so call sites never share V8's feedback",
  () => {
    const loader = new ModuleLoader();
    const positions: (string | undefined)[] = [];
    const callback = new Deno.UnsafeCallback(CALLBACK, (value) => {
      positions.push(new Error().stack?.match(/smf-call:.*:\d+:\d+/)?.[0]);
      return value;
    });
    for (let count = 0; count < 50; count++) {
      using module = loader.loadBytes(sample());
      module.getFunction("call", CALL)!(callback.pointer, 1);
    }
    callback.close();
    assert(positions.every((position) => position !== undefined));
    assertEquals(new Set(positions).size, 50);
  },
);

nativeTest("one call site with many functions behind it calls the right one", () => {
  const loader = new ModuleLoader();
  const modules = Array.from({ length: 30 }, (_, index) => loader.loadBytes(answering(index)));
  const calls = modules.map((module) => module.getFunction("value", ANSWER)!);
  for (let round = 0; round < 2000; round++) {
    const index = round % 30;
    assertEquals(calls[index](), index);
  }
  for (const module of modules) module.close();
});

nativeTest("an exception in a callback reaches the caller, and the module stays usable", () => {
  for (const callPath of ["fast", "pointer"] as const) {
    using module = new ModuleLoader({ callPath }).loadBytes(sample());
    const call = module.getFunction("call", CALL)!;
    const failing = new Deno.UnsafeCallback(CALLBACK, (value) => {
      if (value < 0) throw new RangeError("from the callback");
      return value;
    });
    const { stack } = assertThrows(() => call(failing.pointer, -1), RangeError, "from the callback");
    // The function that JavaScript has called; V8 knows no others between it and the callback.
    if (callPath === "fast") assertMatch(stack!, /^ +at call \(smf-call:/m);
    assertEquals(call(failing.pointer, 5), 5);
    failing.close();
  }
});

nativeTest("isInsideCall is true in callbacks and false outside, also in optimised code", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const call = module.getFunction("call", CALL, { callPath: "fast" })!;
  let ask = false;
  let seen: boolean | undefined;
  const callback = new Deno.UnsafeCallback(CALLBACK, (value) => {
    if (ask) seen = isInsideCall();
    return value + 1;
  });
  const { pointer } = callback;
  const inside = (): boolean => {
    ask = true;
    seen = undefined;
    call(pointer, 1);
    ask = false;
    assertNotEquals(seen, undefined);
    return seen!;
  };
  assertEquals([isInsideCall(), inside(), isInsideCall()], [false, true, false]);
  let sum = 0;
  for (let index = 0; index < 100_000; index++) sum = call(pointer, sum);
  assertEquals(sum, 100_000);
  assertEquals([isInsideCall(), inside(), isInsideCall()], [false, true, false]);
  callback.close();
});

nativeTest("isInsideCall is true under deep JavaScript below the callback", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const call = module.getFunction("call", CALL)!;
  const deep = (depth: number): boolean => depth === 0 ? isInsideCall() : deep(depth - 1);
  let seen = false;
  const callback = new Deno.UnsafeCallback(CALLBACK, (value) => {
    seen = deep(500);
    return value;
  });
  call(callback.pointer, 1);
  assertEquals([seen, deep(500)], [true, false]);
  callback.close();
});

nativeTest("isInsideCall leaves Error as it was, and works whatever others have set on it", () => {
  const V8Error = Error as unknown as { stackTraceLimit: number; prepareStackTrace?: unknown };
  const { stackTraceLimit } = V8Error;
  const had = Object.hasOwn(V8Error, "prepareStackTrace");
  isInsideCall();
  assertEquals([V8Error.stackTraceLimit, Object.hasOwn(V8Error, "prepareStackTrace")], [
    stackTraceLimit,
    had,
  ]);

  using module = new ModuleLoader().loadBytes(sample());
  const call = module.getFunction("call", CALL)!;
  const seen: boolean[] = [];
  const callback = new Deno.UnsafeCallback(CALLBACK, (value) => {
    seen.push(isInsideCall());
    return value;
  });
  const prepare = () => "mine";
  try {
    V8Error.stackTraceLimit = 0;
    V8Error.prepareStackTrace = prepare;
    call(callback.pointer, 1);
    assertEquals([seen, isInsideCall()], [[true], false]);
    assertEquals([V8Error.stackTraceLimit, V8Error.prepareStackTrace], [0, prepare]);
  } finally {
    V8Error.stackTraceLimit = stackTraceLimit;
    delete V8Error.prepareStackTrace;
    callback.close();
  }
});

nativeTest("a wrong argument is Deno's own error, and the module stays usable", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const first = module.getFunction("first", { parameters: ["buffer"], result: "u8" })!;
  assertThrows(() => (first as (value: unknown) => number)("no buffer"), TypeError);
  assertEquals(first(new Uint8Array([9])), 9);
});

nativeTest("unloading by force reaches every function at once", () => {
  using registry = new ModuleRegistry();
  const names = Array.from({ length: 50 }, (_, index) => `f${index}`);
  const routine = { hex: "31 c0 c3" };
  const module = registry.loadBytes(
    "m",
    build({ routines: Object.fromEntries(names.map((n) => [n, routine])) }),
  );
  const calls = names.map((name) => module.getFunction(name, ANSWER)!);
  for (const call of calls) assertEquals(call(), 0);
  registry.unload("m", { force: true });
  calls.forEach((call, index) => assertClosed(call, names[index]));
});

nativeTest(
  "where code from strings is forbidden, calls work and notice a close",
  async () => {
    const result = await runChild(new URL("./no_strings_child.ts", import.meta.url), {
      v8Flags: "--disallow-code-generation-from-strings",
    });
    assertEquals(result.code, 0, result.stderr);
    assertEquals(JSON.parse(result.stdout), {
      forbidden: true,
      sum: 5,
      warmSum: 9,
      stubs: [0, 1],
      path: "fast",
      closed: "Closed",
      duringCallback: true,
      afterwards: false,
    });
  },
);
