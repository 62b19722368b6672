import { assert, assertEquals } from "@std/assert";
import { scanRelocations } from "../../../src/image/relocation/scan.ts";
import { SmfBuilder } from "../../../src/smf/builder.ts";
import { Binding, RelocationType, SectionType, SymbolType } from "../../../src/smf/enums.ts";
import { parseSmf, type SmfFile } from "../../../src/smf/file.ts";
import { assertLoadError, randomFrom, stress } from "../../support/testing.ts";

const { None, Abs64, Pc32, Plt32, GotPcRel, Abs32, Pc64, Abs32Signed, TlsDescriptor } = RelocationType;

interface Wanted {
  offset: number;
  type: number;
  symbol?: string;
  addend?: bigint;
}

/**
 * A file with 64 bytes of code at 0 and 64 of data at 4096. Symbols are named by
 * what they are: own, ownData, function*, data*, any*, weak*.
 */
function fileWith(...relocations: Wanted[]): SmfFile {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(64) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(64) });
  const indices = new Map<string, number>();
  const indexOf = (name: string): number => {
    let index = indices.get(name);
    if (index !== undefined) return index;
    if (name === "own") index = builder.symbol({ name, type: SymbolType.Function });
    else if (name === "ownData") index = builder.symbol({ name, type: SymbolType.Data, value: 4096 });
    else {
      const type = name.startsWith("function")
        ? SymbolType.Function
        : name.startsWith("data")
        ? SymbolType.Data
        : SymbolType.None;
      const binding = name.startsWith("weak") ? Binding.Weak : Binding.Global;
      index = builder.symbol({ name, type, binding, defined: false });
    }
    indices.set(name, index);
    return index;
  };
  for (const { symbol = "own", ...rest } of relocations) {
    builder.relocation({ ...rest, symbol: indexOf(symbol) });
  }
  return parseSmf(builder.build());
}

/** The result of a scan, by name. */
function scan(...relocations: Wanted[]) {
  const file = fileWith(...relocations);
  const needs = scanRelocations(file);
  const names = (table: Int32Array): Record<string, number> =>
    Object.fromEntries(
      [...table].flatMap((slot, index) => slot === 0 ? [] : [[file.symbols.name(index), slot]]),
    );
  return {
    imports: needs.imports.map((index) => file.symbols.name(index)),
    got: names(needs.gotSlots),
    gotCount: needs.gotCount,
    firstUse: [...needs.firstUse],
    plt: names(needs.pltStubs),
    pltCount: needs.pltCount,
    isLow: needs.isLow,
  };
}

Deno.test("a file without relocations needs nothing", () => {
  assertEquals(scan(), {
    imports: [],
    got: {},
    gotCount: 0,
    firstUse: [],
    plt: {},
    pltCount: 0,
    isLow: false,
  });
});

Deno.test("a defined symbol is not an import and needs no stub", () => {
  const needs = scan(
    { offset: 0, type: Plt32 },
    { offset: 4, type: Pc32 },
    { offset: 8, type: Abs64 },
    { offset: 16, type: Pc32, symbol: "ownData" },
  );
  assertEquals(needs, {
    imports: [],
    got: {},
    gotCount: 0,
    firstUse: [],
    plt: {},
    pltCount: 0,
    isLow: false,
  });
});

Deno.test("an image is low if it holds an address of its own in 32 bits, whatever came before", () => {
  for (const type of [Abs32, Abs32Signed]) {
    assertEquals(scan({ offset: 0, type, symbol: "own" }).isLow, true);
    assertEquals(
      scan({ offset: 0, type: Abs64, symbol: "ownData" }, { offset: 8, type, symbol: "ownData" }).isLow,
      true,
    );
    assertEquals(scan({ offset: 0, type, symbol: "data" }, { offset: 8, type, symbol: "weak" }).isLow, false);
    assertEquals(
      scan({ offset: 0, type, symbol: "data" }, { offset: 8, type, symbol: "own" }).isLow,
      true,
    );
  }
  const others = [Abs64, Pc32, Plt32, GotPcRel, Pc64];
  assertEquals(
    scan(...others.map((type, index) => ({ offset: 8 * index, type, symbol: "own" }))).isLow,
    false,
  );
});

Deno.test("imports are listed once each, in the order of their first use", () => {
  const needs = scan(
    { offset: 0, type: Abs64, symbol: "b" },
    { offset: 8, type: Abs64, symbol: "a" },
    { offset: 16, type: Pc32, symbol: "b" },
    { offset: 20, type: Abs32, symbol: "c" },
    { offset: 24, type: Pc64, symbol: "a" },
    { offset: 32, type: Abs32Signed, symbol: "weak" },
  );
  assertEquals(needs.imports, ["b", "a", "c", "weak"]);
  assertEquals([needs.gotCount, needs.pltCount], [0, 0]);
});

Deno.test("an undefined symbol that no relocation refers to is not an import", () => {
  assertEquals(scan({ offset: 0, type: None, symbol: "unused" }).imports, []);
});

Deno.test("a symbol has one GOT slot, however often it is used, whether it is defined or imported", () => {
  const needs = scan(
    { offset: 0, type: GotPcRel, symbol: "data" },
    { offset: 4, type: GotPcRel },
    { offset: 8, type: GotPcRel, symbol: "data" },
    { offset: 12, type: GotPcRel, symbol: "ownData" },
    { offset: 16, type: GotPcRel },
  );
  assertEquals(needs.got, { data: 1, own: 2, ownData: 3 });
  assertEquals(needs.gotCount, 3);
  assertEquals(needs.firstUse, [0, 1, 3]);
  assertEquals(needs.pltCount, 0);
});

Deno.test("an imported function that is called may need a stub, which needs a GOT slot", () => {
  const needs = scan(
    { offset: 0, type: Plt32, symbol: "function" },
    { offset: 4, type: Plt32, symbol: "function" },
    { offset: 8, type: GotPcRel, symbol: "function" },
    { offset: 12, type: Pc32, symbol: "function2" },
  );
  assertEquals(needs.plt, { function: 1, function2: 2 });
  assertEquals(needs.got, { function: 1, function2: 2 });
  assertEquals([needs.gotCount, needs.pltCount], [2, 2]);
});

Deno.test("a stub uses a slot that exists already", () => {
  const needs = scan(
    { offset: 0, type: GotPcRel, symbol: "data" },
    { offset: 4, type: GotPcRel, symbol: "function" },
    { offset: 8, type: Plt32, symbol: "function" },
  );
  assertEquals(needs.got, { data: 1, function: 2 });
  assertEquals(needs.plt, { function: 1 });
  assertEquals(needs.firstUse, [0, 1]);
});

Deno.test("Plt32 is a call whatever the symbol's type; Pc32 is one only to a function", () => {
  const needs = scan(
    { offset: 0, type: Plt32, symbol: "any1" },
    { offset: 4, type: Plt32, symbol: "data1" },
    { offset: 8, type: Pc32, symbol: "any2" },
    { offset: 12, type: Pc32, symbol: "data2" },
    { offset: 16, type: Pc32, symbol: "function" },
  );
  assertEquals(Object.keys(needs.plt), ["any1", "data1", "function"]);
});

Deno.test("the first use of a symbol takes nothing from later uses", () => {
  const needs = scan(
    { offset: 0, type: Abs64, symbol: "function" },
    { offset: 8, type: Pc32, symbol: "data" },
    { offset: 12, type: Plt32, symbol: "data" },
    { offset: 16, type: Plt32, symbol: "function" },
    { offset: 20, type: Pc32, symbol: "any" },
    { offset: 24, type: GotPcRel, symbol: "any" },
    { offset: 28, type: Plt32, symbol: "any" },
    { offset: 32, type: Abs64 },
    { offset: 40, type: Plt32 },
    { offset: 44, type: GotPcRel },
    { offset: 48, type: TlsDescriptor, symbol: "weak" },
  );
  assertEquals(needs.imports, ["function", "data", "any", "weak"]);
  assertEquals(needs.plt, { data: 1, function: 2, any: 3 });
  assertEquals(needs.got, { data: 1, function: 2, any: 3, own: 4 });
  assertEquals(needs.firstUse, [2, 3, 5, 9]);
});

Deno.test("every relocation of a thread-local variable or an ifunc is listed", () => {
  const { Indirect64, TlsOffset64 } = RelocationType;
  const needs = scanRelocations(fileWith(
    { offset: 0, type: TlsOffset64, symbol: "any" },
    { offset: 8, type: TlsOffset64, symbol: "any" },
    { offset: 16, type: Indirect64 },
    { offset: 24, type: Indirect64 },
  ));
  assertEquals([needs.threadLocal, needs.ifuncs], [[0, 1], [2, 3]]);
});

Deno.test("every wrong relocation is reported, unknown types first", () => {
  const file = fileWith(
    { offset: 8, type: Abs64 },
    { offset: 12, type: 77 },
    { offset: 4, type: Abs64 },
    { offset: 16, type: 78 },
  );
  const problems: (number | bigint | undefined)[] = [];
  scanRelocations(file, ({ data }) => problems.push(data.offset));
  assertEquals(problems, [12, 16, 8]);
});

Deno.test("sections in any order, and places in no order at all, overlap only where they do", () => {
  const each = (start: number, count: number, step = 8): Wanted[] =>
    Array.from({ length: count }, (_, index) => ({ offset: start + step * index, type: Abs64 }));
  const apart = [each(4096, 50), each(0, 100), each(20_000, 1), each(800, 7), [{ offset: 2, type: None }]];
  scan(...apart.flat());
  scan(...apart.toReversed().flat());
  // One lies in a gap of another.
  scan(...each(0, 10, 16), ...each(8, 10, 16));
  scan(...each(0, 400).reverse());
  for (const offset of [1, 7, 799, 807, 855, 4095, 4097, 4495, 19_993, 20_007]) {
    for (
      const list of [apart.flat(), each(0, 400).reverse(), [...each(800, 7), ...each(4096, 2000)].reverse()]
    ) {
      const isHit = list.some((other) => other.type !== None && Math.abs(other.offset - offset) < 8);
      for (const order of [[...list, { offset, type: Abs64 }], [{ offset, type: Abs64 }, ...list]]) {
        if (!isHit) scan(...order);
        else assertLoadError(() => scan(...order), "RelocationFailed");
      }
    }
  }
});

Deno.test("overlaps are found wherever they are, beyond 2³¹ and 2³² too", () => {
  for (
    const start of [2 ** 30 - 16, 2 ** 30 - 8, 2 ** 30, 2 ** 31 - 8, 2 ** 31, 2 ** 32 - 8, 2 ** 32, 2 ** 52]
  ) {
    const at = (distance: number) => ({ offset: start + distance, type: Abs64 });
    scan(at(0), at(8), at(16));
    scan(at(8), at(0), { offset: 0, type: Abs64 });
    for (const order of [[0, 7], [7, 0], [0, 16, 8, 15]]) {
      const error = assertLoadError(() => scan(...order.map(at)), "RelocationFailed");
      assert(error.message.includes("overlaps"), error.message);
      assert(error.hint.includes("its writer has a bug"), error.hint);
    }
  }
});

Deno.test("relocation types that are unknown on this processor are refused by number, with a hint", () => {
  for (const type of [6, 7, 8, 9, 10, 31, 34, 128, 255]) {
    const file = fileWith({ offset: 0, type: Abs64 }, { offset: 8, type, symbol: "elsewhere" });
    const error = assertLoadError(() => scanRelocations(file), "RelocationFailed", {
      section: ".reloc",
      symbol: "elsewhere",
      offset: 8,
      value: type,
    });
    assert(error.message.includes(`type ${type} is unknown on X86_64`), error.message);
    assert(error.hint.includes("another code model or smf link may avoid it"), error.hint);
  }
});

Deno.test("every known type is accepted", () => {
  let offset = 0;
  const all = [None, Abs64, Pc32, Plt32, GotPcRel, Abs32, Pc64, Abs32Signed].map((type) => {
    const wanted = { offset, type };
    offset += 8;
    return wanted;
  });
  scan(...all);
});

Deno.test("relocations that touch but share no byte are accepted in any order", () => {
  const list: Wanted[] = [
    { offset: 0, type: Abs64 },
    { offset: 8, type: Pc32 },
    { offset: 12, type: Abs32 },
    { offset: 16, type: Pc64 },
    { offset: 24, type: GotPcRel },
  ];
  scan(...list);
  scan(...list.toReversed());
  scan(list[2], list[0], list[4], list[3], list[1]);
});

Deno.test("two relocations that share a byte are refused, whichever comes first", () => {
  const pairs: [left: Wanted, right: Wanted][] = [
    [{ offset: 8, type: Abs64 }, { offset: 8, type: Abs64 }],
    [{ offset: 8, type: Abs64 }, { offset: 15, type: Pc32 }],
    [{ offset: 8, type: Pc32 }, { offset: 11, type: GotPcRel }],
    [{ offset: 8, type: Pc64 }, { offset: 12, type: Abs32Signed }],
  ];
  for (const [left, right] of pairs) {
    const between = { offset: 32, type: Abs64 };
    for (const order of [[left, right], [right, left], [left, between, right], [right, between, left]]) {
      const error = assertLoadError(() => scanRelocations(fileWith(...order)), "RelocationFailed", {
        section: ".reloc",
        symbol: "own",
      });
      assert([left.offset, right.offset].includes(error.data.offset!), error.message);
      assert(error.message.includes("overlaps"), error.message);
      assert(error.hint.includes("its writer has a bug"), error.hint);
    }
  }
});

Deno.test("None has no bytes, so it overlaps nothing", () => {
  scan(
    { offset: 0, type: Abs64 },
    { offset: 4, type: None },
    { offset: 4, type: None },
    { offset: 8, type: Abs64 },
    { offset: 2, type: None },
  );
});

Deno.test("overlaps are found among many relocations in any order", () => {
  const random = randomFrom(29);
  for (let round = 0; round < stress(2000); round++) {
    const list: Wanted[] = [];
    const used = new Map<number, number>();
    let overlap = false;
    for (let count = random() % 8; count > 0; count--) {
      const [type, width] = ([[Abs64, 8], [Pc32, 4], [None, 0], [TlsDescriptor, 16]] as const)[random() % 4];
      const offset = random() % 64;
      list.push({ offset, type });
      for (let byte = offset; byte < offset + width; byte++) {
        if (used.has(byte)) overlap = true;
        used.set(byte, count);
      }
    }
    const file = fileWith(...list);
    if (overlap) assertLoadError(() => scanRelocations(file), "RelocationFailed");
    else scanRelocations(file);
  }
});
