// The code of replaced versions goes once it is known that nobody is in it and nobody can come to it; else it stays, and
// the report says why.
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  type CarryReport,
  type LoadedModule,
  ModuleRegistry,
  type ModuleRegistryOptions,
} from "../../../mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testOfThreads } from "../../support/compilers.ts";
import { FailingAllocator } from "../../support/failing_allocator.ts";
import { type ExecutableMemory, LoadError, platformAllocator } from "../../../mod.ts";
import { until } from "../../support/workers.ts";

const INT = { parameters: [], result: "i32" } as const;
const PLAIN = ["-O2", "-g", "-ffunction-sections", "-fdata-sections"];

/** A hot module, whose code a test watches. */
class HotModule implements AsyncDisposable {
  readonly registry: ModuleRegistry;
  readonly #folder: string;
  readonly #compiler: string;
  readonly #hot: boolean;
  #module: LoadedModule | undefined;

  constructor(
    folder: string,
    options: ModuleRegistryOptions & { readonly compiler?: string; readonly hot?: boolean } = {},
  ) {
    const { compiler = "gcc", hot = true, ...registry } = options;
    this.#folder = folder;
    this.#compiler = compiler;
    this.#hot = hot;
    this.registry = new ModuleRegistry({ libraries: ["libstdc++.so.6", "libgcc_s.so.1"], ...registry });
  }

  compile(source: string): Promise<Uint8Array<ArrayBuffer>> {
    return compiledVersion(this.#folder, source, {
      name: "m",
      compiler: this.#compiler,
      flags: PLAIN,
      link: { hot: this.#hot },
    });
  }

  async load(source: string): Promise<void> {
    this.#module = this.registry.loadBytes("m", await this.compile(source));
  }

  /** Replaces the version that serves; the newest one has the only handle. */
  async reload(source: string, options = {}): Promise<CarryReport> {
    const bytes = await this.compile(source);
    using _before = this.#module;
    this.#module = this.registry.reload("m", { bytes, state: "keep", ...options });
    return this.#module.carried!;
  }

  /**
   * Reloads until the code of a version has gone: a thread of the engine may be running at a reload, and code goes at a
   * later one then. Returns the last version.
   */
  async reloadUntilGone(gone: number, source: (version: number) => string, next: number): Promise<number> {
    await this.reload(source(next));
    while (this.withCode().includes(gone) && next < gone + 40) await this.reload(source(++next));
    assert(!this.withCode().includes(gone), `${this.withCode()} have code`);
    return next;
  }

  rollback(): void {
    using _before = this.#module;
    this.#module = this.registry.rollback("m", { state: "keep" });
  }

  /** The fate of the code of the versions of a source; two of them have been replaced and are not kept then. */
  async fate(source: (version: number) => string, options = {}): Promise<string | undefined> {
    await this.load(source(1));
    let report: CarryReport | undefined;
    for (const version of [2, 3, 4]) report = await this.reload(source(version), options);
    return report!.replacedCode!.stays;
  }

  /** The versions in memory whose code is there, oldest first, counted from 1. */
  withCode(): number[] {
    const { versions } = this.registry.inspect().modules[0];
    return versions.flatMap(({ codeSize }, index) => codeSize > 0 ? [index + 1] : []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const SOURCE = (version: number): string => `
  int counter;
  int twice(int (*of)(void)) { return of() + of(); }
  int version(void) { return ${version}; }
  int (*pointer)(void) = version;
  int step(void) { return ++counter; }
  int by_pointer(void) { return twice(pointer); }`;

testOfThreads(
  ["gcc"],
  "code of versions that nobody needs goes, and everything else of them stays",
  async (folder) => {
    await using hot = new HotModule(folder);
    await hot.load(SOURCE(1));
    const { symbols } = hot.registry.open("m", { version: INT, step: INT, by_pointer: INT });
    for (let version = 2; version <= 21; version++) {
      const { replacedCode, kept } = await hot.reload(SOURCE(version));
      assertEquals([replacedCode!.stays, kept.includes("counter")], [undefined, true]);
      assert(replacedCode!.bytes >= 4096);
      assertEquals([symbols.version(), symbols.by_pointer(), symbols.step()], [
        version,
        2 * version,
        version - 1,
      ]);
    }
    const { modules: [{ versions }], size } = hot.registry.inspect();
    assertEquals([versions.length, size], [21, versions.reduce((sum, { size }) => sum + size, 0)]);
    assert(versions[0].size > 0 && versions[20].size > versions[0].size);
    // The one that serves, the one that is kept, and perhaps some that wait: a thread ran at the last reloads.
    let newest = 21;
    while (hot.withCode().length > 5 && newest < 60) await hot.reload(SOURCE(++newest));
    const left = hot.withCode();
    assert(left.includes(newest - 1) && left.includes(newest) && left.length <= 5, `${left}`);
    // A version that is kept has its code, and one that a rollback has replaced has none.
    hot.rollback();
    assertEquals([symbols.version(), symbols.by_pointer(), symbols.step()], [
      newest - 1,
      2 * (newest - 1),
      21,
    ]);
    await hot.reload(SOURCE(newest + 1));
    const last = await hot.reloadUntilGone(newest, SOURCE, newest + 2);
    assertEquals([symbols.version(), symbols.step()], [last, 22]);
  },
);

testOfThreads(
  ["gcc"],
  "debug information that the loader keeps of a version goes with its code, and the report counts it",
  async (folder) => {
    await using hot = new HotModule(folder);
    await hot.load(SOURCE(1));
    /** The names and lines of the functions of a version, counted from 0. */
    const shown = (version: number): { names: Set<string | undefined>; hasLines: boolean } => {
      const { address, size } = hot.registry.inspect().modules[0].versions[version];
      const found = Array.from({ length: size }, (_, at) => hot.registry.symbolize(address + BigInt(at)));
      return {
        names: new Set(found.map((each) => each?.function)),
        hasLines: found.some((each) => each?.line !== undefined),
      };
    };
    const { codeSize } = hot.registry.inspect().modules[0].versions[0];
    const { replacedCode, unused } = await hot.reload(SOURCE(2));
    assert(replacedCode!.bytes > codeSize + 200, `${replacedCode!.bytes} bytes of ${codeSize} of code`);
    assert(unused!.addedBytes > replacedCode!.bytes);
    await hot.reload(SOURCE(3));
    const last = await hot.reloadUntilGone(1, SOURCE, 4);
    const [first, newest] = [shown(0), shown(last - 1)];
    assertEquals([first.names, first.hasLines], [newest.names, false]);
    assert(newest.names.has("step") && newest.hasLines);
  },
);

testOfThreads(
  ["gcc"],
  "code stays while a thread is in it that nobody has counted, and goes when the thread has left",
  async (folder) => {
    await using hot = new HotModule(folder);
    // The program makes the call by an address that it got from the module; \`usleep\` is not the module's code.
    const source = (version: number) => `
      int usleep(unsigned);
      volatile int stop, inside;
      int version(void) { return ${version}; }
      int wait(void) { inside = 1; while (!stop) usleep(1000); return ${version}; }
      int (*waiting(void))(void) { return wait; }
      int enter(void) { return inside; }
      void leave(void) { stop = 1; }`;
    await hot.load(source(1));
    await hot.reload(source(2));
    const { symbols } = hot.registry.open("m", {
      version: INT,
      enter: INT,
      leave: { parameters: [], result: "void" },
      waiting: { parameters: [], result: "pointer" },
    });
    const call = new Deno.UnsafeFnPointer(symbols.waiting() as never, { ...INT, nonblocking: true } as const);
    const result = call.call();
    await until(() => symbols.enter() === 1);
    for (let version = 3; version <= 8; version++) {
      assertEquals((await hot.reload(source(version))).replacedCode!.stays, undefined);
      assertEquals(symbols.version(), version);
    }
    assert(hot.withCode().includes(2), `${hot.withCode()}`);
    symbols.leave();
    assertEquals(await result, 2);
    // A thread that runs at that moment may be anywhere.
    for (let version = 9; version < 30 && hot.withCode().includes(2); version++) {
      await hot.reload(source(version));
    }
    assert(!hot.withCode().includes(2), `${hot.withCode()}`);
  },
);

testOfThreads(
  ["gcc"],
  "code stays while a function of it is on this isolate's own stack",
  async (folder) => {
    const versions: Uint8Array<ArrayBuffer>[] = [];
    let reloads = 0;
    const registry = new ModuleRegistry();
    const callback = new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {
      for (const bytes of versions) {
        registry.reload("m", { bytes }).close();
        reloads++;
      }
    });
    await using hot = new HotModule(folder);
    const source = (version: number) => `
      int counter;
      int version(void) { return ${version}; }
      int call(void (*back)(void)) { counter++; back(); return ${version} + 10 * counter; }`;
    for (let version = 2; version <= 6; version++) versions.push(await hot.compile(source(version)));
    registry.loadBytes("m", await hot.compile(source(1)));
    const { symbols } = registry.open("m", {
      call: { parameters: ["pointer"], result: "i32" },
      version: INT,
    });
    assertEquals(symbols.call(callback.pointer), 11);
    assertEquals([reloads, symbols.version()], [5, 6]);
    callback.close();
    await registry[Symbol.asyncDispose]();
  },
);

testOfThreads(
  ["gcc", "g++"],
  "where somebody may have an address of code, or nobody knows, it stays, and the report says why",
  async (folder) => {
    const cases: [why: RegExp, source: (version: number) => string, options?: Record<string, unknown>][] = [
      [/linked without --hot/, SOURCE, { hot: false }],
      [
        /variables hold addresses of its code/,
        // A label is no function, and has no entry.
        (version) =>
          `int chosen; int version(void) { static void *const table[] = { &&here, &&there };
          goto *table[chosen & 1]; here: return ${version}; there: return -${version}; }`,
      ],
      [
        /registered functions for the end/,
        (version) =>
          `int atexit(void (*)(void)); static void end(void) {} int version(void) { return ${version}; }
          __attribute__((constructor)) static void start(void) { atexit(end); }`,
      ],
      [
        /run at the module's end/,
        (version) =>
          `int ends; int version(void) { return ${version}; }
          __attribute__((destructor)) static void end${version}(void) { ends++; }`,
      ],
      [
        /its initialisers ran while/,
        (version) =>
          `int version(void) { return ${version}; } int (*volatile pointer)(void);
          __attribute__((constructor)) static void start(void) { pointer = version; }`,
      ],
      [/imports 'pthread_key_create'/, (version) =>
        `#include <pthread.h>
          static void end(void *value) { (void)value; }
          int version(void) { pthread_key_t key; return ${version} + 0 * pthread_key_create(&key, end); }`],
      [
        /imports '_setjmp.*may switch stacks/,
        (version) =>
          `#include <setjmp.h>\njmp_buf there; int version(void) { return setjmp(there) + ${version}; }`,
      ],
      [
        /imports 'swapcontext.*may switch stacks/,
        (version) =>
          `#include <ucontext.h>\nucontext_t a, b; int version(void) { return ${version}; } int go(void) { return swapcontext(&a, &b); }`,
      ],
      [
        /'outside' of given, which may switch stacks/,
        (version) =>
          `int outside(void); int version(void) { return ${version}; } int go(void) { return outside(); }`,
        { imports: { outside: 4096n } },
      ],
      [
        /^its allocator cannot give pages back$/,
        SOURCE,
        { allocator: new FailingAllocator() },
      ],
    ];
    for (const [why, source, options] of cases) {
      await using hot = new HotModule(folder, options);
      const found = await hot.fate(source);
      assertMatch(`${found}`, why);
      assertEquals(hot.withCode().slice(-3), [2, 3, 4], `${why}`);
    }
    await using hot = new HotModule(folder);
    assertMatch(
      `${await hot.fate(SOURCE, {
        verify: (module: LoadedModule) => module.getFunction("version", INT)!() > 0,
      })}`,
      /^`migrate` or `verify` ran it/,
    );
  },
);

testOfThreads(
  ["gcc"],
  "an entry of a function that later versions lack leads to code that stays",
  async (folder) => {
    await using hot = new HotModule(folder);
    const removed = "int removed(void) { return 7; } int (*pointer)(void) = removed;";
    const rest = (version: number) => `int version(void) { return ${version}; }`;
    await hot.load(`${removed} ${rest(1)}
      int (*find(void))(void) { return pointer; }`);
    await hot.reload(`${removed} ${rest(2)} int (*find(void))(void) { return pointer; }`);
    using found = hot.registry.open("m", { find: { parameters: [], result: "pointer" }, version: INT });
    const call = new Deno.UnsafeFnPointer(found.symbols.find() as never, INT);
    assertEquals(call.call(), 7);
    for (let version = 3; version <= 8; version++) {
      await hot.reload(`int (*pointer)(void); ${rest(version)} int (*find(void))(void) { return pointer; }`);
      assertEquals([call.call(), found.symbols.version()], [7, version]);
    }
    assert(hot.withCode().includes(2));
  },
);

testOfThreads(
  ["gcc"],
  "code that the system does not take back stays as it is, and the next reload tries again",
  async (folder) => {
    /** Refuses to give pages back. */
    class Keeping extends FailingAllocator {
      refused = 0;
      isRefusing = true;
      discard(memory: ExecutableMemory, offset: number, length: number): void {
        if (this.isRefusing) {
          this.refused++;
          throw new LoadError("OutOfMemory", "Cannot give memory back: the test refuses", {
            call: "mmap",
            errno: 12,
          });
        }
        platformAllocator().discard!(memory, offset, length);
      }
    }
    const allocator = new Keeping();
    {
      await using hot = new HotModule(folder, { allocator });
      await hot.load(SOURCE(1));
      const { symbols } = hot.registry.open("m", { version: INT, step: INT });
      let version = 2;
      // While a thread of the engine runs, nothing is given back.
      for (; version <= 5 || version < 30 && allocator.refused === 0; version++) {
        await hot.reload(SOURCE(version));
        assertEquals([symbols.version(), symbols.step()], [version, version - 1]);
      }
      assertEquals(hot.withCode(), Array.from({ length: version - 1 }, (_, index) => index + 1));
      allocator.isRefusing = false;
      assert(allocator.refused > 0);
      for (; version < 60 && hot.withCode().length === version - 1; version++) {
        await hot.reload(SOURCE(version));
        assertEquals([symbols.version(), symbols.step()], [version, version - 1]);
      }
      assert(hot.withCode().length < version - 1, `${hot.withCode()}`);
    }
    assertEquals(allocator.live.size, 0);
  },
);
