// Objects and archives with damage: a module or a LoadError, never anything else.
//
// SMF_STRESS=1 runs all 20,000.
import { assert } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { LoadError } from "../../src/errors.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { stress } from "../testing.ts";
import {
  addFunction,
  addVariable,
  archive,
  ascii,
  DATA,
  ElfWriter,
  functionObject,
  STRINGS,
} from "./support.ts";

const ROUNDS = stress(20_000);

/** Marsaglia's xorshift: the same numbers everywhere. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
}

/** Values that break arithmetic. */
const EDGES = [
  0,
  1,
  2,
  4,
  8,
  23,
  24,
  0x7f,
  0x80,
  0xff,
  0xffff,
  0x7fffffff,
  0x80000000,
  0xfffffff0,
  0xffffffff,
];

function mutate(original: Uint8Array, random: Random): Uint8Array {
  let bytes = original.slice();
  const changes = 1 + random.below(4);
  for (let i = 0; i < changes && bytes.length > 8; i++) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const at = random.below(bytes.length);
    const edge = EDGES[random.below(EDGES.length)];
    switch (random.below(7)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes[at] ^= 1 << random.below(8);
        break;
      case 2:
        view.setUint32(Math.min(at & ~3, bytes.length - 4), edge, random.below(4) > 0);
        break;
      case 3:
        // A field of a table is what matters most, and tables stand at the end of an object.
        view.setUint32(
          Math.max(0, bytes.length - 4 - 4 * random.below(Math.min(400, bytes.length / 4 | 0))),
          edge,
          true,
        );
        break;
      case 4: {
        const from = random.below(bytes.length);
        bytes.copyWithin(at, from, from + random.below(64));
        break;
      }
      case 5:
        if (random.below(4) === 0) bytes = bytes.slice(0, at);
        break;
      default:
        bytes.fill(edge, at, at + random.below(16));
    }
  }
  return bytes;
}

function fixture(name: string): Uint8Array {
  return Deno.readFileSync(fromFileUrl(new URL(`../../fixtures/c/${name}.o`, import.meta.url)));
}

/** An object with groups, merged strings, commons, frames, start-up arrays and every kind of symbol. */
function everything(): Uint8Array {
  const writer = new ElfWriter();
  const f = addFunction(writer, "first", new Uint8Array(32).fill(0x90));
  const group = addFunction(writer, "grouped", new Uint8Array(16), 2);
  writer.group(writer.symbol({ name: "signature", section: group, binding: 2 }), [group]);
  const strings = writer.section({
    name: ".rodata.str1.1",
    flags: STRINGS,
    bytes: ascii("one\0two\0"),
    entrySize: 1,
  });
  const data = addVariable(writer, "table", new Uint8Array(32));
  const init = writer.section({
    name: ".init_array",
    type: 14,
    flags: DATA,
    bytes: new Uint8Array(8),
    alignment: 8,
  });
  const frame = new Uint8Array(52);
  const view = new DataView(frame.buffer);
  [[0, 20], [24, 20], [28, 28]].forEach(([at, value]) => view.setUint32(at, value, true));
  const frames = writer.section({ name: ".eh_frame", bytes: frame, alignment: 8 });
  const symbol = writer.sectionSymbol(f);
  writer.symbol({ name: "common", section: 0xfff2, value: 16, size: 40 });
  writer.symbol({ name: "constant", section: 0xfff1, value: 77 });
  writer.relocation(frames, { offset: 32, symbol, type: 2 });
  writer.relocation(frames, { offset: 40, symbol: writer.sectionSymbol(strings), type: 2 });
  writer.relocation(init, { offset: 0, symbol, type: 1 });
  writer.relocation(f, { offset: 4, symbol: writer.symbol({ name: "import" }), type: 4, addend: -4 });
  writer.relocation(f, { offset: 12, symbol: writer.symbol({ name: "atexit" }), type: 42, addend: -4 });
  writer.relocation(data, { offset: 0, symbol: writer.sectionSymbol(strings), type: 1, addend: 4 });
  writer.relocation(data, { offset: 8, symbol: writer.symbol({ name: "__start_hooks" }), type: 1 });
  writer.section({ name: "hooks", flags: DATA, bytes: new Uint8Array(8) });
  return writer.build();
}

/** Links damaged inputs, and lets nothing but LoadError pass. */
function survives(
  inputs: { name: string; bytes: Uint8Array }[],
  exports: string[] | undefined,
  what: string,
): boolean {
  const started = performance.now();
  try {
    const { bytes } = linkObjects(inputs, { ...(exports && { exports }), unwind: true });
    parseSmf(bytes);
    return true;
  } catch (error) {
    if (!(error instanceof LoadError)) throw new Error(`${what}: not a LoadError`, { cause: error });
    return false;
  } finally {
    const took = performance.now() - started;
    assert(took < 10_000, `${what}: took ${took} ms`);
  }
}

Deno.test(`${ROUNDS / 2} damaged objects end in a module or a LoadError`, () => {
  const originals = [everything(), ...["arith", "callback", "ctor", "importer", "strings"].map(fixture)];
  let linked = 0;
  for (let round = 0; round < ROUNDS / 2; round++) {
    const random = new Random(0x5eed + round * 7919);
    const bytes = mutate(originals[random.below(originals.length)], random);
    if (survives([{ name: "a.o", bytes }], undefined, `object, round ${round}`)) linked++;
  }
  // Damage in code and padding does not hurt; if everything failed, nothing deep was tested.
  assert(linked > ROUNDS / 20 && linked < ROUNDS / 2, `${linked} linked`);
});

Deno.test(`${ROUNDS / 2} damaged archives end in a module or a LoadError`, () => {
  const members = [
    { name: "f.o", bytes: functionObject("f", 1, ["g"]), symbols: ["f"] },
    {
      name: "a_name_that_is_longer_than_the_field.o",
      bytes: functionObject("g", 2, ["everything"]),
      symbols: ["g"],
    },
    { name: "everything.o", bytes: everything(), symbols: ["table", "common"] },
  ];
  const originals = [archive(members), archive(members, { withIndex: false })];
  let linked = 0;
  for (let round = 0; round < ROUNDS / 2; round++) {
    const random = new Random(0xa5c + round * 104729);
    const bytes = mutate(originals[random.below(2)], random);
    if (survives([{ name: "lib.a", bytes }], ["f*", "t*"], `archive, round ${round}`)) linked++;
  }
  assert(linked > ROUNDS / 20 && linked < ROUNDS / 2, `${linked} linked`);
});

Deno.test("every truncation of an object and of an archive is an error", () => {
  const object = everything();
  const lib = archive([{ name: "f.o", bytes: functionObject("f", 1), symbols: ["f"] }]);
  for (const [name, bytes] of [["a.o", object], ["lib.a", lib]] as const) {
    for (let length = 0; length < bytes.length - 1; length += name === "a.o" ? 7 : 1) {
      const cut = bytes.subarray(0, length);
      assert(
        !survives([{ name, bytes: cut }], name === "a.o" ? ["first"] : ["f"], `${name} of ${length} bytes`),
        `${name} of ${length} bytes linked`,
      );
    }
  }
});
