// Modules linked from the COFF objects of four compilers: what is in them, on every system; what they do, on Windows.
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { linkObjects, ModuleRegistry, parseSmf } from "../../../mod.ts";
import { Platform } from "../../../src/smf/enums.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const FOLDER = new URL("../../../fixtures/coff/", import.meta.url);
const OBJECTS = ["sample_msvc.obj", "sample_clang.o", "sample_gcc.o", "sample_zig.o"];
const IS_WINDOWS = Deno.build.os === "windows";
const SKIPPED = IS_WINDOWS ? "" : " (SKIPPED: runs on Windows)";
const input = (name: string) => ({ name, bytes: Deno.readFileSync(new URL(name, FOLDER)) });

const FUNCTIONS = {
  watch_end: { parameters: ["pointer"], result: "i32" },
  traced_at: { parameters: ["i32"], result: "i32" },
  sum_of_marks: { parameters: [], result: "i32" },
  call_by_table: { parameters: ["u32", "i32"], result: "i32" },
  length_of_name: { parameters: ["u32"], result: "u64" },
  upper: { parameters: ["i32"], result: "i32" },
  ask_host: { parameters: ["i32"], result: "i32" },
  call_missing: { parameters: ["i32"], result: "i32" },
  call_replaceable: { parameters: ["i32"], result: "i32" },
  next_count: { parameters: [], result: "i32" },
  scale: { parameters: ["f64"], result: "f64" },
  classify: { parameters: ["u32"], result: "i32" },
  mix: { parameters: ["i32", "f64", "i64", "f64", "i32", "f32"], result: "f64" },
  with_large_frame: { parameters: ["i32"], result: "i32" },
} as const;

function sample(name: string, library: string): Uint8Array {
  return linkObjects([input(name), input(library)]).bytes;
}

for (const name of OBJECTS) {
  for (const library of ["short_imports.lib", "long_imports.a"]) {
    Deno.test(`${name} links with ${library} to a module for Windows that says what it needs`, () => {
      const file = parseSmf(sample(name, library));
      assertEquals(file.header.platform, Platform.Windows);
      assertEquals(file.hostLibraries(), ["ucrtbase.dll"]);
      for (const name of [...Object.keys(FUNCTIONS), "counter", "tentative", "names"]) {
        assert(file.symbols.find(name) !== undefined, name);
      }
      const { symbols } = file;
      const imports = Array.from({ length: symbols.length }, (_, i) => i)
        .filter((i) => !symbols.isDefined(i)).map((i) => symbols.name(i));
      assertEquals(imports.filter((name) => !name.includes("onexit")).toSorted(), [
        "ask",
        "missing",
        "strlen",
        "toupper",
      ]);
      assert(file.sections.some(({ name }) => name === ".pdata"));
    });
  }

  Deno.test({
    name: `${name} works as a module${SKIPPED}`,
    ignore: !IS_WINDOWS,
    fn() {
      using directory = new TemporaryDirectory();
      const path = directory.file("sample.smf", sample(name, "short_imports.lib"));
      using registry = new ModuleRegistry({
        imports: { ask: { parameters: ["i32"], result: "i32", callback: (value: number) => value * 10 } },
      });
      const module = registry.load(path);
      const { symbols } = module.bind(FUNCTIONS);
      assertEquals([0, 1, 2].map((index) => symbols.traced_at(index)), [1, 2, 3], "initialisers in order");
      assertEquals(symbols.sum_of_marks(), 120);
      assertEquals([0, 1].map((index) => symbols.call_by_table(index, 7)), [14, 21]);
      assertEquals([0, 1, 2].map((index) => symbols.length_of_name(index)), [3n, 3n, 5n]);
      assertEquals(symbols.upper("q".charCodeAt(0)), "Q".charCodeAt(0));
      assertEquals(symbols.ask_host(4), 41);
      assertEquals(symbols.call_missing(1), -1);
      assertEquals(symbols.call_replaceable(8), 9);
      assertEquals([symbols.next_count(), symbols.next_count()], [8, 11]);
      assertEquals(symbols.scale(3), 7.625);
      assertEquals([0, 1, 2, 3, 4, 5, 6].map((value) => symbols.classify(value)), [
        17,
        4,
        256,
        91,
        3,
        77,
        -1,
      ]);
      assertEquals(symbols.mix(1, 2.5, 4n, 0.5, 6, 0.25), 1 + 5 + 12 + 2 + 30 + 1.5);
      assertEquals(symbols.with_large_frame(100), 4950);
      const cells = new Int32Array(8);
      assertEquals(symbols.watch_end(Deno.UnsafePointer.of(cells)), 0);
      module.close();
      assertEquals(
        [...cells.subarray(0, 4)],
        [3, 1, 2, 3],
        "what atexit registered, then terminators in order",
      );
    },
  });
}

for (const name of OBJECTS) {
  for (const hot of [false, true]) {
    Deno.test({
      name: `${name}: a reload keeps variables${hot ? " of a hot module" : ""}${SKIPPED}`,
      ignore: !IS_WINDOWS,
      fn() {
        using directory = new TemporaryDirectory();
        const inputs = [name, "short_imports.lib"].map(input);
        const { bytes } = linkObjects(inputs, { reloadable: true, hot });
        const path = directory.file("sample.smf", bytes);
        using registry = new ModuleRegistry({
          imports: { ask: { parameters: ["i32"], result: "i32", callback: (value: number) => value * 10 } },
        });
        using live = registry.open(path, FUNCTIONS);
        const { symbols } = live;
        assertEquals([symbols.next_count(), symbols.next_count()], [8, 11]);
        assertEquals(symbols.call_by_table(1, 7), 21);
        registry.reload(path, { state: "keep" });
        assertEquals(symbols.next_count(), 14);
        assertEquals([symbols.call_by_table(0, 7), symbols.length_of_name(2), symbols.ask_host(4)], [
          14,
          5n,
          41,
        ]);
        assertEquals(symbols.with_large_frame(100), 4950);
        registry.reload(path);
        assertEquals(
          symbols.next_count(),
          hot ? 17 : 8,
          "other reloads begin anew, but those of hot modules",
        );
      },
    });
  }
}

Deno.test({
  name: `exceptions of gcc's C++ pass through a module${SKIPPED}`,
  ignore: !IS_WINDOWS,
  fn() {
    using registry = new ModuleRegistry();
    for (let round = 0; round < 3; round++) {
      // Each round registers the table of functions anew, and takes it back.
      using module = registry.load(new URL("throws.smf", FOLDER));
      const { symbols } = module.bind({
        catches: { parameters: ["i32"], result: "i32" },
        sides: { parameters: ["i32"], result: "i32" },
      });
      assertEquals([0, 1, 20].map((code) => symbols.catches(code)), [0, 102, 121]);
      assertEquals([symbols.sides(1), symbols.sides(0)], [4, -1]);
    }
  },
});

const THREADS = {
  count: { parameters: ["i32"], result: "i32" },
  address_of_valued: { parameters: [], result: "pointer" },
  number_of_pair: { parameters: [], result: "i32" },
} as const;

for (const name of ["threads_msvc.obj", "threads_clang.o", "threads_zig.o"]) {
  Deno.test({
    name: `${name}: every thread has its own variables${SKIPPED}`,
    ignore: !IS_WINDOWS,
    async fn() {
      using directory = new TemporaryDirectory();
      const path = directory.file("threads.smf", linkObjects([input(name)]).bytes);
      using registry = new ModuleRegistry();
      for (let round = 0; round < 3; round++) {
        using module = registry.load(path);
        const { symbols } = module.bind(THREADS);
        assertEquals([symbols.count(1), symbols.count(2)], [42, 46]);
        assertEquals([symbols.number_of_pair(), symbols.number_of_pair()], [7, 8]);
        assertEquals(new Deno.UnsafePointerView(symbols.address_of_valued()!).getInt32(), 43);
        const elsewhere = module.bind({ count: { ...THREADS.count, nonblocking: true } }).symbols;
        // A thread that nobody has used the variables in.
        assertEquals(await elsewhere.count(5), 50);
        assertEquals(symbols.count(0), 46, "this thread's own");
      }
    },
  });

  Deno.test({
    name: `${name}: a reload keeps the variables of threads${SKIPPED}`,
    ignore: !IS_WINDOWS,
    fn() {
      using directory = new TemporaryDirectory();
      const { bytes } = linkObjects([input(name)], { reloadable: true });
      const path = directory.file("threads.smf", bytes);
      using registry = new ModuleRegistry();
      using live = registry.open(path, THREADS);
      assertEquals([live.symbols.count(1), live.symbols.number_of_pair()], [42, 7]);
      registry.reload(path, { state: "keep" });
      assertEquals([live.symbols.count(1), live.symbols.number_of_pair()], [44, 8]);
      registry.reload(path);
      assertEquals(live.symbols.count(1), 42, "a reload that keeps nothing begins anew");
    },
  });
}

const CATCHING = {
  catches: { parameters: ["i32"], result: "i32" },
  throws_again: { parameters: ["i32"], result: "i32" },
} as const;
/** The answers of `catches` and `throws_again` to these codes. */
const CODES = [0, 3, 7, 20];
const CAUGHT = [0, 104, 208, 121], AGAIN = [0, -3, 7, 5020];
const RUNTIME = ["vcruntime140.dll", "ucrtbase.dll"];

for (
  const modules of [[["raising_msvc.obj", "catching_msvc.obj"]], [["raising_msvc.obj"], [
    "catching_msvc.obj",
  ]]]
) {
  const where = modules.length === 1 ? "inside a module" : "from one module to another";
  Deno.test({
    name: `exceptions of Microsoft's C++ pass ${where}${SKIPPED}`,
    ignore: !IS_WINDOWS,
    fn() {
      using directory = new TemporaryDirectory();
      using registry = new ModuleRegistry();
      const loaded = modules.map((objects, i) => {
        const inputs = objects.map(input);
        return registry.load(directory.file(`${i}.smf`, linkObjects(inputs, { needed: RUNTIME }).bytes));
      });
      const { symbols } = loaded.at(-1)!.bind(CATCHING);
      for (let round = 0; round < 3; round++) {
        assertEquals(CODES.map((code) => symbols.catches(code)), CAUGHT);
        assertEquals(CODES.map((code) => symbols.throws_again(code)), AGAIN);
      }
    },
  });
}

/** Runs a script beside this one in a process of its own. */
async function runChild(script: string, ...args: string[]) {
  const child = fromFileUrl(new URL(script, import.meta.url));
  const flags = ["run", "--no-check", "--allow-all", child, ...args];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: flags }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim().split(/\r?\n/);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test({
  name: `a module handles faults of its own and of another one, and no crash is reported${SKIPPED}`,
  ignore: !IS_WINDOWS,
  async fn() {
    using directory = new TemporaryDirectory();
    const name = "faults_msvc.obj";
    const { bytes } = linkObjects([input(name)], { needed: RUNTIME });
    const { code, out, err } = await runChild("faults_child.ts", directory.file("faults.smf", bytes));
    assertEquals([code, out], [0, ["[1,-7,101,2,3,0,-9]"]]);
    assertEquals(err.filter((line) => line.includes("smf")), []);
  },
});

Deno.test("the function that raises exceptions of Microsoft's C++ is in the module, with its unwind data", () => {
  const inputs = ["raising_msvc.obj", "catching_msvc.obj"].map(input);
  const { map, bytes } = linkObjects(inputs, { needed: ["vcruntime140.dll"] });
  assertEquals(map.imports.map(({ name }) => name).toSorted(), [
    "RaiseException",
    "__CxxFrameHandler3",
    "free",
  ]);
  assertEquals(parseSmf(bytes).hostLibraries(), ["vcruntime140.dll", "kernel32.dll"]);
  const table = map.sections.find(({ name }) => name === ".pdata")!;
  assert(table.entries.some(({ object }) => object === "(linker)"), "an entry for the linker's own function");
});

Deno.test({
  name: `a function that writes past its buffer ends the process${SKIPPED}`,
  ignore: !IS_WINDOWS,
  async fn() {
    using directory = new TemporaryDirectory();
    const name = "guards_msvc.obj";
    const path = directory.file("guards.smf", linkObjects([input(name)]).bytes);
    const run = async (count: number) => {
      const { code, out } = await runChild("overflow_child.ts", path, String(count));
      return [code === 0, out];
    };
    assertEquals(await run(8), [true, ["inside: 8", "survived"]]);
    assertEquals(await run(24), [false, ["inside: 8"]]);
  },
});

Deno.test("--unwind never leaves the table of functions out, and the unwind data with it", () => {
  const link = (unwind?: boolean) => {
    const inputs = [input("sample_gcc.o")];
    const options = { debug: "off", ...(unwind !== undefined && { unwind }) };
    return linkObjects(inputs, options).map.sections.flatMap(({ name, entries }) => [
      name,
      ...entries.map(({ section }) => section),
    ]);
  };
  assert(link().includes(".pdata") && link().includes(".xdata"));
  assert(!link(false).includes(".pdata") && !link(false).includes(".xdata"));
});
