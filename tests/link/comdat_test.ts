// COMDAT groups: the first with each signature is kept, the others are discarded.
import { assert, assertEquals } from "@std/assert";
import { linkObjects } from "../../src/link/linker.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { SymbolBinding, SymbolKind } from "../../src/os/elf.ts";
import { addFunction, CODE, DATA, ElfWriter, link, linkFails } from "../support/objects.ts";

/** Returns the first byte of a function, which tells its definitions apart. */
function firstByte(linked: ReturnType<typeof link>, name: string): number {
  return linked.bytesAt(linked.at(name), 1)[0];
}

/** Makes an object with `f` and a table in a COMDAT group, and a function of its own that calls `f`. */
function comdatObject(byte: number, own: string): Uint8Array {
  const writer = new ElfWriter();
  const text = addFunction(writer, "f", new Uint8Array(16).fill(byte), SymbolBinding.WEAK);
  const data = writer.section({ name: ".data.f", flags: DATA, bytes: Uint8Array.of(byte) });
  const f = writer.symbol({ name: "signature", section: text, binding: SymbolBinding.WEAK });
  writer.group(f, [text, data]);
  const caller = addFunction(writer, own, new Uint8Array(8));
  writer.relocation(caller, { offset: 0, symbol: writer.symbol({ name: "f" }), type: 4, addend: -4 });
  return writer.build();
}

Deno.test("the first COMDAT group with a signature is kept as a whole, and all references lead to it", () => {
  const linked = link({ "1.o": comdatObject(1, "a"), "2.o": comdatObject(2, "b") });
  assertEquals(firstByte(linked, "f"), 1);
  for (const caller of ["a", "b"]) {
    assertEquals(linked.int32(linked.at(caller)) + linked.at(caller) + 4, linked.at("f"));
  }
  assertEquals(
    linked.bytesAt(linked.section(".data").address, 1),
    [1],
    "the group's other section came along",
  );
  assertEquals(
    linked.map.dropped.map(({ object, section, reason }) => [object, section, reason]),
    [["2.o", ".text.f", "duplicate"], ["2.o", ".data.f", "duplicate"]],
  );
});

Deno.test("a reference into a duplicate group is an error, unless by a name that the kept group defines", () => {
  const writer = new ElfWriter();
  const text = addFunction(writer, "f", new Uint8Array(16), SymbolBinding.WEAK);
  writer.group(writer.symbol({ name: "signature", section: text, binding: SymbolBinding.WEAK }), [text]);
  const caller = addFunction(writer, "b", new Uint8Array(8));
  writer.relocation(caller, { offset: 0, symbol: writer.sectionSymbol(text), type: 2, addend: -4 });
  const error = linkFails(
    { "1.o": comdatObject(1, "a"), "2.o": writer.build() },
    "Unsupported",
    "dropped in favour of another copy",
  );
  assert(error.hint.includes("only one copy of a COMDAT group"), error.hint);
});

Deno.test("old-style link-once sections are kept once by their names", () => {
  const once = (byte: number) => {
    const writer = new ElfWriter();
    const section = writer.section({ name: ".gnu.linkonce.t.f", flags: CODE, bytes: Uint8Array.of(byte) });
    writer.symbol({ name: "f", section, kind: SymbolKind.FUNC });
    return writer.build();
  };
  assertEquals(firstByte(link({ "1.o": once(1), "2.o": once(2) }), "f"), 1);
});

testWithCompilers(
  ["gcc"],
  "a section of the older kind and a COMDAT group of one name are one definition",
  async (folder) => {
    Deno.writeTextFileSync(
      `${folder}/old.s`,
      '.section .gnu.linkonce.t.f,"ax",@progbits\n.globl f\n.weak f\nf: movl $1, %eax\nret\n',
    );
    Deno.writeTextFileSync(
      `${folder}/new.s`,
      '.section .text.f,"axG",@progbits,f,comdat\n.globl f\nf: movl $2, %eax\nret\n' +
        ".text\n.globl g\ng: jmp f\n",
    );
    await compile("gcc", ["-c", "old.s", "new.s"], folder);
    const read = (name: string) => ({ name, bytes: Deno.readFileSync(`${folder}/${name}`) });
    for (const [first, second] of [["old.o", "new.o"], ["new.o", "old.o"]]) {
      const { map } = linkObjects([read(first), read(second)], { exports: ["f", "g"] });
      const kept = map.sections.flatMap(({ entries }) => entries).map(({ section, object }) =>
        `${section} ${object}`
      );
      const dropped = map.dropped.map(({ section, object, reason }) => `${section} ${object} ${reason}`);
      const [ours, theirs] = first === "old.o"
        ? [".gnu.linkonce.t.f old.o", ".text.f new.o"]
        : [".text.f new.o", ".gnu.linkonce.t.f old.o"];
      assertEquals([kept.includes(ours), dropped], [true, [`${theirs} duplicate`]]);
    }
  },
);
