// A section for each variable of an object whose compiler puts all of them into one.
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../../src/errors/load_error.ts";
import { parseObject } from "../../../src/link/elf/object.ts";
import { separateVariables, TINYCC_COMMENT } from "../../../src/link/elf/variable_sections.ts";
import { SectionType, SymbolBinding, SymbolKind } from "../../../src/os/elf.ts";
import { hexBytes } from "../../../src/smf/hex_bytes.ts";
import { addFunction, CODE, DATA, ElfWriter, link } from "../../support/objects.ts";
import { indexOf, relocationsOf } from "../../support/parsed_objects.ts";

const ADDRESS = 1, DISTANCE = 2;

interface Data {
  readonly writer: ElfWriter;
  readonly data: number;
  readonly variable: (name: string, value: number, size: number, section?: number) => number;
}

/** An object as TinyCC writes it: `.data` of 32 bytes, each its own offset, and `.bss` of 12. */
function object(fill: (data: Data & { readonly bss: number }) => void): Uint8Array {
  const writer = new ElfWriter();
  const bytes = Uint8Array.from({ length: 32 }, (_, at) => at + 1);
  const data = writer.section({ name: ".data", flags: DATA, bytes, alignment: 8 });
  const bss = writer.section({ name: ".bss", flags: DATA, size: 12, alignment: 8 });
  const variable = (name: string, value: number, size: number, section = data): number =>
    writer.symbol({
      ...{ name, section, value, size, kind: SymbolKind.OBJECT },
      binding: SymbolBinding.LOCAL,
    });
  fill({ writer, data, bss, variable });
  return writer.build();
}

/** The sections of variables that are not empty, by the names of their symbols: offset of each, and bytes. */
function variablesOf(bytes: Uint8Array): Record<string, unknown> {
  const elf = parseObject("a.o", bytes), { symbols } = elf;
  const found: [string, unknown][] = [];
  elf.sections.forEach(({ flags, size, offset, type }, index) => {
    if (flags !== DATA || size === 0) return;
    const names: string[] = [];
    for (let symbol = 1; symbol < symbols.length; symbol++) {
      if (symbols.section(symbol) === index) names.push(`${symbols.name(symbol)}+${symbols.value(symbol)}`);
    }
    const contents = type === SectionType.NOBITS ? size : hexBytes(bytes.subarray(offset, offset + size));
    found.push([names.join(), contents]);
  });
  return Object.fromEntries(found);
}

Deno.test("each variable gets its own section, with its bytes and relocations", () => {
  const bytes = separateVariables(
    "a.o",
    object(({ writer, data, bss, variable }) => {
      const a = variable("a", 0, 8);
      variable("b", 8, 4);
      variable("c", 12, 20);
      variable("d", 0, 4, bss);
      const e = variable("e", 4, 8, bss);
      writer.relocation(data, { offset: 24, symbol: e, type: ADDRESS, addend: 4 });
      writer.relocation(data, { offset: 0, symbol: a, type: ADDRESS });
      const code = addFunction(writer, "f", new Uint8Array(8));
      writer.relocation(code, { offset: 4, symbol: a, type: DISTANCE, addend: -4 });
    }),
  );
  assertEquals(variablesOf(bytes), {
    "a+0": "0102030405060708",
    "b+0": "090a0b0c",
    "c+0": "0d0e0f101112131415161718191a1b1c1d1e1f20",
    "d+0": 4,
    "e+0": 8,
  });
  const elf = parseObject("a.o", bytes);
  const relocations = elf.sections.map((section) =>
    relocationsOf(elf, section).map(({ place, symbol, addend }) => [place, elf.symbols.name(symbol), addend])
  ).filter(({ length }) => length > 0);
  assertEquals(relocations.toSorted((a, b) => a[0][1]! < b[0][1]! ? -1 : 1), [
    [[0, "a", 0n]],
    [[4, "a", -4n]],
    [[12, "e", 4n]],
  ]);
  const comment = elf.sections.find(({ name }) => name === ".comment")!;
  const text = new TextDecoder().decode(bytes.subarray(comment.offset, comment.offset + comment.size));
  assertEquals(text, `${TINYCC_COMMENT}\0`);
  assert(
    elf.sections.filter(({ size, flags }) => flags === DATA && size > 0).every(({ alignment }) =>
      alignment === 8
    ),
  );
});

Deno.test("names of one variable, and of its parts, stay together; zeros between variables are no matter", () => {
  const writer = new ElfWriter();
  const bytes = new Uint8Array(24).fill(1, 0, 8).fill(2, 16);
  const section = writer.section({ name: ".data", flags: DATA, bytes, alignment: 64 });
  for (
    const [name, value, size] of [["a", 0, 8], ["part", 4, 4], ["alias", 0, 8], ["b", 16, 8]] as const
  ) writer.symbol({ name, section, value, size, kind: SymbolKind.OBJECT });
  const split = separateVariables("a.o", writer.build());
  assertEquals(variablesOf(split), {
    "a+0,part+4,alias+0": "0101010101010101",
    "b+0": "0202020202020202",
  });
  const { sections } = parseObject("a.o", split);
  assertEquals(
    sections.filter(({ size, flags }) => flags === DATA && size > 0).map(({ alignment }) => alignment),
    [64, 16],
  );
});

Deno.test("texts are no variables, and a link keeps all values and addresses", () => {
  const build = (isSplit: boolean) => {
    const bytes = object(({ writer, data, variable }) => {
      variable("L.7", 8, 24);
      const text = variable("value", 0, 8);
      const code = addFunction(writer, "f", new Uint8Array(8));
      writer.relocation(code, { offset: 0, symbol: text, type: DISTANCE, addend: 3 });
      writer.relocation(data, { offset: 8, symbol: text, type: ADDRESS });
    });
    return isSplit ? separateVariables("a.o", bytes) : bytes;
  };
  const elf = parseObject("a.o", build(true));
  assertEquals(elf.symbols.kind(indexOf(elf, "L.7")), SymbolKind.NOTYPE);
  assertEquals(elf.symbols.kind(indexOf(elf, "value")), SymbolKind.OBJECT);
  const [plain, split] = [false, true].map((isSplit) => link(build(isSplit)));
  for (const linked of [plain, split]) {
    assertEquals(linked.bytesAt(linked.settled(linked.at("f")) - 3, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
  }
});

Deno.test("an object is left as it is if anything speaks against it", () => {
  const whole = (variable: Data["variable"]) => [variable("a", 0, 16), variable("b", 16, 16)];
  const cases: Record<string, (data: Data & { readonly bss: number }) => void> = {
    "a symbol of the section": ({ writer, data, bss, variable }) => {
      whole(variable);
      writer.sectionSymbol(data);
      writer.sectionSymbol(bss);
    },
    "a symbol without a size": ({ variable }) => (variable("a", 0, 32), variable("b", 16, 0)),
    "a symbol past the end": ({ variable }) => (variable("a", 0, 16), variable("b", 16, 17)),
    "bytes that no symbol names": ({ variable }) => variable("a", 0, 16),
    "a relocation that no symbol names": ({ writer, bss, variable }) => {
      writer.relocation(bss, { offset: 8, symbol: variable("d", 0, 4, bss), type: ADDRESS });
    },
    "no symbols of variables": ({ writer }) => addFunction(writer, "f", new Uint8Array(4)),
  };
  for (const [name, fill] of Object.entries(cases)) {
    const bytes = object(fill);
    assertStrictEquals(separateVariables("a.o", bytes), bytes, name);
  }
  const writer = new ElfWriter();
  writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(4) });
  const code = writer.build();
  assertStrictEquals(separateVariables("a.o", code), code);
  assertThrows(() => separateVariables("a.o", new TextEncoder().encode("MZ")), LoadError, "a.o");
});
