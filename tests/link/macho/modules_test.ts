// Modules linked from the Mach-O objects of two compilers: what is in them, on every system; what they do, on Linux,
// whose calling convention is the same. The same source, compiled for Linux, has to give the same answers.
import { assert, assertEquals } from "@std/assert";
import { linkObjects, type LinkOptions, ModuleRegistry, parseSmf } from "../../../mod.ts";
import { Platform } from "../../../src/smf/enums.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { assertLoadError, TemporaryDirectory } from "../../support/testing.ts";

const FOLDER = new URL("../../../fixtures/macho/", import.meta.url);
const PROCESSOR = Deno.build.arch === "aarch64" ? "arm64" : "x86_64";
const IS_LINUX = Deno.build.os === "linux";
const read = (name: string): Uint8Array => Deno.readFileSync(new URL(name, FOLDER));
const input = (name: string) => ({ name, bytes: read(name) });

const I32 = { parameters: ["i32"], result: "i32" } as const;
const NOTHING = { parameters: [], result: "i32" } as const;
const FUNCTIONS = {
  length_of_name: { parameters: ["i32"], result: "u64" },
  letter_of_fixed: { parameters: ["i32", "i32"], result: "i32" },
  same_strings: NOTHING,
  next_count: NOTHING,
  operate: { parameters: ["i32", "i32", "i32"], result: "i32" },
  scale: { parameters: ["f64"], result: "f64" },
  scale_single: { parameters: ["f32"], result: "f32" },
  length_of_word: I32,
  classify: I32,
  count_per_thread: NOTHING,
  set_constants: NOTHING,
  sum_of_marks: NOTHING,
  mix: { parameters: ["i32", "f64", "i64", "f64", "i32", "f32"], result: "f64" },
} as const;

/** Loads a module that is made of sample.c, and checks its answers. */
function checkSample(bytes: Uint8Array): void {
  using directory = new TemporaryDirectory();
  const path = directory.file("sample.smf", bytes);
  using registry = new ModuleRegistry({
    imports: { ask: { parameters: ["i32"], result: "i32", callback: (value: number) => value * 10 } },
  });
  const { symbols } = registry.load(path).bind(FUNCTIONS);
  assertEquals([0, 1, 2].map((index) => symbols.length_of_name(index)), [4n, 3n, 3n]);
  assertEquals(
    [0, 1, 2].map((index) => symbols.letter_of_fixed(index, 1)),
    [..."len"].map((c) => c.charCodeAt(0)),
  );
  assertEquals(symbols.same_strings(), 1);
  assertEquals([symbols.next_count(), symbols.next_count()], [41, 42], "initialisers have run");
  assertEquals([symbols.operate(0, 5, 3), symbols.operate(1, 5, 3)], [8, 2]);
  assertEquals([symbols.scale(3), symbols.scale_single(2)], [2.75, Math.fround(0.6)]);
  assertEquals([0, 1, 2, 3, 4, 5].map((value) => symbols.length_of_word(value)), [6, 6, 4, 4, 7, 4]);
  assertEquals([0, 1, 2, 3, 3, 4, 5, 6, 7, 9].map((value) => symbols.classify(value)), [
    10,
    7,
    7,
    1,
    2,
    12,
    4,
    -2,
    0,
    -1,
  ]);
  assertEquals([symbols.count_per_thread(), symbols.count_per_thread()], [6, 8]);
  assertEquals(symbols.set_constants(), 18 + 0x102 + 0x1234);
  assertEquals([symbols.next_count(), symbols.classify(2)], [0x1235, 18]);
  assertEquals(symbols.sum_of_marks(), 120);
  assertEquals(symbols.mix(1, 2.5, 3n, 4.25, 5, 0.5), 16.25);
}

const forLinux = (names: readonly string[], options: LinkOptions = {}): Uint8Array =>
  linkObjects(names.map(input), { platform: Platform.Linux, ...options }).bytes;

for (const compiler of ["clang", "zig"]) {
  for (const processor of ["x86_64", "arm64"]) {
    const name = `sample_${compiler}_${processor}.o`;

    Deno.test(`${name} links to a module that keeps what is used`, () => {
      const { bytes, map } = linkObjects([input(name)], {
        exports: ["length_of_name", "sum_of_marks", "classify"],
      });
      const file = parseSmf(bytes);
      assertEquals(file.header.platform, Platform.MacOS);
      assertEquals(map.exports.map((each) => each.name), ["length_of_name", "sum_of_marks", "classify"]);
      assertEquals(map.imports.map((each) => each.name).toSorted(), ["ask", "asked_variable", "missing"]);
      const names = file.sections.map((section) => section.name);
      assert(names.includes(".init_array") && names.includes("marks"), names.join());
      const lost = ["next_count", "never_called", "per_thread", "set_constants"];
      const symbols = Array.from({ length: file.symbols.length }, (_, i) => file.symbols.name(i));
      assertEquals(symbols.filter((symbol) => lost.includes(symbol)), []);
      assert(symbols.includes("kept"), "an attribute keeps it");
      assert(bytes.length < linkObjects([input(name)], { platform: Platform.Linux }).bytes.length * 0.8);
    });

    Deno.test(`${name} for macOS is byte by byte the module that runs on Linux, but for the mark`, () => {
      const exports = ["length_of_name", "sum_of_marks", "classify"];
      const [forMac, other] = [Platform.MacOS, Platform.Linux].map((platform) =>
        linkObjects([input(name)], { platform, exports }).bytes
      );
      assertEquals(forMac.length, other.length);
      const places = [...forMac.keys()].filter((at) => forMac[at] !== other[at]);
      // The platform, and the low half of the hash over the file.
      assertEquals(places.filter((at) => at !== 6 && !(at >= 64 && at < 68)), []);
      assertEquals([forMac[6], other[6]], [Platform.MacOS, Platform.Linux]);
    });

    Deno.test(`${name} has thread-local variables, which a module for macOS cannot have`, () => {
      const error = assertLoadError(() => linkObjects([input(name)]), "Unsupported", {
        path: name,
        symbol: "_tlv_bootstrap",
      });
      assert(error?.hint?.includes("link for another system"));
    });

    const runs = IS_LINUX && processor === PROCESSOR;
    const skipped = runs ? "" : ` (SKIPPED: runs on Linux ${processor})`;
    for (const [how, options] of [["", {}], [", reloadable", { reloadable: true }]] as const) {
      Deno.test({
        name: `${name} works as a module for Linux${how}${skipped}`,
        ignore: !runs,
        fn: () => checkSample(forLinux([name], options)),
      });
    }
  }
}

testWithCompilers(
  ["gcc"],
  "sample.c gives the same answers where gcc compiles it for Linux",
  async (folder) => {
    await compile("gcc", [
      "-O2",
      "-fPIC",
      "-fcommon",
      "-c",
      new URL("sample.c", FOLDER).pathname,
      "-o",
      `${folder}/a.o`,
    ]);
    checkSample(linkObjects([{ name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) }]).bytes);
  },
);

Deno.test("equal literals of several objects are one", () => {
  const inputs = [input("sample_clang_x86_64.o"), { ...input("sample_zig_x86_64.o"), excluded: true }];
  const options: LinkOptions = { platform: Platform.Linux, allowMultipleDefinition: true };
  const once = linkObjects(inputs, options).bytes;
  const count = (text: string) => new TextDecoder("latin1").decode(once).split(`${text}\0`).length - 1;
  assertEquals(["quartet", "nought", "alpha"].map(count), [1, 1, 1]);
});

Deno.test("static libraries of macOS give the members that are needed", () => {
  for (const processor of ["x86_64", "arm64"]) {
    const name = `libparts_${processor}.a`;
    const { map } = linkObjects([input(name)], { exports: ["whole"] });
    assertEquals(map.members.map(({ member, symbol }) => [member, symbol]), [
      [`${name}(part_with_a_long_name.o)`, "whole"],
      [`${name}(part.o)`, "part"],
    ]);
    assertEquals(map.imports, []);
    assert(!map.exports.some((each) => each.name === "unused_of_part"));
  }
});

Deno.test("of a library for several processors the link takes the part for its own", () => {
  for (const processor of ["x86_64", "arm64"]) {
    const inputs = [input("libparts.a"), input(`sample_clang_${processor}.o`)];
    const { map, bytes } = linkObjects(inputs, { platform: Platform.Linux, exports: ["whole", "scale"] });
    assertEquals(map.members.length, 2);
    assertEquals(parseSmf(bytes).header.arch, processor === "x86_64" ? 0 : 1);
  }
  const alone = assertLoadError(
    () => linkObjects([input("libparts.a")], { exports: ["whole"] }),
    "Unsupported",
    { path: "libparts.a" },
  );
  assert(alone?.hint?.includes("lipo"));
});

Deno.test({
  name: `a static library of macOS works as a module for Linux${IS_LINUX ? "" : " (SKIPPED: runs on Linux)"}`,
  ignore: !IS_LINUX,
  fn() {
    using directory = new TemporaryDirectory();
    const path = directory.file("parts.smf", forLinux([`libparts_${PROCESSOR}.a`], { exports: ["whole"] }));
    using registry = new ModuleRegistry();
    const { symbols } = registry.load(path).bind({ whole: I32 });
    assertEquals([symbols.whole(4), symbols.whole(4)], [21, 22]);
  },
});

Deno.test("objects for macOS and for Windows do not link together", () => {
  const windows = new URL("../coff/sample_clang.o", FOLDER);
  assertLoadError(
    () => linkObjects([input("sample_clang_x86_64.o"), { name: "w.o", bytes: Deno.readFileSync(windows) }]),
    "IncompatiblePlatform",
    { path: "w.o" },
  );
  assertLoadError(
    () => linkObjects([input("sample_clang_x86_64.o")], { platform: Platform.Windows }),
    "IncompatiblePlatform",
    { path: "sample_clang_x86_64.o" },
  );
});

testWithCompilers(
  ["clang"],
  "small variables that others follow are bound by their types",
  async (folder) => {
    Deno.writeTextFileSync(
      `${folder}/a.c`,
      "short small = -3; int other = 4; char last = 5; double far = 0.5;",
    );
    const registry = new ModuleRegistry();
    for (const flags of [[], ["-g"]]) {
      await compile("clang", ["--target=x86_64-apple-macos11", ...flags, "-c", "a.c", "-o", "a.o"], folder);
      const object = { name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) };
      const { bytes } = linkObjects([object], { platform: Platform.Linux });
      using module = registry.loadBytes(`a${flags}`, bytes as Uint8Array<ArrayBuffer>);
      const { symbols } = module.bind({ small: { type: "i16" }, last: { type: "i8" }, far: { type: "f64" } });
      assertEquals([symbols.small, symbols.last, symbols.far], [-3, 5, 0.5]);
      if (flags.length === 0) continue;
      assertLoadError(() => module.bind({ small: { type: "i8" } }), "Incompatible", { symbol: "small" });
      const all = module.bind() as { symbols: Record<string, unknown> };
      assertEquals(all.symbols.small, -3);
    }
    registry[Symbol.dispose]();
  },
);
