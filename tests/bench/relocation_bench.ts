/**
 * Benchmarks applying relocations against a C function that applies the same table
 * to the same buffer; scanning relocations; and placing symbols.
 *
 * Run it alone with `deno run -A tests/bench/relocation_bench.ts`
 */
import { planImage } from "../../src/image/plan.ts";
import { relocate } from "../../src/image/relocation/relocate.ts";
import { scanRelocations } from "../../src/image/relocation/scan.ts";
import { RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { hostBuilder, randomFrom } from "../support/testing.ts";
import { compile } from "./compiler.ts";
import { median, paired, time } from "./measure.ts";
import { NO_COMPILER } from "./objects.ts";
import { type Point, type Report, table } from "./report.ts";

const COUNTS = [1000, 10_000, 100_000, 1_000_000];
const SYMBOLS = 1000;
const SYMBOL_COUNTS = [1000, 10_000, 100_000];

/**
 * The C function: the same formulas and checks on the same relocation and symbol
 * records, and the same GOT slots. The image has one group, so it is laid out as the
 * file is.
 */
const SOURCE = `
#include <stdint.h>
#include <string.h>
struct relocation { uint64_t offset; uint32_t symbol; uint8_t type; uint8_t padding[3]; int64_t addend; };
struct symbol { uint32_t name, hash, kind, padding; uint64_t value; };
int64_t apply(const struct relocation *table, uint64_t count, const uint8_t *symbols, uint64_t step,
              const uint32_t *slots, const uint32_t *first_use, uint64_t slot_count,
              uint8_t *image, uint64_t size, uint64_t base, uint64_t got) {
  for (uint64_t i = 0; i < slot_count; i++) {
    const struct symbol *symbol = (const void *)(symbols + step * table[first_use[i]].symbol);
    if (symbol->value > size) return first_use[i];
    uint64_t s = base + symbol->value;
    memcpy(image + got + 8 * i, &s, 8);
  }
  for (uint64_t i = 0; i < count; i++) {
    const struct relocation *r = &table[i];
    uint64_t p = base + r->offset, s, v;
    unsigned width = r->type == 1 || r->type == 32 ? 8 : 4;
    if (r->offset + width > size) return i;
    if (r->type == 4) s = base + got + 8 * (slots[r->symbol] - 1);
    else {
      const struct symbol *symbol = (const void *)(symbols + step * r->symbol);
      if (symbol->value > size) return i;
      s = base + symbol->value;
    }
    switch (r->type) {
      case 1: v = s + r->addend; break;
      case 2: case 3: case 4: case 32: v = s + r->addend - p; break;
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
  parameters: [
    "buffer",
    "u64",
    "buffer",
    "u64",
    "buffer",
    "buffer",
    "u64",
    "buffer",
    "u64",
    "u64",
    "u64",
  ],
  result: "i64",
} as const;

/** A module with relocations of five types, against symbols in random order. */
function relocatedModule(count: number, symbols = SYMBOLS): Uint8Array {
  const builder = hostBuilder();
  const random = randomFrom(count);
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(8 * count + 16 * symbols) });
  for (let index = 0; index < symbols; index++) {
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
    builder.relocation({ offset: 8 * index, symbol: random() % symbols, type, addend });
  }
  return builder.build();
}

function bytesOf(words: Uint32Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.slice().buffer);
}

/** The median time of repeated work, in milliseconds. */
function repeated(work: () => unknown, rounds: number, warmup: number): number {
  return median(Array.from({ length: warmup + rounds }, () => time(work)).slice(warmup));
}

/** Runs the benchmark. */
export async function relocationBench(rounds = 51): Promise<Report> {
  const title = "relocations";
  if (Deno.build.arch !== "x86_64") {
    return { title, series: [], skipped: ["the measured relocation types are those of x86-64"] };
  }
  using compiled = await compile(SOURCE);
  if (compiled === undefined) return { title, series: [], skipped: [NO_COMPILER] };
  const library = Deno.dlopen(compiled.library, { apply: APPLY });
  const applying: Point[] = [], scanning: Point[] = [], placing: Point[] = [];
  const base = 0x7f12_3456_7000n;
  for (const count of COUNTS) {
    const bytes = relocatedModule(count);
    const file = parseSmf(bytes);
    const needs = scanRelocations(file);
    const plan = planImage(file, 4096, { got: needs.gotCount, plt: needs.pltCount });
    const ours = new Uint8Array(plan.size), theirs = new Uint8Array(plan.size);
    const section = file.sections.find(({ type }) => type === SectionType.Reloc)!;
    const records = bytes.slice(section.offset, section.offset + section.size);
    const symbols = bytesOf(file.symbols.words);
    const slots = bytesOf(new Uint32Array(needs.gotSlots));
    const firstUse = bytesOf(new Uint32Array(needs.firstUse));
    const addresses = { base, imports: new BigUint64Array(0) };
    const turns = Math.max(9, Math.min(rounds, Math.ceil(1e7 / count)));
    const warmup = Math.max(5, Math.ceil(2e6 / count));
    const found = paired(
      {
        ours: () => time(() => relocate(ours, file, plan, needs, addresses)),
        peer: () =>
          time(() => {
            const failed = library.symbols.apply(
              records,
              BigInt(count),
              symbols,
              BigInt(4 * file.symbols.step),
              slots,
              firstUse,
              BigInt(needs.gotCount),
              theirs,
              BigInt(theirs.length),
              base,
              BigInt(plan.got),
            );
            if (failed !== -1n) throw new Error(`the C function refused relocation ${failed}`);
          }),
      },
      turns,
      warmup,
    );
    for (let at = 0; at < ours.length; at++) {
      if (ours[at] !== theirs[at]) throw new Error(`byte ${at} differs`);
    }
    const each = 1e6 / count;
    applying.push({
      size: count,
      ours: each * found.ours,
      peer: each * found.peer,
      ratio: found.ratio,
      goal: 3,
    });
    scanning.push({ size: count, ours: each * repeated(() => scanRelocations(file), turns, warmup) });
  }
  library.close();
  for (const count of SYMBOL_COUNTS) {
    const file = parseSmf(relocatedModule(1, count));
    const work = () => planImage(file, 4096, { got: 0, plt: 0 });
    const took = repeated(work, rounds, Math.max(5, Math.ceil(2e6 / count)));
    placing.push({ size: count, ours: 1e6 / count * took });
  }
  return {
    title,
    series: [
      { name: "apply, each", per: "relocations", unit: "ns", peer: "C", points: applying },
      { name: "scan, each", per: "relocations", unit: "ns", points: scanning },
      { name: "place, each", per: "symbols", unit: "ns", points: placing },
    ],
    skipped: [],
  };
}

if (import.meta.main) console.log(table(await relocationBench()));
