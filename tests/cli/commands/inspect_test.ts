import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Arch, Platform, RelocationType, SectionType, SmfBuilder, SymbolType } from "../../../src/smf/mod.ts";
import { encodeTypes } from "../../../src/types/encode.ts";
import { addModule, fixtureTest, hostBuilder, sampler, TemporaryDirectory } from "../../support/testing.ts";
import { fromFileUrl } from "@std/path";
import { FOLDER as CRASHES } from "../../../fixtures/build_crashes.ts";
import { linkedSizes } from "../../../src/cli/analysis/sizes.ts";
import { smf } from "../../support/smf_command.ts";
import { hexBytes } from "../../support/digits.ts";
import { zstdTest } from "../../support/deno_version.ts";
import { typedModule, TypeList } from "../../support/type_graphs.ts";

Deno.test("inspect shows header, sections, symbols, relocations, imports and image", async () => {
  const { code, out, err } = await smf("inspect", "fixtures/importer.smf", "--all");
  assertEquals([code, err], [0, []]);
  assertEquals(out.filter((line) => line !== "" && !line.startsWith(" ")), [
    "header",
    "sections",
    "symbols",
    "relocations",
    "imports",
    "image",
  ]);
  const text = out.join("\n");
  assertStringIncludes(text, "\nimports\n  scale\n");
  assert(/\n +- +0 +Function +Global +imported +scale\n/.test(text), text);
  assertStringIncludes(text, "read-execute  0x0..0x1000");
});

Deno.test("inspect and verify know a module that needs low memory", async () => {
  const builder = new SmfBuilder({ arch: Arch.X86_64, platform: Platform.Linux });
  builder.section({ name: ".data", type: SectionType.Data, bytes: new Uint8Array(16) });
  const symbol = builder.symbol({ name: "own", type: SymbolType.Data, value: 8 });
  builder.relocation({ offset: 0, symbol, type: RelocationType.Abs32Signed });
  const file = Deno.makeTempFileSync({ suffix: ".smf" });
  try {
    Deno.writeFileSync(file, builder.build());
    assertStringIncludes((await smf("inspect", file, "--all")).out.join("\n"), ", PLT 0, in the low 2 GiB\n");
    const { image } = JSON.parse((await smf("inspect", "--json", file)).out[0]);
    assertEquals(image.isLow, true);
    assertEquals((await smf("verify", file)).code, 0);
    const other = JSON.parse((await smf("inspect", "--json", "fixtures/importer.smf")).out[0]);
    assertEquals(other.image.isLow, false);
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test("inspect --json prints the same data, with the version of the document", async () => {
  const { out } = await smf("inspect", "--json", "fixtures/importer.smf");
  assertEquals(out.length, 1);
  const { version, command, file, header, imports, image, sections } = JSON.parse(out[0]);
  assertEquals([version, command, file], [1, "inspect", "fixtures/importer.smf"]);
  assertEquals([header.layout, header.arch, imports], ["H96", "X86_64", ["scale"]]);
  assertEquals(image.regions[0].protection, "read-execute");
  assertEquals(typeof sections[0].imageOffset, "number");
});

Deno.test("inspect lists the homes of a reloadable module, with the variables in each", async () => {
  const { out } = await smf("inspect", "fixtures/c/strings.smf", "--all");
  const at = out.indexOf("homes");
  assertEquals(out.slice(at, at + 4), [
    "homes",
    "  offset  size  align  variables",
    "  0x2000     4      4  counter",
    "  0x3000  4416     32  last_note, zeroed, count.0, copy",
  ]);
  const json = async (...more: string[]) =>
    JSON.parse((await smf("inspect", "fixtures/c/strings.smf", "--json", ...more)).out[0]).homes;
  assertEquals(await json("--section=.data"), [
    { offset: 8192, size: 4, alignment: 4, variables: ["counter"] },
  ]);
  assertEquals((await json()).length, 2);
  const plain = await smf("inspect", "fixtures/c/arith.smf", "--all");
  assert(!plain.out.includes("homes"));
});

zstdTest("--section narrows what is shown, --hex adds the contents, decompressed", async () => {
  using folder = new TemporaryDirectory();
  const { bytes, plainBytes } = sampler({ compress: true });
  const path = folder.file("a.smf", bytes);
  const { out } = await smf("inspect", path, "--section", "rodata", "--section=#1", "--hex");
  const text = out.join("\n");
  assert(!text.includes("header") && !text.includes("Function"), text);
  assertStringIncludes(text, "contents of section rodata\n00000000  96 97 98");
  assert(/\n +0x1000 +64 +Constant +Global +rodata +constant/.test(text), text);
  const contents =
    JSON.parse((await smf("inspect", path, "--section=rodata", "--hex", "--json")).out[0]).contents;
  assertEquals(contents, [hexBytes(plainBytes(150))]);
  const unknown = await smf("inspect", path, "--section", "none");
  assertEquals(unknown.code, 2);
  assertStringIncludes(
    unknown.err[0],
    "there is no section 'none' (did you mean 'note'?); the sections are note, data, rodata, code, bss",
  );
});

Deno.test("a file that can be read but not loaded is shown, and reported as bad", async () => {
  const path = "fixtures/malformed/row21_function_in_data.smf";
  const { code, out, err } = await smf("inspect", path, "--all");
  assertEquals([code, out[0]], [1, "header"]);
  assert(!out.includes("image"));
  assertStringIncludes(err[0], `${path}: Cannot use symbol as a function`);
  assertStringIncludes(err[1], "next: ");
});

// The disassembler is fetched if it is not cached; its output does not depend on the platform.
fixtureTest("--disasm shows the instructions of a function, with labels and relocations", async () => {
  const { code, out, err } = await smf("inspect", "fixtures/c/strings.smf", "--disasm", "calls");
  assertEquals([code, err], [0, []]);
  assertEquals(out, [
    "calls:",
    "  30  8b 05 00 00 00 00  mov eax, dword ptr [rip]  # count.0",
    "      Pc32 .bss+0x101c",
    "  36  83 c0 01           add eax, 1",
    "  39  89 05 00 00 00 00  mov dword ptr [rip], eax  # count.0",
    "      Pc32 .bss+0x101c",
    "  3f  c3                 ret",
  ]);
  const whole = JSON.parse(
    (await smf("inspect", "fixtures/c/strings.smf", "--disasm=.text", "--json")).out[0],
  );
  assertEquals([whole.version, whole.arch], [1, "X86_64"]);
  const bytes = whole.instructions.map(({ bytes }: { bytes: string }) => bytes).join("");
  assertEquals(bytes.length / 2, 402);
  const unknown = await smf("inspect", "fixtures/c/strings.smf", "--disasm", "frob");
  assertEquals(unknown.code, 2);
  assertStringIncludes(unknown.err[0], "there is no code called 'frob'; there is weekday");
});

fixtureTest("--disasm supports AArch64, too", async () => {
  const { code, out } = await smf(
    "inspect",
    "fixtures/threads/variables-aarch64-descriptor_v1.smf",
    "--disasm",
    ".text",
  );
  assertEquals(code, 0);
  assert(
    out.some((line) => /^ +0 {2}42 d0 3b d5 {2}mrs x2, tpidr_el0$/.test(line)),
    out.slice(0, 4).join("\n"),
  );
});

Deno.test("--types shows the types, their fields and what has which", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", typedModule());
  const { code, out, err } = await smf("inspect", path, "--types");
  assertEquals([code, err], [0, []]);
  assertEquals(out.filter((line) => !line.startsWith(" ") && line !== ""), [
    "functions and variables",
    "types",
    "fields and values",
  ]);
  const text = out.join("\n");
  assertStringIncludes(text, "\n  #8  long add(long a, long b)\n");
  assert(/\n +#7 +16 +[\da-f]{16} +struct Point\n/.test(text), text);
  assertStringIncludes(text, "#7 struct Point\n    0  #3  double x\n    8  #3  double y");
});

Deno.test("--types shows values above 2^53 exactly, in JSON as decimal strings", async () => {
  using folder = new TemporaryDirectory();
  const list = new TypeList();
  const values = { ONE: 1, TOP: (1n << 64n) - 1n, LOWEST: -(1n << 63n) };
  const type = list.enum("Big", list.int("long", 8), values, 8);
  const builder = hostBuilder();
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8) });
  builder.symbol({ name: "big", type: SymbolType.Data, size: 8 });
  const bytes = encodeTypes({ types: list.types, typed: [{ address: 0, type }] });
  builder.section({ name: ".types", type: SectionType.TypeInfo, bytes });
  const path = folder.file("a.smf", builder.build());
  const text = (await smf("inspect", path, "--types")).out.join("\n");
  assertStringIncludes(text, " 18446744073709551615    TOP");
  assertStringIncludes(text, "-9223372036854775808    LOWEST");
  const { types } = JSON.parse((await smf("inspect", path, "--types", "--json")).out[0]);
  assertEquals(types[1].enumerators, [
    { name: "ONE", value: 1 },
    { name: "TOP", value: "18446744073709551615" },
    { name: "LOWEST", value: "-9223372036854775808" },
  ]);
});

Deno.test("--types --json lists the same", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", typedModule());
  const { types, typed } = JSON.parse((await smf("inspect", path, "--types", "--json")).out[0]);
  const { layoutHash, ...point } = types[6];
  assert(/^[\da-f]{16}$/.test(layoutHash));
  assertEquals(point, {
    id: 7,
    kind: "struct",
    declaration: "struct Point",
    size: 16,
    fields: [
      { name: "x", type: 3, offset: 0, declaration: "double x" },
      { name: "y", type: 3, offset: 8, declaration: "double y" },
    ],
  });
  assertEquals(typed.map(({ name, type }: { name: string; type: number }) => [name, type]), [
    ["add", 8],
    ["counter", 1],
    ["log", 9],
    ["origin", 7],
  ]);
  const plain = await smf("inspect", folder.file("b.smf", addModule()), "--types");
  assertEquals(plain.code, 1);
  assertStringIncludes(plain.err.join("\n"), "Cannot tell types: the module keeps none");
  assertEquals((await smf("inspect", path, "--types", "--disasm=add")).code, 2);
});

Deno.test("inspect shows a screenful first: the largest functions and variables, and how much more there is", async () => {
  using folder = new TemporaryDirectory();
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(4096) });
  for (let index = 0; index < 60; index++) {
    const value = index * 64;
    builder.symbol({ name: `function_${index}`, type: SymbolType.Function, value, size: 64 - index });
    builder.symbol({ name: `alias_${index}`, type: SymbolType.Function, value, size: 1 });
    builder.section({ name: `data_${index}`, type: SectionType.Data, bytes: new Uint8Array(8) });
  }
  const path = folder.file("a.smf", builder.build());
  const { code, out } = await smf("inspect", path);
  assertEquals(code, 0);
  assert(out.length <= 40, out.join("\n"));
  assert(out.includes("  64 bytes  1.6%  function_0"), out.join("\n"));
  assert(out.includes("  57 bytes  1.4%  function_7"), out.join("\n"));
  assertEquals(out.filter((line) => line.startsWith("  … 52 more")).length, 1);
  assert(!out.join("\n").includes("alias_"));
  assertStringIncludes(out.at(-1)!, "120 symbols, 0 relocations: --all shows everything");
  assert((await smf("inspect", path, "--all")).out.length > 180);
});

Deno.test("sizes by source come from debug information, those by object and archive from the map of the link", async () => {
  using folder = new TemporaryDirectory();
  const object = new URL("lines-x86_64.o", CRASHES);
  const path = `${folder.path}/a.smf`;
  const { out: [document] } = await smf("link", fromFileUrl(object), "-o", path, "--map", "--json");
  const map = folder.file("map.json", new TextEncoder().encode(document));
  const { out } = await smf("inspect", path, "--map", map);
  const behind = (title: string): string => out[out.indexOf(title) + 1];
  assert(/^ {2}\S+ \w+ +\d+\.\d% +\S*crashes\.c$/.test(behind("code by source")), out.join("\n"));
  assertStringIncludes(behind("objects and members"), "lines-x86_64.o");
  assert(!out.includes("archives"));
  const wrong = await smf("inspect", path, "--map", path);
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.err[0], "it is not the map of a link");
});

Deno.test("members of archives are measured together, too", () => {
  const entries = [
    { object: "libz.a(inflate.o)", size: 30 },
    { object: "main.o", size: 20 },
    { object: "libz.a(crc32.o)", size: 10 },
    { object: "libz.a(inflate.o)", size: 5 },
  ];
  assertEquals(linkedSizes({ sections: [{ entries }] }), {
    objects: [{ name: "libz.a(inflate.o)", size: 35 }, { name: "main.o", size: 20 }, {
      name: "libz.a(crc32.o)",
      size: 10,
    }],
    archives: [{ name: "libz.a", size: 45 }],
  });
  for (const other of [null, 5, {}, { sections: [{}] }, { sections: [{ entries: [{ size: 1 }] }] }]) {
    assertEquals(linkedSizes(other), undefined);
  }
});
