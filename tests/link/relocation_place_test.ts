// Relocations whose values are constants, sizes and tagged addresses: the bytes that GNU's linkers write.
import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { SymbolBinding } from "../../src/os/elf.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { addVariable, DATA, ElfWriter, link, Linked, linkFails } from "../support/objects.ts";
import { R } from "../support/relocation_objects.ts";

/** Assembles code, and constants apart from it; links both in two ways; the bytes of the code in each. */
async function bothWays(
  prefix: string,
  source: string,
  constants: string,
  folder: string,
): Promise<string[]> {
  const section = ".text";
  Deno.writeTextFileSync(`${folder}/a.s`, source);
  Deno.writeTextFileSync(`${folder}/c.s`, constants);
  await compile(`${prefix}gcc`, ["-c", "a.s", "c.s"], folder);
  await compile(`${prefix}ld`, ["-e", "0", "-o", "a.so", "a.o", "c.o"], folder);
  await compile(`${prefix}objcopy`, ["-O", "binary", `--only-section=${section}`, "a.so", "a.bin"], folder);
  const linked = new Linked(
    linkObjects(["a.o", "c.o"].map((name) => ({ name, bytes: Deno.readFileSync(`${folder}/${name}`) }))),
  );
  const theirs = Deno.readFileSync(`${folder}/a.bin`);
  return [linked.bytesAt(linked.section(section).address, theirs.length), [...theirs]].map((bytes) =>
    bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")
  );
}

testWithCompilers(["gcc", "ld", "objcopy"], "constants and sizes are what GNU ld writes", async (folder) => {
  const source = `
    .globl sized, near
    .data
  sized: .skip 24
    .size sized, 24
    .type sized, @object
    .text
  near:
    .byte small, small + 0x80, near2 - .
    .short big, small, 0xffff, near2 - .
    .reloc ., R_X86_64_SIZE32, sized + 2
    .long 0
    .reloc ., R_X86_64_SIZE64, sized - 1
    .quad 0
    .globl near2
  near2: nop
  `;
  const [ours, theirs] = await bothWays(
    "",
    source,
    ".globl small, big\nsmall = 0x7f\nbig = -0x8000\n",
    folder,
  );
  assertEquals(ours, theirs);
});

testWithCompilers(
  ["aarch64-linux-gnu-gcc", "aarch64-linux-gnu-ld"],
  "aarch64: constants, moves and short distances are what GNU ld writes",
  async (folder) => {
    const source = `
      .globl f
      .text
    f:
      movz x0, #:abs_g2:c
      movk x0, #:abs_g1_nc:c
      movk x0, #:abs_g0_nc:c
      movz x1, #:abs_g3:c
      movz x1, #:abs_g0:w
      movz x1, #:abs_g0_s:w - 0x9abd
      movz x1, #:abs_g1_s:n
      movk x1, #:abs_g0_nc:n
      movz x2, #:prel_g0:g
      movz x2, #:prel_g1:f
      movk x2, #:prel_g0_nc:f
      movz x2, #:prel_g2:f
      movz x2, #:prel_g3:f
      add x3, x3, #:lo12:c
      ldr x3, [x3, #:lo12:c + 4]
      .word w, w + 0x7fff0000
      .short w, w - 0x9000
      .short g - ., f - .
      .globl g
    g: ret
    `;
    const constants = ".globl c, n, w\nc = 0x123456789abc\nn = -0x12345\nw = 0x9abc\n";
    const [ours, theirs] = await bothWays("aarch64-linux-gnu-", source, constants, folder);
    assertEquals(ours, theirs);
  },
);

Deno.test("an address with a tag in its high bits keeps the tag", () => {
  const writer = new ElfWriter();
  const data = addVariable(writer, "tagged", new Uint8Array(24));
  const far = writer.symbol({ name: "far" });
  const local = writer.symbol({ name: "local", section: data, value: 16, binding: 0 });
  writer.relocation(data, { offset: 0, symbol: far, type: R[64], addend: 2n ** 62n });
  writer.relocation(data, { offset: 8, symbol: local, type: R[64], addend: -(2n ** 63n) });
  const linked = link(writer.build());
  const { relocations } = linked.file;
  const section = linked.section(".data").address;
  const addends = [0, 1].map((i) => relocations.addend(i));
  assertEquals(addends, [2n ** 62n, -(2n ** 63n) + BigInt(linked.at("tagged") + 16 - section)]);
});

testWithCompilers(["gcc"], "a tagged pointer to a variable runs", async (folder) => {
  const source = `int x; unsigned long tagged = (unsigned long)&x + 0x4000000000000000UL;
    int test(void) { return tagged - (unsigned long)&x == 0x4000000000000000UL; }`;
  Deno.writeTextFileSync(`${folder}/a.c`, source);
  await compile("gcc", ["-O2", "-fPIC", "-c", "a.c"], folder);
  await using registry = new ModuleRegistry();
  const { bytes } = linkObjects([{ name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) }]);
  const module = registry.loadBytes("a", bytes);
  assertEquals(module.getFunction("test", { parameters: [], result: "i32" })?.(), 1);
});

Deno.test("a relocation without a symbol is its addend", () => {
  const writer = new ElfWriter();
  const data = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(8), alignment: 8 });
  writer.symbol({ name: "data", section: data });
  writer.relocation(data, { offset: 0, symbol: 0, type: R[64], addend: 77 });
  const linked = link(writer.build());
  assertEquals([linked.int64(linked.at("data")), linked.relocations()], [77n, []]);
});

Deno.test("the size of an import is unknown, and the error says so", () => {
  const writer = new ElfWriter();
  const data = addVariable(writer, "data", new Uint8Array(8));
  writer.relocation(data, { offset: 0, symbol: writer.symbol({ name: "far" }), type: 33 });
  linkFails(writer.build(), "Unsupported", "size of a symbol that is not in this module");
});

Deno.test("a relocation that leads outside a mergeable section is an error", () => {
  const writer = new ElfWriter();
  const strings = writer.section({
    name: ".rodata.str1.1",
    flags: 0x32,
    bytes: new TextEncoder().encode("seven!!\0"),
    entrySize: 1,
  });
  const data = addVariable(writer, "data", new Uint8Array(8));
  writer.relocation(data, { offset: 0, symbol: writer.sectionSymbol(strings), type: R[64], addend: 10 });
  linkFails(writer.build(), "InvalidFormat", "leads outside the mergeable section");
});

Deno.test("a distance from a name in a mergeable section may lead outside it, as with GNU ld", () => {
  const writer = new ElfWriter();
  const constants = writer.section({
    name: ".rodata.cst8",
    flags: 0x12,
    bytes: new Uint8Array(16).fill(1, 8),
    entrySize: 8,
  });
  const local = writer.symbol({ name: ".Lfoo", section: constants, value: 8, binding: SymbolBinding.LOCAL });
  const data = addVariable(writer, "data", new Uint8Array(8));
  writer.relocation(data, { offset: 0, symbol: local, type: R[64], addend: 10 });
  const linked = link(writer.build());
  const [{ symbol, addend }] = linked.relocations();
  const constant = linked.section(".rodata");
  // The eight bytes before the name are used by nobody and left out; the distance counts from the name.
  assertEquals([symbol, addend, constant.size, linked.int32(constant.address)], [
    ".rodata",
    10,
    8,
    0x01010101,
  ]);
});

Deno.test("a distance to a fixed address, without a symbol, is an error that says so", () => {
  const writer = new ElfWriter();
  const data = addVariable(writer, "data", new Uint8Array(8));
  writer.relocation(data, { offset: 0, symbol: 0, type: 2, addend: 0x1000 });
  linkFails(writer.build(), "Unsupported", "it names no symbol");
});
