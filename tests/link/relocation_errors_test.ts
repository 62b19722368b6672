// Relocations that are refused, each with the reason and the next step.
import { assert, assertEquals } from "@std/assert";
import { parseObject } from "../../src/link/elf/object.ts";
import { Machine, SymbolKind } from "../../src/os/elf.ts";
import { RelocationType } from "../../src/smf/enums.ts";
import { addFunction, ElfWriter, link, linkFails } from "../support/objects.ts";
import { across, pair, R } from "../support/relocation_objects.ts";

Deno.test("32-bit addresses are refused on AArch64, with the option to compile with", () => {
  const R_AARCH64_ABS32 = 258;
  const { object } = across(R_AARCH64_ABS32, 0, Machine.AARCH64);
  const error = linkFails(object, "Unsupported", "cannot hold a 32-bit address");
  assertEquals(error.hint, "compile with -fPIC");
  assertEquals(error.data.section, ".text.from");
  assertEquals(error.data.symbol, "inner");
});

Deno.test("32-bit addresses are left to the loader on x86-64", () => {
  for (
    const [type, smf] of [[R[32], RelocationType.Abs32], [R["32S"], RelocationType.Abs32Signed]] as const
  ) {
    const { relocations, symbols } = link(across(type, 3).object).file;
    const [{ type: kept, symbol, addend }] = [...relocations];
    assertEquals([kept, addend], [smf, 19n]);
    assert(symbols.isDefined(symbol));
    // An import may be near 0, or not be there at all.
    const writer = new ElfWriter();
    const from = addFunction(writer, "from", new Uint8Array(8));
    writer.relocation(from, { offset: 0, symbol: writer.symbol({ name: "import" }), type });
    assertEquals([...link(writer.build()).file.relocations].map(({ type }) => type), [smf]);
  }
});

Deno.test("types without a counterpart are refused with the reason and the next step", () => {
  const cases: [type: number, problem: RegExp, hint: RegExp][] = [
    [36, /executables and shared libraries/, /^link the objects/],
    [5, /executables and shared libraries/, /^link the objects/],
    [12, /a part of an address/, /^compile with -fPIC$/],
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

Deno.test("a variable of another library that local-exec code uses is one line, with the number of places", () => {
  const writer = new ElfWriter();
  const from = addFunction(writer, "from", new Uint8Array(16));
  const [often, once] = ["often", "once"].map((name) => writer.symbol({ name, kind: SymbolKind.TLS }));
  for (const offset of [0, 4, 8]) writer.relocation(from, { offset, symbol: often, type: 23 });
  writer.relocation(from, { offset: 12, symbol: once, type: 23 });
  const error = linkFails(writer.build(), "Unsupported", /another library, in 3 places \(/);
  assertEquals([error.hint, error.data.symbol], ["compile with -fPIC", "often"]);
  assert(error.cause instanceof AggregateError);
  assertEquals(error.cause.errors.map(({ data }) => data.symbol), ["often", "once"]);
  assert(!error.cause.errors[1].message.includes("places"));
});
