// AArch64: the relocations that the linker applies, and those that it leaves to the loader.
import { assert, assertEquals } from "@std/assert";
import { RelocationType } from "../../../src/smf/enums.ts";
import { SymbolKind, SymbolVisibility } from "../../../src/os/elf.ts";
import { addVariable, CODE, DATA, ElfWriter, link, linkFails, RODATA } from "../../support/objects.ts";

const AARCH64 = 183;

/** `from` holds one instruction; `to` stands `distance` bytes behind it in the same section. */
function pair(type: number, instruction: number, distance: number, flags = CODE): Uint8Array {
  const writer = new ElfWriter(AARCH64);
  const bytes = new Uint8Array(64);
  new DataView(bytes.buffer).setUint32(32, instruction, true);
  const section = writer.section({ name: ".text", flags, bytes, alignment: 16 });
  writer.symbol({ name: "from", section });
  const symbol = writer.symbol({ name: "place", section, value: 32 });
  writer.relocation(section, { offset: 32, symbol, type, addend: distance });
  return writer.build();
}

/** The instruction after linking. */
function linked(type: number, instruction: number, distance: number): number {
  return link(pair(type, instruction, distance)).int32(32) >>> 0;
}

const BL = 0x94000000, B_EQ = 0x54000000, TBZ = 0x36000000, LDR_LITERAL = 0x58000000, ADR = 0x10000000;

Deno.test("aarch64: branches inside the code are applied, to the last word that fits", () => {
  assertEquals(linked(283, BL, 8), 0x94000002);
  assertEquals(linked(282, 0x14000000, -4), 0x17ffffff);
  assertEquals(linked(283, BL, 2 ** 27 - 4), 0x95ffffff);
  assertEquals(linked(283, BL, -(2 ** 27)), 0x96000000);
  const error = linkFails(pair(283, BL, 2 ** 27), "RelocationFailed", "does not fit");
  assertEquals(error.data.range, [-(2 ** 27), 2 ** 27]);
  linkFails(pair(283, BL, -(2 ** 27) - 4), "RelocationFailed", "does not fit");
  linkFails(pair(283, BL, 2), "RelocationFailed", "does not fit");
});

Deno.test("aarch64: short branches and literal loads keep their other fields", () => {
  assertEquals(linked(280, B_EQ | 1, 8), B_EQ | (2 << 5) | 1);
  assertEquals(linked(280, B_EQ, 2 ** 20 - 4), 0x547fffe0);
  linkFails(pair(280, B_EQ, 2 ** 20), "RelocationFailed", "does not fit");
  assertEquals(linked(279, TBZ | 3, -4), 0x3607ffe3);
  linkFails(pair(279, TBZ, 2 ** 15), "RelocationFailed", "does not fit");
  assertEquals(linked(273, LDR_LITERAL | 5, 16), LDR_LITERAL | (4 << 5) | 5);
  assertEquals(linked(274, ADR | 7, 5), (ADR | (1 << 29) | (1 << 5) | 7) >>> 0);
  assertEquals(linked(274, ADR, -(2 ** 20)), 0x10800000);
  linkFails(pair(274, ADR, 2 ** 20), "RelocationFailed", "does not fit");
});

Deno.test("aarch64: pages, page offsets, GOT slots and addresses are left to the loader", () => {
  const writer = new ElfWriter(AARCH64);
  const code = writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(64), alignment: 4 });
  writer.symbol({ name: "f", section: code });
  const data = addVariable(writer, "data", new Uint8Array(32));
  const local = writer.sectionSymbol(data);
  const imported = writer.symbol({ name: "import" });
  const cases: [type: number, symbol: number, smf: number][] = [
    [275, local, RelocationType.Arm64Page21],
    [276, local, RelocationType.Arm64Page21],
    [277, local, RelocationType.Arm64PageOff12],
    [278, local, RelocationType.Arm64PageOff12],
    [284, local, RelocationType.Arm64PageOff12],
    [285, local, RelocationType.Arm64PageOff12],
    [286, local, RelocationType.Arm64PageOff12],
    [299, local, RelocationType.Arm64PageOff12],
    [311, imported, RelocationType.Arm64GotLoadPage21],
    [312, imported, RelocationType.Arm64GotLoadPageOff12],
    [283, imported, RelocationType.Arm64Branch26],
    [261, local, RelocationType.Pc32],
    [260, local, RelocationType.Pc64],
    [257, imported, RelocationType.Abs64],
  ];
  cases.forEach(([type, symbol], i) => writer.relocation(code, { offset: 4 * i, symbol, type, addend: i }));
  const module = link(writer.build());
  assertEquals(module.file.header.arch, 1);
  assertEquals(
    module.relocations().map(({ offset, type }) => [offset, type]),
    cases.map(([, , smf], i) => [4 * i, smf]),
  );
  assertEquals(module.target(0), module.at("data"));
  assertEquals(module.target(4 * 7), module.at("data") + 7);
});

/** Code that refers to an exported and a hidden function; each reference is an instruction, a type and an addend. */
function references(
  name: "exported" | "hidden",
  parts: readonly (readonly [instruction: number, type: number, addend?: number])[],
) {
  const writer = new ElfWriter(AARCH64);
  const bytes = new Uint8Array(4 * parts.length);
  const view = new DataView(bytes.buffer);
  const code = writer.section({ name: ".text", flags: CODE, bytes, alignment: 4 });
  writer.symbol({ name: "from", section: code });
  const functions = writer.section({ name: ".text.f", flags: CODE, bytes: new Uint8Array(16), alignment: 4 });
  const visibility = name === "hidden" ? SymbolVisibility.HIDDEN : SymbolVisibility.DEFAULT;
  const symbol = writer.symbol({ name, section: functions, visibility, kind: SymbolKind.FUNC });
  parts.forEach(([instruction, type, addend = 0], index) => {
    view.setUint32(4 * index, instruction, true);
    writer.relocation(code, { offset: 4 * index, symbol, type, addend });
  });
  const module = link(writer.build());
  return {
    instructions: parts.map((_, index) => module.int32(module.at("from") + 4 * index) >>> 0),
    relocations: module.relocations().map(({ symbol, type }) => [symbol, type]),
  };
}

const ADRP_X3 = 0x90000003, ADD_X4_X3 = 0x91000064, LDR_X4_X3 = 0xf9400064, LDRB_W4_X3 = 0x39400064;
const PAGE = [ADRP_X3, 275] as const, ADD = [ADD_X4_X3, 277] as const;

Deno.test("aarch64: adrp and add of an exported function become a load from its GOT slot", () => {
  const { instructions, relocations } = references("exported", [PAGE, ADD, ADD, [ADRP_X3, 276], ADD]);
  assertEquals(instructions, [ADRP_X3, LDR_X4_X3, LDR_X4_X3, ADRP_X3, LDR_X4_X3]);
  const page = ["exported", RelocationType.Arm64GotLoadPage21];
  const offset = ["exported", RelocationType.Arm64GotLoadPageOff12];
  assertEquals(relocations, [page, offset, offset, page, offset]);
});

Deno.test("aarch64: adrp and add of a function that nobody else sees stay", () => {
  const { instructions, relocations } = references("hidden", [PAGE, ADD]);
  assertEquals(instructions, [ADRP_X3, ADD_X4_X3]);
  assertEquals(relocations.map(([, type]) => type), [
    RelocationType.Arm64Page21,
    RelocationType.Arm64PageOff12,
  ]);
});

Deno.test("aarch64: an adrp stays if a load of the function's bytes uses it too", () => {
  const { instructions, relocations } = references("exported", [PAGE, ADD, [LDRB_W4_X3, 278]]);
  assertEquals(instructions, [ADRP_X3, ADD_X4_X3, LDRB_W4_X3]);
  assertEquals(relocations.map(([, type]) => type), [
    RelocationType.Arm64Page21,
    RelocationType.Arm64PageOff12,
    RelocationType.Arm64PageOff12,
  ]);
});

Deno.test("aarch64: the address of a place inside an exported function stays a calculation", () => {
  const inside = [[ADRP_X3, 275, 4], [ADD_X4_X3, 277, 4]] as const;
  const { instructions } = references("exported", [...inside, PAGE, ADD]);
  assertEquals(instructions, [ADRP_X3, ADD_X4_X3, ADRP_X3, LDR_X4_X3]);
});

Deno.test("aarch64: a distance in data is exact, so merged strings are found by it", () => {
  const writer = new ElfWriter(AARCH64);
  const bytes = new TextEncoder().encode("one\0two\0");
  const strings = writer.section({ name: ".rodata.str1.1", flags: RODATA | 0x30, bytes, entrySize: 1 });
  const code = writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(8), alignment: 4 });
  writer.symbol({ name: "f", section: code });
  const symbol = writer.sectionSymbol(strings);
  writer.relocation(code, { offset: 0, symbol, type: 275, addend: 4 });
  writer.relocation(code, { offset: 4, symbol, type: 277, addend: 4 });
  const module = link(writer.build());
  assertEquals(module.section(".rodata").size, 4);
  assertEquals(module.text(module.target(0)), "two");
  assertEquals(module.target(4), module.target(0));
});

Deno.test("aarch64: types without a counterpart are refused with the reason and the next step", () => {
  const cases: [type: number, problem: string, hint: string][] = [
    [258, "a 32-bit address", "compile with -fPIC"],
    [309, "tiny code model", "compile with -mcmodel=small"],
    [550, "thread-local", "compile with -fPIC"],
    [561, "tiny or large code model", "compile with -mcmodel=small"],
    [700, "type 700: the type is unknown", "try another code model"],
  ];
  for (const [type, problem, hint] of cases) {
    const error = linkFails(type === 258 ? pair(type, 0, 0, DATA) : pair(type, 0, 0), "Unsupported", problem);
    assert(error.hint.startsWith(hint), error.hint);
  }
});

Deno.test("aarch64: atexit and the module's finaliser are there too", () => {
  const writer = new ElfWriter(AARCH64);
  const code = writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(4), alignment: 4 });
  writer.symbol({ name: "f", section: code });
  writer.relocation(code, { offset: 0, symbol: writer.symbol({ name: "atexit" }), type: 283 });
  const module = link(writer.build());
  assertEquals(module.importNames(), ["__cxa_atexit", "__cxa_finalize"]);
  const [adrp, add, mov] = [0, 4, 8].map((offset) => module.int32(module.at("atexit") + offset) >>> 0);
  assertEquals([adrp, add, mov], [0x90000002, 0x91000042, 0xd2800001]);
});
