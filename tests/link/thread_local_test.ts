// Thread-local variables: their section, their GOT slots, and the uses that are refused.
import { assertEquals } from "@std/assert";
import { SectionType, SymbolKind } from "../../src/os/elf.ts";
import { RelocationType, SectionType as SmfSectionType } from "../../src/smf/enums.ts";
import { linkObjects } from "../../src/link/mod.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { addFunction, ascii, CODE, DATA, ElfWriter, link, linkFails } from "../support/objects.ts";

const TLS = DATA | 0x400;
const AARCH64 = 183;
const [PC32, TLSGD, TLSLD, DTPOFF32, GOTTPOFF, TLSDESC, TLSDESC_CALL] = [2, 19, 20, 21, 22, 34, 35];

/** Makes an object with `zeroed`, of 24 bytes, and `counter`, of 8, which comes first in the TLS block. */
function variables(machine?: number): { writer: ElfWriter; zeroed: number; counter: number; base: number } {
  const writer = new ElfWriter(machine);
  const bss = writer.section({
    name: ".tbss.z",
    type: SectionType.NOBITS,
    flags: TLS,
    size: 24,
    alignment: 64,
  });
  const data = writer.section({ name: ".tdata.c", flags: TLS, bytes: ascii("counter!"), alignment: 8 });
  const zeroed = writer.symbol({ name: "zeroed", section: bss, size: 24, kind: SymbolKind.TLS });
  const counter = writer.symbol({ name: "counter", section: data, size: 8, kind: SymbolKind.TLS });
  return { writer, zeroed, counter, base: writer.sectionSymbol(data) };
}

Deno.test("thread-local variables become one section: bytes first, and zeros that the file leaves out", () => {
  const { writer, zeroed, counter } = variables();
  const f = addFunction(writer, "f", new Uint8Array(16));
  writer.relocation(f, { offset: 0, symbol: zeroed, type: TLSGD, addend: -4 });
  writer.relocation(f, { offset: 8, symbol: counter, type: TLSGD, addend: -4 });
  const linked = link(writer.build());
  const { type, size, virtualSize, alignment } = linked.file.sections.find(({ name }) => name === ".tdata")!;
  assertEquals([type, size, virtualSize, alignment], [SmfSectionType.RoData, 8, 88, 64]);
  assertEquals(linked.map.exports.map(({ name, kind }) => [name, kind]), [
    ["zeroed", "thread-local"],
    ["counter", "thread-local"],
    ["f", "function"],
  ]);
});

Deno.test("a pair holds the module's number, which the loader fills in, and the offset, which is known", () => {
  const { writer, zeroed, counter } = variables();
  const f = addFunction(writer, "f", new Uint8Array(24));
  writer.relocation(f, { offset: 0, symbol: zeroed, type: TLSGD, addend: -4 });
  writer.relocation(f, { offset: 8, symbol: counter, type: TLSGD, addend: -4 });
  writer.relocation(f, { offset: 16, symbol: zeroed, type: TLSGD, addend: -4 });
  const linked = link(writer.build());
  const got = linked.section(".got").address;
  assertEquals(linked.section(".got").size, 32);
  assertEquals([0, 8, 16].map((at) => linked.settled(at)), [got - 4, got + 16 - 4, got - 4]);
  assertEquals(linked.relocations(), [
    { offset: got, symbol: ".tdata", type: RelocationType.TlsModule64, addend: 0 },
    { offset: got + 16, symbol: ".tdata", type: RelocationType.TlsModule64, addend: 0 },
  ]);
  assertEquals([linked.int32(got + 8), linked.int32(got + 24)], [64, 0]);
});

Deno.test("local dynamic: one slot for all variables, whose offsets are in the code", () => {
  const { writer, zeroed, counter } = variables();
  const f = addFunction(writer, "f", new Uint8Array(24));
  writer.relocation(f, { offset: 0, symbol: zeroed, type: TLSLD, addend: -4 });
  writer.relocation(f, { offset: 8, symbol: zeroed, type: DTPOFF32, addend: 8 });
  writer.relocation(f, { offset: 12, symbol: counter, type: DTPOFF32 });
  writer.relocation(f, { offset: 16, symbol: counter, type: TLSLD, addend: -4 });
  const linked = link(writer.build());
  assertEquals(linked.section(".got").size, 16);
  assertEquals([linked.int32(8), linked.int32(12)], [72, 0]);
});

Deno.test("slots of initial exec and of descriptors are filled by the system", () => {
  const { writer, zeroed, counter } = variables();
  const f = addFunction(writer, "f", new Uint8Array(24));
  writer.relocation(f, { offset: 20, symbol: counter, type: DTPOFF32 });
  const base = writer.symbol({ name: "_TLS_MODULE_BASE_", kind: SymbolKind.TLS });
  writer.relocation(f, { offset: 0, symbol: zeroed, type: GOTTPOFF, addend: -4 });
  writer.relocation(f, { offset: 8, symbol: zeroed, type: TLSDESC, addend: -4 });
  writer.relocation(f, { offset: 12, symbol: zeroed, type: TLSDESC_CALL });
  writer.relocation(f, { offset: 16, symbol: base, type: TLSDESC, addend: -4 });
  const linked = link(writer.build());
  const got = linked.section(".got").address;
  assertEquals(linked.importNames(), []);
  assertEquals([0, 8, 16].map((at) => linked.settled(at)), [got - 4, got + 16 - 4, got + 32 - 4]);
  assertEquals(linked.relocations(), [
    { offset: got, symbol: ".tdata", type: RelocationType.TlsStatic64, addend: 64 },
    { offset: got + 16, symbol: ".tdata", type: RelocationType.TlsDescriptor, addend: 64 },
    { offset: got + 32, symbol: ".tdata", type: RelocationType.TlsDescriptor, addend: 0 },
  ]);
});

Deno.test("a thread-local variable of another module is imported by name", () => {
  const writer = new ElfWriter();
  const f = addFunction(writer, "f", new Uint8Array(24));
  const symbol = writer.symbol({ name: "elsewhere", kind: SymbolKind.TLS });
  writer.relocation(f, { offset: 0, symbol, type: TLSGD, addend: -4 });
  writer.relocation(f, { offset: 8, symbol, type: TLSDESC, addend: -4 });
  writer.relocation(f, { offset: 16, symbol, type: GOTTPOFF, addend: -4 });
  const linked = link(writer.build());
  assertEquals(linked.importNames(), ["elsewhere"]);
  assertEquals(linked.relocations().map(({ symbol, type }) => [symbol, type]), [
    ["elsewhere", RelocationType.TlsModule64],
    ["elsewhere", RelocationType.TlsOffset64],
    ["elsewhere", RelocationType.TlsDescriptor],
    ["elsewhere", RelocationType.TlsStatic64],
  ]);
  const local = new ElfWriter();
  const g = addFunction(local, "g", new Uint8Array(8));
  local.relocation(g, { offset: 0, symbol: local.symbol({ name: "elsewhere" }), type: DTPOFF32 });
  linkFails(local.build(), "Unsupported", "is not one of this module");
});

Deno.test("words in the initial image are relocated, distances in it are refused", () => {
  const { writer, counter } = variables();
  const data = writer.section({ name: ".tdata.p", flags: TLS, bytes: new Uint8Array(8), alignment: 8 });
  const pointer = writer.symbol({ name: "pointer", section: data, size: 8, kind: SymbolKind.TLS });
  const f = addFunction(writer, "f", new Uint8Array(16));
  writer.relocation(data, { offset: 0, symbol: writer.sectionSymbol(f), type: 1, addend: 3 });
  writer.relocation(f, { offset: 0, symbol: pointer, type: TLSGD, addend: -4 });
  writer.relocation(f, { offset: 8, symbol: counter, type: TLSGD, addend: -4 });
  const linked = link(writer.build());
  const [{ offset, addend }] = linked.relocations().filter(({ type }) => type === RelocationType.Abs64);
  assertEquals([offset - linked.section(".tdata").address, addend], [8, 3]);
  writer.relocation(data, { offset: 4, symbol: writer.sectionSymbol(f), type: PC32 });
  linkFails(writer.build(), "Unsupported", "differ between threads");
});

Deno.test("an ordinary use of a thread-local variable, and the reverse, are refused by name", () => {
  const { writer, counter } = variables();
  const f = addFunction(writer, "f", new Uint8Array(16));
  writer.relocation(f, { offset: 0, symbol: counter, type: PC32, addend: -4 });
  const error = linkFails(writer.build(), "Unsupported", "used as an ordinary one");
  assertEquals(error.hint, "declare it as thread-local in every source that uses it");
  assertEquals([error.data.symbol, error.data.section], ["counter", ".text.f"]);
  const other = new ElfWriter();
  const g = addFunction(other, "g", new Uint8Array(16));
  const data = other.section({ name: ".data", flags: DATA, bytes: new Uint8Array(8) });
  other.relocation(g, {
    offset: 0,
    symbol: other.symbol({ name: "plain", section: data }),
    type: TLSGD,
    addend: -4,
  });
  const reverse = linkFails(other.build(), "Unsupported", "used as a thread-local variable");
  assertEquals(
    reverse.hint,
    "declare it as thread-local in every source, or as an ordinary variable in all of them",
  );
});

Deno.test("variables that nothing reaches take no room in the TLS block", () => {
  const { writer, counter } = variables();
  const f = addFunction(writer, "f", new Uint8Array(16));
  writer.relocation(f, { offset: 0, symbol: counter, type: TLSGD, addend: -4 });
  const linked = link(writer.build(), { exports: ["f"] });
  assertEquals(linked.section(".tdata").size, 8);
});

Deno.test("aarch64: descriptors, pairs and offsets from the thread pointer, by pages", () => {
  const { writer, zeroed, base } = variables(AARCH64);
  const code = writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(64), alignment: 4 });
  writer.symbol({ name: "f", section: code });
  [562, 563, 564, 569, 513, 514, 541, 542].forEach((type, i) =>
    writer.relocation(code, { offset: 4 * i, symbol: zeroed, type, addend: 0 })
  );
  [562, 564].forEach((type, i) =>
    writer.relocation(code, { offset: 40 + 4 * i, symbol: base, type, addend: 4 })
  );
  const linked = link(writer.build());
  const got = linked.section(".got").address;
  const [page, low] = [RelocationType.Arm64Page21, RelocationType.Arm64PageOff12];
  assertEquals(linked.relocations().map(({ offset, type, addend }) => [offset, type, addend]), [
    [0, page, 0],
    [4, low, 0],
    [8, low, 0],
    [16, page, 16],
    [20, low, 16],
    [24, page, 32],
    [28, low, 32],
    [40, page, 48],
    [44, low, 48],
    [got, RelocationType.TlsDescriptor, 64],
    [got + 16, RelocationType.TlsModule64, 0],
    [got + 32, RelocationType.TlsStatic64, 64],
    [got + 48, RelocationType.TlsDescriptor, 4],
  ]);
});

Deno.test("aarch64: offsets in the TLS block are written into instructions, in the unit of each", () => {
  const { writer, zeroed, counter } = variables(AARCH64);
  const instructions = Uint32Array.of(0x91400000, 0x91000000, 0xf9400000, 0x39400000, 0x3dc00000, 0x91000000);
  const code = writer.section({
    name: ".text",
    flags: CODE,
    bytes: new Uint8Array(instructions.buffer),
    alignment: 4,
  });
  writer.symbol({ name: "f", section: code });
  // add #:dtprel_hi12:, add #:dtprel_lo12_nc:, ldr x, ldrb, ldr q
  [528, 530, 538, 532, 573].forEach((type, i) =>
    writer.relocation(code, { offset: 4 * i, symbol: zeroed, type })
  );
  writer.relocation(code, { offset: 20, symbol: counter, type: 530 });
  const linked = link(writer.build());
  const fields = [0, 4, 8, 12, 16].map((at) => (linked.int32(at) >>> 10) & 0xfff);
  assertEquals(fields, [0, 64, 8, 64, 4]);
  assertEquals(linked.relocations(), []);
  const far = variables(AARCH64);
  const text = far.writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(4), alignment: 4 });
  far.writer.symbol({ name: "f", section: text });
  far.writer.relocation(text, { offset: 0, symbol: far.zeroed, type: 538, addend: 1 });
  linkFails(far.writer.build(), "RelocationFailed", "does not fit");
});

testWithCompilers(
  ["aarch64-linux-gnu-gcc"],
  "aarch64: local-exec code leaves offsets to the loader",
  async (folder) => {
    const source = `
    static __thread int a = 1; static __thread long b; static __thread char c[4096];
    long sum(int i) { return ++a + b + c[i]; }`;
    Deno.writeTextFileSync(`${folder}/le.c`, source);
    const flags = ["-O2", "-fPIE", "-ftls-model=local-exec", "-c", "le.c", "-o", "le.o"];
    await compile("aarch64-linux-gnu-gcc", flags, folder);
    const { bytes } = linkObjects([{ name: "le.o", bytes: Deno.readFileSync(`${folder}/le.o`) }]);
    const { relocations } = parseSmf(bytes);
    const types = new Set(Array.from({ length: relocations.length }, (_, i) => relocations.type(i)));
    const { Arm64TlsStaticHigh12, Arm64TlsStaticLow12 } = RelocationType;
    assertEquals([types.has(Arm64TlsStaticHigh12), types.has(Arm64TlsStaticLow12)], [true, true]);
  },
);
