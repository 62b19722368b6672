// Links with a cache: what it keeps never changes a result, whatever becomes of the objects and the options.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { LinkCache } from "../../src/link/link_cache.ts";
import { LinkMemory } from "../../src/link/link_memory.ts";
import { type LinkInput, linkObjects, type LinkOptions } from "../../src/link/linker.ts";
import { testOutputOf } from "../support/compilers.ts";
import { addVariable, archive, ElfWriter, functionObject } from "../support/objects.ts";
import { randomFrom, stress } from "../support/testing.ts";

/** Everything that a link says: its module, map and debug information, or its errors. */
function outcomeOf(inputs: readonly LinkInput[], options: LinkOptions, cache?: LinkCache): unknown {
  try {
    return linkObjects(inputs, options, cache);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    const problems = error.cause instanceof AggregateError ? error.cause.errors : [error];
    return problems.map((problem: LoadError) => ({ message: problem.message, data: problem.data }));
  }
}

const ways: readonly LinkOptions[] = [
  {},
  { exports: ["*"] },
  { exports: ["*_1", "half*"], types: "require" },
  { reloadable: true },
  { hot: true, exports: ["*"] },
  { reloadable: true, types: "off" },
  { debug: "module.debug", reloadable: true },
  { debug: "off", exportAlso: ["*"] },
  { compressDebug: true, keep: ["*"] },
  { strip: true, unwind: true },
];

/** Links again and again, each time with some objects changed, left out, moved or linked in another way. */
function compareLinks(versions: ReadonlyMap<string, readonly Uint8Array[]>, seed: number): void {
  const random = randomFrom(seed);
  const below = (count: number): number => random() % count;
  const cache = new LinkCache();
  let names = [...versions.keys()], options = ways[below(ways.length)];
  const current = new Map(names.map((name) => [name, 0]));
  for (let link = 0; link < 12; link++) {
    const what = below(5);
    const name = names[below(names.length)];
    if (what <= 1) current.set(name, below(versions.get(name)!.length));
    if (what === 2) names = names.length > 2 ? names.filter((other) => other !== name) : [...versions.keys()];
    if (what === 3) names = names.toSorted(() => below(3) - 1);
    if (what === 4) options = ways[below(ways.length)];
    // A file is read anew for each link.
    const inputs = names.map((name) => ({ name, bytes: versions.get(name)![current.get(name)!].slice() }));
    assertEquals(
      outcomeOf(inputs, options, cache),
      outcomeOf(inputs, options),
      `seed ${seed}, link ${link}: ${names}, ${JSON.stringify(options)}`,
    );
  }
}

const C = (unit: number, version: number) => `
#include <stddef.h>
struct part_${unit % 2} { int kind; double weight; struct part_${unit % 2} *next; ${
  version === 1 ? "char more[9];" : ""
} };
struct open;
static int calls, limit = ${unit + version};
_Thread_local int inside_${unit} = 3;
int shared_by_all __attribute__((weak)) = ${unit};
extern struct open *opened;
${unit === 0 ? "struct open { long size; }; struct open *opened;" : ""}
const char *const texts_${unit}[] = { "one", "two", "${version}" };
void nothing_${unit}(void) { __builtin_unreachable(); }
static void hidden(struct part_${unit % 2} *part) { static int calls; calls += part->kind; }
int half_${unit}(struct part_${unit % 2} *part, size_t size) {
  static int calls; calls++; hidden(part); inside_${unit}++;
  return (int) size / 2 + calls + limit;
}
int call_${unit}(int (*call)(struct part_0 *)) { calls++; return call(0) + ${version}; }
`;

const CPP = (unit: number, version: number) => `
#include <vector>
#include <stdexcept>
template<typename T> struct Box { T value; virtual ~Box() {} virtual T get() const { return value; } };
inline int counted() { static int count = 1; return count++; }
namespace parts { enum class Kind : short { FIRST, SECOND = ${
  version + 7
} }; struct Tree { Tree *left; Kind kind; }; }
parts::Tree tree_${unit} { nullptr, parts::Kind::SECOND };
int sum_${unit}(const std::vector<int> &values) {
  Box<int> box; box.value = counted();
  if (values.empty()) throw std::runtime_error("none");
  return values[0] + box.get()${version === 0 ? "" : " + 1"};
}
`;

const SETS: readonly (readonly [name: string, extension: string, source: typeof C, flags: string[][]])[] = [
  ["C", "c", C, [["-g", "-O2"], ["-g", "-O1", "-ffunction-sections", "-fdata-sections"], ["-g3"]]],
  ["C of DWARF 4, compressed", "c", C, [["-gdwarf-4", "-gz", "-O1"], ["-g", "-gz=zlib"], []]],
  ["C++ with COMDAT groups", "cpp", CPP, [["-g", "-O1"], ["-g", "-fdebug-types-section"], ["-O2"]]],
];

for (const compiler of ["gcc", "clang"]) {
  for (const [name, extension, source, flags] of SETS) {
    testOutputOf(compiler, `${compiler}, ${name}: relinks are as fresh links`, async (folder, cc) => {
      const versions = new Map<string, Uint8Array[]>();
      for (let unit = 0; unit < 4; unit++) {
        const objects: Uint8Array[] = [];
        for (let version = 0; version < 3; version++) {
          Deno.writeTextFileSync(`${folder}/a.${extension}`, source(unit, version));
          const how = flags[(unit + version) % flags.length];
          await cc(...how, "-fPIC", "-c", `a.${extension}`, "-o", "a.o");
          objects.push(Deno.readFileSync(`${folder}/a.o`));
        }
        versions.set(`${unit}.o`, objects);
      }
      for (let seed = 1; seed <= stress(60); seed++) compareLinks(versions, seed);
    });
  }
}

testOutputOf("gcc", "links that read ever new types stay as fresh links are", async (folder, cc) => {
  const versions: Uint8Array[] = [];
  for (let version = 0; version < 5; version++) {
    const structs = Array.from(
      { length: 1500 },
      (_, index) =>
        `struct s${version}_${index} { int a${version}; struct s${version}_${index} *next; } v${index};`,
    );
    Deno.writeTextFileSync(`${folder}/a.c`, structs.join("\n"));
    await cc("-g", "-fPIC", "-c", "a.c", "-o", "a.o");
    versions.push(Deno.readFileSync(`${folder}/a.o`));
  }
  const cache = new LinkCache();
  // The tables of types are made anew on the way: each version is forgotten before it is linked again.
  for (let link = 0; link < 16; link++) {
    const inputs = [{ name: "a.o", bytes: versions[link % versions.length] }];
    assertEquals(linkObjects(inputs, {}, cache).bytes, linkObjects(inputs).bytes, `link ${link}`);
  }
});

const fixture = (path: string): Uint8Array[] => [
  Deno.readFileSync(new URL(`../../fixtures/${path}`, import.meta.url)),
];

for (
  const files of [
    ["c/typed.o", "c/arith.o", "c/strings.o", "cpp/shared_a.o", "cpp/shared_b.o"],
    [
      "coff/sample_gcc.o",
      "coff/sample_clang.o",
      "coff/sample_zig.o",
      "coff/built.obj",
      "coff/short_imports.lib",
    ],
    ["macho/sample_clang_arm64.o", "macho/throws_zig_arm64.o", "macho/libparts.a"],
    ["macho/sample_zig_x86_64.o", "macho/throws_clang_x86_64.o", "macho/libparts_x86_64.a"],
  ]
) {
  Deno.test(`relinks of ${files[0]} and others are as fresh links`, () => {
    const versions = new Map(files.map((path) => [path, fixture(path)]));
    for (let seed = 1; seed <= stress(60); seed++) compareLinks(versions, seed);
  });
}

Deno.test("members of an archive are found again, and are those of its new version", () => {
  const cache = new LinkCache();
  for (const byte of [1, 1, 2, 3, 2]) {
    const library = archive([
      { name: "a.o", bytes: functionObject("a", byte, ["b"]), symbols: ["a"] },
      { name: "b.o", bytes: functionObject("b", 3), symbols: ["b"] },
    ]);
    const inputs = [{ name: "main.o", bytes: functionObject("main", 1, ["a"]) }, {
      name: "lib.a",
      bytes: library,
    }];
    assertEquals(linkObjects(inputs, {}, cache), linkObjects(inputs));
  }
});

Deno.test("bytes that the caller changes in place are other bytes", () => {
  const cache = new LinkCache(), bytes = functionObject("f", 1);
  const first = linkObjects([{ name: "f.o", bytes }], {}, cache);
  bytes.set(functionObject("f", 2));
  const second = linkObjects([{ name: "f.o", bytes }], {}, cache);
  assertEquals(second, linkObjects([{ name: "f.o", bytes }]));
  assert(first.bytes.some((byte, index) => byte !== second.bytes[index]));
});

Deno.test("an object that is linked twice under one name stays two objects", () => {
  const writer = new ElfWriter();
  addVariable(writer, "common", new Uint8Array(8));
  const once = { name: "a.o", bytes: writer.build() }, cache = new LinkCache();
  const options = { allowMultipleDefinition: true };
  for (let link = 0; link < 3; link++) {
    assertEquals(linkObjects([once, once], options, cache), linkObjects([once, once], options));
    assertEquals(outcomeOf([once, once], {}, cache), outcomeOf([once, once], {}));
  }
});

Deno.test("names that fill an object are read by any number of links", () => {
  const name = "n".repeat(60_000), input = { name: "n.o", bytes: functionObject(name, 1) };
  const cache = new LinkCache();
  for (let link = 0; link < 70; link++) linkObjects([input], {}, cache);
});

Deno.test("a cache holds the objects of the last three links", () => {
  const cache = new LinkCache();
  const object = (name: string) => ({ name: `${name}.o`, bytes: functionObject(name, 1) });
  const [a, b, c] = [object("a"), object("b"), object("c")];
  assertEquals(cache.size, 0);
  linkObjects([a, b], {}, cache);
  assertEquals(cache.size, a.bytes.length + b.bytes.length);
  linkObjects([a, c], {}, cache);
  assertEquals(cache.size, a.bytes.length + b.bytes.length + c.bytes.length);
  for (let link = 0; link < 3; link++) linkObjects([a], {}, cache);
  assertEquals(cache.size, a.bytes.length);
  for (let version = 0; version < 50; version++) {
    linkObjects([{ name: "a.o", bytes: functionObject("a", version) }], {}, cache);
  }
  assertEquals(cache.size, 3 * a.bytes.length);
});

Deno.test("objects beyond the size of a memory are read each time", () => {
  const bytes = functionObject("f", 1), memory = new LinkMemory(2 * bytes.length);
  const read = (name: string) => {
    memory.beginLink();
    return memory.read(name, bytes);
  };
  assertEquals(read("a.o") === read("a.o"), true);
  read("b.o");
  const third = read("c.o");
  assertEquals(memory.size, 2 * bytes.length);
  // The first one is forgotten by now.
  assertEquals(read("c.o") === third, false);
  assertEquals(memory.size, 2 * bytes.length);
});

Deno.test("a link that fails leaves a cache that works", () => {
  const cache = new LinkCache(), good = { name: "f.o", bytes: functionObject("f", 1) };
  const bad = { name: "bad.o", bytes: good.bytes.slice(0, 70) };
  for (let link = 0; link < 2; link++) {
    assertThrows(() => linkObjects([good, bad], {}, cache), LoadError);
    assertEquals(linkObjects([good], {}, cache), linkObjects([good]));
  }
});

Deno.test("something else than a cache is refused", () => {
  const inputs = [{ name: "f.o", bytes: functionObject("f", 1) }];
  assertThrows(() => linkObjects(inputs, {}, {} as LinkCache), TypeError, "the cache is not a LinkCache");
});
