// Tests that the oracle refuses wrong images: only then does its acceptance mean something.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { planImage } from "../../src/image/plan.ts";
import { relocate } from "../../src/image/relocation/relocate.ts";
import { scanRelocations } from "../../src/image/relocation/scan.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { xxh32 as ownXxh32 } from "../../src/smf/hash.ts";
import { must, Refusal } from "./format.ts";
import type { Claim } from "./claim.ts";
import { judge, judgeFile } from "./oracle.ts";
import { HeaderFlag } from "../../src/smf/enums.ts";
import { dense, moduleSeeds } from "./seeds.ts";
import { xxh32 } from "./whole.ts";

const BASE = 0x7f00_0000_0000n;

/** Loads a file into plain memory, with all imports at one address. */
function loaded(bytes: Uint8Array, imported = BASE + 0x10_0000n): { claim: Claim; image: Uint8Array } {
  const file = parseSmf(bytes);
  const needs = scanRelocations(file);
  const plan = planImage(file, 4096, { got: needs.gotCount, plt: needs.pltCount });
  const image = new Uint8Array(plan.size);
  for (const { section, offset } of plan.sections) image.set(file.contents(section), offset);
  const imports = BigUint64Array.from(needs.imports, () => imported);
  relocate(image, file, plan, needs, { base: BASE, imports });
  const claim: Claim = {
    layout: file.header.layout,
    base: BASE,
    size: plan.size,
    pageSize: 4096,
    places: new Map(plan.sections.map(({ section, offset }) => [section.index, offset])),
    code: plan.code,
    rodata: plan.rodata,
    data: plan.data,
    gotRegion: plan.gotRegion,
    read: (offset, length) => {
      must(offset >= 0 && offset + length <= image.length, "something outside the image");
      return image.slice(offset, offset + length);
    },
    hasThreads: false,
    addressOf: () => imported,
  };
  return { claim, image };
}

Deno.test("the oracle accepts a correct image", () => {
  assertEquals(judge(dense(), loaded(dense()).claim).judged, 19);
  // With imports far away, calls go through stubs and all other imports through slots, except Pc32's.
  const file = dense();
  const far = BASE - (1n << 44n);
  assertThrows(() => loaded(file, far), Error, "does not fit"); // a variable, reached by Pc32
});

Deno.test("the oracle accepts an image that moved as a whole, and notices if it did not", () => {
  const file = dense("H96", HeaderFlag.FixedLayout);
  const { claim } = loaded(file);
  assertEquals(judge(file, claim).judged, 19);
  // A file without FixedLayout could have the same regions and places.
  const apart = loaded(dense()).claim;
  const far = { ...apart, places: new Map([...apart.places].map(([index, place]) => [index, place])) };
  for (const [index, place] of far.places) if (index >= 3) far.places.set(index, place + 4096);
  const data = { offset: far.data.offset, length: far.data.length + 4096 };
  assertThrows(() => judge(file, { ...far, data, size: far.size + 4096 }), Refusal, "moved apart");
});

Deno.test("the oracle notices a wrong byte anywhere in any group", () => {
  const bytes = dense();
  const { claim, image } = loaded(bytes);
  const { module } = judge(bytes, claim);
  let seen = 0;
  for (const { index, virtualSize } of module.sections) {
    const place = claim.places.get(index);
    if (place === undefined) continue;
    for (let at = place; at < place + virtualSize; at++) {
      image[at] ^= 1;
      assertThrows(() => judge(bytes, claim), Refusal, undefined, `byte ${at} of the image`);
      image[at] ^= 1;
      seen++;
    }
  }
  assertEquals(seen, 824);
});

Deno.test("the oracle notices a slot that holds another address, and a stub that leads elsewhere", () => {
  const bytes = dense();
  const { claim, image } = loaded(bytes);
  const { groups } = judgeFile(bytes, "H96").image;
  const used = groups.find(({ type }) => type === 3)!;
  const slots = claim.rodata.offset + Math.ceil((used.end - used.start) / 8) * 8;
  image[slots] ^= 1;
  assertThrows(() => judge(bytes, claim), Refusal, "slot");
});

Deno.test("the oracle notices sections and regions in other places", () => {
  const bytes = dense();
  const { claim } = loaded(bytes);
  const moved = (index: number, by: number): Claim => ({
    ...claim,
    places: new Map([...claim.places].map(([key, place]) => [key, key === index ? place + by : place])),
  });
  for (const by of [-16, 8, 4096]) {
    for (const index of claim.places.keys()) {
      assertThrows(() => judge(bytes, moved(index, by)), Refusal);
    }
  }
  const missing = new Map(claim.places);
  missing.delete(3);
  assertThrows(() => judge(bytes, { ...claim, places: missing }), Refusal, "not placed");
  assertThrows(() => judge(bytes, { ...claim, rodata: claim.code }), Refusal);
  assertThrows(() => judge(bytes, { ...claim, code: { offset: 8, length: 4096 } }), Refusal, "whole pages");
  assertThrows(() => judge(bytes, { ...claim, base: BASE + 16n }), Refusal);
});

Deno.test("the oracle refuses every malformed fixture whose bytes alone are wrong, as the loader does", () => {
  const bad = moduleSeeds().filter(({ name }) => /^row(0[1-9]|1\d|2[0-3]|26|43)_/.test(name));
  assert(bad.length > 30);
  for (const { name, bytes } of bad) {
    if (name.startsWith("row04_other")) continue;
    for (const layout of ["H72", "H80", "H96", "H96-trailer", "P128"]) {
      assertThrows(() => judgeFile(bytes, layout), Refusal, undefined, `${name} as ${layout}`);
    }
  }
});

Deno.test("the oracle's own hash is XXH32, too", () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => i * 37);
  for (let length = 0; length <= bytes.length; length++) {
    assertEquals(Number(xxh32(bytes.subarray(0, length))), ownXxh32(bytes.subarray(0, length)));
  }
  // The hash of "abc" by the reference implementation.
  assertEquals(xxh32(new TextEncoder().encode("abc")), 0x32d153ffn);
});
