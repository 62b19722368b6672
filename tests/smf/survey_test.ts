import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Expectation } from "../../fixtures/recipes/malformed.ts";
import { LoadError } from "../../src/errors/load_error.ts";
import { type Survey, surveySmf } from "../../src/smf/survey.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { SectionType, SmfBuilder, SymbolType } from "../../src/smf/mod.ts";
import { randomFrom, sampler, stress, unhashed } from "../support/testing.ts";
import { assertLoadError, patched } from "../support/testing.ts";
import { HAS_ZSTD } from "../support/deno_version.ts";

const FOLDER = new URL("../../fixtures/malformed/", import.meta.url);
const MANIFEST: Readonly<Record<string, Expectation>> = JSON.parse(
  Deno.readTextFileSync(new URL("manifest.json", FOLDER)),
);

function survey(bytes: Uint8Array): Survey & { problems: LoadError[] } {
  const problems: LoadError[] = [];
  return { ...surveySmf(bytes, (problem) => problems.push(problem)), problems };
}

Deno.test("the first problem of a survey is the parser's error", () => {
  for (const [name, { stage, kind, message }] of Object.entries(MANIFEST)) {
    if (stage !== "parse") continue;
    const { problems } = survey(Deno.readFileSync(new URL(name, FOLDER)));
    assertEquals(problems[0]?.kind, kind, name);
    assertStringIncludes(problems[0].message, message, name);
  }
});

Deno.test("a survey of a valid file reports nothing and returns the file", () => {
  for (const layout of ["H72", "H80", "H96", "H96-trailer", "P128"] as const) {
    const { file, problems, skipped, header } = survey(sampler({ layout }).bytes);
    assertEquals([problems, skipped, header?.layout], [[], [], layout]);
    assertEquals(file?.symbols.length, 4);
    assertEquals(file?.checksum === undefined, false);
  }
});

/** A file with nine symbols and nine relocations, and the offsets of both tables. */
function fileToSpoil(): { bytes: Uint8Array; symbols: number; relocations: number } {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(128) });
  for (let index = 0; index < 9; index++) {
    builder.symbol({ name: `symbol${index}`, type: SymbolType.Data, value: 4096 + 8 * index, size: 8 });
    builder.relocation({ offset: 4096 + 8 * index, symbol: index, type: 1 });
  }
  const bytes = unhashed(builder.build());
  const { header, sections } = parseSmf(bytes);
  return { bytes, symbols: header.symbolTableOffset, relocations: sections[2].offset };
}

Deno.test("every broken symbol and relocation is reported", () => {
  const { bytes, symbols, relocations } = fileToSpoil();
  const broken = patched(
    bytes,
    [symbols + 1 * 56 + 4, 4, 1], // hash
    [symbols + 4 * 56 + 8, 1, 99], // type
    [symbols + 8 * 56 + 9, 1, 99], // binding
    [relocations + 2 * 24 + 8, 4, 77], // symbol
    [relocations + 7 * 24 + 4, 4, 0xffff_ffff], // offset
  );
  const { problems, file, skipped } = survey(broken);
  assertEquals(problems.map(({ message }) => message.replace(/ \(.*/, "")), [
    "Cannot use symbol 1: its stored hash does not match its name",
    "Cannot use symbol 4: its type does not exist",
    "Cannot use symbol 8: its binding does not exist",
    "Cannot use relocation 2: its symbol does not exist",
    "Cannot use relocation 7: its offset is above 2^53 - 1",
  ]);
  assertEquals(problems.map(({ data }) => data.offset), [
    symbols + 60,
    symbols + 4 * 56 + 8,
    symbols + 8 * 56 + 9,
    relocations + 56,
    relocations + 7 * 24,
  ]);
  assertEquals(file, undefined);
  assertEquals(skipped.length, 2);
});

Deno.test("every problem of every section is reported", () => {
  const { bytes } = fileToSpoil();
  const [code, data] = [96, 96 + 56];
  const { problems } = survey(
    patched(bytes, [code + 4, 4, 0x33], [code + 32, 8, 3], [data + 8, 8, 1 << 20], [data + 4, 4, 7]),
  );
  assertEquals(
    problems.map(({ message, data }) => `${data.section}: ${/: ([^(]*)/.exec(message)![1].trim()}`),
    [
      "code: it has unknown flags",
      "code: its alignment is not a power of two",
      "code: it is both writable and executable",
      "data: its data passes the end of the file",
      "data: it is both writable and executable",
    ],
  );
});

Deno.test("every name that is exported twice is reported", () => {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  for (let index = 0; index < 6; index++) {
    builder.symbol({ name: `f${index % 3}`, type: SymbolType.Function, binding: index < 3 ? 1 : 2, size: 1 });
  }
  const bytes = unhashed(builder.build());
  const { symbolTableOffset } = parseSmf(bytes).header;
  const { problems, file } = survey(
    patched(bytes, [symbolTableOffset + 3 * 56 + 9, 1, 1], [symbolTableOffset + 5 * 56 + 9, 1, 1]),
  );
  assertEquals(problems.map(({ data }) => [data.symbol, data.value]), [
    ["f0", "symbols 0 and 3"],
    ["f2", "symbols 2 and 5"],
  ]);
  assert(file !== undefined);
});

Deno.test("a survey of any changed file ends, and agrees with the parser", () => {
  const random = randomFrom(9);
  const originals = [
    sampler().bytes,
    sampler({ compress: HAS_ZSTD }).bytes,
    sampler({ layout: "P128" }).bytes,
  ];
  for (let round = 0; round < stress(2000); round++) {
    const bytes = originals[round % originals.length].slice();
    for (let change = random() % 4; change >= 0; change--) {
      bytes[random() % bytes.length] = random() % 3 === 0 ? 0xff : random();
    }
    const { problems } = survey(bytes);
    let refused: LoadError | undefined;
    try {
      parseSmf(bytes);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      refused = error;
    }
    // The parser does not decompress, so that it may accept a file in which a survey finds a problem.
    if (refused !== undefined) assert(problems.length > 0, refused.message);
    else assert(problems.every(({ message }) => /decompress|holds/.test(message)), `${problems}`);
  }
});

Deno.test("a survey ends with the error that the report throws", () => {
  const error = assertLoadError(() =>
    surveySmf(new Uint8Array(3), (problem) => {
      throw problem;
    }), "InvalidFormat");
  assertStringIncludes(error.message, "no SMF header");
});
