// Every supported relocation type: the bytes before and after, compared with an independent
// computation, at both ends of its range.
import { assert, assertEquals } from "@std/assert";
import { SymbolKind, SymbolVisibility } from "../../src/os/elf.ts";
import { RelocationType } from "../../src/smf/enums.ts";
import {
  addFunction,
  addVariable,
  CODE,
  DATA,
  ElfWriter,
  link,
  linkFails,
  RODATA,
} from "../support/objects.ts";
import { across, pair, R } from "../support/relocation_objects.ts";

Deno.test("PC32 inside a group: S + A - P is written and no relocation is left", () => {
  const linked = link(pair(R.PC32, -4));
  const [S, A, P] = [linked.at("to"), -4, linked.at("from") + 4];
  assertEquals(linked.int32(P), S + A - P);
  assertEquals(linked.bytesAt(P - 4, 4), [0x90, 0x90, 0x90, 0x90], "bytes before the place are as they were");
  assertEquals(linked.bytesAt(P + 4, 8), new Array(8).fill(0x90), "bytes behind the place are as they were");
  assertEquals(linked.relocations(), []);
});

Deno.test("PLT32 inside a group: S + A - P, no stub is needed", () => {
  const linked = link(pair(R.PLT32, -4));
  const [S, A, P] = [linked.at("to"), -4, linked.at("from") + 4];
  assertEquals(linked.int32(P), S + A - P);
  assertEquals(linked.relocations(), []);
});

Deno.test("PC64 inside a group: eight bytes of S + A - P, also when negative", () => {
  for (const addend of [-4, 0x7_0000_0000, -0x7_0000_0001]) {
    const linked = link(pair(R.PC64, addend, RODATA));
    const [S, P] = [BigInt(linked.at("to")), BigInt(linked.at("from") + 4)];
    assertEquals(linked.int64(Number(P)), S + BigInt(addend) - P);
    assertEquals(linked.relocations(), []);
  }
});

Deno.test("PC32 reaches both ends of 32 bits, and one further is an error", () => {
  const near = link(pair(R.PC32, 0));
  const distance = near.at("to") - (near.at("from") + 4);
  for (const type of [R.PC32, R.PLT32]) {
    const last = link(pair(type, 2 ** 31 - 1 - distance));
    assertEquals(last.int32(last.at("from") + 4), 2 ** 31 - 1);
    const first = link(pair(type, -(2 ** 31) - distance));
    assertEquals(first.int32(first.at("from") + 4), -(2 ** 31));
    for (
      const [addend, value] of [[2 ** 31 - distance, 2 ** 31], [-(2 ** 31) - 1 - distance, -(2 ** 31) - 1]]
    ) {
      const error = linkFails(pair(type, addend), "RelocationFailed", "does not fit");
      assert(error.message.includes(type === R.PC32 ? "R_X86_64_PC32" : "R_X86_64_PLT32"), error.message);
      assert(error.hint.includes("out of the relocation's reach"), error.hint);
      assertEquals(error.data.value, value);
      assertEquals(error.data.range, [-(2 ** 31), 2 ** 31]);
      assertEquals(error.data.path, "a.o");
      assertEquals(error.data.section, ".text.from");
      assertEquals(error.data.symbol, "to");
      assertEquals(error.data.offset, 4);
    }
  }
});

Deno.test("an addend beyond 2^53 is an error, not another number", () => {
  linkFails(pair(R.PC64, 2n ** 53n), "RelocationFailed", "addend");
  linkFails(pair(R.PLT32, -(2n ** 60n)), "RelocationFailed", "addend");
});

const AARCH64 = 183;

Deno.test("distances between groups are applied, and the file asks for a fixed layout", () => {
  const linked = link(across(R.PC32, -4).object);
  assertEquals(linked.relocations(), []);
  assertEquals(linked.settled(linked.at("from") + 4), linked.at("to") + 16 - 4);
  assert(linked.isFixed);
  const wide = link(across(R.PC64, -4).object);
  assertEquals(wide.relocations(), []);
  assertEquals(Number(wide.int64(wide.at("from") + 4)), wide.at("to") + 16 - 4 - (wide.at("from") + 4));
  assert(wide.isFixed);
});

Deno.test("a file whose distances are all inside groups does not ask for a layout", () => {
  assert(!link(pair(R.PC32, 0)).isFixed);
});

Deno.test("a distance between groups that does not fit is an error of the link", () => {
  const error = linkFails(across(R.PC32, 2 ** 31).object, "RelocationFailed", "does not fit");
  assertEquals([error.data.section, error.data.offset], [".text.from", 4]);
});

Deno.test("where page sizes differ, distances between groups are left to the loader, with the same S + A", () => {
  const [PREL32, PREL64] = [261, 260];
  for (const [type, smfType] of [[PREL32, RelocationType.Pc32], [PREL64, RelocationType.Pc64]]) {
    const linked = link(across(type, -4, AARCH64).object);
    assert(!linked.isFixed);
    const [one, ...more] = linked.relocations();
    assertEquals(more, []);
    assertEquals(one.type, smfType);
    assertEquals(one.offset, linked.at("from") + 4);
    assertEquals(linked.target(one.offset), linked.at("to") + 16 - 4);
  }
});

Deno.test("64: addresses are left to the loader, in code, data and read-only data", () => {
  for (const flags of [CODE, DATA, RODATA]) {
    const writer = new ElfWriter();
    const place = writer.section({ name: "place", flags, bytes: new Uint8Array(16), alignment: 8 });
    writer.symbol({ name: "words", section: place, size: 16 });
    const to = addVariable(writer, "to", new Uint8Array(8));
    writer.relocation(place, { offset: 8, symbol: writer.sectionSymbol(to), type: R[64], addend: 5 });
    const linked = link(writer.build());
    const at = linked.at("words") + 8;
    assertEquals(linked.relocations().map(({ offset, type }) => [offset, type]), [[
      at,
      RelocationType.Abs64,
    ]]);
    assertEquals(linked.target(at), linked.at("to") + 5);
  }
});

Deno.test("the address of an exported function keeps the function's own symbol", () => {
  // Every module must get the same canonical address, which only the loader knows.
  const writer = new ElfWriter();
  const place = writer.section({
    name: ".data.rel.ro",
    flags: DATA,
    bytes: new Uint8Array(16),
    alignment: 8,
  });
  writer.symbol({ name: "table", section: place, size: 16 });
  const section = writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(32).fill(0xc3) });
  const shown = writer.symbol({ name: "shown", section, value: 16, kind: SymbolKind.FUNC });
  const inner = writer.symbol({ name: "inner", section, value: 17, kind: SymbolKind.FUNC, visibility: 2 });
  writer.relocation(place, { offset: 0, symbol: shown, type: R[64] });
  writer.relocation(place, { offset: 8, symbol: inner, type: R[64] });
  const linked = link(writer.build());
  assertEquals(linked.relocations().map(({ symbol, addend }) => [symbol, addend]), [["shown", 0], [
    ".text",
    17,
  ]]);
});

Deno.test("imports keep their type, addend and name", () => {
  const writer = new ElfWriter();
  const from = addFunction(writer, "from", new Uint8Array(40).fill(0x90));
  const types = [[R.PC32, 2], [R.PLT32, 3], [R.GOTPCREL, 4], [R.GOTPCRELX, 4], [R.REX_GOTPCRELX, 4], [
    R.PC64,
    32,
  ], [
    R[64],
    1,
  ]];
  types.forEach(([type], i) => {
    writer.relocation(from, {
      offset: 4 * i,
      symbol: writer.symbol({ name: `import${i}` }),
      type,
      addend: i - 4,
    });
  });
  const linked = link(writer.build());
  assertEquals(
    linked.relocations(),
    types.map(([, type], i) => ({
      offset: linked.at("from") + 4 * i,
      symbol: `import${i}`,
      type,
      addend: i - 4,
    })),
  );
  assertEquals(
    linked.bytesAt(linked.at("from"), 40),
    new Array(40).fill(0x90),
    "places of imports are as they were",
  );
});

Deno.test("an import is a function only if something calls it", () => {
  const writer = new ElfWriter();
  const from = addFunction(
    writer,
    "from",
    Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x15, 0, 0, 0, 0, 0, 0, 0, 0),
  );
  const called = writer.symbol({ name: "called" });
  const read = writer.symbol({ name: "read" });
  const indirect = writer.symbol({ name: "indirect" });
  writer.relocation(from, { offset: 0, symbol: called, type: R.PLT32, addend: -4 });
  writer.relocation(from, { offset: 4, symbol: read, type: R.PC32, addend: -4 });
  writer.relocation(from, { offset: 10, symbol: indirect, type: R.GOTPCRELX, addend: -4 });
  writer.relocation(from, { offset: 14, symbol: called, type: R.PC32, addend: -4 });
  const { symbols } = link(writer.build()).file;
  const typeOf = (name: string) => symbols.find(name)!.type;
  assertEquals([typeOf("called"), typeOf("read"), typeOf("indirect")], [1, 0, 1]);
});

Deno.test("GOT references to symbols that are not exported get a symbol of their own", () => {
  const writer = new ElfWriter();
  // cmpq $0, hidden@GOTPCREL(%rip): no direct form, and bytes behind the place
  const from = addFunction(writer, "from", Uint8Array.of(0x48, 0x83, 0x3d, 0, 0, 0, 0, 0));
  const to = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(16) });
  const hidden = writer.symbol({
    name: "hidden",
    section: to,
    value: 8,
    visibility: SymbolVisibility.HIDDEN,
  });
  writer.relocation(from, { offset: 3, symbol: hidden, type: R.GOTPCREL, addend: -5 });
  const linked = link(writer.build(), { strip: true });
  assertEquals(linked.relocations(), [{
    offset: linked.at("from") + 3,
    symbol: "hidden",
    type: RelocationType.GotPcRel,
    addend: -5,
  }]);
  assertEquals(linked.at("hidden"), linked.section(".data").address + 8);
});
