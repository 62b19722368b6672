// Property tests: fast-check shrinks a failing example to the smallest one.
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { rawFile, rawRelocations } from "../../fixtures/raw.ts";
import { LoadError } from "../../src/errors/load_error.ts";
import { planImage } from "../../src/image/plan.ts";
import { relocate } from "../../src/image/relocation/relocate.ts";
import { scanRelocations } from "../../src/image/relocation/scan.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { Binding, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { type LayoutName, LAYOUTS } from "../../src/smf/layout.ts";
import { stress } from "../support/testing.ts";
import { CALL_ADDEND, type Formula, FORMULAS, pageOf } from "./formulas.ts";
import { judgeFile } from "./oracle.ts";

const RUNS = { numRuns: stress(4000), seed: 20261123 };

const layoutName = fc.constantFrom(...Object.keys(LAYOUTS) as LayoutName[]);
const bytes = fc.uint8Array({ maxLength: 40 });
const alignment = fc.integer({ min: 0, max: 13 }).map((power) => 2 ** power);
/** Names that files can have: no NUL, which ends a name, and no lone surrogates. */
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  .filter((text) => !text.includes("\0") && text.isWellFormed());
const sectionName = fc.string({ maxLength: 16, unit: "grapheme-ascii" });

/** Sections whose names do not match the section types of the format's first plan, whose files are refused. */
const section = fc.record({
  name: sectionName.map((text) => text.replaceAll("r", "x").replaceAll("b", "y")),
  type: fc.constantFrom(
    SectionType.Code,
    SectionType.RoData,
    SectionType.Data,
    SectionType.Bss,
    SectionType.Debug,
  ),
  bytes,
  more: fc.integer({ min: 0, max: 5000 }),
  alignment,
});

Deno.test("a built file reads back equal, in every layout, and the oracle agrees", () => {
  fc.assert(
    fc.property(
      layoutName,
      fc.array(section, { minLength: 1, maxLength: 6 }),
      fc.uniqueArray(name, { maxLength: 8 }),
      (layout, sections, names) => {
        const builder = new SmfBuilder({ layout });
        for (const { name, type, bytes, more, alignment } of sections) {
          const zeroed = type === SectionType.Bss, loaded = type !== SectionType.Debug;
          builder.section({
            name,
            type,
            alignment,
            ...(!zeroed && { bytes }),
            ...(loaded && { virtualSize: (zeroed ? 0 : bytes.length) + more }),
          });
        }
        names.forEach((name, i) =>
          builder.symbol({ name, type: SymbolType.Type, value: i, binding: i % 3, typeId: i * 7, version: i })
        );
        const built = builder.build();
        const file = parseSmf(built);
        judgeFile(built, file.header.layout);
        assertEquals(file.header.layout, layout);
        assertEquals(
          file.sections.map(({ name, type, alignment }) => ({ name, type, alignment })),
          sections.map(({ name, type, alignment }) => ({ name, type, alignment })),
        );
        sections.forEach(({ type, bytes, more }, i) => {
          const found = file.contents(file.sections[i]);
          const zeroed = type === SectionType.Bss;
          const length = type === SectionType.Debug ? bytes.length : (zeroed ? 0 : bytes.length) + more;
          const wanted = new Uint8Array(length);
          if (!zeroed) wanted.set(bytes);
          assertEquals(found, wanted);
        });
        assertEquals([...file.symbols].map(({ name }) => name), names);
        names.forEach((name, i) => assertEquals(file.symbols.find(name)?.typeId, i * 7));
      },
    ),
    RUNS,
  );
});

Deno.test("the layout is found by structure, whatever is in the bytes outside all fields", () => {
  fc.assert(
    fc.property(
      layoutName,
      fc.integer(),
      fc.array(bytes.filter(({ length }) => length > 0), { minLength: 1, maxLength: 90 }),
      fc.constantFrom([0, 1], [1, 0], [1, 1]),
      fc.uint8Array({ maxLength: 100 }),
      (layout, seed, contents, [version_major, version_minor], stub) => {
        const garbage = (at: number) => Math.imul(at + 1, seed | 1) >>> 24;
        const file = rawFile({
          layout,
          garbage,
          header: {
            version_major,
            version_minor,
            flags: LAYOUTS[layout].trailer && stub.length > 0 ? 0x10 : 0,
          },
          ...(LAYOUTS[layout].trailer && !startsLikeSmf(stub) && { stub }),
          sections: contents.map((bytes, i) => ({
            name: `s${i}`,
            section_type: SectionType.Debug,
            flags: 0,
            alignment: 1,
            bytes,
          })),
          symbols: [{ name: "SMF", sym_type: 1, binding: Binding.Local }],
        });
        // A file with a trailer must not begin like a header, which takes precedence.
        if (LAYOUTS[layout].trailer && startsLikeSmf(file)) return;
        assertEquals(parseSmf(file).header.layout, layout);
      },
    ),
    RUNS,
  );
});

function startsLikeSmf(bytes: Uint8Array): boolean {
  return ["83,77,70,0", "83,83,77,70", "76,83,77,70"].includes(bytes.subarray(0, 4).join());
}

/** The bytes that must be at a place; `undefined` if the value does not fit. */
function expected(formula: Formula, sum: bigint, place: bigint, before: bigint): bigint | undefined {
  const value = formula.minus === "page"
    ? pageOf(sum) - pageOf(place)
    : formula.minus === "place"
    ? sum - place
    : sum;
  const wrapped = BigInt.asIntN(64, value);
  const compared = formula.from === 0n ? BigInt.asUintN(64, wrapped) : wrapped;
  if (formula.from !== undefined && (compared < formula.from || compared >= formula.to!)) return undefined;
  return formula.store(wrapped, before);
}

/** Any addends, and addends near the limits of fields. */
const addend = fc.oneof(
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
  fc.tuple(fc.integer({ min: 0, max: 62 }), fc.integer({ min: -9000, max: 9000 }), fc.boolean())
    .map(([power, near, negative]) => (negative ? -1n : 1n) * (1n << BigInt(power)) + BigInt(near)),
);

/** An instruction for each type that relocates one; the other types relocate data. */
const INSTRUCTIONS: Readonly<Record<number, number>> = {
  5: 0x94000000,
  6: 0x90000000,
  7: 0xf9400000,
  34: 0x54000000,
  35: 0x36000000,
  36: 0x58000000,
  37: 0x10000000,
};

for (const arch of [0, 1]) {
  const types = Object.entries(FORMULAS[arch]).filter(([, { of }]) => of === "symbol").map(([type]) =>
    Number(type)
  );
  Deno.test(`relocations of processor ${arch} are what BigInt says, at any address`, () => {
    let stored = 0, refused = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.bigInt({ min: 1n, max: (1n << 35n) - 1n }).map((page) => page * 4096n),
        addend,
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 0, max: 31 }),
        fc.boolean(),
        (type, base, addend, word, target, register, imported) => {
          const offset = word * 4;
          const code = new Uint8Array(256);
          const before = ((INSTRUCTIONS[type] ?? 0) | register) >>> 0;
          new DataView(code.buffer).setUint32(offset, before, true);
          const file = parseSmf(rawFile({
            layout: "H96",
            header: { platform: 0, arch, exported_count: 99 },
            sections: [
              { name: "code", section_type: 1, flags: 5, alignment: 1, bytes: code },
              {
                name: "reloc",
                section_type: 5,
                flags: 0,
                alignment: 1,
                bytes: rawRelocations([{ offset, symbol_index: 0, reloc_type: type, addend }]),
              },
            ],
            symbols: [
              imported
                ? { name: "there", sym_type: SymbolType.Data, binding: Binding.Global }
                : { name: "here", sym_type: SymbolType.Data, binding: Binding.Local, value: target },
            ],
          }));
          // This addend could make it a call, for which a stub may stand.
          if (addend === CALL_ADDEND[arch]) return;
          const needs = scanRelocations(file);
          const plan = planImage(file, 4096, { got: needs.gotCount, plt: needs.pltCount });
          const image = new Uint8Array(plan.size);
          image.set(code);
          const far = base + 0x1234_5678n;
          const s = imported ? far : base + BigInt(target);
          const width = FORMULAS[arch][type].width;
          const old = new DataView(image.buffer).getBigUint64(offset, true) &
            ((1n << BigInt(8 * width)) - 1n);
          const wanted = expected(FORMULAS[arch][type], s + addend, base + BigInt(offset), old);
          try {
            relocate(image, file, plan, needs, {
              base,
              imports: BigUint64Array.from(needs.imports, () => far),
            });
          } catch (error) {
            assert(error instanceof LoadError && error.kind === "RelocationFailed", String(error));
            assertEquals(wanted, undefined, error.message);
            refused++;
            return;
          }
          assert(wanted !== undefined, "a value that does not fit was written");
          stored++;
          const changed = code.slice();
          const view = new DataView(changed.buffer);
          if (width === 8) view.setBigUint64(offset, BigInt.asUintN(64, wanted), true);
          else view.setUint32(offset, Number(BigInt.asUintN(32, wanted)), true);
          assertEquals(image.subarray(0, 256), changed);
        },
      ),
      RUNS,
    );
    assert(stored > 0 && refused > 0, `${stored} stored, ${refused} refused`);
  });
}
