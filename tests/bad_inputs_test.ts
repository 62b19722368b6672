// Rows 1–30 and 43: every bad input is refused with its error by every way to load, leaves
// mappings, descriptors and registry unchanged, and modules loaded before still run.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { LoadError, type LoadErrorKind, ModuleLoader, ModuleRegistry } from "../mod.ts";
import { sample } from "./support/bad_files.ts";
import { BAD_INPUTS, type BadInput, GOOD, ODD_INPUTS } from "./support/bad_inputs.ts";
import {
  assertLoadError,
  checkLoadError,
  descriptors,
  hostBuilder,
  machineCode,
  NO_PROC,
  NOT_LINUX_X86_64,
  patched,
  randomFrom,
  stress,
  TemporaryDirectory,
  unhashed,
  WatchedAllocator,
} from "./support/testing.ts";
import { SectionType, SymbolType } from "../src/smf/enums.ts";
import { HAS_ZSTD } from "./support/deno_version.ts";

const ADD = { parameters: ["i64", "i64"], result: "i64" } as const;
const INT = { parameters: [], result: "i32" } as const;

/** A registry with a good module, to check that a failed load changes nothing. */
class Witness implements Disposable {
  readonly allocator = new WatchedAllocator();
  readonly registry: ModuleRegistry;
  readonly #add: (left: bigint, right: bigint) => bigint;
  readonly #before: unknown;

  constructor(input?: BadInput) {
    const { allocator } = this;
    this.registry = new ModuleRegistry({ allocator, ...(input?.resolver && { resolver: input.resolver }) });
    this.#add = this.registry.loadBytes("good", GOOD).getFunction("add", ADD)!;
    assertEquals(this.#add(1n, 2n), 3n);
    this.#before = this.#state();
  }

  /** Asserts that nothing has changed since this witness was made. */
  check(after: string): void {
    assertEquals(this.#state(), this.#before, after);
    assertEquals(this.#add(40n, 2n), 42n, after);
  }

  #state(): unknown {
    const { allocator, registry } = this;
    return [[...allocator.live], allocator.mappings(), descriptors(), registry.modules()];
  }

  [Symbol.dispose](): void {
    this.registry[Symbol.dispose]();
    assertEquals(this.allocator.live.size, 0);
    assertEquals(this.allocator.mappings(), []);
  }
}

for (const input of BAD_INPUTS) {
  const { row, what, bytes, kind, data, resolver } = input;
  Deno.test(`row ${row}, ${what}: ${kind}, without side effects`, async () => {
    using directory = new TemporaryDirectory();
    const path = directory.file("bad.smf", bytes);
    using witness = new Witness(input);
    const { registry } = witness;
    const loader = new ModuleLoader({ allocator: witness.allocator });
    const expected = { ...data, path };
    const first = assertLoadError(() => loader.load(path, resolver), kind, expected);
    witness.check("ModuleLoader.load");
    const others: [loadedBy: string, error: unknown][] = [
      ["ModuleLoader.loadAsync", await assertRejects(() => loader.loadAsync(path, resolver))],
      [
        "ModuleLoader.loadBytes",
        assertLoadError(() => loader.loadBytes(bytes, resolver, { name: path }), kind),
      ],
      ["ModuleRegistry.load", assertLoadError(() => registry.load(path), kind)],
      ["ModuleRegistry.loadAsync", await assertRejects(() => registry.loadAsync(path))],
      ["ModuleRegistry.loadBytes", assertLoadError(() => registry.loadBytes(path, bytes), kind)],
    ];
    for (const [loadedBy, thrown] of others) {
      const error = checkLoadError(thrown, kind, expected);
      // Row 28's values contain addresses, which differ from load to load.
      if (row !== 28) assertEquals(error.message, first.message, loadedBy);
    }
    witness.check("all others");
    assert(first.message.startsWith("Cannot "), first.message);
    assert(!first.message.split(" (file ")[0].endsWith("."), first.message);
  });
}

const MALFORMED = new URL("../fixtures/malformed/", import.meta.url);

Deno.test({
  name: "every malformed fixture is refused with the error of its manifest, without side effects",
  ignore: NOT_LINUX_X86_64, // other systems refuse the fixtures' platform first
  async fn() {
    const manifest: Record<string, { stage: string; kind: LoadErrorKind; message: string }> = JSON.parse(
      Deno.readTextFileSync(new URL("manifest.json", MALFORMED)),
    );
    using witness = new Witness();
    const loader = new ModuleLoader({ allocator: witness.allocator });
    assert(Object.keys(manifest).length > 50);
    for (const [name, { kind, message }] of Object.entries(manifest)) {
      // Only decompressing shows what is wrong.
      if (manifest[name].stage === "load" && name.startsWith("row15") && !HAS_ZSTD) continue;
      const url = new URL(name, MALFORMED);
      const path = fromFileUrl(url);
      const errors = [
        assertLoadError(() => loader.load(url), kind, { path }),
        checkLoadError(await assertRejects(() => loader.loadAsync(url)), kind, { path }),
        assertLoadError(() => loader.loadBytes(Deno.readFileSync(url), undefined, { name: path }), kind, {
          path,
        }),
        assertLoadError(() => witness.registry.load(url), kind, { path }),
      ];
      for (const error of errors) assertStringIncludes(error.message, message, name);
      witness.check(name);
    }
  },
});

for (const { row, what, bytes } of ODD_INPUTS) {
  Deno.test(`row ${row}: ${what}`, () => {
    using module = new ModuleLoader().loadBytes(bytes);
    assertEquals(module.getFunction("seven", INT)!(), 7);
  });
}

Deno.test("row 24: names of Object.prototype are ordinary names", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "prototype", "then", "length"];
  const builder = hostBuilder();
  const code = new Uint8Array(16 * names.length);
  names.forEach((name, index) => {
    code.set(machineCode.returns(index + 1), 16 * index);
    builder.symbol({ name, type: SymbolType.Function, value: 16 * index, size: 6 });
  });
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  using registry = new ModuleRegistry();
  const module = registry.loadBytes("m", builder.build());
  names.forEach((name, index) => {
    assertEquals(module.getFunction(name, INT)!(), index + 1);
    assertEquals(typeof registry.resolveSymbol(name), "bigint");
  });
  const definitions = Object.fromEntries(names.map((name) => [name, INT]));
  const { symbols } = module.bind(definitions) as { symbols: Record<string, () => number> };
  names.forEach((name, index) => assertEquals(symbols[name](), index + 1));
  for (const name of ["isPrototypeOf", "valueOf", "__defineGetter__"]) {
    assertEquals(module.getFunction(name, INT), null);
    assertEquals(registry.resolveSymbol(name), null);
  }
});

Deno.test("row 18: a name of 1 MiB is accepted, one byte more is an error", () => {
  const named = (length: number) => {
    const builder = hostBuilder();
    builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.returns(7) });
    builder.symbol({ name: "x".repeat(length), type: SymbolType.Function, size: 6 });
    return builder.build();
  };
  using module = new ModuleLoader().loadBytes(named(2 ** 20));
  assertEquals(module.getFunction("x".repeat(2 ** 20), INT)!(), 7);
  // The builder refuses a longer name, so the file is patched.
  const bytes = unhashed(named(2 ** 20));
  const longer = new Uint8Array(bytes.length + 1).fill(0x78);
  longer.set(bytes.subarray(0, bytes.length - 1));
  longer[longer.length - 1] = 0;
  assertLoadError(() => new ModuleLoader().loadBytes(longer), "InvalidFormat");
});

Deno.test("rows 31 and 32: paths that are not module files leave a registry unchanged", async () => {
  using directory = new TemporaryDirectory();
  const sparse = directory.file("sparse");
  Deno.truncateSync(sparse, 8 * 2 ** 30);
  const paths = [directory.path, directory.join("missing"), sparse];
  if (Deno.build.os !== "windows") {
    assert(new Deno.Command("mkfifo", { args: [directory.join("fifo")] }).outputSync().success);
    paths.push(directory.join("fifo"), "/dev/null", "/dev/zero");
  }
  // Only now: for the first command of a process Deno opens sockets, which stay.
  using witness = new Witness();
  const { registry } = witness;
  for (const path of paths) {
    assertLoadError(() => registry.load(path), "Io", { path });
    checkLoadError(await assertRejects(() => registry.loadAsync(path)), "Io", { path });
    assertEquals(registry.unload(path), false);
    witness.check(path);
  }
});

Deno.test("rows 1 to 26: a file truncated anywhere is refused, without and with its hash", () => {
  using witness = new Witness();
  const loader = new ModuleLoader({ allocator: witness.allocator });
  const whole = sample();
  for (const bytes of [whole, unhashed(whole)]) {
    for (let length = 0; length < bytes.length; length++) {
      const error = assertLoadError(() => loader.loadBytes(bytes.subarray(0, length)), "InvalidFormat");
      assert(error.message.startsWith("Cannot "), error.message);
    }
  }
  witness.check("every prefix");
  loader.loadBytes(whole).close();
});

Deno.test("fields with any values load or are refused, without side effects", () => {
  using witness = new Witness();
  const loader = new ModuleLoader({ allocator: witness.allocator });
  const random = randomFrom(1);
  const whole = unhashed(sample());
  // A section may have 1 GiB, which is valid but slow, so that sizes stay below 2²⁴ here.
  const isHighSize = (at: number) =>
    at >= 96 && at < 96 + 3 * 56 && (at - 96) % 56 >= 27 && (at - 96) % 56 < 28;
  const values = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff];
  let loaded = 0;
  for (let round = 0; round < stress(100_000); round++) {
    const bytes = whole.slice();
    for (let change = random() % 4; change >= 0; change--) {
      const at = random() % bytes.length;
      if (!isHighSize(at)) {
        bytes[at] = random() % 2 === 0 ? values[random() % values.length] : random() & 0xff;
      }
    }
    try {
      loader.loadBytes(bytes).close();
      loaded++;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
  }
  witness.check("random changes");
  assert(loaded > 0, "no changed file loads");
});

Deno.test("the zeros of a large image cost no memory", () => {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.returns(7) });
  builder.section({ name: "bss", type: SectionType.Bss, virtualSize: 2 ** 29 });
  builder.symbol({ name: "seven", type: SymbolType.Function, size: 6 });
  const before = Deno.memoryUsage().rss;
  using module = new ModuleLoader().loadBytes(builder.build());
  assert(Deno.memoryUsage().rss - before < 2 ** 28, "the zeros were written");
  assertEquals(module.dataMemory.size, 2 ** 29);
});

Deno.test({
  name: "bad inputs leak no mappings in a process that loads them repeatedly",
  ignore: NO_PROC,
  async fn() {
    const child = new URL("./bad_inputs_child.ts", import.meta.url);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "--no-prompt", "--config", "deno.json", child.href],
      cwd: new URL("..", import.meta.url),
    }).output();
    const { rounds, mappings, descriptors } = JSON.parse(
      new TextDecoder().decode(stdout) || JSON.stringify({ error: new TextDecoder().decode(stderr) }),
    );
    assertEquals(rounds, 20, new TextDecoder().decode(stderr));
    assertEquals(descriptors, 0);
    // V8 maps and unmaps memory too; one leak per input would be thousands.
    assert(mappings < 4 * BAD_INPUTS.length, `${mappings} new mappings after ${rounds} rounds`);
  },
});

/** The tests of rows that are not about a file's bytes: by row, the file and part of the test's name. */
const ELSEWHERE: Record<number, readonly (readonly [file: string, words: string])[]> = {
  31: [
    ["load/file/source_test.ts", "a directory is refused"],
    ["load/file/source_test.ts", "a FIFO is refused without waiting"],
    [
      "load/file/source_test.ts",
      "a sparse file of 8 GiB is refused",
    ],
  ],
  32: [["faults/file_test.ts", "a file that"], [
    "load/file/changing_file_test.ts",
    "truncated between its tables",
  ]],
  33: [["faults/memory_test.ts", "every call refused in turn"]],
  34: [["faults/memory_test.ts", "every call refused in turn"]],
  35: [["faults/memory_test.ts", "every call refused in turn"]],
  36: [["faults/hardened_test.ts", "the error for new code names the cause, old code runs on"]],
  37: [["module/lifetime_test.ts", "a closed handle throws Closed"], [
    "module/lifetime_test.ts",
    "unload without force lets handles and functions work until",
  ]],
  38: [["module/lifetime_test.ts", "close with a nonblocking call in flight is Busy"]],
  39: [["registry/reload/takeover_test.ts", "every missing export is listed"]],
  40: [["registry/reload/takeover_test.ts", "a reload started inside"], [
    "module/share/attach_test.ts",
    "Workers attach to the same code",
  ]],
  41: [["registry/reload/takeover_test.ts", "migrate that throws"], [
    "load/start_test.ts",
    "an initialiser that throws through a callback",
  ]],
  42: [["stress/kill_test.ts", "kill"]],
};

Deno.test("rows 31 to 42 are tested elsewhere", async () => {
  for (const [row, tests] of Object.entries(ELSEWHERE)) {
    for (const [file, words] of tests) {
      const text = await Deno.readTextFile(new URL(file, import.meta.url));
      assert(text.includes(words), `row ${row}: no test of ${file} has '${words}' in its name`);
    }
  }
});

Deno.test("every row from 1 to 30 is tested here", () => {
  const rows = new Set([...BAD_INPUTS, ...ODD_INPUTS].map(({ row }) => row));
  rows.add(24); // has a test of its own
  for (let row = 1; row <= 30; row++) assert(rows.has(row), `row ${row}`);
  assertEquals(patched(new Uint8Array(2), [0, 2, 0x0201]), new Uint8Array([1, 2]));
});
