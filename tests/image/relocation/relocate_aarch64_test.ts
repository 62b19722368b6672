// AArch64's relocations on plain bytes, on every system, against computations in BigInt.
import { assert, assertEquals } from "@std/assert";
import { ImagePlan } from "../../../src/image/plan.ts";
import { relocate } from "../../../src/image/relocation/relocate.ts";
import { scanRelocations } from "../../../src/image/relocation/scan.ts";
import { SmfBuilder } from "../../../src/smf/builder.ts";
import { Arch, RelocationType, SectionType, SymbolType } from "../../../src/smf/enums.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { assertLoadError, randomFrom, stress } from "../../support/testing.ts";

const BASE = 0x5500_1234_0000n;
const CODE_SIZE = 8192;
/** The place that is patched: not at the beginning of a page. */
const PLACE = 0x204;

/** Instructions with zero fields and registers other than zero where there are any. */
const INSTRUCTION = {
  b: 0x14000000,
  bl: 0x94000000,
  bNotEqual: 0x54000001,
  cbz: 0xb4000007,
  cbnz32: 0x35000007,
  tbz: 0x36180003,
  tbnz63: 0xb7f80003,
  adrp: 0x90000013,
  adr: 0x10000013,
  add: 0x91000273,
  add32: 0x11000273,
  sub: 0xd1000273,
  addShifted: 0x91400273,
  ldrLiteral: 0x58000005,
  ldrswLiteral: 0x98000005,
  ldrLiteralQ: 0x9c000005,
  ldrb: 0x39400262,
  strb: 0x39000262,
  ldrsb: 0x39800262,
  ldrh: 0x79400262,
  ldr32: 0xb9400262,
  ldrsw: 0xb9800262,
  ldr64: 0xf9400262,
  str64: 0xf9000262,
  ldrB: 0x3d400262, // 8 bits of a vector register
  ldrH: 0x7d400262,
  ldrS: 0xbd400262,
  ldrD: 0xfd400262,
  ldrQ: 0x3dc00262,
  strQ: 0x3d800262,
  ldrUnscaled: 0xf8400262,
  ret: 0xd65f03c0,
} as const;

interface Case {
  type: number;
  instruction: number;
  /** The address of an import, or an offset in the file's image. */
  symbol: bigint | number;
  addend?: bigint;
  symbolType?: number;
  base?: bigint;
  place?: number;
}

/** Applies one relocation; returns the patched word, the plan and the image. */
function apply({ type, instruction, symbol, addend = 0n, symbolType, base = BASE, place = PLACE }: Case) {
  const code = new Uint8Array(CODE_SIZE);
  new DataView(code.buffer).setUint32(place, instruction, true);
  const builder = new SmfBuilder({ arch: Arch.Aarch64 });
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8192) });
  const index = typeof symbol === "number"
    ? builder.symbol({ name: "own", type: symbolType ?? SymbolType.Data, value: symbol })
    : builder.symbol({ name: "imported", type: symbolType ?? SymbolType.Function, defined: false });
  builder.relocation({ offset: place, symbol: index, type, addend });
  const file = parseSmf(builder.build());
  const needs = scanRelocations(file);
  const plan = new ImagePlan(file.sections, 16384, { got: needs.gotCount, plt: needs.pltCount });
  const image = new Uint8Array(plan.size);
  for (const { section, offset } of plan.sections) {
    if (section.type === SectionType.Code) image.set(code, offset);
  }
  const imports = new BigUint64Array(needs.imports.map(() => BigInt(symbol)));
  relocate(image, file, plan, needs, { base, imports });
  const view = new DataView(image.buffer);
  return { word: view.getUint32(place, true), view, plan, base };
}

/** A field of an instruction as a signed number. */
function signedField(word: number, low: number, bits: number): bigint {
  return BigInt.asIntN(bits, BigInt(word >>> low) & ((1n << BigInt(bits)) - 1n));
}

/** The distance in the fields of ADR, in bytes, or of ADRP, in pages. */
function adrDistance(word: number): bigint {
  const fields = (BigInt((word >>> 5) & 0x7ffff) << 2n) | BigInt((word >>> 29) & 3);
  return BigInt.asIntN(21, fields);
}

const page = (address: bigint) => address & ~0xfffn;
const P = BASE + BigInt(PLACE);

const DISTANCES: [name: string, type: number, bits: number, low: number, instructions: number[]][] = [
  ["Branch26", RelocationType.Arm64Branch26, 26, 0, [INSTRUCTION.b, INSTRUCTION.bl]],
  ["CondBranch19", RelocationType.Arm64CondBranch19, 19, 5, [
    INSTRUCTION.bNotEqual,
    INSTRUCTION.cbz,
    INSTRUCTION.cbnz32,
  ]],
  ["TestBranch14", RelocationType.Arm64TestBranch14, 14, 5, [INSTRUCTION.tbz, INSTRUCTION.tbnz63]],
  ["LoadPrel19", RelocationType.Arm64LoadPrel19, 19, 5, [
    INSTRUCTION.ldrLiteral,
    INSTRUCTION.ldrswLiteral,
    INSTRUCTION.ldrLiteralQ,
  ]],
];

for (const [name, type, bits, low, instructions] of DISTANCES) {
  const reach = 1n << BigInt(bits + 1);
  // The symbol is data, which has no stub, so that the ends of the range show.
  const symbolType = SymbolType.Data;
  Deno.test(`${name} takes distances of ${bits} bits of words, and changes no other bit`, () => {
    for (const instruction of instructions) {
      for (const distance of [0n, 4n, -4n, 1024n, reach - 4n, -reach]) {
        const { word } = apply({ type, instruction, symbol: P + distance, symbolType });
        assertEquals(signedField(word, low, bits) * 4n, distance);
        const field = ((1n << BigInt(bits)) - 1n) << BigInt(low);
        assertEquals(BigInt(word) & ~field, BigInt(instruction));
      }
    }
  });

  Deno.test(`${name} refuses a distance that is one word too far`, () => {
    // A branch with an addend gets no veneer.
    for (const [distance, addend] of [[reach - 4n, 4n], [-reach, -4n]]) {
      assertLoadError(
        () => apply({ type, instruction: instructions[0], symbol: P + distance, addend, symbolType }),
        "RelocationFailed",
        { offset: PLACE, symbol: "imported", value: distance + addend, range: [-reach, reach] },
      );
    }
  });

  Deno.test(`${name} refuses a distance that is not a multiple of 4, in either low bit`, () => {
    for (const odd of [1n, 2n, 3n, -1n, -2n]) {
      assertLoadError(
        () => apply({ type, instruction: instructions[0], symbol: P + 64n + odd }),
        "RelocationFailed",
        { value: 64n + odd },
      );
    }
  });

  Deno.test(`${name} refuses a place without such an instruction`, () => {
    const others = Object.values(INSTRUCTION).filter((other) => {
      if (instructions.includes(other)) return false;
      return DISTANCES.find(([, own]) => own === type)![4].every((known) => known >>> 24 !== other >>> 24);
    });
    for (const instruction of [0, ...others]) {
      assertLoadError(() => apply({ type, instruction, symbol: P + 64n }), "RelocationFailed", {
        value: instruction,
      });
    }
    // Not where instructions are, though the distance would fit.
    assertLoadError(
      () => apply({ type, instruction: instructions[0], symbol: P + 66n, place: PLACE + 2 }),
      "RelocationFailed",
    );
  });
}

Deno.test("a branch to an import out of reach goes to a veneer that jumps through the GOT", () => {
  for (const [name, type, bits, low, [instruction]] of DISTANCES.slice(0, 3)) {
    const reach = 1n << BigInt(bits + 1);
    for (const symbol of [P + reach, P - reach - 4n, 0x7fff_1234_5678n, 0n, 0x1003n]) {
      const { word, view, plan } = apply({ type, instruction, symbol });
      const stub = PLACE + Number(signedField(word, low, bits)) * 4;
      assertEquals(stub, plan.plt, name);
      assert(stub >= plan.code.offset && stub + 16 <= plan.code.offset + plan.code.length);
      const [adrp, ldr, br] = [0, 4, 8].map((at) => view.getUint32(stub + at, true));
      assertEquals((adrp & 0x9f00001f) >>> 0, 0x90000010, "adrp x16");
      assertEquals((ldr & 0xffc003ff) >>> 0, 0xf9400211, "ldr x17, [x16, …]");
      assertEquals(br, 0xd61f0220, "br x17");
      const slot = page(BASE + BigInt(stub)) + adrDistance(adrp) * 4096n +
        BigInt((ldr >>> 10) & 0xfff) * 8n;
      assertEquals(slot, BASE + BigInt(plan.got));
      assertEquals(view.getBigUint64(plan.got, true), symbol);
    }
  }
});

Deno.test("a branch within reach goes there directly, up to the last word", () => {
  const reach = 1n << 27n;
  for (const distance of [reach - 4n, -reach]) {
    const { word } = apply({
      type: RelocationType.Arm64Branch26,
      instruction: INSTRUCTION.bl,
      symbol: P + distance,
    });
    assertEquals(signedField(word, 0, 26) * 4n, distance);
  }
});

Deno.test("a branch with an addend means another place than the function's start: no veneer", () => {
  assertLoadError(
    () =>
      apply({
        type: RelocationType.Arm64Branch26,
        instruction: INSTRUCTION.bl,
        symbol: 0x7fff_0000_0000n,
        addend: 4n,
      }),
    "RelocationFailed",
    { value: 0x7fff_0000_0004n - P, range: [-(1n << 27n), 1n << 27n] },
  );
});

Deno.test("Page21 counts pages of 4096 bytes from the place's own, up to 4 GiB to both sides", () => {
  const type = RelocationType.Arm64Page21;
  const reach = 1n << 32n;
  for (
    const symbol of [
      P,
      page(P) - 1n,
      page(P) + 4096n,
      page(P) + reach - 1n, // the last byte of the last page
      page(P) - reach, // the first byte of the first one
      page(P) - reach + 4095n,
    ]
  ) {
    const { word } = apply({ type, instruction: INSTRUCTION.adrp, symbol, symbolType: SymbolType.Data });
    assertEquals(page(P) + adrDistance(word) * 4096n, page(symbol));
    assertEquals((word & 0x9f00001f) >>> 0, INSTRUCTION.adrp, "no other bit changes");
  }
  for (const symbol of [page(P) + reach, page(P) - reach - 1n]) {
    assertLoadError(
      () => apply({ type, instruction: INSTRUCTION.adrp, symbol, symbolType: SymbolType.Data }),
      "RelocationFailed",
      { value: page(symbol) - page(P), range: [-reach, reach] },
    );
  }
});

Deno.test("Page21 adds the addend before it rounds", () => {
  const symbol = page(P) + 0x5ff0n;
  const words = [0xfn, 0x10n, -0xff0n, -0xff1n].map((addend) =>
    adrDistance(
      apply({ type: RelocationType.Arm64Page21, instruction: INSTRUCTION.adrp, symbol, addend }).word,
    )
  );
  assertEquals(words, [5n, 6n, 5n, 4n]);
});

Deno.test("AdrPrel21 counts bytes, up to 1 MiB to both sides", () => {
  const type = RelocationType.Arm64AdrPrel21;
  const reach = 1n << 20n;
  for (const distance of [0n, 1n, 2n, 3n, -1n, 4097n, reach - 1n, -reach]) {
    const { word } = apply({ type, instruction: INSTRUCTION.adr, symbol: P + distance });
    assertEquals(adrDistance(word), distance);
    assertEquals((word & 0x9f00001f) >>> 0, INSTRUCTION.adr);
  }
  for (const distance of [reach, -reach - 1n]) {
    assertLoadError(
      () => apply({ type, instruction: INSTRUCTION.adr, symbol: P + distance }),
      "RelocationFailed",
      { value: distance, range: [-reach, reach] },
    );
  }
});

Deno.test("ADR is refused in place of ADRP, and ADRP in place of ADR", () => {
  for (
    const [type, instruction] of [
      [RelocationType.Arm64Page21, INSTRUCTION.adr],
      [RelocationType.Arm64GotLoadPage21, INSTRUCTION.adr],
      [RelocationType.Arm64AdrPrel21, INSTRUCTION.adrp],
      [RelocationType.Arm64Page21, INSTRUCTION.add],
      [RelocationType.Arm64Page21, 0],
    ]
  ) {
    assertLoadError(() => apply({ type, instruction, symbol: P }), "RelocationFailed", {
      value: instruction,
    });
  }
});

const SCALES: [name: keyof typeof INSTRUCTION, size: bigint][] = [
  ["add", 1n],
  ["add32", 1n],
  ["sub", 1n],
  ["ldrb", 1n],
  ["strb", 1n],
  ["ldrsb", 1n],
  ["ldrh", 2n],
  ["ldr32", 4n],
  ["ldrsw", 4n],
  ["ldr64", 8n],
  ["str64", 8n],
  ["ldrB", 1n],
  ["ldrH", 2n],
  ["ldrS", 4n],
  ["ldrD", 8n],
  ["ldrQ", 16n],
  ["strQ", 16n],
];

for (const [name, size] of SCALES) {
  Deno.test(`PageOff12 in ${name} counts in units of ${size}, and refuses a remainder`, () => {
    const type = RelocationType.Arm64PageOff12;
    const instruction = INSTRUCTION[name];
    for (const offset of [0n, size, 0x800n, 0x1000n - size]) {
      const { word } = apply({ type, instruction, symbol: 0x7fff_1234_5000n + offset });
      assertEquals(BigInt((word >>> 10) & 0xfff) * size, offset);
      assertEquals((word & ~(0xfff << 10)) >>> 0, instruction, "no other bit changes");
    }
    for (let rest = 1n; rest < size; rest++) {
      const symbol = 0x7fff_1234_5000n + rest;
      assertLoadError(() => apply({ type, instruction, symbol }), "RelocationFailed", { value: symbol });
    }
  });
}

Deno.test("PageOff12 refuses instructions that take no such offset", () => {
  const { addShifted, ldrUnscaled, ret, b, adrp, ldrLiteral } = INSTRUCTION;
  for (const instruction of [addShifted, ldrUnscaled, ret, b, adrp, ldrLiteral, 0]) {
    assertLoadError(
      () => apply({ type: RelocationType.Arm64PageOff12, instruction, symbol: 0x1000n }),
      "RelocationFailed",
      { value: instruction },
    );
  }
});

Deno.test("a pair of Page21 and PageOff12 makes the address, of own data too", () => {
  for (const symbol of [8192, 8192 + 1, 8192 + 4095, 8192 + 4096]) {
    const { word: adrp, plan } = apply({
      type: RelocationType.Arm64Page21,
      instruction: INSTRUCTION.adrp,
      symbol,
    });
    const { word: add } = apply({
      type: RelocationType.Arm64PageOff12,
      instruction: INSTRUCTION.add,
      symbol,
    });
    const address = page(P) + adrDistance(adrp) * 4096n + BigInt((add >>> 10) & 0xfff);
    assertEquals(address, BASE + BigInt(plan.place(symbol, 0)));
  }
});

Deno.test("the GOT pair leads to a slot with the symbol's address, imported or own", () => {
  for (const symbol of [0x7fff_dead_beefn, 0n, 8192 + 3]) {
    const first = apply({ type: RelocationType.Arm64GotLoadPage21, instruction: INSTRUCTION.adrp, symbol });
    const second = apply({
      type: RelocationType.Arm64GotLoadPageOff12,
      instruction: INSTRUCTION.ldr64,
      symbol,
    });
    const slot = page(P) + adrDistance(first.word) * 4096n + BigInt((second.word >>> 10) & 0xfff) * 8n;
    assertEquals(slot, BASE + BigInt(first.plan.got));
    const expected = typeof symbol === "bigint" ? symbol : BASE + BigInt(first.plan.place(symbol, 0));
    assertEquals(second.view.getBigUint64(second.plan.got, true), expected);
  }
});

Deno.test("distances in data: 32 bits with both edges, 64 bits without any", () => {
  for (const type of [RelocationType.Pc32, RelocationType.Plt32]) {
    for (const distance of [0n, 1n, (1n << 31n) - 1n, -(1n << 31n)]) {
      const { view } = apply({ type, instruction: 0, symbol: P + distance });
      assertEquals(BigInt(view.getInt32(PLACE, true)), distance);
    }
  }
  for (const distance of [1n << 31n, -(1n << 31n) - 1n]) {
    assertLoadError(
      () => apply({ type: RelocationType.Pc32, instruction: 0, symbol: P + distance }),
      "RelocationFailed",
      { value: distance },
    );
  }
  const { view } = apply({ type: RelocationType.Pc64, instruction: 0, symbol: 3n });
  assertEquals(view.getBigInt64(PLACE, true), 3n - P);
});

Deno.test("types of x86-64 alone are unknown on aarch64, and the other way round", () => {
  for (const type of [RelocationType.Abs32Signed, 10, 31, 60, 255]) {
    assertLoadError(() => apply({ type, instruction: 0, symbol: 0x1000n }), "RelocationFailed", {
      value: type,
    });
  }
  for (const type of [6, 7, 8, 9, 34, 35, 36, 37]) {
    const builder = new SmfBuilder({ arch: Arch.X86_64 });
    builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(64) });
    const symbol = builder.symbol({ name: "own", type: SymbolType.Function });
    builder.relocation({ offset: 8, symbol, type });
    const file = parseSmf(builder.build());
    assertLoadError(() => scanRelocations(file), "RelocationFailed", { value: type });
  }
});

Deno.test("thousands of addresses, at any base, agree with the formulas in BigInt", () => {
  const random = randomFrom(26);
  const near = (reach: bigint) =>
    (BigInt(random()) * 0x1_0000_0000n + BigInt(random())) % (2n * reach) - reach;
  for (let round = 0; round < Math.max(500, stress(10_000)); round++) {
    const base = (BigInt(random() & 0x7fff) << 32n) + (BigInt(random() & ~0x3fff) & 0xffff_c000n);
    const place = (random() % (CODE_SIZE / 4)) * 4;
    const P = base + BigInt(place);
    const addend = near(4096n);
    const at = { base, place, symbolType: SymbolType.Data };

    const far = BigInt.asUintN(64, P + near((1n << 32n) - 8192n));
    const { word: adrp } = apply({
      type: RelocationType.Arm64Page21,
      instruction: INSTRUCTION.adrp,
      symbol: far,
      addend,
      ...at,
    });
    assertEquals(adrDistance(adrp) * 4096n, BigInt.asIntN(64, page(far + addend) - page(P)));

    const target = BigInt.asUintN(64, P + (near((1n << 27n) - 8192n) & ~3n) - addend);
    const { word: bl } = apply({
      type: RelocationType.Arm64Branch26,
      instruction: INSTRUCTION.bl,
      symbol: target,
      addend,
      ...at,
    });
    assertEquals(signedField(bl, 0, 26) * 4n, BigInt.asIntN(64, target + addend - P));
  }
});
