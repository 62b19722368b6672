// Thread-local objects in objects of Microsoft's C++, which each thread makes for itself.
import { assertEquals } from "@std/assert";
import { linkObjects, ModuleRegistry, parseSmf } from "../../../mod.ts";
import { describedFunctions } from "../../support/described_functions.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const OBJECT = new URL("../../../fixtures/coff/thread_objects_msvc.obj", import.meta.url);
const IS_WINDOWS = Deno.build.os === "windows";
const SKIPPED = IS_WINDOWS ? "" : " (SKIPPED: runs on Windows)";

function linked(reloadable = false) {
  const input = { name: "thread_objects_msvc.obj", bytes: Deno.readFileSync(OBJECT) };
  return linkObjects([input], { needed: ["kernel32.dll"], reloadable });
}

const NUMBER = { parameters: [], result: "i32" } as const;
const FUNCTIONS = {
  count: NUMBER,
  number_of_thread: NUMBER,
  second_of_thread: NUMBER,
  count_made: NUMBER,
  in_thread: NUMBER,
  watch_ends: { parameters: ["pointer"], result: "void" },
} as const;

Deno.test("the linker has the functions that make and end a thread's objects, and describes them for unwinders", () => {
  const { bytes, map } = linked();
  assertEquals(map.imports.map(({ name }) => name).sort(), [
    "CloseHandle",
    "CreateThread",
    "WaitForSingleObject",
    "free",
    "malloc",
  ]);
  const file = parseSmf(bytes);
  assertEquals(file.hostLibraries(), ["kernel32.dll", "ucrtbase.dll"]);
  const sizes = [".tls_init_array", ".tls_callbacks"].map((name) =>
    file.sections.find((section) => section.name === name)?.size
  );
  assertEquals(sizes, [8, 8]);
  const functions = ["__dyn_tls_on_demand_init", "__tlregdtor", "__run_tls_ends"];
  assertEquals(describedFunctions(file, functions), functions);
});

Deno.test({
  name: `each thread makes its objects once, before it uses one, and ends them${SKIPPED}`,
  ignore: !IS_WINDOWS,
  async fn() {
    using directory = new TemporaryDirectory();
    using registry = new ModuleRegistry();
    const path = directory.file("thread_objects.smf", linked().bytes);
    const module = registry.load(path);
    const { symbols } = module.bind(FUNCTIONS);
    const ends = new Int32Array(1);
    symbols.watch_ends(Deno.UnsafePointer.of(ends));
    assertEquals(symbols.count_made(), 0, "nothing is made before it is used");
    // This thread was there before the module.
    assertEquals([symbols.count(), symbols.count(), symbols.second_of_thread()], [102, 103, 12]);
    assertEquals([symbols.number_of_thread(), symbols.count_made()], [10, 1]);
    assertEquals(symbols.in_thread(), 102 + 22);
    assertEquals([ends[0], symbols.count_made()], [22, 2], "the last one first, when the thread ends");
    const elsewhere = module.bind({ count: { ...NUMBER, nonblocking: true } }).symbols;
    const counts = await Promise.all([1, 2, 3].map(() => elsewhere.count()));
    assertEquals(counts.every((count) => count >= 102 && count <= 104), true, counts.join());
    assertEquals(symbols.count(), 104, "this thread's own");
    ends[0] = 0;
    module.close();
    assertEquals(ends[0], 24, "those of this thread end with the module");
  },
});

Deno.test({
  name: `a module that is loaded again begins with new objects${SKIPPED}`,
  ignore: !IS_WINDOWS,
  fn() {
    using directory = new TemporaryDirectory();
    using registry = new ModuleRegistry();
    const path = directory.file("thread_objects.smf", linked().bytes);
    for (let round = 0; round < 20; round++) {
      using module = registry.load(path);
      const { symbols } = module.bind(FUNCTIONS);
      assertEquals([symbols.count(), symbols.in_thread(), symbols.count_made()], [102, 124, 2]);
    }
  },
});

Deno.test({
  name: `a reload keeps the objects of threads, which end with the module${SKIPPED}`,
  ignore: !IS_WINDOWS,
  fn() {
    using directory = new TemporaryDirectory();
    const path = directory.file("thread_objects.smf", linked(true).bytes);
    using registry = new ModuleRegistry();
    const live = registry.open(path, FUNCTIONS);
    const { symbols } = live;
    assertEquals([symbols.count(), symbols.count_made()], [102, 1]);
    registry.reload(path, { state: "keep" });
    assertEquals([symbols.count(), symbols.in_thread(), symbols.count_made()], [103, 124, 2]);
    const ends = new Int32Array(1);
    symbols.watch_ends(Deno.UnsafePointer.of(ends));
    registry.reload(path, { state: "keep" });
    assertEquals([symbols.count(), ends[0]], [104, 0]);
    live.close();
    registry[Symbol.dispose]();
    assertEquals(ends[0], 24);
  },
});
