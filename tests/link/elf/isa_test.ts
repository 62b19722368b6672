// The processor that objects need, from their notes, and the option `cpu`.
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ModuleLoader } from "../../../mod.ts";
import { missingFeatures } from "../../../src/load/runtime/processor.ts";
import { processorWords } from "../../../src/os/processor.ts";
import { Arch } from "../../../src/smf/enums.ts";
import { linkObjects } from "../../../src/link/linker.ts";
import { SectionFlag, SectionType } from "../../../src/os/elf.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { addFunction, archive, ElfWriter } from "../../support/objects.ts";
import { assertLoadError } from "../../support/testing.ts";

const NEEDED = 0xc0008002;
const USED = 0xc0010002;

/** A note of GNU properties; each property has one word, or none of its own size. */
function note(properties: readonly (readonly [type: number, word: number, size?: number])[]): Uint8Array {
  const words = [4, 16 * properties.length, 5, 0x554e47];
  for (const [type, word, size = 4] of properties) words.push(type, size, word, 0);
  return new Uint8Array(Uint32Array.from(words).buffer);
}

function object(name: string, bytes?: Uint8Array): { name: string; bytes: Uint8Array } {
  const writer = new ElfWriter();
  addFunction(writer, name, new Uint8Array([0xc3]));
  if (bytes !== undefined) {
    writer.section({
      name: ".note.gnu.property",
      type: SectionType.NOTE,
      flags: SectionFlag.ALLOC,
      bytes,
      alignment: 8,
    });
  }
  return { name: `${name}.o`, bytes: writer.build() };
}

function levelOf(inputs: Parameters<typeof linkObjects>[0], cpu?: string): number {
  return parseSmf(linkObjects(inputs, { exports: ["f"], ...(cpu !== undefined && { cpu }) }).bytes).header
    .cpu;
}

Deno.test("a module needs the highest level that its objects need", () => {
  assertEquals(levelOf([object("f")]), 0);
  assertEquals(levelOf([object("f", note([[NEEDED, 1]]))]), 0);
  assertEquals(levelOf([object("f", note([[NEEDED, 3]]))]), 1);
  assertEquals(levelOf([object("f", note([[0xc0000002, 3], [NEEDED, 7]]))]), 2);
  assertEquals(levelOf([object("f", note([[NEEDED, 8]])), object("g", note([[NEEDED, 2]]))]), 3);
});

Deno.test("what objects merely use, they do not need", () => {
  assertEquals(levelOf([object("f", note([[USED, 15]]))]), 0);
});

Deno.test("members of archives count only if they are pulled in", () => {
  const member = object("g", note([[NEEDED, 8]]));
  const library = { name: "lib.a", bytes: archive([{ ...member, symbols: ["g"] }]) };
  assertEquals(levelOf([object("f"), library]), 0);
  const { bytes } = linkObjects([object("f"), library], { exports: ["f", "g"] });
  assertEquals(parseSmf(bytes).header.cpu, 3);
});

Deno.test("the option raises the level, and never lowers it", () => {
  assertEquals(levelOf([object("f")], "x86-64-v3"), 2);
  assertEquals(levelOf([object("f", note([[NEEDED, 7]]))], "x86-64-v2"), 2);
  assertEquals(levelOf([object("f", note([[NEEDED, 7]]))], "x86-64"), 2);
  const error = assertThrows(() => levelOf([object("f")], "armv8.1-a"), TypeError);
  assertStringIncludes(error.message, "'x86-64-v2'");
});

Deno.test("a note that passes its end, and a level above v4, are errors that name the object", () => {
  assertLoadError(() => levelOf([object("f", note([[NEEDED, 7, 12]]))]), "InvalidFormat", {
    path: "f.o",
    section: ".note.gnu.property",
  });
  const long = note([[NEEDED, 7]]);
  new DataView(long.buffer).setUint32(4, 0xffffffff, true);
  assertLoadError(() => levelOf([object("f", long)]), "InvalidFormat", { path: "f.o" });
  assertLoadError(() => levelOf([object("f", note([[NEEDED, 31]]))]), "Unsupported", {
    path: "f.o",
    value: 31,
  });
});

testWithCompilers(["gcc"], "gcc -mneeded says which processor its code needs", async (folder) => {
  Deno.writeTextFileSync(`${folder}/f.c`, "int f(int a) { return a + 1; }");
  const build = async (...flags: string[]): Promise<number> => {
    await compile("gcc", ["-O2", "-fPIC", ...flags, "-c", "-o", `${folder}/f.o`, `${folder}/f.c`]);
    return levelOf([{ name: "f.o", bytes: Deno.readFileSync(`${folder}/f.o`) }]);
  };
  assertEquals(await build("-march=x86-64-v3"), 0);
  assertEquals(await build("-march=x86-64-v2", "-mneeded"), 1);
  assertEquals(await build("-march=x86-64-v3", "-mneeded"), 2);
  assertEquals(await build("-march=x86-64-v4", "-mneeded"), 3);
});

testWithCompilers(
  ["gcc"],
  "compiled AVX2 code runs where the processor has it, and is refused elsewhere",
  async (folder) => {
    // Eight sums at once: gcc makes vpaddd on YMM registers of it.
    Deno.writeTextFileSync(
      `${folder}/v.c`,
      "void sum(int *a, const int *b) { for (int i = 0; i < 1024; i++) a[i] += b[i]; }",
    );
    const flags = ["-O3", "-fPIC", "-march=x86-64-v3", "-mneeded", "-c"];
    await compile("gcc", [...flags, "-o", `${folder}/v.o`, `${folder}/v.c`]);
    const { bytes } = linkObjects([{ name: "v.o", bytes: Deno.readFileSync(`${folder}/v.o`) }]);
    const missing = missingFeatures(Arch.X86_64, 2, processorWords());
    if (missing!.length > 0) {
      assertLoadError(() => new ModuleLoader().loadBytes(bytes), "IncompatibleArch", {
        value: "x86-64-v3",
        features: missing!,
      });
      return;
    }
    using module = new ModuleLoader().loadBytes(bytes);
    const sum = module.getFunction("sum", { parameters: ["buffer", "buffer"], result: "void" })!;
    const numbers = Int32Array.from({ length: 1024 }, (_, index) => index);
    sum(numbers, numbers.slice());
    assertEquals(numbers, Int32Array.from({ length: 1024 }, (_, index) => 2 * index));
  },
);
