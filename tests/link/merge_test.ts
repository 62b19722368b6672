// Mergeable sections: pieces, rather than whole sections, are kept, and equal ones become one.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { SectionFlag, SymbolBinding } from "../../src/os/elf.ts";
import {
  addFunction,
  addVariable,
  ascii,
  DATA,
  ElfWriter,
  link,
  RODATA,
  STRINGS,
} from "../support/objects.ts";
import { assertLoadError } from "../support/testing.ts";

/** Makes an object whose variable `name` holds the addresses of strings, each through a symbol at its start. */
function stringsObject(name: string, text: string, starts: readonly number[], alignment = 1): Uint8Array {
  const writer = new ElfWriter();
  const strings = writer.section({
    name: ".rodata.str1.1",
    flags: STRINGS,
    bytes: ascii(text),
    entrySize: 1,
    alignment,
  });
  const data = addVariable(writer, name, new Uint8Array(8 * starts.length));
  starts.forEach((value, i) => {
    const symbol = writer.symbol({ name: `.L${i}`, section: strings, value, binding: SymbolBinding.LOCAL });
    writer.relocation(data, { offset: 8 * i, symbol, type: 1 });
  });
  return writer.build();
}

Deno.test("equal strings of different objects become one, others stay themselves", () => {
  const linked = link({
    "1.o": stringsObject("one", "shared\0first\0", [0, 7]),
    "2.o": stringsObject("two", "second\0shared\0", [0, 7]),
  });
  const target = (name: string, i: number) => linked.target(linked.at(name) + 8 * i);
  assertEquals(linked.text(target("one", 0)), "shared");
  assertEquals(linked.text(target("one", 1)), "first");
  assertEquals(linked.text(target("two", 0)), "second");
  assertEquals(target("two", 1), target("one", 0));
  assertEquals(linked.section(".rodata").size, "shared\0first\0second\0".length);
});

Deno.test("strings that nothing refers to are dropped one by one", () => {
  const linked = link(stringsObject("one", "dropped\0kept\0dropped too\0", [8]));
  assertEquals(linked.section(".rodata").size, 5);
  assertEquals(linked.text(linked.target(linked.at("one"))), "kept");
});

Deno.test("a symbol may point into the middle of a string", () => {
  const linked = link(stringsObject("one", "unhappy\0", [0, 2]));
  assertEquals(linked.text(linked.target(linked.at("one") + 8)), "happy");
});

Deno.test("a section's symbol and an addend refer to the piece at the addend", () => {
  const writer = new ElfWriter();
  const strings = writer.section({
    name: ".rodata.str1.1",
    flags: STRINGS,
    bytes: ascii("aa\0bb\0cc\0"),
    entrySize: 1,
  });
  const symbol = writer.sectionSymbol(strings);
  const data = addVariable(writer, "one", new Uint8Array(24));
  [6, 0, 7].forEach((addend, i) => writer.relocation(data, { offset: 8 * i, symbol, type: 1, addend }));
  // The addend of a distance in data has no bias.
  const distance = writer.section({ name: ".rodata.d", flags: RODATA, bytes: new Uint8Array(4) });
  writer.symbol({ name: "distance", section: distance });
  writer.relocation(distance, { offset: 0, symbol, type: 2, addend: 6 });
  const linked = link(writer.build());
  const texts = [0, 1, 2].map((i) => linked.text(linked.target(linked.at("one") + 8 * i)));
  assertEquals(texts, ["cc", "aa", "c"]);
  assertEquals(linked.text(linked.at("distance") + linked.int32(linked.at("distance"))), "cc");
  assertEquals(linked.section(".rodata").size, 4 + 6, "bb is dropped");
});

Deno.test("code that reaches strings through their section keeps that section whole", () => {
  // The addend counts from the end of an instruction: here from 8 bytes behind the place.
  const writer = new ElfWriter();
  const strings = writer.section({
    name: ".rodata.str1.1",
    flags: STRINGS,
    bytes: ascii("aaa\0bbb\0ccc\0"),
    entrySize: 1,
  });
  const f = addFunction(writer, "f", new Uint8Array(16));
  writer.relocation(f, { offset: 2, symbol: writer.sectionSymbol(strings), type: 2, addend: 4 - 8 });
  const other = stringsObject("one", "bbb\0", [0]);
  const linked = link({ "a.o": writer.build(), "b.o": other });
  const at = linked.settled(linked.at("f") + 2) + 8;
  assertEquals(linked.text(at), "bbb");
  assertEquals(linked.text(at - 4), "aaa");
  assertEquals(linked.text(at + 4), "ccc");
});

Deno.test("strings in a section that is kept whole are not merged away under other symbols", () => {
  const writer = new ElfWriter();
  const strings = writer.section({
    name: ".rodata.str1.1",
    flags: STRINGS,
    bytes: ascii("aaa\0bbb\0"),
    entrySize: 1,
  });
  const inner = writer.symbol({ name: ".L1", section: strings, value: 4, binding: SymbolBinding.LOCAL });
  const data = addVariable(writer, "one", new Uint8Array(8));
  writer.relocation(data, { offset: 0, symbol: inner, type: 1 });
  const f = addFunction(writer, "f", new Uint8Array(8));
  writer.relocation(f, { offset: 0, symbol: writer.sectionSymbol(strings), type: 2, addend: -4 });
  const linked = link(writer.build());
  assertEquals(linked.text(linked.target(linked.at("one"))), "bbb");
  assertEquals(linked.text(linked.settled(linked.at("f")) + 4), "aaa");
  assertEquals(linked.section(".rodata").size, 8);
});

Deno.test("a string keeps the alignment that its place promised, merged or not", () => {
  const linked = link({
    "1.o": stringsObject("one", "x\0same\0", [0, 2]),
    "2.o": stringsObject("two", "same\0\0\0\0other\0", [0, 8], 8),
  });
  const same = linked.target(linked.at("two"));
  assertEquals(linked.target(linked.at("one") + 8), same);
  assertEquals(same % 8, 0);
  assertEquals(linked.target(linked.at("two") + 8) % 8, 0);
  assertEquals(linked.text(linked.target(linked.at("two") + 8)), "other");
});

Deno.test("wide strings end with a wide zero, and constants have one size", () => {
  const constants = (name: string, flags: number, entrySize: number, bytes: number[], values: number[]) => {
    const writer = new ElfWriter();
    const section = writer.section({
      name: ".rodata.x",
      flags,
      bytes: Uint8Array.from(bytes),
      entrySize,
      alignment: entrySize,
    });
    const data = addVariable(writer, name, new Uint8Array(8 * values.length));
    values.forEach((value, i) => {
      const symbol = writer.symbol({ name: `.L${i}`, section, value, binding: SymbolBinding.LOCAL });
      writer.relocation(data, { offset: 8 * i, symbol, type: 1 });
    });
    return writer.build();
  };
  const fixed = RODATA | SectionFlag.MERGE;
  const linked = link({
    // "A" "B" in 16-bit units, of which the high byte is 0
    "w.o": constants("wide", STRINGS, 2, [65, 0, 66, 0, 0, 0, 67, 0, 0, 0], [0, 6]),
    "1.o": constants("one", fixed, 4, [1, 2, 3, 4, 5, 6, 7, 8], [0, 4]),
    "2.o": constants("two", fixed, 4, [5, 6, 7, 8, 9, 9, 9, 9], [0]),
    "3.o": constants("three", fixed, 8, [1, 2, 3, 4, 5, 6, 7, 8], [0]),
  });
  const target = (name: string, i = 0) => linked.target(linked.at(name) + 8 * i);
  assertEquals(linked.bytesAt(target("wide"), 6), [65, 0, 66, 0, 0, 0]);
  assertEquals(linked.bytesAt(target("wide", 1), 4), [67, 0, 0, 0]);
  assertEquals(target("two"), target("one", 1));
  assertNotEquals(target("three"), target("one"), "constants of other sizes are not compared");
});

Deno.test("exported symbols in merged sections keep their bytes and are roots", () => {
  const writer = new ElfWriter();
  const strings = writer.section({
    name: ".rodata.str1.1",
    flags: STRINGS,
    bytes: ascii("no\0yes\0"),
    entrySize: 1,
  });
  writer.symbol({ name: "answer", section: strings, value: 3, size: 4 });
  const linked = link(writer.build());
  assertEquals(linked.text(linked.at("answer")), "yes");
});

Deno.test("sections that only claim to be mergeable are linked as they are", () => {
  const cases = [
    { flags: STRINGS, bytes: ascii("no end"), entrySize: 1 },
    { flags: STRINGS, bytes: ascii("odd\0"), entrySize: 3 },
    { flags: STRINGS, bytes: ascii("zero\0"), entrySize: 0 },
    { flags: STRINGS | DATA, bytes: ascii("writable\0"), entrySize: 1 },
  ];
  for (const options of cases) {
    const writer = new ElfWriter();
    const section = writer.section({ name: ".odd", ...options });
    writer.symbol({ name: "odd", section });
    const linked = link(writer.build());
    assertEquals(linked.bytesAt(linked.at("odd"), options.bytes.length), [...options.bytes]);
  }
});

Deno.test("the cost of equal strings is linear in their number", () => {
  const count = 20_000;
  const text = Array.from({ length: count }, (_, i) => `string ${i % 100}\0`).join("");
  const starts: number[] = [];
  for (let at = 0; at < text.length; at = text.indexOf("\0", at) + 1) starts.push(at);
  const linked = link(stringsObject("all", text, starts));
  assert(linked.section(".rodata").size < 100 * 12);
});

Deno.test("thread-local strings are not merged", () => {
  const writer = new ElfWriter();
  const strings = writer.section({
    name: ".rodata.str1.1",
    flags: STRINGS | SectionFlag.TLS,
    bytes: ascii("own\0own\0"),
    entrySize: 1,
  });
  const data = addVariable(writer, "one", new Uint8Array(8));
  writer.relocation(data, { offset: 0, symbol: writer.sectionSymbol(strings), type: 1 });
  assertLoadError(() => link(writer.build()), "Unsupported", { section: ".data.one" });
});
