// The debug information of modules, against the compiler's own linker: both have the same lines at the same places
// of each function.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { linkObjects, type LinkOptions } from "../../src/link/linker.ts";
import { parseObject } from "../../src/link/elf/object.ts";
import { readSmf } from "../../src/smf/file.ts";
import { SectionType } from "../../src/smf/enums.ts";
import {
  DEBUG_PLACES,
  debugSectionsOf,
  decodeDebugLink,
  decodePlaces,
  encodeDebugLink,
  encodePlaces,
} from "../../src/smf/debug.ts";
import { xxh32 } from "../../src/smf/hash.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { addr2line } from "../support/addr2line.ts";
import { compile, hasCommand, testOutputOf } from "../support/compilers.ts";
import { C_SOURCE, compileRust, CPP_SOURCE, lineOf } from "../support/debug_sources.ts";
import { zstdTest } from "../support/deno_version.ts";
import { typesFixture } from "../support/types.ts";

/** Links an object and compares the lines of each byte of its functions with those that a shared library has. */
async function compareWithLibrary(folder: string, object: string, link: string[]): Promise<void> {
  await compile(link[0], [...link.slice(1), "-shared", "-o", "library.so", object], folder);
  const bytes = Deno.readFileSync(`${folder}/${object}`);
  const { debugFile, map } = linkObjects([{ name: object, bytes }], { debug: "module.debug" });
  Deno.writeFileSync(`${folder}/module.debug`, debugFile!);
  const table = await compile("nm", ["library.so"], folder);
  let compared = 0;
  for (const { name, kind, address, size } of map.exports) {
    const [, start] = new RegExp(`^([0-9a-f]+) [TW] ${name.replaceAll("$", "\\$")}$`, "m").exec(table) ?? [];
    if (kind !== "function" || start === undefined) continue;
    const offsets = Array.from({ length: size }, (_, offset) => offset);
    const [ours, theirs] = await Promise.all([
      addr2line("module.debug", offsets.map((offset) => address + offset), folder),
      addr2line("library.so", offsets.map((offset) => parseInt(start, 16) + offset), folder),
    ]);
    assertEquals(ours, theirs, name);
    assert(ours.every((frames) => !frames.includes("??")), name);
    compared += size;
  }
  assert(compared > 20, `${compared} bytes of code`);
}

for (const compiler of ["gcc", "clang"]) {
  for (const version of [2, 3, 4, 5]) {
    testOutputOf(
      compiler,
      `${compiler}, DWARF ${version}: the lines are those of a shared library`,
      async (folder, cc) => {
        Deno.writeTextFileSync(`${folder}/lines.c`, C_SOURCE);
        for (const flags of [["-O0"], ["-O2", "-ffunction-sections"]]) {
          await cc(`-gdwarf-${version}`, ...flags, "-fPIC", "-c", "lines.c", "-o", "lines.o");
          await compareWithLibrary(folder, "lines.o", [compiler]);
        }
      },
      ["addr2line"],
    );
  }
}

for (const compiler of ["g++", "clang++"]) {
  testOutputOf(
    compiler,
    `${compiler}: the lines are those of a shared library`,
    async (folder, cc) => {
      Deno.writeTextFileSync(`${folder}/lines.cc`, CPP_SOURCE);
      await cc("-g", "-O1", "-fPIC", "-c", "lines.cc", "-o", "lines.o");
      await compareWithLibrary(folder, "lines.o", [compiler]);
    },
    ["addr2line"],
  );
}

testOutputOf("rustc", "rustc: the lines are those of a shared library", async (folder, rustc) => {
  await compileRust(folder, rustc);
  await compareWithLibrary(folder, "lines.o", ["gcc"]);
}, ["addr2line", "gcc"]);

testOutputOf("aarch64-linux-gnu-gcc", "AArch64 has its addresses and lines, too", async (folder, cc) => {
  Deno.writeTextFileSync(`${folder}/lines.c`, C_SOURCE);
  await cc("-g", "-O1", "-fPIC", "-c", "lines.c", "-o", "lines.o");
  const bytes = Deno.readFileSync(`${folder}/lines.o`);
  const { debugFile, map } = linkObjects([{ name: "lines.o", bytes }], { debug: "module.debug" });
  Deno.writeFileSync(`${folder}/module.debug`, debugFile!);
  const { address } = map.exports.find(({ name }) => name === "outer")!;
  const text = await compile("aarch64-linux-gnu-addr2line", [
    "-f",
    "-e",
    "module.debug",
    address.toString(16),
  ], folder);
  assertEquals(text.replaceAll(/\/.*\//g, ""), `outer\nlines.c:${lineOf("int outer", C_SOURCE)}\n`);
}, ["aarch64-linux-gnu-addr2line"]);

/** The contents of a module's debug information by the names of the sections. */
function contentsOf(module: Uint8Array): Map<string, Uint8Array> {
  const file = parseSmf(module);
  return new Map(debugSectionsOf(file.sections).map(({ name, section }) => [name, file.contents(section)]));
}

const sample = { name: "sample.o", bytes: typesFixture("sample.o") };
const link = (options: LinkOptions = {}) => linkObjects([sample], options);

Deno.test("a module keeps debug information unless names or debug information are stripped", () => {
  assert(contentsOf(link().bytes).has(".debug_info"));
  assert(contentsOf(link({ debug: "keep", strip: true }).bytes).has(".debug_info"));
  for (const options of [{ debug: "off" }, { strip: true }]) {
    const { bytes, map } = link(options);
    assertEquals(parseSmf(bytes).sections.filter(({ type }) => type === SectionType.Dwarf), []);
    assertEquals(map.debug, { sections: [], unreadable: [] });
  }
  // Whatever becomes of debug information, all else is the same.
  const rest = (module: Uint8Array) =>
    parseSmf(module).sections.filter(({ type }) => type !== SectionType.Dwarf).map((
      { name, size, virtualSize },
    ) => [
      name,
      size,
      virtualSize,
    ]);
  assertEquals(rest(link().bytes), rest(link({ debug: "off" }).bytes));
});

Deno.test("loading never reads debug information, and its bytes are behind all that is read", () => {
  const { bytes } = link();
  const reading = readSmf(bytes.length);
  const read: [number, number][] = [];
  let step = reading.next(bytes);
  while (!step.done) {
    const { offset, length, into } = step.value;
    read.push([offset, offset + length]);
    const part = bytes.slice(offset, offset + length);
    into?.set(part);
    step = reading.next(into ?? part);
  }
  const { sections } = step.value;
  const start = Math.min(
    ...sections.filter(({ type }) => type === SectionType.Dwarf).map(({ offset }) => offset),
  );
  for (const [, end] of read) assert(end <= start);
  for (const { type, offset, size } of sections) {
    if (type !== SectionType.Dwarf) assert(offset + size <= start);
  }
});

Deno.test("a changed byte of debug information is no reason to refuse a module", () => {
  const { bytes } = link();
  const { offset } = parseSmf(bytes).sections.find(({ name }) => name === ".debug_info")!;
  bytes[offset] ^= 1;
  assertEquals(parseSmf(bytes).symbols.find("scale")?.name, "scale");
});

zstdTest("compressed debug information is the same", () => {
  const [plain, packed] = [link(), link({ compressDebug: true })];
  assert(packed.bytes.length < plain.bytes.length);
  assertEquals(contentsOf(packed.bytes), contentsOf(plain.bytes));
});

Deno.test("a companion file is named by the module, with its hash", () => {
  const { bytes, debugFile } = link({ debug: "sample.debug" });
  const file = parseSmf(bytes);
  const [section, ...more] = file.sections.filter(({ type }) => type === SectionType.Dwarf);
  assertEquals(more, []);
  assertEquals(decodeDebugLink(file.contents(section)), { name: "sample.debug", hash: xxh32(debugFile!) });
  assertEquals(new TextDecoder().decode(debugFile!.subarray(1, 4)), "ELF");
});

Deno.test("the name of a companion has no folder", () => {
  for (const name of ["../x", "a/b", "a\\b", "..", "."]) {
    assertEquals(decodeDebugLink(encodeDebugLink({ name, hash: 1 })), undefined);
  }
  assertEquals(decodeDebugLink(new Uint8Array(4)), undefined);
});

testOutputOf("gcc", "what is dropped has an address that no module has", async (folder, cc) => {
  Deno.writeTextFileSync(
    `${folder}/dropped.c`,
    "int kept(void) { return 1; }\nstatic int table[9];\nint dropped(int i) { return table[i]; }\n",
  );
  await cc(
    "-gdwarf-4",
    "-ffunction-sections",
    "-fdata-sections",
    "-fPIC",
    "-c",
    "dropped.c",
    "-o",
    "dropped.o",
  );
  const bytes = Deno.readFileSync(`${folder}/dropped.o`);
  const { bytes: module } = linkObjects([{ name: "dropped.o", bytes }], { exports: ["kept"] });
  const contents = contentsOf(module);
  const words = (name: string, at: number) => {
    const section = contents.get(name)!;
    return new DataView(section.buffer, section.byteOffset).getBigUint64(at, true);
  };
  const file = parseSmf(module);
  const places = decodePlaces(
    file.contents(file.sections.find(({ name }) => name === DEBUG_PLACES)!),
    (name) => contents.get(name)?.length,
  );
  const ranges = contents.get(".debug_ranges")!;
  const pairs = Array.from({ length: ranges.length / 8 }, (_, i) => words(".debug_ranges", 8 * i));
  assertEquals(pairs, [0n, 11n, 0xffff_ffff_0000_0000n, 0xffff_ffff_0000_0000n, 0n, 0n]);
  assertEquals([...places.find(({ name }) => name === ".debug_ranges")!.offsets], [0, 8]);
  for (const { name, offsets } of places) for (const at of offsets) assert(words(name, at) <= 11n);
});

testOutputOf(
  "gcc",
  "compressed inputs, groups of types and macros link as plain ones do",
  async (folder, cc) => {
    Deno.writeTextFileSync(`${folder}/shared.h`, "#define NUMBER 7\nstruct shared { int a, b; };\n");
    for (const name of ["one", "two"]) {
      Deno.writeTextFileSync(
        `${folder}/${name}.c`,
        `#include "shared.h"\nint ${name}(struct shared *s) { return s->a + NUMBER; }\n`,
      );
    }
    const linked = async (...flags: string[]) => {
      const inputs = [];
      for (const name of ["one", "two"]) {
        await cc(
          "-gno-record-gcc-switches",
          "-g3",
          "-gdwarf-5",
          "-fdebug-types-section",
          ...flags,
          "-fPIC",
          "-c",
          `${name}.c`,
          "-o",
          `${name}.o`,
        );
        inputs.push({ name: `${name}.o`, bytes: Deno.readFileSync(`${folder}/${name}.o`) });
      }
      return linkObjects(inputs);
    };
    const plain = await linked();
    assertEquals(plain.map.debug.unreadable, []);
    assertEquals(contentsOf((await linked("-gz=zlib")).bytes), contentsOf(plain.bytes));
    const count = (name: string, text: string) =>
      new TextDecoder("latin1").decode(contentsOf(plain.bytes).get(name)!).split(text).length - 1;
    assertEquals(count(".debug_str", "NUMBER 7"), 1);
    if (hasCommand("readelf")) {
      const { debugFile } = linkObjects(
        ["one", "two"].map((name) => ({
          name: `${name}.o`,
          bytes: Deno.readFileSync(`${folder}/${name}.o`),
        })),
        { debug: "module.debug" },
      );
      Deno.writeFileSync(`${folder}/module.debug`, debugFile!);
      const dump = await compile("readelf", ["--debug-dump=info", "module.debug"], folder);
      assertEquals(dump.split("DW_TAG_type_unit").length - 1, 1);
    }
  },
);

Deno.test("damaged debug information costs that of its object, never the link", () => {
  const bytes = sample.bytes.slice();
  const { sections } = parseObject("sample.o", bytes);
  const table = sections.find(({ name }) => name === ".rela.debug_line")!;
  new DataView(bytes.buffer).setUint32(table.offset + 12, 0xffff, true);
  const { map, bytes: module } = linkObjects([{ name: "sample.o", bytes }], { types: "off" });
  assertEquals(map.debug.sections, []);
  assertEquals(map.debug.unreadable, [{
    object: "sample.o",
    reason: "a relocation's symbol does not exist",
  }]);
  assert(parseSmf(module).symbols.find("scale") !== undefined);
});

Deno.test("lists of places are read as they were written, and refused if they lead out of a section", () => {
  const lists = [
    { name: ".debug_info", offsets: Uint32Array.of(0, 8, 300, 70_000) },
    { name: ".debug_str_offsets", offsets: Uint32Array.of(5) },
  ];
  const bytes = encodePlaces(lists);
  assertEquals(decodePlaces(bytes, () => 70_008), lists);
  const refused = (bytes: Uint8Array, sizeOf: (name: string) => number | undefined) =>
    assertEquals(assertThrows(() => decodePlaces(bytes, sizeOf), LoadError).kind, "InvalidFormat");
  refused(bytes, () => 70_007);
  refused(bytes, () => undefined);
  for (let length = 1; length < bytes.length; length++) {
    // A cut between two lists is no damage that can be seen.
    if (length !== encodePlaces([lists[0]]).length) refused(bytes.subarray(0, length), () => 70_008);
  }
  refused(Uint8Array.of(0x61, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80), () => 9);
});

Deno.test("a section with an alignment that no debug information needs is damaged", () => {
  const bytes = sample.bytes.slice();
  const view = new DataView(bytes.buffer);
  const { index } = parseObject("sample.o", bytes).sections.find(({ name }) => name === ".debug_line")!;
  view.setUint32(Number(view.getBigUint64(40, true)) + 64 * index + 48, 1 << 20, true);
  const { map } = linkObjects([{ name: "sample.o", bytes }], { types: "off" });
  assertEquals(map.debug.unreadable.map(({ reason }) => reason), ["a section has a wrong alignment"]);
});
