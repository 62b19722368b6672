// Everybody who uses variables that stay where they are: Workers, importers, live bindings, views and tokens.
import { assert, assertEquals } from "@std/assert";
import { LoadedModule } from "../../../mod.ts";
import { C, KeptModule } from "../../support/kept_module.ts";
import type { ModuleOrder } from "../../support/module_worker.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { TestWorker } from "../../support/workers.ts";

const INT = { parameters: [], result: "i32" } as const;

const COUNTING = (version: number) => `
  #include <stdatomic.h>
  _Atomic long total;
  int answer(void) { total++; return ${version}; }
  long sum(void) { return total; }
  ${version % 2 ? "int odd = 7;" : ""}`;

testWithCompilers(["gcc"], "Workers count all the while and lose nothing", async (folder) => {
  const script = new URL("../../support/module_worker.ts", import.meta.url);
  using workers = new DisposableStack();
  await using kept = new KeptModule(folder);
  await kept.load(COUNTING(1));
  const live = kept.registry.open("m", { answer: INT, sum: { parameters: [], result: "i64" } });
  const word = new SharedArrayBuffer(4);
  const start = async (): Promise<TestWorker<ModuleOrder>> => {
    const worker = workers.use(new TestWorker<ModuleOrder>(script));
    assertEquals(await worker.ask({ kind: "attach live", token: live.share() }), "attached");
    assertEquals(await worker.ask({ kind: "call until", word }), "calling");
    return worker;
  };
  const counting = [await start(), await start()];
  let own = 0;
  for (let version = 2; version <= 21; version++) {
    await kept.reload(COUNTING(version));
    assertEquals(live.symbols.answer(), version);
    own++;
    // One that attaches later counts in the same variable.
    if (version === 10) counting.push(await start());
    if (version % 8 === 0) {
      kept.rollback();
      assertEquals(live.symbols.answer(), version - 1);
      own++;
    }
  }
  Atomics.store(new Int32Array(word), 0, 1);
  let calls = own;
  for (const worker of counting) {
    const count = await worker.answer() as number;
    assert(count > 0);
    calls += count;
    assertEquals(await worker.ask({ kind: "close" }), "closed");
  }
  assertEquals(live.symbols.sum(), BigInt(calls));
  live.close();
});

testWithCompilers(
  ["gcc"],
  "importers, statics, views and tokens lead to the variable where it is",
  async (folder) => {
    const provider = (version: number) => `
    int shared = 5; struct pair { int a, b; } pair = {1, 2};
    int bump(void) { pair.b += ${version}; return shared += ${version}; }`;
    await using kept = new KeptModule(folder);
    await kept.load(provider(1));
    const importer = kept.registry.loadBytes(
      "importer",
      await kept.compile(
        "extern int shared; int *where = &shared; int get(void) { return shared + *where; }",
      ),
    );
    const { symbols } = importer.bind({ get: INT });
    const live = kept.registry.open("m", { bump: INT, shared: { type: "i32" } });
    const view = live.view("pair");
    let value = 5, sum = 2;
    for (let version = 2; version < 8; version++) {
      await kept.reload(provider(version));
      assertEquals(live.symbols.bump(), value += version);
      sum += version;
      assertEquals([live.symbols.shared, symbols.get()], [value, 2 * value]);
      const { a, b } = view.value as { a: number; b: number };
      assertEquals([a, b], [1, sum]);
      if (version === 5) {
        kept.rollback();
        assertEquals(live.symbols.bump(), value += version - 1);
        sum += version - 1;
      }
    }
    const module = kept.registry.reload("m", { bytes: await kept.compile(provider(9)), state: "keep" });
    const attached = LoadedModule.attach(structuredClone(module.share()));
    assertEquals(attached.bind({ shared: { type: "i32" } }).symbols.shared, value);
    assertEquals(attached.getFunction("bump", INT)!(), value + 9);
    assertEquals(symbols.get(), 2 * (value + 9));
    attached.close();
    module.close();
    live.close();
    importer.close();
  },
);

testWithCompilers(["gcc"], "several modules are kept together, or none is", async (folder) => {
  await using kept = new KeptModule(folder, { flags: C });
  const { registry } = kept;
  const paths = ["a", "b"].map((name) => `${folder}/${name}.smf`);
  const write = async (version: number, fails = false): Promise<void> => {
    for (const [index, path] of paths.entries()) {
      const other = index === 0 ? "b" : "a", own = index === 0 ? "a" : "b";
      Deno.writeFileSync(
        path,
        await kept.compile(`
        extern int count_${other}; int count_${own};
        int step_${own}(void) { count_${other} += ${version}; return ++count_${own}; }
        int fails_${own}(void) { return ${fails && index === 1 ? 1 : 0}; }`),
      );
    }
  };
  await write(1);
  registry.loadAll(paths);
  const a = registry.open(paths[0], { step_a: INT }), b = registry.open(paths[1], { step_b: INT });
  assertEquals([a.symbols.step_a(), b.symbols.step_b()], [1, 2]);
  await write(2);
  for (const module of registry.reloadAll(paths, { state: "keep" })) module.close();
  assertEquals([a.symbols.step_a(), b.symbols.step_b()], [3, 5]);
  await write(3, true);
  let error: unknown;
  try {
    registry.reloadAll(paths, {
      state: "keep",
      verify: (module) => (module.getFunction("fails_b", INT)?.() ?? 0) === 0,
    });
  } catch (thrown) {
    error = thrown;
  }
  assert(error !== undefined);
  assertEquals([a.symbols.step_a(), b.symbols.step_b()], [6, 8]);
  a.close();
  b.close();
});
