// The reader of COFF objects against LLVM's: sections, symbols and relocations of the objects of four compilers.
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { parseCoffObject } from "../../../src/link/coff/object.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";

const FOLDER = new URL("../../../fixtures/coff/", import.meta.url);

for (const name of ["sample_msvc.obj", "sample_clang.o", "sample_gcc.o", "sample_zig.o"]) {
  testWithCompilers(["llvm-readobj-14"], `${name} is read as llvm-readobj reads it`, async () => {
    const path = fromFileUrl(new URL(name, FOLDER));
    const text = await compile("llvm-readobj-14", ["--sections", "--symbols", path]);
    const { sections, symbols } = parseCoffObject(name, Deno.readFileSync(path));

    const theirs = [...text.matchAll(/ {2}Section \{\n[^]*?\n {2}\}/g)].map(([block]) => ({
      name: /Name: (\S+)/.exec(block)![1],
      size: Number(/RawDataSize: (\d+)/.exec(block)![1]),
      relocations: Number(/RelocationCount: (\d+)/.exec(block)![1]),
    }));
    const ours = theirs.map((_, i) => {
      const { name, size, relaCount, index } = sections[i + 1];
      const debug = sections.find(({ info }) => info === index);
      return { name, size, relocations: relaCount + (debug === undefined ? 0 : debug.size / 24) };
    });
    // Further parts of the table of functions come behind all others.
    for (const part of sections.slice(theirs.length + 1)) {
      const first = theirs.findIndex(({ name }) => name === part.name);
      if (first === -1) continue;
      ours[first].size += part.size;
      ours[first].relocations += part.relaCount;
    }
    assertEquals(ours, theirs);

    const defined = [...text.matchAll(/ {2}Symbol \{\n[^]*?\n {2}\}/g)].flatMap(([block]) => {
      const section = Number(/Section: .*\((-?\d+)\)/.exec(block)![1]);
      const isExternal = block.includes("StorageClass: External");
      if (!isExternal || section <= 0) return [];
      return [`${/Name: (\S+)/.exec(block)![1]} ${section} ${/Value: (\d+)/.exec(block)![1]}`];
    });
    const known = new Set(
      Array.from(
        { length: symbols.length },
        (_, i) => `${symbols.name(i)} ${symbols.section(i)} ${symbols.value(i)}`,
      ),
    );
    assertEquals(defined.filter((symbol) => !known.has(symbol)), []);
    assertEquals(defined.length > 10, true);
  });
}
