/**
 * Applying relocations against a C function that applies the same table to the
 * same buffer.
 *
 * Alone: `deno run -A tests/bench/relocation_bench.ts`
 */
import { planImage } from "../../src/image.ts";
import { relocate } from "../../src/relocate.ts";
import { scanRelocations } from "../../src/scan.ts";
import { RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { hostBuilder, randomFrom } from "../testing.ts";
import { compile } from "./compiler.ts";
import { median, paired, time } from "./measure.ts";
import { NO_COMPILER } from "./objects.ts";
import { type Point, type Report, table } from "./report.ts";

const COUNTS = [1000, 10_000, 100_000, 1_000_000];
const SYMBOLS = 1000;

/** The same formulas and checks, on the same records of 24 bytes. */
const SOURCE = `
#include <stdint.h>
#include <string.h>
struct relocation { uint64_t offset; uint32_t symbol; uint8_t type; uint8_t padding[3]; int64_t addend; };
int64_t apply(const struct relocation *table, uint64_t count, const uint64_t *symbols, const uint32_t *slots,
              uint8_t *image, uint64_t size, uint64_t base, uint64_t got) {
  for (uint64_t i = 0; i < count; i++) {
    const struct relocation *r = &table[i];
    uint64_t s = base + symbols[r->symbol], p = base + r->offset, v;
    unsigned width = r->type == 1 || r->type == 32 ? 8 : 4;
    if (r->offset + width > size) return i;
    switch (r->type) {
      case 1: v = s + r->addend; break;
      case 2: case 3: case 32: v = s + r->addend - p; break;
      case 4: v = base + got + 8 * (slots[r->symbol] - 1) + r->addend - p; break;
      default: return i;
    }
    if (width == 8) { memcpy(image + r->offset, &v, 8); continue; }
    if ((int64_t)v != (int32_t)v) return i;
    uint32_t w = v;
    memcpy(image + r->offset, &w, 4);
  }
  return -1;
}
`;

const APPLY = {
  parameters: ["buffer", "u64", "buffer", "buffer", "buffer", "u64", "u64", "u64"],
  result: "i64",
} as const;

/** A module with relocations of five types, of symbols in no order. */
function relocatedModule(count: number): Uint8Array {
  const builder = hostBuilder();
  const random = randomFrom(count);
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(8 * count + 16 * SYMBOLS) });
  for (let index = 0; index < SYMBOLS; index++) {
    builder.symbol({ name: `f${index}`, type: SymbolType.Function, value: 8 * count + 16 * index, size: 1 });
  }
  const types = [
    RelocationType.Abs64,
    RelocationType.Pc32,
    RelocationType.Plt32,
    RelocationType.GotPcRel,
    RelocationType.Pc64,
  ];
  for (let index = 0; index < count; index++) {
    const type = types[random() % types.length];
    const addend = type === RelocationType.Pc32 || type === RelocationType.Abs64 ? random() % 64 : -4;
    builder.relocation({ offset: 8 * index, symbol: random() % SYMBOLS, type, addend });
  }
  return builder.build();
}

/** Measures relocations. */
export async function relocationBench(rounds = 51): Promise<Report> {
  const title = "relocations";
  if (Deno.build.arch !== "x86_64") {
    return { title, series: [], skipped: ["the types that are measured are those of x86-64"] };
  }
  using compiled = await compile(SOURCE);
  if (compiled === undefined) return { title, series: [], skipped: [NO_COMPILER] };
  const library = Deno.dlopen(compiled.library, { apply: APPLY });
  const applying: Point[] = [], reading: Point[] = [];
  const base = 0x7f12_3456_7000n;
  for (const count of COUNTS) {
    const bytes = relocatedModule(count);
    const file = parseSmf(bytes);
    const needs = scanRelocations(file);
    const plan = planImage(file, 4096, { got: needs.gotCount, plt: needs.pltCount });
    const ours = new Uint8Array(plan.size), theirs = new Uint8Array(plan.size);
    const section = file.sections.find(({ type }) => type === SectionType.Reloc)!;
    const records = bytes.slice(section.offset, section.offset + section.size);
    const symbols = BigUint64Array.from({ length: SYMBOLS }, (_, index) => BigInt(file.symbols.value(index)));
    const slots = new Uint32Array(needs.gotSlots);
    const addresses = { base, imports: new BigUint64Array(0) };
    const turns = Math.max(9, Math.min(rounds, Math.ceil(1e7 / count)));
    const found = paired(
      {
        ours: () => time(() => relocate(ours, file, plan, needs, addresses)),
        peer: () =>
          time(() => {
            const failed = library.symbols.apply(
              records,
              BigInt(count),
              new Uint8Array(symbols.buffer),
              new Uint8Array(slots.buffer),
              theirs,
              BigInt(theirs.length),
              base,
              BigInt(plan.got),
            );
            if (failed !== -1n) throw new Error(`the C program refuses relocation ${failed}`);
          }),
      },
      turns,
      Math.max(5, Math.ceil(2e6 / count)),
    );
    for (let at = 0; at < 8 * count; at++) if (ours[at] !== theirs[at]) throw new Error(`byte ${at} differs`);
    const each = 1e6 / count;
    applying.push({
      size: count,
      ours: each * found.ours,
      peer: each * found.peer,
      ratio: found.ratio,
      goal: 3,
    });
    const scans = Array.from({ length: turns }, () => time(() => scanRelocations(file)));
    reading.push({ size: count, ours: each * median(scans) });
  }
  library.close();
  return {
    title,
    series: [
      { name: "apply, each", per: "relocations", unit: "ns", peer: "C", points: applying },
      { name: "look through, each", per: "relocations", unit: "ns", points: reading },
    ],
    skipped: [],
  };
}

if (import.meta.main) console.log(table(await relocationBench()));
