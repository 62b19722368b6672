// Archives of Mach-O objects: symbol indexes of every kind, whose names have the underscore of C, or none at all.
import { assertEquals } from "@std/assert";
import { linkObjects } from "../../../mod.ts";
import { CoffWriter, Scn } from "../../support/coff_writer.ts";
import { Cpu, fatFile, MachWriter, Sect, X86 } from "../../support/macho_writer.ts";
import { archive, ascii, concat } from "../../support/objects.ts";
import { assertLoadError } from "../../support/testing.ts";

/** An object with a function of the given name, which calls another. */
function functionOf(name: string, called?: string, cpu: number = Cpu.X86_64): Uint8Array {
  const writer = new MachWriter(cpu);
  const bytes = Uint8Array.of(0xe8, 0, 0, 0, 0, 0xc3, 0x90, 0x90);
  const text = writer.section({ name: "__TEXT,__text", flags: Sect.CODE, bytes });
  writer.symbol({ name: `_${name}`, section: text });
  if (called === undefined) return writer.build();
  const symbol = writer.symbol({ name: `_${called}` });
  // ARM64_RELOC_BRANCH26 has the same number.
  writer.relocation(text, { place: cpu === Cpu.X86_64 ? 1 : 0, type: X86.BRANCH, symbol, isRelative: true });
  return writer.build();
}

const MEMBERS = [
  { name: "f.o", bytes: functionOf("f", "g"), symbols: ["_f"] },
  { name: "g.o", bytes: functionOf("g"), symbols: ["_g"] },
  { name: "other.o", bytes: functionOf("other"), symbols: ["_other"] },
];

/** A library of BSD with an index of 32 or 64 bits, and names behind the headers. */
function bsdLibrary(isLarge: boolean, indexName: string): Uint8Array {
  const width = isLarge ? 8 : 4;
  const names = MEMBERS.map(({ symbols }) => `${symbols[0]}\0`).join("");
  const pairs = MEMBERS.length * 2 * width;
  const padded = (text: string, size: number) => ascii(text.padEnd(size, "\0"));
  const index = new Uint8Array(2 * width + pairs + names.length + names.length % 2);
  const member = (name: string, bytes: Uint8Array): Uint8Array => {
    const size = Math.ceil(name.length / 4) * 4 + (name.length % 4 === 0 ? 4 : 0);
    const header = `#1/${size}`.padEnd(16) + "0".padEnd(12) + "0".padEnd(6) + "0".padEnd(6) +
      "644".padEnd(8) +
      String(size + bytes.length).padEnd(10) + "`\n";
    return concat([ascii(header), padded(name, size), bytes]);
  };
  const objects = MEMBERS.map(({ name, bytes }) => member(name, bytes));
  let offset = 8 + member(indexName, index).length;
  const view = new DataView(index.buffer);
  const write = (at: number, value: number): void => view.setUint32(at, value, true);
  write(0, pairs);
  write(width + pairs, names.length);
  let name = 0;
  MEMBERS.forEach(({ symbols }, i) => {
    write(width + 2 * width * i, name);
    write(width + 2 * width * i + width, offset);
    name += symbols[0].length + 1;
    offset += objects[i].length;
  });
  index.set(ascii(names), 2 * width + pairs);
  return concat([ascii("!<arch>\n"), member(indexName, index), ...objects]);
}

const LIBRARIES: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ["GNU's index", archive(MEMBERS)],
  ["no index", archive(MEMBERS, { withIndex: false })],
  ["BSD's index", bsdLibrary(false, "__.SYMDEF")],
  ["BSD's sorted index", bsdLibrary(false, "__.SYMDEF SORTED")],
  ["BSD's index of 64 bits", bsdLibrary(true, "__.SYMDEF_64")],
];

for (const [kind, bytes] of LIBRARIES) {
  Deno.test(`members are found by ${kind}`, () => {
    for (const library of [bytes, fatFile([[Cpu.X86_64, bytes]]), fatFile([[Cpu.X86_64, bytes]], true)]) {
      const { map } = linkObjects([{ name: "lib.a", bytes: library }], { exports: ["f"] });
      assertEquals(map.members.map(({ member, symbol }) => [member, symbol]), [
        ["lib.a(f.o)", "f"],
        ["lib.a(g.o)", "g"],
      ]);
      assertEquals(map.imports, []);
    }
  });
}

Deno.test("members of COFF are found without an index", () => {
  const writer = new CoffWriter();
  const section = writer.section({ name: ".text", flags: Scn.CODE, bytes: Uint8Array.of(0xc3) });
  writer.symbol({ name: "a_long_name_of_a_function", section, type: 0x20 });
  const bytes = archive([{ name: "f.obj", bytes: writer.build() }], { withIndex: false });
  const { map } = linkObjects([{ name: "f.lib", bytes }], { exports: ["a_long_name_of_a_function"] });
  assertEquals(map.members.map(({ member }) => member), ["f.lib(f.obj)"]);
});

Deno.test("a file without a part for the processor of the other inputs is refused", () => {
  const bytes = fatFile([[Cpu.X86_64, functionOf("f")], [12, functionOf("f")]]);
  const arm = { name: "arm.o", bytes: functionOf("g", undefined, Cpu.ARM64) };
  assertLoadError(() => linkObjects([{ name: "fat.o", bytes }, arm]), "Unsupported", { path: "fat.o" });
});

Deno.test("of several parts for one processor the link takes that for the oldest of its kind", () => {
  const [E, HASWELL] = [0x8000_0002, 8];
  const signed = functionOf("f", undefined, Cpu.ARM64);
  new DataView(signed.buffer).setUint32(8, E, true);
  const plain = functionOf("f", undefined, Cpu.ARM64);
  for (
    const parts of [[[Cpu.ARM64, signed, E], [Cpu.ARM64, plain]], [[Cpu.ARM64, plain], [
      Cpu.ARM64,
      signed,
      E,
    ]]] as const
  ) {
    linkObjects([{ name: "fat.o", bytes: fatFile(parts) }]);
  }
  const newer = functionOf("newer"), older = functionOf("older");
  const bytes = fatFile([[Cpu.X86_64, newer, HASWELL], [Cpu.X86_64, older, 3]]);
  assertEquals(linkObjects([{ name: "fat.o", bytes }]).map.exports.map(({ name }) => name), ["older"]);
});

Deno.test("a member of intermediate code is refused if it is needed, whatever the names in the index", () => {
  const bitcode = concat([
    Uint8Array.of(0x42, 0x43, 0xc0, 0xde),
    ascii("\0\0\0\0arm64-apple-macosx11.0.0\0"),
  ]);
  const wrapped = concat([
    Uint8Array.of(0xde, 0xc0, 0x17, 0x0b),
    ascii("\0\0\0\0arm64-apple-macosx11.0.0\0"),
  ]);
  for (const bytes of [bitcode, wrapped]) {
    const library = archive([{ name: "g.o", bytes, symbols: ["_g"] }]);
    const user = { name: "f.o", bytes: functionOf("f", "g") };
    const link = () => linkObjects([user, { name: "lib.a", bytes: library }]);
    assertLoadError(link, "InvalidFormat", { path: "lib.a(g.o)" });
    linkObjects([{ name: "other.o", bytes: functionOf("other") }, { name: "lib.a", bytes: library }]);
  }
});
