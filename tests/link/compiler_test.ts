// Compiles the C sources of the fixtures in every usual way, and compares the module with the shared
// library of the same source.
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { ModuleRegistry } from "../../mod.ts";
import { LoadError } from "../../src/errors/load_error.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { testWithCompilers } from "../support/compilers.ts";

const SOURCES = fromFileUrl(new URL("../../fixtures/src/", import.meta.url));

function gcc(...args: string[]): void {
  const { success, stderr } = new Deno.Command("gcc", { args }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

const compilerTest = testWithCompilers.bind(null, ["gcc"]);

const FUNCTIONS = {
  weekday: { parameters: ["u32"], result: "pointer" },
  next_count: { parameters: [], result: "i32" },
  calls: { parameters: [], result: "i32" },
  keep: { parameters: ["buffer"], result: "pointer" },
  classify: { parameters: ["u32"], result: "i32" },
  circle_area: { parameters: ["f64"], result: "f64" },
  sum_u32: { parameters: ["buffer", "u64"], result: "u64" },
  length_of: { parameters: ["buffer"], result: "usize" },
  has_environment: { parameters: [], result: "i32" },
  parse_error: { parameters: ["buffer"], result: "i32" },
  call_optional: { parameters: ["i32"], result: "i32" },
  sort_ints: { parameters: ["buffer", "usize"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

const NAMES = ["arith", "strings", "importer"];

/** Everything that the functions answer, as one text. */
function behaviour(symbols: Deno.StaticForeignLibraryInterface<typeof FUNCTIONS>): string {
  const text = (pointer: Deno.PointerValue) => Deno.UnsafePointerView.getCString(pointer!);
  const encode = (value: string) => new TextEncoder().encode(`${value}\0`);
  const values = Int32Array.of(5, -3, 9, 0);
  symbols.sort_ints(values, 4n);
  return [
    text(symbols.weekday(2)),
    symbols.next_count(),
    symbols.next_count(),
    symbols.calls(),
    symbols.calls(),
    text(symbols.keep(encode("kept"))),
    ...[0, 1, 2, 3, 4, 5, 6, 7, 8].map((value) => symbols.classify(value)),
    symbols.circle_area(3),
    symbols.sum_u32(Uint32Array.of(1, 2, 3), 3n),
    symbols.length_of(encode("four")),
    symbols.has_environment(),
    symbols.parse_error(encode("1")),
    symbols.call_optional(3),
    ...values,
  ].join(" ");
}

const VARIANTS: Readonly<Record<string, string[]>> = {
  "without optimisation": ["-O0", "-fPIC"],
  "for size": ["-Os", "-fPIC"],
  "with all optimisation": ["-O3", "-fPIC"],
  "without PLT": ["-O2", "-fPIC", "-fno-plt"],
  "for position-independent executables": ["-O2", "-fPIE"],
  "with a section for each function and variable": ["-O2", "-fPIC", "-ffunction-sections", "-fdata-sections"],
  "with debug information": ["-O2", "-fPIC", "-g3"],
  "with control-flow protection and stack protector": [
    "-O2",
    "-fPIC",
    "-fcf-protection=full",
    "-fstack-protector-all",
  ],
  "with tentative definitions": ["-O2", "-fPIC", "-fcommon"],
  "with interposition ruled out": ["-O2", "-fPIC", "-fno-semantic-interposition", "-fvisibility=protected"],
};

for (const [variant, flags] of Object.entries(VARIANTS)) {
  compilerTest(`C compiled ${variant} does in a module what it does in a shared library`, (folder) => {
    const inputs = NAMES.map((name) => {
      gcc(...flags, "-c", "-o", `${folder}/${name}.o`, `${SOURCES}${name}.c`);
      return { name: `${name}.o`, bytes: Deno.readFileSync(`${folder}/${name}.o`) };
    });
    gcc("-O1", "-fPIC", "-shared", "-o", `${folder}/all.so`, ...NAMES.map((name) => `${SOURCES}${name}.c`));
    using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
    using module = registry.loadBytes("all", linkObjects(inputs).bytes);
    const shared = Deno.dlopen(`${folder}/all.so`, FUNCTIONS);
    try {
      const ours = behaviour(module.bind(FUNCTIONS).symbols as unknown as typeof shared.symbols);
      assertEquals(ours, behaviour(shared.symbols));
    } finally {
      shared.close();
    }
  });
}

compilerTest("link-time optimised objects are refused, fat ones are linked", (folder) => {
  Deno.writeTextFileSync(`${folder}/f.c`, "int f(void) { return 5; }");
  gcc("-O2", "-fPIC", "-flto", "-c", "-o", `${folder}/slim.o`, `${folder}/f.c`);
  gcc("-O2", "-fPIC", "-flto", "-ffat-lto-objects", "-c", "-o", `${folder}/fat.o`, `${folder}/f.c`);
  const link = (name: string) => linkObjects([{ name, bytes: Deno.readFileSync(`${folder}/${name}`) }]);
  assertStringIncludes(assertThrows(() => link("slim.o"), LoadError).hint, "-flto");
  assertEquals(link("fat.o").map.exports.map(({ name }) => name), ["f"]);
});

compilerTest("archives made by ar, with and without index, link alike", (folder) => {
  const objects = NAMES.map((name) => {
    gcc("-O2", "-fPIC", "-c", "-o", `${folder}/${name}.o`, `${SOURCES}${name}.c`);
    return `${folder}/${name}.o`;
  });
  for (const [name, mode] of [["indexed.a", "rcsD"], ["plain.a", "rcSD"], ["thin.a", "rcsDT"]]) {
    new Deno.Command("ar", { args: [mode, `${folder}/${name}`, ...objects] }).outputSync();
  }
  const link = (name: string) =>
    linkObjects([{ name: "lib.a", bytes: Deno.readFileSync(`${folder}/${name}`) }], {
      exports: ["weekday", "format"],
    });
  const [indexed, plain] = [link("indexed.a"), link("plain.a")];
  assertEquals(indexed.map, plain.map);
  assertEquals(indexed.map.members.map(({ member }) => member), ["lib.a(strings.o)", "lib.a(importer.o)"]);
  assertStringIncludes(assertThrows(() => link("thin.a"), LoadError).message, "thin archive");
});

compilerTest("backtraces go through the frames of a module that keeps them", (folder) => {
  Deno.writeTextFileSync(
    `${folder}/deep.c`,
    `#include <execinfo.h>
    __attribute__((noinline)) int deep(int levels) {
      void *frames[64];
      if (levels == 0) return backtrace(frames, 64);
      int count = deep(levels - 1);
      __asm__("" : "+r"(count));
      return count;
    }`,
  );
  gcc("-O2", "-fPIC", "-c", "-o", `${folder}/deep.o`, `${folder}/deep.c`);
  const object = { name: "deep.o", bytes: Deno.readFileSync(`${folder}/deep.o`) };
  using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
  const seen = [true, false].map((unwind) => {
    using module = registry.loadBytes(`deep ${unwind}`, linkObjects([object], { unwind }).bytes);
    return module.getFunction("deep", { parameters: ["i32"], result: "i32" })!(10);
  });
  assertEquals([seen[0] >= 11, seen[1] < 11], [true, true], `${seen}`);
});

compilerTest("the addresses of a backtrace are those that a registry explains", (folder) => {
  Deno.writeTextFileSync(
    `${folder}/symbols.c`,
    `#include <execinfo.h>
    #include <stdlib.h>
    #include <string.h>
    __attribute__((noinline)) int inner(char *text, int size) {
      void *frames[8];
      char **names = backtrace_symbols(frames, backtrace(frames, 8));
      strncpy(text, names[0], size - 1);
      free(names);
      return 1;
    }
    int outer(char *text, int size) { return 1 + inner(text, size); }`,
  );
  gcc("-O1", "-g", "-fPIC", "-c", "-o", `${folder}/symbols.o`, `${folder}/symbols.c`);
  const object = { name: "symbols.o", bytes: Deno.readFileSync(`${folder}/symbols.o`) };
  using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
  const module = registry.loadBytes("symbols", linkObjects([object], { unwind: true }).bytes);
  const text = new Uint8Array(200);
  const outer = module.getFunction("outer", { parameters: ["buffer", "i32"], result: "i32" })!;
  assertEquals(outer(text, text.length), 2);
  const line = new TextDecoder().decode(text).replace(/\0.*$/s, "");
  const [, address] = /\[(0x[\da-f]+)\]$/.exec(line) ?? [];
  const found = registry.symbolize(BigInt(address!));
  assertEquals([found?.module, found?.function, found?.line], ["symbols", "inner", 6], line);
});

compilerTest("gcc's own functions come from libgcc_s, or from libgcc.a in the link", (folder) => {
  const functions = {
    bits: { parameters: ["u64"], result: "i32" },
    quotient: { parameters: ["i64", "i64"], result: "i64" },
    half: { parameters: ["f64"], result: "f64" },
    divided: { parameters: ["f32", "f32", "f32", "f32"], result: "f32" },
  } as const;
  Deno.writeTextFileSync(
    `${folder}/helpers.c`,
    `int bits(unsigned long x) { return __builtin_popcountl(x); }
    long quotient(long a, long b) { return (long)(((__int128)a << 70) / ((__int128)b << 68)); }
    double half(double x) { return (double)(_Float16)x; }
    float divided(float a, float b, float c, float d) {
      _Complex float x = __builtin_complex(a, b), y = __builtin_complex(c, d);
      return __real__(x / y);
    }`,
  );
  gcc("-O2", "-fPIC", "-c", "-o", `${folder}/helpers.o`, `${folder}/helpers.c`);
  const object = { name: "helpers.o", bytes: Deno.readFileSync(`${folder}/helpers.o`) };
  const { bytes, map } = linkObjects([object]);
  const names = ["__divsc3", "__divti3", "__extendhfdf2", "__popcountdi2", "__truncdfhf2"];
  assertEquals(map.imports.map(({ name }) => name).toSorted(), names);
  const archive = new TextDecoder().decode(
    new Deno.Command("gcc", { args: ["-print-libgcc-file-name"] }).outputSync().stdout,
  ).trim();
  const inside = linkObjects([object, { name: "libgcc.a", bytes: Deno.readFileSync(archive) }]);
  using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
  using wider = new ModuleRegistry({ libraries: ["libgcc_s.so.1", "libc.so.6"] });
  assertEquals(assertThrows(() => registry.loadBytes("alone", bytes), LoadError).kind, "UndefinedSymbol");
  using outside = wider.loadBytes("outside", bytes);
  using whole = registry.loadBytes("whole", inside.bytes);
  for (const module of [outside, whole]) {
    const { symbols } = module.bind(functions);
    const answers = [
      symbols.bits(255n),
      symbols.quotient(6n, 2n),
      symbols.half(1.0004),
      symbols.divided(3, 1, 1, 1),
    ];
    assertEquals(answers, [8, 12n, 1, 2]);
  }
});

compilerTest("a constructor runs once a version, and carried values replace what it stored", (folder) => {
  const [first, second] = [1, 2].map((version) => {
    Deno.writeTextFileSync(
      `${folder}/v${version}.c`,
      `int made; static int runs_v${version};
      __attribute__((constructor)) static void make(void) { made += 10 * ${version}; runs_v${version}++; }
      int made_now(void) { return made; }
      int runs(void) { return runs_v${version}; }`,
    );
    gcc("-O2", "-fPIC", "-c", "-o", `${folder}/v${version}.o`, `${folder}/v${version}.c`);
    const bytes = Deno.readFileSync(`${folder}/v${version}.o`);
    return linkObjects([{ name: "v.o", bytes }], { reloadable: true }).bytes;
  });
  using registry = new ModuleRegistry();
  registry.loadBytes("v", first);
  const definition = { parameters: [], result: "i32" } as const;
  const { symbols } = registry.open("v", { made_now: definition, runs: definition });
  const now = (): unknown[] => [symbols.made_now(), symbols.runs()];
  assertEquals(now(), [10, 1]);
  registry.reload("v", { bytes: second, state: "carry" });
  assertEquals(now(), [10, 1]);
  registry.reload("v", { bytes: first });
  assertEquals(now(), [10, 1]);
  registry.reload("v", { bytes: second });
  assertEquals(now(), [20, 1]);
});
