// Every supported relocation type: the bytes before and after, compared with an independent
// computation, at both ends of its range.
import { assert, assertEquals } from "@std/assert";
import { parseObject } from "../../src/link/elf/object.ts";
import { SectionIndex, SymbolBinding, SymbolKind, SymbolVisibility } from "../../src/os/elf.ts";
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

const R = {
  64: 1,
  PC32: 2,
  PLT32: 4,
  GOTPCREL: 9,
  32: 10,
  "32S": 11,
  PC64: 24,
  GOTPCRELX: 41,
  REX_GOTPCRELX: 42,
};

/** Makes `from`, which refers at offset 4 to `to`, behind it in the same group. */
function pair(type: number, addend: number | bigint, flags = CODE): Uint8Array {
  const writer = new ElfWriter();
  const bytes = new Uint8Array(16).fill(0x90);
  const from = writer.section({ name: ".text.from", flags, bytes, alignment: 16 });
  writer.symbol({ name: "from", section: from, size: 16 });
  const to = writer.section({ name: ".text.to", flags, bytes: new Uint8Array(48).fill(0xc3), alignment: 32 });
  const symbol = writer.symbol({ name: "to", section: to, value: 8, size: 8 });
  writer.relocation(from, { offset: 4, symbol, type, addend });
  return writer.build();
}

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
  linkFails(pair(R[64], -(2n ** 60n)), "RelocationFailed", "addend");
});

const AARCH64 = 183;

/** Makes code that refers at offset 4 to `inner`, a variable in another group. */
function across(type: number, addend: number, machine?: number): { object: Uint8Array } {
  const writer = new ElfWriter(machine);
  const from = addFunction(writer, "from", new Uint8Array(16).fill(0x90));
  const to = addVariable(writer, "to", new Uint8Array(24));
  const local = writer.symbol({
    name: "inner",
    section: to,
    value: 16,
    size: 8,
    binding: 0,
    kind: SymbolKind.OBJECT,
  });
  writer.relocation(from, { offset: 4, symbol: local, type, addend });
  return { object: writer.build() };
}

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

/** Links `instruction`, which refers behind its first `at` bytes to the GOT slot of `to`, hidden by default. */
function gotReference(
  instruction: number[],
  at: number,
  flags: number,
  options: { exported?: boolean } = {},
) {
  const writer = new ElfWriter();
  const from = addFunction(writer, "from", Uint8Array.from(instruction));
  const to = writer.section({ name: ".to", flags, bytes: new Uint8Array(32), alignment: 16 });
  const visibility = options.exported ? SymbolVisibility.DEFAULT : SymbolVisibility.HIDDEN;
  const symbol = writer.symbol({ name: "to", section: to, value: 8, kind: SymbolKind.FUNC, visibility });
  writer.relocation(from, { offset: at, symbol, type: R.REX_GOTPCRELX, addend: -4 });
  return link(writer.build());
}

Deno.test("mov through the GOT becomes lea", () => {
  const code = gotReference([0x48, 0x8b, 0x05, 0, 0, 0, 0], 3, CODE);
  assertEquals(code.bytesAt(code.at("from"), 3), [0x48, 0x8d, 0x05]);
  assertEquals(code.int32(code.at("from") + 3), code.at("to") - 4 - (code.at("from") + 3));
  assertEquals(code.relocations(), []);

  const data = gotReference([0x4c, 0x8b, 0x3d, 0, 0, 0, 0], 3, DATA);
  assertEquals(data.bytesAt(data.at("from"), 3), [0x4c, 0x8d, 0x3d], "the register stays");
  assertEquals(data.relocations(), []);
  assertEquals(data.settled(data.at("from") + 3), data.at("to") - 4);
});

Deno.test("calls and jumps through the GOT become direct ones of the same length", () => {
  const call = gotReference([0xff, 0x15, 0, 0, 0, 0, 0xc3], 2, CODE);
  assertEquals(call.bytesAt(call.at("from"), 2), [0x67, 0xe8]);
  assertEquals(call.int32(call.at("from") + 2), call.at("to") - (call.at("from") + 6));

  const jump = gotReference([0xff, 0x25, 0, 0, 0, 0, 0xc3], 2, CODE);
  assertEquals(jump.bytesAt(jump.at("from"), 1), [0xe9]);
  assertEquals(jump.int32(jump.at("from") + 1), jump.at("to") - (jump.at("from") + 5));
  assertEquals(jump.bytesAt(jump.at("from") + 5, 2), [0x90, 0xc3]);
});

Deno.test("the address of an exported function still comes from the GOT, a call to it does not", () => {
  const address = gotReference([0x48, 0x8b, 0x05, 0, 0, 0, 0], 3, CODE, { exported: true });
  assertEquals(address.bytesAt(address.at("from"), 3), [0x48, 0x8b, 0x05]);
  assertEquals(address.relocations().map(({ symbol, type }) => [symbol, type]), [[
    "to",
    RelocationType.GotPcRel,
  ]]);

  const call = gotReference([0xff, 0x15, 0, 0, 0, 0], 2, CODE, { exported: true });
  assertEquals(call.bytesAt(call.at("from"), 2), [0x67, 0xe8]);
});

Deno.test("other instructions keep their GOT slot, and so do all with a type that must not be relaxed", () => {
  const add = gotReference([0x48, 0x03, 0x05, 0, 0, 0, 0], 3, DATA);
  assertEquals(add.bytesAt(add.at("from"), 3), [0x48, 0x03, 0x05]);
  assertEquals(add.relocations().map(({ type }) => type), [RelocationType.GotPcRel]);

  const writer = new ElfWriter();
  const from = addFunction(writer, "from", Uint8Array.of(0x48, 0x8b, 0x05, 0, 0, 0, 0));
  const to = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(8) });
  const symbol = writer.symbol({ name: "to", section: to, visibility: SymbolVisibility.HIDDEN });
  writer.relocation(from, { offset: 3, symbol, type: R.GOTPCREL, addend: -4 });
  assertEquals(link(writer.build()).bytesAt(0, 3), [0x48, 0x8b, 0x05]);
});

/** Makes a variable that refers to an absolute symbol. */
function constant(type: number, value: bigint, addend = 0n): Uint8Array {
  const writer = new ElfWriter();
  const place = addVariable(writer, "place", new Uint8Array(16).fill(0xee));
  const symbol = writer.symbol({ name: "constant", section: SectionIndex.ABS, value });
  writer.relocation(place, { offset: 4, symbol, type, addend });
  return writer.build();
}

Deno.test("32 and 32S take constants that fit, from the first to the last", () => {
  const read = (type: number, value: bigint) => {
    const linked = link(constant(type, value));
    assertEquals(linked.relocations(), []);
    assertEquals(linked.bytesAt(linked.at("place") + 8, 4), [0xee, 0xee, 0xee, 0xee]);
    return linked.bytesAt(linked.at("place") + 4, 4);
  };
  assertEquals(read(R[32], 0n), [0, 0, 0, 0]);
  assertEquals(read(R[32], 2n ** 32n - 1n), [255, 255, 255, 255]);
  assertEquals(read(R["32S"], -(2n ** 31n)), [0, 0, 0, 0x80]);
  assertEquals(read(R["32S"], 2n ** 31n - 1n), [255, 255, 255, 0x7f]);
  for (
    const [type, value] of [[R[32], -1n], [R[32], 2n ** 32n], [R["32S"], 2n ** 31n], [
      R["32S"],
      -(2n ** 31n) - 1n,
    ]]
  ) {
    const error = linkFails(constant(type as number, value as bigint), "RelocationFailed", "does not fit");
    assertEquals(error.data.value, Number(value));
  }
});

Deno.test("64 takes constants as they are; a distance to one does not exist", () => {
  const linked = link(constant(R[64], 0x1122334455n, 1n));
  assertEquals(linked.int64(linked.at("place") + 4), 0x1122334456n);
  assertEquals(linked.relocations(), []);
  linkFails(constant(R.PC32, 5n), "RelocationFailed", "constant");
});

Deno.test("32-bit addresses are refused, with what to compile differently", () => {
  for (const type of [R[32], R["32S"]]) {
    const error = linkFails(across(type, 0).object, "Unsupported", "cannot hold a 32-bit address");
    assertEquals(error.hint, "compile with -fPIC");
    assertEquals(error.data.section, ".text.from");
    assertEquals(error.data.symbol, "inner");
    const writer = new ElfWriter();
    const from = addFunction(writer, "from", new Uint8Array(8));
    writer.relocation(from, { offset: 0, symbol: writer.symbol({ name: "import" }), type });
    assertEquals(linkFails(writer.build(), "Unsupported", "32-bit address").hint, "compile with -fPIC");
  }
});

Deno.test("types without a counterpart are refused with the reason and the next step", () => {
  const cases: [type: number, problem: RegExp, hint: RegExp][] = [
    [23, /type 23: .* offset from the thread pointer/, /^compile with -fPIC$/],
    [36, /executables and shared libraries/, /^link the objects/],
    [26, /medium or large code model/, /^compile with -mcmodel=small$/],
    [5, /executables and shared libraries/, /^link the objects/],
    [12, /8 or 16 bits/, /32 or 64 bits/],
    [32, /a symbol's size/, /\.size/],
    [200, /type 200: the type is unknown/, /^try another code model/],
  ];
  for (const [type, problem, hint] of cases) {
    const error = linkFails(pair(type, 0), "Unsupported", problem);
    assert(hint.test(error.hint), error.hint);
    assertEquals(error.data.symbol, "to");
    assertEquals(error.data.section, ".text.from");
  }
});

Deno.test("all relocations that cannot be applied are reported at once", () => {
  const writer = new ElfWriter();
  const from = addFunction(writer, "from", new Uint8Array(16));
  for (const offset of [0, 4, 8]) {
    writer.relocation(from, { offset, symbol: writer.symbol({ name: `t${offset}` }), type: 23 });
  }
  const error = linkFails(writer.build(), "Unsupported", "thread-local");
  assert(error.cause instanceof AggregateError);
  assertEquals(error.cause.errors.map((one) => one.data.symbol), ["t0", "t4", "t8"]);
});

Deno.test("a relocation that passes the end of its section is an error", () => {
  const writer = new ElfWriter();
  const from = addFunction(writer, "from", new Uint8Array(8));
  writer.relocation(from, { offset: 5, symbol: writer.symbol({ name: "import" }), type: R.PC32 });
  linkFails(writer.build(), "InvalidFormat", "passes the end");
  const behind = new ElfWriter();
  const section = addFunction(behind, "from", new Uint8Array(8));
  behind.relocation(section, { offset: 8, symbol: behind.symbol({ name: "import" }), type: R.PC32 });
  linkFails(behind.build(), "InvalidFormat", "outside its section");
  const far = new ElfWriter();
  const other = addFunction(far, "from", new Uint8Array(8));
  far.relocation(other, { offset: 0, symbol: far.symbol({ name: "import" }), type: R.PC32 });
  const bytes = far.build();
  new DataView(bytes.buffer).setUint32(parseObject("a.o", bytes).sections[other].relaOffset + 4, 1, true);
  linkFails(bytes, "InvalidFormat", "outside its section");
});

Deno.test("an addend that passes 2^53 only with its place is an error, too", () => {
  const writer = new ElfWriter();
  addVariable(writer, "first", new Uint8Array(64));
  const data = addVariable(writer, "second", new Uint8Array(8), SymbolBinding.LOCAL);
  writer.relocation(data, {
    offset: 0,
    symbol: writer.sectionSymbol(data),
    type: R[64],
    addend: 2n ** 53n - 1n,
  });
  linkFails(writer.build(), "RelocationFailed", "addend is beyond 2^53", { keep: [".data*"] });
});

Deno.test("a relocation of a symbol that the object does not have is an error", () => {
  const writer = new ElfWriter();
  const from = addFunction(writer, "from", new Uint8Array(8));
  writer.relocation(from, { offset: 0, symbol: writer.symbol({ name: "import" }), type: R.PC32 });
  const bytes = writer.build();
  const view = new DataView(bytes.buffer);
  const { relaOffset } = parseObject("a.o", bytes).sections[from];
  for (const symbol of [3, 0xffff_ffff]) {
    view.setUint32(relaOffset + 12, symbol, true);
    linkFails(bytes, "InvalidFormat", `names symbol ${symbol} of 3`);
  }
});

Deno.test("relocations of a section without bytes are an error", () => {
  const writer = new ElfWriter();
  const zeros = writer.section({ name: ".bss", flags: DATA, size: 16 });
  writer.symbol({ name: "zeros", section: zeros, size: 16 });
  writer.relocation(zeros, { offset: 0, symbol: writer.sectionSymbol(zeros), type: R[64] });
  const error = linkFails(writer.build(), "InvalidFormat", "section without bytes");
  assertEquals(error.data.section, ".bss");
});

Deno.test("an array that is reversed must have whole entries", () => {
  const writer = new ElfWriter();
  addFunction(writer, "f", Uint8Array.of(0xc3));
  writer.section({ name: ".ctors", flags: DATA, bytes: new Uint8Array(12), alignment: 8 });
  linkFails(writer.build(), "InvalidFormat", "not a multiple of 8");
});

Deno.test("a constant in a GOT slot may be as large as a number is exact", () => {
  const build = (value: bigint): Uint8Array => {
    const writer = new ElfWriter();
    const from = addFunction(writer, "from", Uint8Array.of(0x48, 0x03, 0x05, 0, 0, 0, 0, 0xc3));
    const symbol = writer.symbol({ name: "constant", section: SectionIndex.ABS, value });
    writer.relocation(from, { offset: 3, symbol, type: R.GOTPCREL, addend: -4 });
    return writer.build();
  };
  const linked = link(build(2n ** 53n - 1n));
  assertEquals(linked.int64(linked.settled(linked.at("from") + 3) + 4), 2n ** 53n - 1n);
  const error = linkFails(build(2n ** 53n), "RelocationFailed", "above 2^53 - 1");
  assert(error.hint.startsWith("use a constant of at most"), error.hint);
});

Deno.test("an undefined weak function that is hidden is 0 and not an import", () => {
  const writer = new ElfWriter();
  // cmpq $0, absent@GOTPCREL(%rip); jmp absent
  const from = addFunction(writer, "from", Uint8Array.of(0x48, 0x83, 0x3d, 0, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0));
  const absent = writer.symbol({
    name: "absent",
    binding: SymbolBinding.WEAK,
    visibility: SymbolVisibility.HIDDEN,
  });
  writer.relocation(from, { offset: 3, symbol: absent, type: R.GOTPCREL, addend: -5 });
  writer.relocation(from, { offset: 9, symbol: absent, type: R.PLT32, addend: -4 });
  const data = addVariable(writer, "pointer", new Uint8Array(8).fill(7));
  writer.relocation(data, { offset: 0, symbol: absent, type: R[64] });
  const linked = link(writer.build());
  assertEquals(linked.importNames(), []);
  const slot = linked.settled(linked.at("from") + 3) + 5;
  assertEquals(linked.int64(slot), 0n, "the GOT reference leads to a slot that holds 0");
  assertEquals(linked.bytesAt(linked.at("from") + 8, 4), [0x0f, 0x0b, 0x0f, 0x0b], "the branch traps");
  assertEquals(linked.int64(linked.at("pointer")), 0n);
});
