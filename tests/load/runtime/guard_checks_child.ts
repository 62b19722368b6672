/**
 * Checks of guards, one by one, in a process that a mistake may end: `guard_checks_child.ts NAME`.
 */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { LiveLibrary, LoadedModule, LoadError, ModuleLoader } from "../../../mod.ts";
import { codeMappingCount } from "../../support/process_state.ts";
import { functionsOf, linkCrashes, loadGuarded, makeRegistry, onSystem } from "../../support/crashes.ts";

const IS_WINDOWS = Deno.build.os === "windows";
const IS_X86 = Deno.build.arch === "x86_64";
/** Emulators take long. */
const SHARE = IS_X86 ? 1 : 50;
const DEFINITION = { parameters: ["i32"], result: "i32" } as const;
const MANY = {
  parameters: [
    ...["i32", "f64", "i64", "f32", "i32", "i32", "i32", "i32", "i64"] as const,
    ...["f64", "f64", "f64", "f64", "f64", "f64", "f64", "f32"] as const,
  ],
  result: "f64",
} as const;
const PAIR = { struct: ["i64", "i64"] } as const, LARGE = { struct: ["i64", "i64", "i64"] } as const;

function crashed(call: () => unknown): LoadError {
  const error = assertThrows(call, LoadError);
  assertEquals(error.kind, "Crashed");
  return error;
}

function isQuarantined(call: () => unknown): void {
  assertEquals(assertThrows(call, LoadError).kind, "Quarantined");
}

/** The bytes of this process in memory that is its own, without garbage, and without the room that V8 keeps for more. */
function memoryInUse(): number {
  const { gc } = globalThis as unknown as { gc(): void };
  for (let turn = 0; turn < 3; turn++) gc();
  const { rss, heapTotal, heapUsed } = Deno.memoryUsage();
  const room = heapTotal - heapUsed;
  if (IS_WINDOWS) return rss - room;
  const text = Deno.readTextFileSync("/proc/self/smaps_rollup");
  return 1024 * Number(/^Private_Dirty:\s+(\d+)/m.exec(text)![1]) - room;
}

export const CHECKS: Readonly<Record<string, () => void | Promise<void>>> = {
  "arguments and results are those of the function": () => {
    const registry = makeRegistry();
    const bare = loadGuarded(registry), guarded = loadGuarded(registry, { onCrash: "throw" });
    const numbers = [1, 2, 3n, 4, 5, 6, 7, 8, 9n, 10, 11, 12, 13, 14, 15, 16, 17] as const;
    const expected = bare.getFunction("sum_many", MANY)!(...numbers);
    for (const callPath of ["fast", "pointer", "auto"] as const) {
      const call = guarded.getFunction("sum_many", MANY, { callPath })!;
      for (let turn = 0; turn < 20; turn++) assertEquals(call(...numbers), expected);
    }
    const structs = { parameters: [PAIR, LARGE, "i32", PAIR, PAIR], result: LARGE } as const;
    const values = (...all: bigint[]) => new Uint8Array(new BigInt64Array(all).buffer);
    const parameters = [values(1n, 2n), values(3n, 4n, 5n), 6, values(7n, 8n), values(9n, 10n)] as const;
    const sums = guarded.getFunction("add_structs", structs)!(...parameters);
    assertEquals(new BigInt64Array(sums.slice().buffer), new BigInt64Array([4n, 12n, 39n]));
    assertEquals(sums, bare.getFunction("add_structs", structs)!(...parameters));
  },

  "converted arguments and results": async () => {
    const module = loadGuarded(makeRegistry({ onCrash: "throw" }));
    const errno = { ...DEFINITION, captureErrno: true } as const;
    const jump = { parameters: [], result: "usize", integers: "number" } as const;
    for (const callPath of ["fast", "pointer", "auto"] as const) {
      const heap = module.getFunction("use_heap_in_thread", errno, { callPath })!;
      const crash = module.getFunction("by_store", errno, { callPath })!;
      const jumps = module.getFunction("by_jump", jump, { callPath })!;
      for (let turn = 0; turn < 12; turn++) {
        assertEquals(heap(3), { result: 3, errno: 0 });
        assertEquals(functionsOf(crashed(() => crash(1))), onSystem("SIGSEGV in store < by_store"));
        isQuarantined(() => heap(3));
        module.endQuarantine();
        crashed(jumps);
        module.endQuarantine();
      }
    }
    const nonblocking = { nonblocking: true } as const;
    const text = { parameters: ["cstring"], result: "usize", integers: "number" } as const;
    const length = module.getFunction("length_of", text)!;
    const lengthLater = module.getFunction("length_of", { ...text, ...nonblocking })!;
    for (let turn = 0; turn < 12; turn++) {
      assertEquals([length("grün"), await lengthLater("grün")], [5, 5]);
      assertEquals(functionsOf(crashed(() => length(null))), onSystem("SIGSEGV in length_of"));
      module.endQuarantine();
      assertEquals(
        functionsOf(await assertRejects(() => lengthLater(null))),
        onSystem("SIGSEGV in length_of"),
      );
      module.endQuarantine();
    }
    const heap = module.getFunction("use_heap_in_thread", { ...errno, ...nonblocking })!;
    const crash = module.getFunction("by_store", { ...errno, ...nonblocking })!;
    const jumps = module.getFunction("by_jump", { ...jump, ...nonblocking })!;
    for (let turn = 0; turn < 3; turn++) {
      assertEquals(await Promise.all([heap(3), heap(4)]), [{ result: 3, errno: 0 }, { result: 4, errno: 0 }]);
      assertEquals(functionsOf(await assertRejects(() => crash(1))), onSystem("SIGSEGV in store < by_store"));
      module.endQuarantine();
      assertEquals(functionsOf(await assertRejects(() => jumps())), onSystem("SIGSEGV in "));
      module.endQuarantine();
    }
  },

  "an error says what happened, and where": () => {
    const registry = makeRegistry({ onCrash: "throw" });
    const call = loadGuarded(registry).getFunction("by_store", DEFINITION)!;
    function callIt(): void {
      call(1);
    }
    const error = crashed(callIt);
    const { data: { signal, address, frames, path, symbol }, message, hint, stack } = error;
    assertEquals([signal, address, path, symbol], [onSystem("SIGSEGV"), 0n, "guarded", "by_store"]);
    assertEquals(frames!.map((frame) => frame.function), ["store", "by_store"]);
    for (const [index, { module, version, file, line, address, times }] of frames!.entries()) {
      assertEquals([module, version, times], ["guarded", 1, 1]);
      assert(file!.endsWith("crashes.c") && line! > 0);
      assertEquals(registry.symbolize(address - (index === 0 ? 0n : 1n))?.function, frames![index].function);
    }
    assert(
      /^Native code has crashed: (SIGSEGV|EXCEPTION_ACCESS_VIOLATION \(0xc0000005\)), (write|access) to address 0x0, in store \(.*crashes\.c:\d+\) \(/
        .test(
          message,
        ),
    );
    assert(hint.startsWith("a null pointer was used"));
    assert(stack!.includes("callIt"));
  },

  "every kind of crash that can be survived is, by every call path": async () => {
    const expected = {
      by_store: onSystem("SIGSEGV in store < by_store"),
      by_libc: onSystem("SIGSEGV in by_libc"),
      by_copy: onSystem("SIGSEGV in by_copy"),
      by_abort: onSystem("SIGABRT in by_abort"),
      // AArch64 divides by zero without a signal.
      ...IS_X86 && { by_division: onSystem("SIGFPE in by_division") },
      by_trap: onSystem(`${IS_X86 ? "SIGILL" : "SIGTRAP"} in by_trap`),
      by_null_call: onSystem("SIGSEGV in by_null_call"),
      by_state: onSystem("SIGSEGV in store < by_state"),
      by_overflow: `${IS_WINDOWS ? "EXCEPTION_STACK_OVERFLOW" : "SIGSEGV"} in by_overflow < by_overflow`,
    };
    const module = loadGuarded(makeRegistry({ onCrash: "throw" }));
    // It has no frame: it has jumped to the C library.
    const jump = module.getFunction("by_jump", { parameters: [], result: "usize" })!;
    assertEquals(functionsOf(crashed(jump)), onSystem("SIGSEGV in "));
    isQuarantined(jump);
    module.endQuarantine();
    for (const [name, functions] of Object.entries(expected)) {
      const later = module.getFunction(name, { ...DEFINITION, nonblocking: true })!;
      for (const callPath of ["fast", "pointer", "auto"] as const) {
        const call = module.getFunction(name, DEFINITION, { callPath })!;
        for (let turn = 0; turn < 12; turn++) {
          assertEquals(functionsOf(crashed(() => call(1))), functions);
          module.endQuarantine();
        }
      }
      assertEquals(functionsOf(await assertRejects(() => later(1))), functions);
      module.endQuarantine();
    }
  },

  "code without unwind tables": () => {
    const module = makeRegistry({ onCrash: "throw" }).loadBytes("plain", linkCrashes("plain"));
    for (const name of ["by_store", "by_libc", "by_abort", "by_trap", "by_null_call"]) {
      const call = module.getFunction(name, DEFINITION)!;
      for (let turn = 0; turn < 12; turn++) {
        assert(functionsOf(crashed(() => call(1))).endsWith(name));
        module.endQuarantine();
      }
    }
  },

  "a crash leaves floating-point numbers and strings to others as they were": () => {
    const module = loadGuarded(makeRegistry({ onCrash: "throw" }));
    const call = module.getFunction("by_state", DEFINITION)!;
    const many = module.getFunction("sum_many", MANY)!;
    const numbers = [1, 2.5, 3n, 4, 5, 6, 7, 8, 9n, 0.1, 0.2, 0.3, 13, 14, 15, 16, 17] as const;
    const before = [many(...numbers), 1 / 3, Math.sqrt(2), "abc".repeat(1000).lastIndexOf("cab")];
    for (let turn = 0; turn < 50; turn++) crashed(() => call(1)), module.endQuarantine();
    assertEquals([many(...numbers), 1 / 3, Math.sqrt(2), "abc".repeat(1000).lastIndexOf("cab")], before);
  },

  "a module that has crashed refuses calls, until it is told to go on": async () => {
    const registry = makeRegistry({ onCrash: "throw" });
    const module = loadGuarded(registry);
    const crash = module.getFunction("by_store", DEFINITION)!;
    const heap = module.getFunction("use_heap_in_thread", DEFINITION)!;
    const later = module.getFunction("use_heap_in_thread", { ...DEFINITION, nonblocking: true })!;
    const unguarded = loadGuarded(registry, { onCrash: "end" }).getFunction(
      "use_heap_in_thread",
      DEFINITION,
    )!;
    using live = registry.open("guarded", { use_heap_in_thread: DEFINITION });
    assertEquals([heap(3), live.symbols.use_heap_in_thread(4), module.isQuarantined], [3, 4, false]);
    crashed(() => crash(1));
    assertEquals(module.isQuarantined, true);
    for (let turn = 0; turn < 12; turn++) {
      isQuarantined(() => heap(3));
      isQuarantined(() => crash(3));
      isQuarantined(() => live.symbols.use_heap_in_thread(4));
    }
    assertEquals((await assertRejects(() => later(1), LoadError)).kind, "Quarantined");
    assertEquals(unguarded(5), 5);
    module.endQuarantine();
    assertEquals([heap(3), live.symbols.use_heap_in_thread(4), await later(6)], [3, 4, 6]);
  },

  "a reload and a rollback end the quarantine": () => {
    const bytes = linkCrashes("guarded", { reloadable: true });
    for (const state of ["fresh", "keep", "carry"] as const) {
      const registry = makeRegistry({ onCrash: "throw" });
      const first = registry.loadBytes("guarded", bytes);
      using live = registry.open("guarded", { by_store: DEFINITION, use_heap_in_thread: DEFINITION });
      const { by_store: crash, use_heap_in_thread: heap } = live.symbols;
      const old = first.getFunction("use_heap_in_thread", DEFINITION)!;
      assertEquals(heap(1), 1);
      crashed(() => crash(1));
      isQuarantined(() => heap(1));
      assertEquals([first.isQuarantined, registry.load.length > 0], [true, true]);
      const second = registry.reload("guarded", { bytes, state });
      assertEquals([heap(2), second.isQuarantined], [2, false]);
      isQuarantined(() => old(1));
      assertEquals(crashed(() => crash(1)).data.frames![0].version, 2);
      isQuarantined(() => heap(1));
      const again = registry.rollback("guarded", { state });
      assertEquals([heap(3), old(3), again.isQuarantined], [3, 3, false]);
      crashed(() => crash(1));
      isQuarantined(() => old(1));
    }
  },

  "a nonblocking call rejects, with the functions that wait for it": async () => {
    const module = loadGuarded(makeRegistry({ onCrash: "throw" }));
    const crash = module.getFunction("by_libc", { ...DEFINITION, nonblocking: true })!;
    const heap = module.getFunction("use_heap_in_thread", { ...DEFINITION, nonblocking: true })!;
    async function waitForIt(): Promise<void> {
      await crash(1);
    }
    const others = Array.from({ length: 8 }, (_, index) => heap(index + 1));
    const error = await assertRejects(waitForIt, LoadError);
    assertEquals([error.kind, error.data.symbol], ["Crashed", "by_libc"]);
    assert(/^\s+at .*/m.exec(error.stack!)![0].includes("async waitForIt"), error.stack);
    // Calls that ran at the time return what they return; those that came later may have been refused.
    for (const [index, other] of (await Promise.allSettled(others)).entries()) {
      if (other.status === "fulfilled") assertEquals(other.value, index + 1);
      else assertEquals(other.reason.kind, "Quarantined");
    }
  },

  "callbacks of JavaScript between calls": () => {
    const registry = makeRegistry({ onCrash: "throw" });
    const module = loadGuarded(registry);
    const crash = module.getFunction("by_store", DEFINITION)!;
    const call = module.getFunction("call", { parameters: ["function", "i32"], result: "i32" })!;
    const callAndCrash = module.getFunction("call_and_crash", {
      parameters: ["function", "i32"],
      result: "i32",
    })!;
    const caught: string[] = [];
    let depth = 0;
    const callback: Deno.UnsafeCallback<typeof DEFINITION> = new Deno.UnsafeCallback(DEFINITION, (number) => {
      if (number === 99) return -1;
      if (number > 0) return ++depth && call(callback.pointer, number - 1) as number;
      try {
        return crash(1) as number;
      } catch (error) {
        caught.push(functionsOf(error));
        module.endQuarantine();
        return 40;
      }
    });
    assertEquals([call(callback.pointer, 5), depth, caught], [46, 5, [
      onSystem("SIGSEGV in store < by_store"),
    ]]);
    // A callback that has returned is not in the way.
    assertEquals(
      functionsOf(crashed(() => callAndCrash(callback.pointer, 99))),
      onSystem("SIGSEGV in store < call_and_crash"),
    );
    module.endQuarantine();
    assertEquals(call(callback.pointer, 0), 41);
    callback.close();
  },

  "traps of WebAssembly and JavaScript's stack overflow stay what they are": () => {
    const module = loadGuarded(makeRegistry({ onCrash: "throw" }));
    const crash = module.getFunction("by_store", DEFINITION)!;
    // (func (param i32) (result i32) local.get 0 i32.load), exported as f
    const bytes = new Uint8Array([
      ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1],
      ...[7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 32, 0, 40, 2, 0, 11],
    ]);
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as {
      f(at: number): number;
    };
    const recurse = (): number => recurse() + 1;
    for (let turn = 0; turn < 20; turn++) {
      crashed(() => crash(1));
      module.endQuarantine();
      assertThrows(() => f(0x7fff_ffff), WebAssembly.RuntimeError);
      assertThrows(recurse, RangeError);
      assertEquals(f(0), 0);
    }
  },

  "10,000 crashes in a row leave nothing behind": () => {
    const module = loadGuarded(makeRegistry({ onCrash: "throw" }));
    const crash = module.getFunction("by_libc", DEFINITION, { callPath: "fast" })!;
    const rounds = (count: number): void => {
      for (let turn = 0; turn < count; turn++) {
        try {
          crash(1);
        } catch (error) {
          assertInstanceOf(error, LoadError);
          module.endQuarantine();
          continue;
        }
        throw new Error("the call has returned");
      }
    };
    rounds(5000 / SHARE);
    const before = memoryInUse();
    rounds(10_000 / SHARE);
    const grown = memoryInUse() - before;
    assert(grown < 4 << 20, `${grown} bytes`);
  },

  "guards go with their module": () => {
    const registry = makeRegistry({ onCrash: "throw" });
    const bytes = linkCrashes("guarded");
    const round = () => {
      const module = registry.loadBytes("guarded", bytes);
      for (const name of ["by_store", "by_libc", "by_division"]) module.getFunction(name, DEFINITION);
      crashed(() => module.getFunction("by_store", DEFINITION)!(1));
      module.close();
      registry.unload("guarded", { force: true });
    };
    for (let turn = 0; turn < 100 / SHARE; turn++) round();
    const before = codeMappingCount();
    for (let turn = 0; turn < 300 / SHARE; turn++) round();
    const more = codeMappingCount() - before;
    // V8 makes pages for code when it likes. In emulation Deno itself keeps two for each function that it has compiled.
    if (IS_X86) assert(Math.abs(more) < 50, `${more} mappings of code`);
  },

  "crashes in four Workers at once, each with a module of its own": async () => {
    const module = loadGuarded(makeRegistry({ onCrash: "throw" }));
    const crash = module.getFunction("by_store", DEFINITION)!;
    const workers = Array.from({ length: 4 }, (_, index) => startWorker({ index }));
    let count = 0;
    for (; count < 2500 / SHARE; count++) {
      crashed(() => crash(1));
      module.endQuarantine();
    }
    assertEquals(await Promise.all(workers.map(({ result }) => result)), Array(4).fill(2500 / SHARE));
  },

  "isolates share the quarantine": async () => {
    const registry = makeRegistry({ onCrash: "throw" });
    const module = loadGuarded(registry);
    const live = registry.open("guarded", { use_heap_in_thread: DEFINITION, by_store: DEFINITION });
    const heap = module.getFunction("use_heap_in_thread", DEFINITION)!;
    const tokens = { fixed: module.share(), live: live.share() };
    const { result } = startWorker({ tokens });
    assertEquals(await result, ["Crashed", "Quarantined", "Quarantined", true]);
    isQuarantined(() => heap(1));
    isQuarantined(() => live.symbols.use_heap_in_thread(1));
    assertEquals(registry.reload("guarded", { bytes: linkCrashes("guarded") }).isQuarantined, false);
    assertEquals(live.symbols.use_heap_in_thread(1), 1);
    const second = startWorker({
      tokens: { fixed: registry.loadBytes("guarded", new Uint8Array()).share(), live: live.share() },
    });
    assertEquals(await second.result, ["Crashed", "Quarantined", "Quarantined", true]);
    isQuarantined(() => live.symbols.use_heap_in_thread(1));
  },

  "the option of a load, an open and a loader": async () => {
    const bytes = linkCrashes("guarded");
    const path = await Deno.makeTempFile({ suffix: ".smf" });
    try {
      await Deno.writeFile(path, bytes);
      for (const crashReport of [true, false]) {
        const registry = makeRegistry({ crashReport });
        // Loaded first without the option: nothing prepares it for guards.
        registry.load(path).getFunction("use_heap_in_thread", DEFINITION)!(1);
        using live = registry.open(path, { by_store: DEFINITION }, { onCrash: "throw" });
        crashed(() => live.symbols.by_store(1));
        registry.reload(path);
        assertEquals(crashed(() => live.symbols.by_store(1)).data.frames![0].version, 2);
        const handle = registry.reload(path, { onCrash: "throw" });
        crashed(() => handle.getFunction("by_store", DEFINITION)!(1));
        const third = await registry.loadAsync(path, { onCrash: "throw" });
        isQuarantined(() => third.getFunction("by_store", DEFINITION)!(1));
        registry[Symbol.dispose]();
        // The fixture is for Linux on x86-64: a loader alone has no libraries of the system.
        if (!IS_X86 || IS_WINDOWS) continue;
        const sum = { parameters: ["buffer", "usize"], result: "u64" } as const;
        const arith = "fixtures/c/arith.smf";
        using module = new ModuleLoader({ crashReport }).load(arith, undefined, { onCrash: "throw" });
        assertEquals(crashed(() => module.getFunction("sum_u32", sum)!(null, 1n)).data.path, arith);
        using another = new ModuleLoader({ crashReport, onCrash: "throw" }).load(arith);
        crashed(() => another.getFunction("sum_u32", sum)!(null, 1n));
      }
    } finally {
      await Deno.remove(path);
    }
  },

  "isolates attach with guards only to what its owner has prepared": () => {
    const registry = makeRegistry({ crashReport: false });
    const module = loadGuarded(registry);
    const token = structuredClone(module.share());
    const attach = () => LoadedModule.attach(token, { onCrash: "throw" });
    assertEquals(assertThrows(attach, LoadError).kind, "Unsupported");
    const live = registry.open("guarded", { by_store: DEFINITION });
    const attachLive = () =>
      LiveLibrary.attach(structuredClone(live.share()), { by_store: DEFINITION }, { onCrash: "throw" });
    assertEquals(assertThrows(attachLive, LoadError).kind, "Unsupported");
    loadGuarded(registry, { onCrash: "throw" });
    attach().close();
  },
};

/** Starts this file as a Worker, which sends one message. */
function startWorker(message: unknown): { readonly result: Promise<unknown> } {
  const worker = new Worker(import.meta.url, { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  worker.onmessage = ({ data }) => {
    worker.terminate();
    resolve(data);
  };
  worker.onerror = (event) => reject(new Error(event.message));
  worker.postMessage(message);
  return { result: promise };
}

function kindOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error instanceof LoadError ? error.kind : error;
  }
}

/** The Worker's side of two checks. */
function answer({ tokens }: { readonly tokens?: { readonly fixed: never; readonly live: never } }): unknown {
  if (tokens !== undefined) {
    using module = LoadedModule.attach(tokens.fixed, { onCrash: "throw" });
    using live = LiveLibrary.attach(tokens.live, { by_store: DEFINITION }, { onCrash: "throw" });
    const heap = module.getFunction("use_heap_in_thread", DEFINITION)!;
    heap(1);
    return [
      kindOf(() => live.symbols.by_store(1)),
      kindOf(() => heap(1)),
      kindOf(() => live.symbols.by_store(1)),
      module.isQuarantined,
    ];
  }
  const module = loadGuarded(makeRegistry({ onCrash: "throw" }));
  const crash = module.getFunction("by_store", DEFINITION)!;
  let count = 0;
  for (let turn = 0; turn < 2500 / SHARE; turn++) {
    if (kindOf(() => crash(1)) === "Crashed") count++;
    module.endQuarantine();
  }
  return count;
}

const isWorker = !("Window" in self);
if (isWorker) {
  const scope = self as unknown as { postMessage(message: unknown): void };
  self.addEventListener("message", (event) => scope.postMessage(answer((event as MessageEvent).data)));
} else if (import.meta.main && Deno.args[0] === "importer") {
  // The function that `call` calls is another module's, by its address.
  const registry = makeRegistry({ onCrash: "throw" });
  const provider = registry.loadBytes("provider", linkCrashes("guarded"));
  using crash = provider.addressOf("by_store")!;
  const call = loadGuarded(registry).getFunction("call", { parameters: ["pointer", "i32"], result: "i32" }, {
    types: "ignore",
  })!;
  call(Deno.UnsafePointer.create(crash.address), 1);
} else if (import.meta.main) {
  await CHECKS[Deno.args[0]]();
  console.log("held");
}
