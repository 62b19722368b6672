// Compares modules with the shared libraries that GNU ld makes of the same objects, opened by
// Deno.dlopen: every function must return the same results.
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { ModuleRegistry } from "../../mod.ts";
import { exportsOf, type Program as Source, RUST_TOUR, ZIG_TOUR } from "../../fixtures/languages.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { ask, loadProgram, type Modules, RUNTIME } from "../support/program_tests.ts";
import {
  answersOf,
  CATCHER,
  definitionsOf,
  EXCEPTIONS,
  expectedOf,
  type Functions,
  type Program,
  RUST,
  SHARED,
  THREADS,
  TOUR,
  ZIG,
} from "../support/programs.ts";

const SOURCES = fromFileUrl(new URL("../../fixtures/src/", import.meta.url));

/** Objects that are linked to a module and to a shared library. */
interface Unit {
  readonly name: string;
  readonly objects: readonly string[];
  /** The units, listed before it, that it imports from. */
  readonly needs?: readonly string[];
}

/** Links units both ways, and compares the results of both. */
async function compare(program: Program, units: readonly Unit[], folder: string): Promise<void> {
  for (const { name, objects, needs = [] } of units) {
    const files = [...objects, ...needs.map((need) => `${folder}/${need}.so`)];
    await compile("g++", ["-shared", `-Wl,-rpath,${folder}`, "-o", `${folder}/${name}.so`, ...files]);
  }
  const modules = units.map(({ name, objects }) => {
    const inputs = objects.map((file) => ({ name: file, bytes: Deno.readFileSync(file) }));
    return [name, linkObjects(inputs).bytes] as const;
  });
  await compareWith(`${folder}/${units.at(-1)!.name}.so`, program, modules);
}

/** Compares the results of a shared library and of modules with each other and with the known ones. */
async function compareWith(path: string, program: Program, modules: Modules): Promise<void> {
  await using registry = new ModuleRegistry({ libraries: RUNTIME });
  const module = loadProgram(registry, modules);
  const shared = Deno.dlopen(path, definitionsOf(program));
  try {
    const theirs = answersOf(program, shared.symbols as unknown as Functions);
    assertEquals(ask(program, module), theirs);
    assertEquals(theirs, expectedOf(program));
  } finally {
    shared.close();
  }
}

const UNITS: readonly (readonly [
  program: Program,
  units: readonly (readonly [name: string, ...sources: string[]])[],
])[] = [
  [EXCEPTIONS, [["exceptions", "exceptions"]]],
  [CATCHER, [["thrower", "thrower"], ["catcher", "catcher"]]],
  [TOUR, [["tour", "tour"]]],
  [SHARED, [["shared", "shared_a", "shared_b"]]],
  [THREADS, [["threads", "threads"]]],
];

/**
 * Without it, a symbol that several objects instantiate is unique in the process (STB_GNU_UNIQUE), and
 * libraries that define it are never closed; a module has a copy of its own.
 */
const OWN = "-fno-gnu-unique";

const VARIANTS: Readonly<Record<string, string[]>> = {
  "without optimisation": ["-O0", OWN],
  "as usual": ["-O2"],
  "for size, without PLT, in sections": ["-Os", OWN, "-fno-plt", "-ffunction-sections", "-fdata-sections"],
  "with debug information and control-flow protection": [
    "-O1",
    OWN,
    "-g",
    "-fcf-protection=full",
    "-fstack-protector-all",
  ],
};

for (const [variant, flags] of Object.entries(VARIANTS)) {
  testWithCompilers(
    ["g++"],
    `C++ compiled ${variant} answers as ld's shared library does`,
    async (folder) => {
      const sources = UNITS.flatMap(([, units]) => units.flatMap(([, ...sources]) => sources));
      await Promise.all(
        sources.map((source) =>
          compile("g++", [
            ...flags,
            "-fPIC",
            "-c",
            "-o",
            `${folder}/${source}.o`,
            `${SOURCES}cpp/${source}.cpp`,
          ])
        ),
      );
      for (const [program, units] of UNITS) {
        await compare(
          program,
          units.map(([name, ...sources], index) => ({
            name,
            objects: sources.map((source) => `${folder}/${source}.o`),
            needs: units.slice(0, index).map(([name]) => name),
          })),
          folder,
        );
      }
    },
  );
}

/** Compiles a program of one source, links that both ways, and asks both. */
async function compareSource(source: Source, program: Program, folder: string): Promise<void> {
  const output = `${folder}/output`;
  await compile(source.compiler, source.flags(output), fromFileUrl(new URL(".", source.source)));
  const exports = exportsOf(source);
  const { bytes } = linkObjects([{ name: "output", bytes: Deno.readFileSync(output) }], { exports });
  const shared = `${folder}/shared.so`;
  const wanted = exports.map((name) => `-Wl,-u,${name}`);
  await compile("gcc", ["-shared", "-o", shared, "-Wl,--gc-sections", ...wanted, output, "-lm", "-lgcc_s"]);
  await compareWith(shared, program, [["module", bytes]]);
}

/** The questions that no panic is needed for. */
const CALM: Program = {
  ...RUST,
  questions: RUST.questions.filter(({ name }) =>
    !["caught", "message", "from_other_thread", "poisoned"].includes(name)
  ),
};

const RUST_VARIANTS: Readonly<Record<string, readonly [flags: string[], program: Program]>> = {
  "with its library as it comes": [["-C", "lto=off", "-C", "opt-level=3"], RUST],
  "so that panics abort": [["-C", "lto=off", "-C", "panic=abort"], CALM],
};

for (const [variant, [flags, program]] of Object.entries(RUST_VARIANTS)) {
  const source = { ...RUST_TOUR, flags: (output: string) => [...RUST_TOUR.flags(output), ...flags] };
  testWithCompilers(
    ["rustc", "gcc"],
    `Rust compiled ${variant} answers as ld's shared library does`,
    (folder) => compareSource(source, program, folder),
  );
}

testWithCompilers(
  ["zig", "gcc"],
  "Zig with its library answers as ld's shared library does",
  (folder) => compareSource(ZIG_TOUR, ZIG, folder),
);

/** The functions of fixtures/src/ctor.c and callback.c in one unit, with a `host_callback` beside them. */
const C_FUNCTIONS = {
  start_trail: { parameters: [], result: "pointer" },
  leave_marks_at: { parameters: ["buffer"], result: "void" },
  apply: { parameters: ["function", "i32"], result: "i32" },
  ask_host: { parameters: ["i32"], result: "i32" },
  host_address: { parameters: [], result: "function" },
  by_table: { parameters: ["u32", "i32"], result: "i32" },
  main: { parameters: [], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

function answersOfC(
  symbols: Deno.StaticForeignLibraryInterface<typeof C_FUNCTIONS>,
  marks: Uint8Array<ArrayBuffer>,
) {
  symbols.leave_marks_at(marks);
  return [
    Deno.UnsafePointerView.getCString(symbols.start_trail()!),
    symbols.apply(symbols.host_address() as Deno.PointerObject<never>, 5),
    symbols.ask_host(7),
    ...[0, 1, 2].map((index) => symbols.by_table(index, 20)),
    symbols.main(),
  ];
}

for (const flags of [["-O0"], ["-O2"], ["-O2", "-fno-plt", "-ffunction-sections"]]) {
  testWithCompilers(
    ["gcc"],
    `C compiled with ${flags.join(" ")} answers as ld's shared library does`,
    async (folder) => {
      Deno.writeTextFileSync(`${folder}/host.c`, "int host_callback(int value) { return value + 100; }");
      const sources = [
        ...["ctor", "callback", "exit_code"].map((name) => `${SOURCES}${name}.c`),
        `${folder}/host.c`,
      ];
      const objects = sources.map((_, index) => `${folder}/${index}.o`);
      await Promise.all(
        sources.map((source, index) =>
          compile("gcc", [...flags, "-fPIC", "-c", "-o", objects[index], source])
        ),
      );
      await compile("gcc", ["-shared", "-o", `${folder}/all.so`, ...objects]);
      const [ours, theirs] = [new Uint8Array(8), new Uint8Array(8)];
      await using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
      const inputs = objects.map((name) => ({ name, bytes: Deno.readFileSync(name) }));
      const module = registry.loadBytes("all", linkObjects(inputs).bytes);
      const shared = Deno.dlopen(`${folder}/all.so`, C_FUNCTIONS);
      const expected = ["abc", 106, 214, 40, 240, -1, 42];
      assertEquals(answersOfC(shared.symbols, theirs), expected);
      assertEquals(
        answersOfC(module.bind(C_FUNCTIONS).symbols as unknown as typeof shared.symbols, ours),
        expected,
      );
      shared.close();
      await module.closeAsync();
      assertEquals([ours, theirs].map((marks) => new TextDecoder().decode(marks.subarray(0, 3))), [
        "xyz",
        "xyz",
      ]);
    },
  );
}
