// Functions and lines by address, against addr2line: every byte of every function, inlined functions included.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { companionSections } from "../../src/observe/companion.ts";
import { sourceMapOf } from "../../src/observe/source_map.ts";
import type { SourceMap } from "../../src/types/dwarf/source_map.ts";
import { addr2line } from "../support/addr2line.ts";
import { testOutputOf } from "../support/compilers.ts";
import { C_SOURCE, compileRust, CPP_SOURCE, lineOf } from "../support/debug_sources.ts";
import { randomFrom } from "../support/testing.ts";
import { typesFixture } from "../support/types.ts";

/** Links an object; returns its source map, the name of the companion file, and the bytes of its functions. */
function linked(folder: string, object: string): { map: SourceMap; addresses: number[] } {
  const { debugFile, map } = linkObjects(
    [{ name: object, bytes: Deno.readFileSync(`${folder}/${object}`) }],
    {
      debug: "module.debug",
    },
  );
  Deno.writeFileSync(`${folder}/module.debug`, debugFile!);
  const addresses = map.exports.filter(({ kind }) => kind === "function").flatMap(({ address, size }) =>
    Array.from({ length: size }, (_, offset) => address + offset)
  );
  return { map: sourceMapOf(companionSections(debugFile!))!, addresses };
}

/** Compares each address with the answer of addr2line. */
async function compareWith(folder: string, object: string): Promise<void> {
  const { map, addresses } = linked(folder, object);
  const expected = await addr2line("module.debug", addresses, folder);
  const found = addresses.map((address) =>
    map.find(address).map(({ function: name, file, line }) =>
      `${name ?? "??"}\n${file ?? "??"}:${line ?? "?"}\n`
    ).join("")
  );
  assert(found.length > 20);
  assertEquals(found, expected);
}

for (const compiler of ["gcc", "clang"]) {
  // addr2line of 2022 does not read the lists of ranges that clang writes in DWARF 5.
  for (const version of compiler === "clang" ? [2, 3, 4] : [2, 3, 4, 5]) {
    testOutputOf(
      compiler,
      `${compiler}, DWARF ${version}: addresses lead to the functions and lines of addr2line`,
      async (folder, cc) => {
        Deno.writeTextFileSync(`${folder}/lines.c`, C_SOURCE);
        for (const flags of [["-O0"], ["-O2", "-ffunction-sections"], ["-O3", "-gz"]]) {
          await cc(`-gdwarf-${version}`, ...flags, "-fPIC", "-c", "lines.c", "-o", "lines.o");
          await compareWith(folder, "lines.o");
        }
      },
      ["addr2line"],
    );
  }
}

testOutputOf("clang", "clang: DWARF 5 says the same as DWARF 4", async (folder, cc) => {
  Deno.writeTextFileSync(`${folder}/lines.c`, C_SOURCE);
  for (const level of ["-O0", "-O2"]) {
    const answers = [];
    for (const version of [4, 5]) {
      await cc(`-gdwarf-${version}`, level, "-ffunction-sections", "-fPIC", "-c", "lines.c", "-o", "lines.o");
      const { map, addresses } = linked(folder, "lines.o");
      answers.push(addresses.map((address) => map.find(address)));
    }
    assert(answers[0].length > 20);
    assertEquals(answers[1], answers[0]);
  }
});

testOutputOf("g++", "g++: addresses lead to the functions and lines of addr2line", async (folder, cc) => {
  Deno.writeTextFileSync(`${folder}/lines.cc`, CPP_SOURCE);
  for (const flags of [["-O0"], ["-O2"], ["-O1", "-fdebug-types-section"]]) {
    await cc("-g", ...flags, "-fPIC", "-c", "lines.cc", "-o", "lines.o");
    await compareWith(folder, "lines.o");
  }
}, ["addr2line"]);

testOutputOf(
  "clang++",
  "clang++: a function that is inlined is found in the one that calls it",
  async (folder, cc) => {
    Deno.writeTextFileSync(`${folder}/lines.cc`, CPP_SOURCE);
    await cc("-g", "-O2", "-fPIC", "-c", "lines.cc", "-o", "lines.o");
    const { map, addresses } = linked(folder, "lines.o");
    const chains = new Set(
      addresses.map((address) => map.find(address).map(({ name, line }) => `${name}:${line}`).join(" < ")),
    );
    // Pushing and popping leaves an addition in the line of one of the two, or in that of the call.
    const inlined = [...chains].filter((chain) => chain.includes(" < "));
    const calls = [
      lineOf("s.push(doubled(x))", CPP_SOURCE),
      lineOf("s.push(static_cast", CPP_SOURCE),
      lineOf("return s.pop()", CPP_SOURCE),
    ];
    for (const chain of inlined) assert(calls.some((call) => chain.endsWith(` < use:${call}`)), chain);
    for (const chain of chains) assert(/(?:^|< )(?:use|doubled\b.*):\S+$/.test(chain), chain);
  },
);

testOutputOf(
  "rustc",
  "rustc: addresses lead to the functions and lines of addr2line",
  async (folder, rustc) => {
    await compileRust(folder, rustc);
    await compareWith(folder, "lines.o");
  },
  ["addr2line"],
);

const sample = linkObjects([{ name: "sample.o", bytes: typesFixture("sample.o") }], {
  debug: "sample.debug",
});

Deno.test("without a compiler: a function of a fixture has its file and line", () => {
  const { address } = sample.map.exports.find(({ name }) => name === "scale")!;
  const [frame, ...more] = sourceMapOf(companionSections(sample.debugFile!))!.find(address);
  assertEquals(more, []);
  assertEquals(frame.function, "scale");
  assert(/sample\.c$/.test(frame.file!), frame.file);
  assert(frame.line! > 0);
});

Deno.test("an address outside of all code has no place", () => {
  const map = sourceMapOf(companionSections(sample.debugFile!))!;
  for (const address of [-1, 0x7fff_ffff, 2 ** 40, 2 ** 64]) assertEquals(map.find(address), []);
});

Deno.test("debug information that is missing is none", () => {
  const sections = companionSections(sample.debugFile!);
  for (const name of [".debug_info", ".debug_abbrev"]) {
    const rest = new Map([...sections].filter(([other]) => other !== name));
    assertEquals(sourceMapOf(rest), undefined);
  }
  const { address } = sample.map.exports.find(({ name }) => name === "scale")!;
  const withoutLines = new Map([...sections].filter(([name]) => name !== ".debug_line"));
  const [frame] = sourceMapOf(withoutLines)!.find(address);
  assertEquals([frame.function, frame.file, frame.line], ["scale", undefined, undefined]);
});

Deno.test("damaged debug information ends in fewer places or in a LoadError, in bounded time", () => {
  const next = randomFrom(19);
  const below = (limit: number): number => next() % limit;
  const sections = companionSections(sample.debugFile!);
  const addresses = sample.map.exports.map(({ address }) => address);
  for (let round = 0; round < 2000; round++) {
    const changed = new Map([...sections].map(([name, bytes]) => [name, bytes.slice()]));
    const list = [...changed.values()].filter(({ length }) => length > 0);
    for (let changes = 1 + below(4); changes > 0; changes--) {
      const bytes = list[below(list.length)];
      bytes[below(bytes.length)] = below(256);
    }
    try {
      const map = sourceMapOf(changed);
      for (const address of addresses) map?.find(address);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
  }
});

Deno.test("a companion that is no ELF file, or whose tables lead out of it, is refused", () => {
  const refused = (bytes: Uint8Array) =>
    assertEquals(assertThrows(() => companionSections(bytes), LoadError).kind, "InvalidFormat");
  refused(new Uint8Array(0));
  refused(new Uint8Array(100));
  const { debugFile } = sample;
  refused(debugFile!.subarray(0, debugFile!.length - 1));
  const changed = debugFile!.slice();
  new DataView(changed.buffer).setUint16(62, 0xfff0, true);
  refused(changed);
});
