// One C source is compiled for every platform; the module for this one loads, calls, imports and reloads.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { FOLDER, linkSample, TARGETS, VERSIONS } from "../fixtures/build_platform.ts";
import { ModuleRegistry, parseSmf } from "../mod.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../src/load/runtime/host.ts";
import { assertLoadError, TemporaryDirectory } from "./support/testing.ts";

const HOST = `${Deno.build.os}-${Deno.build.arch}`;
/** macOS has no fixture, since nobody could run its modules. */
const NO_FIXTURE = !(HOST in TARGETS);

const LIBRARIES: Partial<Record<typeof Deno.build.os, string[]>> = {
  windows: ["kernel32.dll", "ucrtbase.dll"],
  linux: ["libc.so.6"],
};

const FUNCTIONS = {
  version: { parameters: [], result: "i32" },
  add_i32: { parameters: ["i32", "i32"], result: "i32" },
  mul_i64: { parameters: ["i64", "i64"], result: "i64" },
  weigh: {
    parameters: ["i64", "i64", "i64", "i64", "i64", "i64", "i64", "i64", "i64", "i64"],
    result: "i64",
  },
  area: { parameters: ["f64"], result: "f64" },
  mix: { parameters: ["i32", "f64", "i64", "f64", "i32", "f32"], result: "f64" },
  increment: { parameters: [], result: "i64" },
  remember: { parameters: ["u32", "i32"], result: "i32" },
  colour: { parameters: ["u32"], result: "pointer" },
  by_table: { parameters: ["u32", "i32"], result: "i32" },
  classify: { parameters: ["u32"], result: "i32" },
  apply: { parameters: ["function", "i32"], result: "i32" },
  sort_i32: { parameters: ["buffer", "u64"], result: "void" },
  process_id: { parameters: [], result: "u32" },
  length_of: { parameters: ["buffer"], result: "u64" },
  ask: { parameters: ["i32"], result: "i32" },
  fill16: { parameters: ["buffer"], result: "void" },
  start_mark: { parameters: [], result: "i32" },
} as const;

const sample = (target: string, version: number) => fromFileUrl(new URL(`${target}_v${version}.smf`, FOLDER));

function newRegistry(): ModuleRegistry {
  return new ModuleRegistry({
    imports: {
      host_value: { parameters: ["i32"], result: "i32", callback: (value: number) => value * 10 },
    },
    libraries: LIBRARIES[Deno.build.os] ?? [],
  });
}

const cString = (text: string) => new TextEncoder().encode(`${text}\0`);

for (const callPath of ["fast", "pointer"] as const) {
  Deno.test({
    name: `the C sample for this platform works when called by the ${callPath} path`,
    ignore: NO_FIXTURE,
    fn() {
      using registry = newRegistry();
      using module = registry.load(sample(HOST, 1), { callPath });
      const { symbols } = module.bind(FUNCTIONS);
      assertEquals([...new Set(module.callPaths().map(({ path }) => path))], [callPath]);

      assertEquals(symbols.version(), 1);
      assertEquals(symbols.add_i32(2_000_000_000, -5), 1_999_999_995);
      assertEquals(symbols.mul_i64(-3_000_000_000n, 3n), -9_000_000_000n);
      assertEquals(symbols.weigh(1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n), 385n);
      assertEquals(symbols.area(2), 3.141592653589793 * 4);
      assertEquals(symbols.mix(1, 2.5, 4n, 0.5, 6, 0.25), 1 + 2.5 * 4 - 0.5 * 6 + 0.25);

      assertEquals(symbols.increment(), 41n);
      assertEquals([symbols.remember(7, 70), symbols.remember(7, 71)], [0, 70]);
      const colours = [0, 1, 2, 3].map((index) =>
        new Deno.UnsafePointerView(symbols.colour(index)!).getCString()
      );
      assertEquals(colours, ["red", "green", "blue", "none"]);
      assertEquals([0, 1, 2].map((index) => symbols.by_table(index, 7)), [14, 21, 70]);
      assertEquals([0, 1, 2, 3, 4, 5, 6, 7].map((value) => symbols.classify(value)), [
        82,
        50,
        71,
        21,
        5,
        -5,
        "S".charCodeAt(0),
        -1,
      ]);
      const pattern = new Uint8Array(16);
      symbols.fill16(pattern);
      assertEquals([...pattern], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
      assertEquals(symbols.start_mark(), 101);

      assertEquals(symbols.ask(4), 41);
      assertEquals(symbols.process_id(), Deno.pid);
      assertEquals(symbols.length_of(cString("twelve chars")), 12n);
      const values = Int32Array.from({ length: 100 }, (_, index) => (index * 7919) % 1009 - 500);
      const sorted = values.slice().sort();
      symbols.sort_i32(values, BigInt(values.length));
      assertEquals(values, sorted);
      const callback = new Deno.UnsafeCallback(
        { parameters: ["i32"], result: "i32" } as const,
        (value) => value * value,
      );
      try {
        assertEquals(symbols.apply(callback.pointer, 12), 145);
      } finally {
        callback.close();
      }
    },
  });
}

Deno.test({
  name: "the C sample lists the providers of its imports",
  ignore: NO_FIXTURE,
  fn() {
    using registry = newRegistry();
    using module = registry.load(sample(HOST, 1));
    const from = Object.fromEntries(module.imports().map((record) => [record.name, record.from]));
    const libraries = LIBRARIES[Deno.build.os]!;
    assertEquals(from.host_value, "given");
    assertStringIncludes(from.strlen, libraries.at(-1)!);
    assertStringIncludes(from[Deno.build.os === "windows" ? "GetCurrentProcessId" : "getpid"], libraries[0]);
  },
});

Deno.test({
  name: "a reload replaces the C sample's file and functions, and carries its state",
  ignore: NO_FIXTURE,
  fn() {
    using directory = new TemporaryDirectory();
    const file = directory.file("sample.smf", Deno.readFileSync(sample(HOST, 1)));
    using registry = newRegistry();
    using live = registry.open(file, FUNCTIONS);
    const { symbols } = live;
    assertEquals([symbols.version(), symbols.increment(), symbols.ask(1)], [1, 41n, 11]);
    symbols.remember(3, 33);
    // The loader does not keep the file open, so a build may write over it.
    Deno.writeFileSync(file, Deno.readFileSync(sample(HOST, 2)));
    registry.reload(file, { state: "carry" });
    assertEquals([symbols.version(), symbols.increment(), symbols.ask(1)], [2, 43n, 12]);
    assertEquals(symbols.remember(3, 0), 33);
    assertEquals(symbols.start_mark(), 101, "carried state replaces the value that the new constructor set");
    registry.rollback(file);
    assertEquals(symbols.version(), 1);
  },
});

Deno.test("a module for another platform is refused with the number of that platform", () => {
  for (const target of Object.keys(TARGETS)) {
    if (target === HOST) continue;
    const { header } = parseSmf(Deno.readFileSync(sample(target, 1)));
    const kind = header.platform !== HOST_PLATFORM ? "IncompatiblePlatform" : "IncompatibleArch";
    using registry = newRegistry();
    assertLoadError(() => registry.load(sample(target, 1)), kind, {
      value: kind === "IncompatiblePlatform" ? header.platform : header.arch,
    });
    assert(header.platform !== HOST_PLATFORM || header.arch !== HOST_ARCH);
  }
});

Deno.test("the linker makes the same bytes on every platform", () => {
  for (const target of Object.keys(TARGETS)) {
    for (const version of VERSIONS) {
      assertEquals(linkSample(target, version), Deno.readFileSync(sample(target, version)), target);
    }
  }
});
