// Debug information of Mach-O objects: types, definitions, lines, and variables that stay, as with objects in ELF.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { linkObjects, type LinkOptions, ModuleRegistry, parseSmf } from "../../../mod.ts";
import { companionSections } from "../../../src/observe/companion.ts";
import { sourceMapOf } from "../../../src/observe/source_map.ts";
import { Platform } from "../../../src/smf/enums.ts";
import { addr2line } from "../../support/addr2line.ts";
import { runModules } from "../../support/compiled_module.ts";
import { compile, testOutputOf, testWithCompilers } from "../../support/compilers.ts";
import { C_SOURCE, lineOf } from "../../support/debug_sources.ts";
import { assertLoadError } from "../../support/testing.ts";
import { declarationsIn } from "../../support/types.ts";

const TARGETS = ["x86_64-apple-macos11", "arm64-apple-macos11"];
const LINUX: LinkOptions = { platform: Platform.Linux };

/** Two objects, so that offsets count from other places than in each. */
const FIRST = `
struct point { double x, y; short tag[3]; };
struct point here = {1.5, 2.5, {7, 8, 9}};
unsigned short small = 3;
enum shape { ROUND, SQUARE = 5 };
static volatile int never_zero = 1;
double area(const struct point *corner, enum shape shape) { return corner->x * corner->y * shape; }
int crash(void) {
  int *place = (int *)(long)(never_zero - 1);
  *place = never_zero;
  return 1;
}
`;
const SECOND = `
union word { unsigned bits; float number; };
union word words[4];
unsigned bits_of(union word *word, long long index) { return word[index].bits; }
`;

function inputs(folder: string, names: readonly string[]) {
  return names.map((name) => ({ name, bytes: Deno.readFileSync(`${folder}/${name}`) }));
}

for (const target of TARGETS) {
  for (const version of [2, 3, 4, 5]) {
    testOutputOf(
      "clang",
      `${target}, DWARF ${version}: types are those of ELF`,
      async (folder, cc) => {
        Deno.writeTextFileSync(`${folder}/a.c`, FIRST);
        Deno.writeTextFileSync(`${folder}/b.c`, SECOND);
        const declared: string[][] = [];
        for (
          const other of [
            target,
            target.replace(/^arm64.*/, "aarch64-linux-gnu").replace(/-apple.*/, "-linux-gnu"),
          ]
        ) {
          for (const name of ["a", "b"]) {
            const flags = [`--target=${other}`, `-gdwarf-${version}`, "-O1", "-fPIC", "-c"];
            await cc(...flags, `${name}.c`, "-o", `${name}.o`);
          }
          const { bytes } = linkObjects(inputs(folder, ["a.o", "b.o"]), { ...LINUX, types: "require" });
          declared.push(declarationsIn(parseSmf(bytes)));
        }
        assertEquals(declared[0], declared[1]);
        assert(
          declared[0].includes("double area(const struct point *corner, enum shape shape)"),
          declared[0].join(),
        );
      },
    );

    testOutputOf(
      "clang",
      `${target}, DWARF ${version}: addresses lead to functions and lines, also of the second object`,
      async (folder, cc) => {
        Deno.writeTextFileSync(`${folder}/lines.c`, C_SOURCE);
        Deno.writeTextFileSync(`${folder}/second.c`, SECOND);
        for (const optimization of ["-O0", "-O2"]) {
          for (const name of ["second", "lines"]) {
            const flags = [`--target=${target}`, `-gdwarf-${version}`, optimization, "-c"];
            await cc(...flags, `${name}.c`, "-o", `${name}.o`);
          }
          const { debugFile, map } = linkObjects(inputs(folder, ["second.o", "lines.o"]), {
            ...LINUX,
            debug: "module.debug",
          });
          const source = sourceMapOf(companionSections(debugFile!))!;
          const outer = map.exports.find(({ name }) => name === "outer")!;
          const [frame] = source.find(outer.address).slice(-1);
          assertEquals([frame.function, frame.line], ["outer", lineOf("int outer(int n) {", C_SOURCE)]);
          assertMatch(frame.file!, /lines\.c$/);
          // addr2line of 2022 reads neither the other processor nor the lists that clang writes in DWARF 5.
          if (version === 5 || !target.startsWith("x86_64")) continue;
          Deno.writeFileSync(`${folder}/module.debug`, debugFile!);
          const addresses = map.exports.filter(({ kind }) => kind === "function").flatMap((
            { address, size },
          ) => Array.from({ length: size }, (_, offset) => address + offset));
          // Symbols reach over the padding behind functions, which no function's range covers.
          const inside = addresses.filter((address) => source.find(address).every((each) => each.function));
          assert(addresses.length - inside.length < 5 * 16);
          const expected = await addr2line("module.debug", inside, folder);
          const found = inside.map((address) =>
            source.find(address).map(({ function: name, file, line }) =>
              `${name ?? "??"}\n${file ?? "??"}:${line ?? "?"}\n`
            ).join("")
          );
          assert(found.length > 20);
          assertEquals(found, expected);
        }
      },
      ["addr2line"],
    );
  }
}

testWithCompilers(["clang"], "definitions are compared with the types of a Mach-O object", async (folder) => {
  Deno.writeTextFileSync(`${folder}/a.c`, FIRST);
  await compile("clang", ["--target=x86_64-apple-macos11", "-g", "-O1", "-c", "a.c", "-o", "a.o"], folder);
  using registry = new ModuleRegistry();
  const { bytes } = linkObjects(inputs(folder, ["a.o"]), LINUX);
  const module = registry.loadBytes("a", bytes as Uint8Array<ArrayBuffer>);
  assertLoadError(
    () => module.bind({ area: { parameters: ["pointer", "f64"], result: "f64" } }),
    "Incompatible",
    { symbol: "area" },
  );
  const { symbols } = module.bind({ area: { parameters: ["buffer", "u32"], result: "f64" } });
  assertEquals(symbols.area(new Float64Array([2, 3, 0]), 5), 30);
});

const counter = (fields: string): string => `
struct counter { ${fields} };
struct counter counter = { .count = 40, .step = 2 };
int next(void) { return counter.count += counter.step; }
`;

testWithCompilers(["clang"], "a reload keeps a variable of another shape by its type", async (folder) => {
  const version = async (fields: string): Promise<Uint8Array> => {
    Deno.writeTextFileSync(`${folder}/a.c`, counter(fields));
    await compile("clang", ["--target=x86_64-apple-macos11", "-g", "-O1", "-c", "a.c", "-o", "a.o"], folder);
    return linkObjects(inputs(folder, ["a.o"]), { ...LINUX, reloadable: true }).bytes;
  };
  const path = `${folder}/counter.smf`;
  Deno.writeFileSync(path, await version("int count, step;"));
  using registry = new ModuleRegistry();
  using live = registry.open(path, { next: { parameters: [], result: "i32" } });
  assertEquals([live.symbols.next(), live.symbols.next()], [42, 44]);
  Deno.writeFileSync(`${path}.new`, await version("long long added; int step; int count;"));
  Deno.renameSync(`${path}.new`, path);
  registry.reload(path, { state: "keep" });
  assertEquals(live.symbols.next(), 46);
});

testWithCompilers(
  ["clang"],
  "a report of a crash in a Mach-O object's code names file and line",
  async (folder) => {
    Deno.writeTextFileSync(`${folder}/a.c`, FIRST);
    await compile("clang", ["--target=x86_64-apple-macos11", "-g", "-O1", "-c", "a.c", "-o", "a.o"], folder);
    Deno.writeFileSync(`${folder}/a.smf`, linkObjects(inputs(folder, ["a.o"]), LINUX).bytes);
    const { signal, stderr } = await runModules({ modules: [`${folder}/a.smf`], calls: ["crash"] });
    assertEquals(signal, "SIGSEGV");
    assertMatch(stderr, new RegExp(`at crash\\b.*a\\.c:${lineOf("*place = never_zero", FIRST)}`));
  },
);

testOutputOf("clang", "damaged debug information costs itself, not the link", async (folder, cc) => {
  Deno.writeTextFileSync(`${folder}/a.c`, FIRST);
  await cc("--target=x86_64-apple-macos11", "-g", "-O1", "-c", "a.c", "-o", "a.o");
  const [object] = inputs(folder, ["a.o"]);
  const text = new TextDecoder("latin1").decode(object.bytes);
  // The section's header: names of 16 bytes, address and size of 8, and the offset.
  const header = text.indexOf("__debug_info");
  const offset = new DataView(object.bytes.buffer).getUint32(header + 48, true);
  object.bytes.fill(0xff, offset, offset + 4);
  const { map, bytes } = linkObjects([object], LINUX);
  assertEquals(parseSmf(bytes).types(), undefined);
  assertEquals(map.debug.unreadable.length, 1);
  assertLoadError(() => linkObjects([object], { ...LINUX, types: "require" }), "InvalidFormat", {
    path: "a.o",
  });
});
