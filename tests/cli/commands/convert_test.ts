import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dump } from "../../../fixtures/dump.ts";
import { ModuleLoader } from "../../../mod.ts";
import { LAYOUTS } from "../../../src/smf/layout.ts";
import { type ParsedSmf, parseSmf } from "../../../src/smf/file.ts";
import { addModule, hostBuilder, sampler, TemporaryDirectory } from "../../support/testing.ts";
import { smf } from "../../support/smf_command.ts";
import { hexBytes } from "../../support/digits.ts";
import { HAS_ZSTD, zstdTest } from "../../support/deno_version.ts";

const parse = (path: string): ParsedSmf => parseSmf(Deno.readFileSync(path));

/** The part of a module that every layout keeps: sections' contents, symbols, relocations. */
function meaning(path: string): string {
  const text = dump(parse(path));
  return text.slice(text.indexOf("\nimage")) +
    parse(path).sections.map((section) => `${section.name} ${hexBytes(parse(path).contents(section))}`).join(
      "\n",
    );
}

Deno.test("a module keeps its meaning in every layout, and a round trip its bytes", async () => {
  using folder = new TemporaryDirectory();
  const original = folder.file("original.smf", sampler().bytes);
  for (const layout of Object.keys(LAYOUTS)) {
    const [there, back] = [folder.join(`${layout}.smf`), folder.join("back.smf")];
    assertEquals(await smf("convert", original, "--layout", layout, "-o", there), {
      code: 0,
      out: [],
      err: [],
    });
    assertEquals(parse(there).header.layout, layout);
    assertEquals(meaning(there), meaning(original));
    assertEquals((await smf("convert", there, "--layout", "H96", "-o", back)).code, 0);
    assertEquals(Deno.readFileSync(back), Deno.readFileSync(original));
  }
});

zstdTest("compressing and decompressing sections keeps their contents", async () => {
  using folder = new TemporaryDirectory();
  const [plain, small, back] = ["plain", "small", "back"].map((name) => folder.join(`${name}.smf`));
  const builder = hostBuilder();
  builder.section({ name: "code", type: 1, bytes: new Uint8Array(4096) });
  builder.section({ name: "data", type: 2, bytes: new Uint8Array(4096).fill(7), virtualSize: 5000 });
  Deno.writeFileSync(plain, builder.build());
  const { out } = await smf("convert", plain, "--compress", "-o", small, "--json");
  const { version, sizes } = JSON.parse(out[0]);
  assertEquals(version, 1);
  assert(sizes.after < sizes.before / 4, out[0]);
  assert(parse(small).sections.every(({ compressed }) => compressed));
  assertEquals(meaning(small).replaceAll("|Compressed", ""), meaning(plain));
  assertEquals((await smf("convert", small, "--decompress", "-o", back)).code, 0);
  assertEquals(meaning(back), meaning(plain));
  const refused = await smf("convert", small, "--layout", "H72", "-o", back);
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.err[0], "no field for the method");
});

Deno.test("the parts that a layout cannot hold are reported", async () => {
  using folder = new TemporaryDirectory();
  const stub = new TextEncoder().encode("#!/bin/sh\n");
  const path = folder.file("a.smf", addModule({ layout: "H96-trailer", stub, appType: 2 }));
  const target = folder.join("b.smf");
  const { code, err } = await smf("convert", path, "--layout", "H72", "-o", target);
  assertEquals([code, err], [0, [
    `${path}: left out: the stub, 10 bytes in front of the header`,
    `${path}: left out: the hints appType`,
  ]]);
  assertEquals((await smf("convert", path, "--layout", "P128", "-o", target)).err, []);
  assertEquals(parse(target).stub(), stub);
});

Deno.test("untyped local symbols become Data in layouts where every symbol has a type", async () => {
  using folder = new TemporaryDirectory();
  const [there, back] = [folder.join("there.smf"), folder.join("back.smf")];
  for (
    const [original, loss] of [
      ["fixtures/c/strings.smf", "the missing type of 1 local symbol, which becomes Data"],
      ["fixtures/platform/linux-aarch64_v1.smf", "the missing type of 4 local symbols, which become Data"],
    ]
  ) {
    const { code, err } = await smf("convert", original, "--layout", "P128", "-o", there);
    assertEquals([code, err], [0, [`${original}: left out: ${loss}`]]);
    assertEquals((await smf("convert", there, "--layout", "H96", "-o", back)).code, 0);
    assertEquals(
      dump(parse(back)).replace(/^header[^]*?\nsections/, ""),
      dump(parse(original)).replace(/^header[^]*?\nsections/, "").replaceAll(/None( +Local)/g, "Data$1"),
    );
  }
});

Deno.test("a converted module still runs", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", addModule());
  const target = folder.join("b.smf");
  for (
    const [layout, more] of [["P128", HAS_ZSTD ? "--compress" : "--decompress"], ["H72", "--decompress"]]
  ) {
    assertEquals((await smf("convert", path, "--layout", layout, more, "-o", target)).code, 0);
    using module = new ModuleLoader().load(target);
    assertEquals(module.getFunction("add", { parameters: ["i64", "i64"], result: "i64" })?.(2n, 3n), 5n);
  }
});

Deno.test("convert refuses wrong usage", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", addModule());
  const cases: [args: string[], message: string][] = [
    [[path], "-o <file.smf>"],
    [[path, "-o", "b", "--layout", "H97"], "there is no layout 'H97'; the layouts are H72, H80"],
    [[path, "-o", "b", "--compress", "--decompress"], "exclude each other"],
    [[path, "-o", folder.join("no/b.smf")], "Cannot write"],
  ];
  for (const [args, message] of cases) {
    const { code, err } = await smf("convert", ...args);
    assertEquals(code, 2);
    assertStringIncludes(err.join("\n"), message);
  }
});
