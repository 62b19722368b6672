// The relocator is pure bytes, so these run on every system, on addresses that are not mapped.
import { assert, assertEquals } from "@std/assert";
import type { LoadError } from "../../../src/errors/load_error.ts";
import { PLT_STUB_SIZE } from "../../../src/image/arrange.ts";
import { ImagePlan } from "../../../src/image/plan.ts";
import { relocate } from "../../../src/image/relocation/relocate.ts";
import { scanRelocations } from "../../../src/image/relocation/scan.ts";
import { SmfBuilder } from "../../../src/smf/builder.ts";
import { Binding, RelocationType, SectionType, SymbolType } from "../../../src/smf/enums.ts";
import { parseSmf, type SmfFile } from "../../../src/smf/file.ts";
import {
  assertLoadError,
  displacementAt,
  patched,
  randomFrom,
  stress,
  wordAt,
} from "../../support/testing.ts";

const { None, Abs64, Pc32, Plt32, GotPcRel, Abs32, Pc64, Abs32Signed } = RelocationType;
const TWO_31 = 1n << 31n;
const TWO_32 = 1n << 32n;
const TWO_63 = 1n << 63n;
const TWO_64 = 1n << 64n;

// The file's own image: code 0..64, constants 4096..4160, variables 8192..8256,
// zeroed 12288..12352. In the range, on pages of 4096, zeroed follows variables.
const BASE = 0x7f12_3456_7000n;
const PLACES: Record<number, number> = { 0: 0, 4096: 4096, 8192: 8192, 12288: 8192 + 64 };
const FILL = 0xa5;

interface Wanted {
  offset: number;
  type: number;
  /** A name in {@linkcode SYMBOLS}, or that of an import. */
  symbol?: string;
  addend?: bigint | number;
}

const SYMBOLS: Record<string, { type: number; value: number }> = {
  start: { type: SymbolType.Function, value: 0 },
  inner: { type: SymbolType.Function, value: 20 },
  constant: { type: SymbolType.Constant, value: 4096 + 12 },
  variable: { type: SymbolType.Data, value: 8192 + 24 },
  zeroed: { type: SymbolType.Data, value: 12288 + 36 },
  codeEnd: { type: SymbolType.None, value: 64 },
};

/** The types of imports by the first letters of their names. */
const IMPORT_TYPES: Record<string, number> = { f: SymbolType.Function, d: SymbolType.Data };

function fileWith(relocations: readonly Wanted[]): SmfFile {
  const builder = new SmfBuilder();
  const bytes = new Uint8Array(64).fill(FILL);
  builder.section({ name: "code", type: SectionType.Code, bytes });
  builder.section({ name: "rodata", type: SectionType.RoData, bytes });
  builder.section({ name: "data", type: SectionType.Data, bytes });
  builder.section({ name: "bss", type: SectionType.Bss, virtualSize: 64 });
  const indices = new Map<string, number>();
  for (const { symbol = "start" } of relocations) {
    if (indices.has(symbol)) continue;
    const own = SYMBOLS[symbol];
    const index = own !== undefined ? builder.symbol({ name: symbol, ...own }) : builder.symbol({
      name: symbol,
      type: IMPORT_TYPES[symbol[0]] ?? SymbolType.None,
      binding: symbol.startsWith("weak") ? Binding.Weak : Binding.Global,
      defined: false,
    });
    indices.set(symbol, index);
  }
  for (const { symbol = "start", ...rest } of relocations) {
    builder.relocation({ ...rest, symbol: indices.get(symbol)! });
  }
  return parseSmf(builder.build());
}

interface Linked {
  image: Uint8Array;
  /** Every address that is not in a GOT or PLT is the same as before. */
  plan: ImagePlan;
  base: bigint;
}

/** Links with imports at given addresses; bytes outside the relocations must not change. */
function link(
  relocations: readonly Wanted[],
  imports: Readonly<Record<string, bigint>> = {},
  base = BASE,
): Linked {
  const file = fileWith(relocations);
  const needs = scanRelocations(file);
  const plan = new ImagePlan(file.sections, 4096, { got: needs.gotCount, plt: needs.pltCount });
  const image = new Uint8Array(plan.size).fill(FILL);
  const addresses = BigUint64Array.from(needs.imports, (index) => imports[file.symbols.name(index)]);
  relocate(image, file, plan, needs, { base, imports: addresses });
  return { image, plan, base };
}

/** The offset in the range of an offset in the file's image, calculated without the code under test. */
function placeOf(offset: number): number {
  const group = offset < 4096 ? 0 : offset < 8192 ? 4096 : offset < 12288 ? 8192 : 12288;
  return PLACES[group] + (offset - group);
}

/** S, calculated without the code under test. */
function addressOf(symbol: string, imports: Readonly<Record<string, bigint>>, base = BASE): bigint {
  const own = SYMBOLS[symbol];
  return own === undefined ? imports[symbol] : base + BigInt(placeOf(own.value));
}

const signed = (value: bigint) => BigInt.asIntN(64, value);
const unsigned = (value: bigint) => BigInt.asUintN(64, value);

/** Little-endian bytes of a number. */
function littleEndian(value: bigint, width: number): number[] {
  return Array.from({ length: width }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));
}

/** Links one relocation and compares the whole image with the expected one. */
function assertPatches(
  wanted: Wanted,
  value: bigint,
  width: number,
  imports: Readonly<Record<string, bigint>> = {},
  base = BASE,
): void {
  const { image, plan } = link([wanted], imports, base);
  const expected = new Uint8Array(plan.size).fill(FILL);
  expected.set(littleEndian(value, width), placeOf(wanted.offset));
  // GOT and PLT have tests of their own.
  const ignore = (bytes: Uint8Array) => {
    const copy = bytes.slice();
    copy.fill(0, plan.got, plan.got + 8 * plan.slots.got);
    copy.fill(0, plan.plt, plan.plt + PLT_STUB_SIZE * plan.slots.plt);
    return copy;
  };
  assertEquals(ignore(image), ignore(expected));
}

Deno.test("None changes nothing", () => {
  assertPatches({ offset: 8, type: None, addend: 77n }, 0n, 0);
  // A relocation without bytes cannot lie outside the image.
  link([{ offset: 2 ** 50, type: None }]);
});

Deno.test("Abs64 is S + A", () => {
  assertPatches({ offset: 8, type: Abs64, symbol: "inner" }, BASE + 20n, 8);
  assertPatches({ offset: 9, type: Abs64, symbol: "variable", addend: 5 }, BASE + 8192n + 24n + 5n, 8);
  assertPatches({ offset: 8, type: Abs64, symbol: "any", addend: -1 }, 0x1233n, 8, { any: 0x1234n });
});

Deno.test("Pc32 and Plt32 are S + A − P", () => {
  for (const type of [Pc32, Plt32]) {
    assertPatches({ offset: 8, type, symbol: "inner", addend: -4 }, 20n - 4n - 8n, 4);
    assertPatches({ offset: 40, type, symbol: "start", addend: -4 }, 0n - 4n - 40n, 4);
    assertPatches({ offset: 0, type, symbol: "zeroed", addend: 3 }, 8192n + 64n + 36n + 3n, 4);
    assertPatches({ offset: 8192, type, symbol: "start" }, -8192n, 4);
    assertPatches({ offset: 8, type, symbol: "f" }, 0x1000n - 8n, 4, { f: BASE + 0x1000n });
  }
});

Deno.test("Pc64 is S + A − P", () => {
  assertPatches({ offset: 8, type: Pc64, symbol: "variable", addend: -9 }, 8192n + 24n - 9n - 8n, 8);
  assertPatches({ offset: 8192, type: Pc64, symbol: "start" }, -8192n, 8);
  assertPatches({ offset: 0, type: Pc64, symbol: "any" }, unsigned(5n - BASE), 8, { any: 5n });
});

Deno.test("Abs32 and Abs32Signed are S + A in four bytes", () => {
  assertPatches({ offset: 8, type: Abs32, symbol: "any", addend: 1 }, 0x1235n, 4, { any: 0x1234n });
  assertPatches({ offset: 8, type: Abs32Signed, symbol: "any", addend: -1 }, -1n, 4, { any: 0n });
  assertPatches({ offset: 8, type: Abs32, symbol: "inner" }, 0x1_0014n, 4, {}, 0x1_0000n);
});

Deno.test("relocations patch constants, variables and zeroed data as well as code", () => {
  for (const offset of [0, 56, 4096, 4152, 8192, 8248, 12288, 12344]) {
    assertPatches({ offset, type: Abs64, symbol: "constant", addend: 2 }, BASE + 4096n + 12n + 2n, 8);
  }
});

Deno.test("places need no alignment", () => {
  for (const offset of [1, 3, 4099, 8197, 12291]) {
    assertPatches({ offset, type: Abs64, symbol: "start" }, BASE, 8);
    assertPatches({ offset, type: Pc32, symbol: "start" }, -BigInt(placeOf(offset)), 4);
  }
});

Deno.test("the old bytes of the place are ignored", () => {
  // Filled with 0xa5 before; the addend is in the relocation.
  const { image } = link([{ offset: 0, type: Abs64, symbol: "any" }], { any: 0n });
  assertEquals(wordAt(image, 0), 0n);
});

Deno.test("addends of both signs and any size are added modulo 2⁶⁴", () => {
  const addends = [0n, 1n, -1n, TWO_31, -TWO_31, TWO_32, -TWO_32, TWO_32 - 1n, TWO_63 - 1n, -TWO_63];
  const addresses = [0n, 1n, TWO_31, TWO_32 - 1n, TWO_32, TWO_63 - 1n, TWO_63, TWO_64 - 1n];
  for (const addend of addends) {
    for (const any of addresses) {
      const relocation = { symbol: "any", addend };
      assertPatches({ ...relocation, offset: 8, type: Abs64 }, unsigned(any + addend), 8, { any });
      const difference = unsigned(any + addend - (BASE + 8n));
      assertPatches({ ...relocation, offset: 8, type: Pc64 }, difference, 8, { any });
    }
  }
});

Deno.test("a distance is measured around the end of the address space", () => {
  const base = unsigned(-0x3000n); // the range ends with the address space
  assertPatches({ offset: 8, type: Pc32, symbol: "any" }, 0x3000n + 16n - 8n, 4, { any: 16n }, base);
  assertPatches({ offset: 8, type: Pc32, symbol: "any" }, -24n, 4, { any: unsigned(-16n) }, 0n);
  // S − P is 2⁶³, which only the addend brings back.
  const any = unsigned(BASE + 8n + TWO_63);
  assertPatches({ offset: 8, type: Pc32, symbol: "any", addend: -TWO_63 }, 0n, 4, { any });
});

/** The ranges of S + A − P and of S + A by type. */
const RANGES: [type: number, name: string, first: bigint, limit: bigint, relative: boolean][] = [
  [Pc32, "Pc32", -TWO_31, TWO_31, true],
  [Plt32, "Plt32", -TWO_31, TWO_31, true],
  [Abs32, "Abs32", 0n, TWO_32, false],
  [Abs32Signed, "Abs32Signed", -TWO_31, TWO_31, false],
];

for (const [type, name, first, limit, relative] of RANGES) {
  for (const symbol of ["any", "d", "f", "variable", "zeroed"]) {
    Deno.test(`${name} to ${symbol} takes the last value that fits and refuses the next, at both ends`, () => {
      const imports = { any: 0x1234_5678_9abcn, d: 3n, f: unsigned(-5n) };
      const offset = 8192 + 12;
      const origin = addressOf(symbol, imports) - (relative ? BASE + BigInt(placeOf(offset)) : 0n);
      const by = (value: bigint): Wanted => ({ offset, type, symbol, addend: signed(value - origin) });
      assertPatches(by(first), first, 4, imports);
      assertPatches(by(limit - 1n), limit - 1n, 4, imports);
      assertPatches(by(0n), 0n, 4, imports);
      for (const value of [first - 1n, limit, TWO_63 - 1n, -TWO_63, TWO_32 + 5n, -TWO_32 - 5n]) {
        const error = assertLoadError(() => link([by(value)], imports), "RelocationFailed", {
          section: ".reloc",
          symbol,
          offset,
          value,
          range: [first, limit],
        });
        assert(error.message.includes(name), error.message);
        assert(error.hint.startsWith("compile with -fPIC"), error.hint);
      }
    });
  }
}

Deno.test("GotPcRel takes the last value that fits and refuses the next, at both ends", () => {
  const offset = 12;
  const symbol = "variable";
  const got = BASE + 4096n + 64n; // behind the constants
  const distance = got - (BASE + 12n);
  const by = (value: bigint): Wanted => ({ offset, type: GotPcRel, symbol, addend: value - distance });
  assertPatches(by(-TWO_31), -TWO_31, 4);
  assertPatches(by(TWO_31 - 1n), TWO_31 - 1n, 4);
  for (const value of [-TWO_31 - 1n, TWO_31]) {
    assertLoadError(() => link([by(value)]), "RelocationFailed", {
      symbol,
      offset,
      value,
      range: [-TWO_31, TWO_31],
    });
  }
});

Deno.test("Abs64 and Pc64 always fit", () => {
  for (const addend of [TWO_63 - 1n, -TWO_63]) {
    for (const type of [Abs64, Pc64]) link([{ offset: 0, type, addend }]);
  }
});

Deno.test("a GOT slot holds S of defined and imported symbols", () => {
  const imports = { any: 0xfedc_ba98_7654_3210n, weak: 0n };
  for (const symbol of ["inner", "constant", "variable", "zeroed", "any", "weak"]) {
    const { image, plan } = link([{ offset: 8, type: GotPcRel, symbol, addend: -4 }], imports);
    assertEquals(plan.got, 4096 + 64);
    assertEquals(displacementAt(image, 8), BigInt(plan.got) - 4n - 8n);
    assertEquals(wordAt(image, plan.got), addressOf(symbol, imports));
  }
});

Deno.test("relocations of one symbol share its GOT slot, others have their own", () => {
  const { image } = link([
    { offset: 0, type: GotPcRel, symbol: "inner" },
    { offset: 8, type: GotPcRel, symbol: "any" },
    { offset: 16, type: GotPcRel, symbol: "inner" },
    { offset: 24, type: GotPcRel, symbol: "any", addend: 2 },
  ], { any: 99n });
  const slot = (offset: number) => displacementAt(image, offset) + BigInt(offset);
  assertEquals(slot(0), slot(16));
  assertEquals(slot(8), slot(24) - 2n);
  assertEquals(Math.abs(Number(slot(0) - slot(8))), 8);
  assertEquals([wordAt(image, Number(slot(0))), wordAt(image, Number(slot(8)))], [BASE + 20n, 99n]);
});

/** Far from {@linkcode BASE}, where no displacement reaches. */
const FAR = 0x1234_5678_9abcn;

/** The bytes of a stub that jumps through a slot, by the processor's manual: FF /4 with a RIP-relative operand. */
function stubBytes(stub: number, slot: number): Uint8Array {
  return new Uint8Array([0xff, 0x25, ...littleEndian(BigInt(slot - (stub + 6)), 4), ...Array(10).fill(0xcc)]);
}

Deno.test("a call out of reach goes through a stub, which jumps through the GOT", () => {
  for (const [type, symbol] of [[Plt32, "any"], [Plt32, "f"], [Plt32, "d"], [Pc32, "f"]] as const) {
    for (const target of [FAR, unsigned(-FAR), 0n]) {
      const { image, plan } = link([{ offset: 8, type, symbol, addend: -4 }], { [symbol]: target });
      assertEquals(plan.plt, 64);
      assertEquals(displacementAt(image, 8), 64n - 4n - 8n);
      assertEquals(image.slice(64, 80), stubBytes(64, plan.got));
      assertEquals(wordAt(image, plan.got), target);
    }
  }
});

Deno.test("a call within reach goes there directly, up to the last byte", () => {
  const place = BASE + 8n;
  for (const type of [Plt32, Pc32]) {
    for (const distance of [-TWO_31, TWO_31 - 1n, 0n]) {
      const f = place + 4n + distance;
      assertPatches({ offset: 8, type, symbol: "f", addend: -4 }, distance, 4, { f });
    }
    for (const distance of [-TWO_31 - 1n, TWO_31]) {
      const f = place + 4n + distance;
      assertPatches({ offset: 8, type, symbol: "f", addend: -4 }, 64n - 4n - 8n, 4, { f });
    }
  }
});

Deno.test("only a call goes through a stub: another addend means another place than the function's start", () => {
  for (const addend of [0n, -5n, -3n, 4n, -4n - TWO_32, TWO_32 - 4n]) {
    for (const [type, symbol] of [[Plt32, "any"], [Pc32, "f"]] as const) {
      assertLoadError(
        () => link([{ offset: 8, type, symbol, addend }], { [symbol]: FAR }),
        "RelocationFailed",
        { symbol, offset: 8, value: signed(FAR + addend - (BASE + 8n)) },
      );
    }
  }
});

Deno.test("data out of reach gets no stub, which would be code in its place", () => {
  for (const symbol of ["d", "any"]) {
    assertLoadError(
      () => link([{ offset: 8, type: Pc32, symbol, addend: -4 }], { [symbol]: FAR }),
      "RelocationFailed",
      { symbol, value: FAR - 4n - (BASE + 8n), range: [-TWO_31, TWO_31] },
    );
    // Not even if there is a stub, because another relocation calls the symbol.
    const call = { offset: 0, type: Plt32, symbol, addend: -4 };
    assertLoadError(
      () => link([call, { offset: 8, type: Pc32, symbol, addend: -4 }], { [symbol]: FAR }),
      "RelocationFailed",
      { symbol, offset: 8, value: FAR - 4n - (BASE + 8n) },
    );
  }
});

Deno.test("calls of one function share its stub, and its GOT slot with other uses", () => {
  const { image, plan } = link([
    { offset: 0, type: Plt32, symbol: "f", addend: -4 },
    { offset: 8, type: Pc32, symbol: "f", addend: -4 },
    { offset: 16, type: GotPcRel, symbol: "f", addend: -4 },
    { offset: 24, type: Plt32, symbol: "f2", addend: -4 },
  ], { f: FAR, f2: FAR + 16n });
  assertEquals(plan.slots, { got: 2, plt: 2 });
  const target = (offset: number) => Number(displacementAt(image, offset)) + offset + 4;
  assertEquals(target(0), target(8));
  assertEquals(target(24), target(0) + PLT_STUB_SIZE);
  assertEquals(image.slice(target(0), target(0) + 16), stubBytes(target(0), target(16)));
  assertEquals(wordAt(image, target(16)), FAR);
  assertEquals(wordAt(image, target(24) + 6 + Number(displacementAt(image, target(24) + 2))), FAR + 16n);
});

Deno.test("a place outside the image or across the end of a group is refused", () => {
  const outside: [offset: number, type: number][] = [
    [57, Abs64],
    [61, Pc32],
    [64, Abs32],
    [4095, Abs32],
    [4093, Pc32],
    [4153, Pc64],
    [8256, Abs64],
    [12345, Abs64],
    [12352, Pc32],
    [2 ** 32, Abs64],
    [2 ** 53 - 8, Abs64],
  ];
  for (const [offset, type] of outside) {
    assertLoadError(() => link([{ offset, type }]), "RelocationFailed", {
      section: ".reloc",
      symbol: "start",
      offset,
    });
  }
});

Deno.test("a symbol that has no address cannot be relocated to", () => {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(64) });
  const symbol = builder.symbol({ name: "Point", type: SymbolType.Type, value: 1 << 20 });
  for (const type of [Abs64, GotPcRel]) {
    const other = SmfBuilder.from(parseSmf(builder.build()));
    other.relocation({ offset: 8, symbol, type });
    const file = parseSmf(other.build());
    const needs = scanRelocations(file);
    const plan = new ImagePlan(file.sections, 4096, { got: needs.gotCount, plt: 0 });
    const addresses = { base: BASE, imports: new BigUint64Array(0) };
    assertLoadError(
      () => relocate(new Uint8Array(plan.size), file, plan, needs, addresses),
      "RelocationFailed",
      { symbol: "Point", offset: 8 },
    );
  }
});

Deno.test("the image may be a part of a larger buffer", () => {
  const file = fileWith([{ offset: 8, type: Abs64, symbol: "inner" }]);
  const needs = scanRelocations(file);
  const plan = new ImagePlan(file.sections, 4096, { got: 0, plt: 0 });
  const buffer = new Uint8Array(plan.size + 32);
  const addresses = { base: BASE, imports: new BigUint64Array(0) };
  relocate(buffer.subarray(16, 16 + plan.size), file, plan, needs, addresses);
  assertEquals(wordAt(buffer, 16 + 8), BASE + 20n);
});

Deno.test("the type is one byte: garbage in the padding behind it is ignored", () => {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  const symbol = builder.symbol({ name: "start", type: SymbolType.Function });
  builder.relocation({ offset: 0, symbol, type: Abs64 });
  const bytes = builder.build();
  const { offset } = parseSmf(bytes).sections[1];
  const garbage = patched(bytes, [offset + 13, 2, 0xbeef], [offset + 15, 1, 0xff], [64, 8, 0]);
  const file = parseSmf(garbage);
  const plan = new ImagePlan(file.sections, 4096, { got: 0, plt: 0 });
  const image = new Uint8Array(plan.size);
  const addresses = { base: BASE, imports: new BigUint64Array(0) };
  relocate(image, file, plan, scanRelocations(file), addresses);
  assertEquals(wordAt(image, 0), BASE);
});

Deno.test("defined symbols of every group, addends of any size, bases whose low half carries", () => {
  const addends = [
    0n,
    -1n,
    TWO_31 - 1n,
    TWO_31,
    -TWO_31,
    -TWO_31 - 1n,
    TWO_32,
    -TWO_32,
    TWO_63 - 1n,
    -TWO_63,
  ];
  const bases = [BASE, 0n, 0x7000_0000n, 0x7fff_f000n, 0xffff_d000n, 0x7f00_ffff_e000n, unsigned(-0x3000n)];
  for (const base of bases) {
    for (const symbol of Object.keys(SYMBOLS)) {
      const S = addressOf(symbol, {}, base);
      for (const addend of addends) {
        // Aligned and unaligned places, in front of the symbol and behind it.
        for (const offset of [0, 13, 8192 + 5, 12288 + 56]) {
          const P = base + BigInt(placeOf(offset));
          assertPatches({ offset, type: Abs64, symbol, addend }, unsigned(S + addend), 8, {}, base);
          assertPatches({ offset, type: Pc64, symbol, addend }, unsigned(S + addend - P), 8, {}, base);
        }
      }
    }
  }
});

Deno.test("a place at the range's start is subtracted too", () => {
  // Only here the high half of -P is zero.
  assertPatches({ offset: 0, type: Pc64, symbol: "start", addend: TWO_32 }, TWO_32, 8);
  assertPatches({ offset: 0, type: Pc32, symbol: "start", addend: -1 }, -1n, 4);
});

Deno.test("the loop resumes behind a relocation that has left it", () => {
  const imports = { f: FAR, any: 5n };
  const { image, plan } = link([
    { offset: 0, type: Plt32, symbol: "f", addend: -4 },
    { offset: 8, type: Abs64, symbol: "any", addend: 1 },
    { offset: 16, type: Plt32, symbol: "f", addend: -4 },
    { offset: 24, type: Pc32, symbol: "inner", addend: -4 },
    { offset: 4096, type: Pc64, symbol: "any" },
    { offset: 12288, type: Abs64, symbol: "zeroed" },
    { offset: 32, type: GotPcRel, symbol: "inner" },
  ], imports);
  assertEquals(displacementAt(image, 0), BigInt(plan.plt) - 4n);
  assertEquals(wordAt(image, 8), 6n);
  assertEquals(displacementAt(image, 16), BigInt(plan.plt) - 4n - 16n);
  assertEquals(displacementAt(image, 24), 20n - 4n - 24n);
  assertEquals(wordAt(image, 4096), unsigned(5n - (BASE + 4096n)));
  assertEquals(wordAt(image, placeOf(12288)), BASE + BigInt(placeOf(12288 + 36)));
  assertEquals(displacementAt(image, 32), BigInt(plan.got + 8) - 32n);
});

Deno.test("relocations that cannot be applied are reported, and the rest is applied", () => {
  const file = fileWith([
    { offset: 0, type: Abs64, symbol: "inner" },
    { offset: 8, type: Pc32, symbol: "inner", addend: TWO_32 },
    { offset: 4000, type: Abs64, symbol: "inner" },
    { offset: 16, type: Abs64, symbol: "inner", addend: 3 },
  ]);
  const needs = scanRelocations(file, () => {});
  const plan = new ImagePlan(file.sections, 4096, { got: 0, plt: 0 });
  const image = new Uint8Array(plan.size);
  const problems: (bigint | number | undefined)[] = [];
  const addresses = { base: BASE, imports: new BigUint64Array(0) };
  relocate(image, file, plan, needs, addresses, ({ data }) => problems.push(data.offset));
  assertEquals(problems, [8, 4000]);
  assertEquals([wordAt(image, 0), wordAt(image, 16)], [BASE + 20n, BASE + 23n]);
});

/** A file of 64 bytes of code and 64 of constants, with a relocation to a symbol whose value is not checked. */
function fileToward(value: number, offset: number): SmfFile {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(64) });
  builder.section({ name: "rodata", type: SectionType.RoData, bytes: new Uint8Array(64) });
  const symbol = builder.symbol({ name: "Point", type: SymbolType.Type, value });
  builder.relocation({ offset: 0, symbol, type: Abs64 });
  builder.relocation({ offset, symbol, type: Abs64 });
  return parseSmf(builder.build());
}

for (const pageSize of [4096, 16384, 65536]) {
  Deno.test(`no offset, however large, is mistaken for another place, on pages of ${pageSize}`, () => {
    const linkFile = (value: number, offset: number): void => {
      const file = fileToward(value, offset);
      const plan = new ImagePlan(file.sections, pageSize, { got: 0, plt: 0 });
      const addresses = { base: BASE, imports: new BigUint64Array(0) };
      relocate(new Uint8Array(plan.size), file, plan, scanRelocations(file), addresses);
    };
    linkFile(8, 8);
    linkFile(4096 + 64, 4096 + 56);
    const beyond = [
      8192,
      12288,
      2 ** 30,
      2 ** 31 + 8,
      2 ** 32 - 64,
      2 ** 32 + 8,
      2 ** 32 + 4096,
      2 ** 52 + 8,
    ];
    for (const at of [65, 4095, 4096 + 65, ...beyond]) {
      const unplaced = assertLoadError(() => linkFile(at, 8), "RelocationFailed", {
        symbol: "Point",
        offset: 0,
      });
      assert(unplaced.message.includes("its symbol has no address"), unplaced.message);
      const outside = assertLoadError(() => linkFile(8, at), "RelocationFailed", {
        symbol: "Point",
        offset: at,
      });
      assert(outside.message.includes("its 8 bytes are not inside the image"), outside.message);
    }
    assertLoadError(() => linkFile(8, 57), "RelocationFailed", { offset: 57 });
  });
}

/** The formulas in BigInt, letter by letter; `undefined` if the value must be refused. */
function formula(type: number, S: bigint, A: bigint, P: bigint): bigint | undefined {
  const value = signed([Abs64, Abs32, Abs32Signed].includes(type as never) ? S + A : S + A - P);
  if (type === Abs64 || type === Pc64) return value;
  if (type === Abs32) return value >= 0n && value < TWO_32 ? value : undefined;
  return value >= -TWO_31 && value < TWO_31 ? value : undefined;
}

Deno.test("thousands of mixed relocations agree with the formulas in BigInt", () => {
  const random = randomFrom(4);
  const wide = () => (BigInt(random()) << 32n) | BigInt(random());
  const pick = <T>(list: readonly T[]): T => list[random() % list.length];
  const names = [...Object.keys(SYMBOLS), "any", "f", "d", "f2", "weak"];
  const tally = { applied: 0, refused: 0, stubs: 0, slots: 0 };
  for (let round = 0; round < Math.max(1000, stress(20_000)); round++) {
    const base = pick([BASE, 0x10000n, TWO_32 - 0x2000n, TWO_31, unsigned(-0x4000n), wide() & -4096n]);
    const near = () => unsigned(base + pick([TWO_31, -TWO_31, 0n]) + BigInt(random() % 20000) - 10000n);
    const target = () => pick([near, wide, () => BigInt(random())])();
    const imports: Record<string, bigint> = {
      any: target(),
      f: target(),
      d: target(),
      f2: target(),
      weak: 0n,
    };
    const relocations: (Wanted & { symbol: string; addend: bigint })[] = [];
    // Every eighth byte of some group, so that nothing overlaps.
    for (const offset of [0, 8, 32, 56, 4096, 8192, 8248, 12288, 12344].filter(() => random() % 3 > 0)) {
      const type = pick([None, Abs64, Pc32, Plt32, Plt32, GotPcRel, Abs32, Pc64, Abs32Signed]);
      const symbol = pick(names);
      const small = pick([-4n, -4n, 0n, BigInt(random() % 64) - 32n]);
      const addend = type === Abs64 || type === Pc64
        ? signed(wide())
        : type === Abs32 || type === Abs32Signed
        ? signed(BigInt(random()) - addressOf(symbol, imports, base) - (random() % 2 === 0 ? TWO_31 : 0n))
        : small;
      relocations.push({ offset, type, symbol, addend });
    }
    const P = (offset: number) => unsigned(base + BigInt(placeOf(offset)));
    const S = (symbol: string) => unsigned(addressOf(symbol, imports, base));
    const mayUseStub = ({ type, symbol, addend }: typeof relocations[number]) =>
      SYMBOLS[symbol] === undefined && addend === -4n &&
      (type === Plt32 || (type === Pc32 && symbol[0] === "f"));
    const mustFail = relocations.find((relocation) =>
      ![None, GotPcRel].includes(relocation.type as never) && !mayUseStub(relocation) &&
      formula(relocation.type, S(relocation.symbol), relocation.addend, P(relocation.offset)) === undefined
    );
    if (mustFail !== undefined) {
      const error: LoadError = assertLoadError(() => link(relocations, imports, base), "RelocationFailed");
      assertEquals([error.data.offset, error.data.symbol], [mustFail.offset, mustFail.symbol], error.message);
      tally.refused++;
      continue;
    }
    const { image, plan } = link(relocations, imports, base);
    for (const { offset, type, symbol, addend } of relocations) {
      const place = placeOf(offset);
      const context = `round ${round}: type ${type} at ${offset} to ${symbol} + ${addend}`;
      tally.applied++;
      if (type === None) {
        assertEquals(image[place], FILL, context);
      } else if (type === GotPcRel) {
        const slot = place + Number(displacementAt(image, place) - addend);
        assert(slot % 8 === 0 && slot >= plan.got && slot < plan.got + 8 * plan.slots.got, context);
        assertEquals(wordAt(image, slot), S(symbol), context);
        tally.slots++;
      } else {
        const value = formula(type, S(symbol), addend, P(offset));
        if (value === undefined) {
          const stub = place + 4 + Number(displacementAt(image, place));
          assert(stub >= plan.plt && stub < plan.plt + 16 * plan.slots.plt, context);
          const slot = stub + 6 + Number(displacementAt(image, stub + 2));
          assertEquals(image.slice(stub, stub + 16), stubBytes(stub, slot), context);
          assertEquals(wordAt(image, slot), S(symbol), context);
          tally.stubs++;
        } else if (type === Abs64 || type === Pc64) {
          assertEquals(wordAt(image, place), unsigned(value), context);
        } else {
          assertEquals(displacementAt(image, place), BigInt.asIntN(32, value), context);
        }
      }
    }
  }
  for (const [what, count] of Object.entries(tally)) assert(count > 20, `${what}: only ${count}`);
});
