// Ifuncs: functions whose variant is chosen when a module is loaded.
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError, ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import type { SmfBuilder } from "../../../src/smf/builder.ts";
import { RelocationType, SectionType, SymbolType } from "../../../src/smf/enums.ts";
import {
  assertLoadError,
  hostBuilder,
  JUMP_ADDRESS,
  LOG_ADDRESS,
  machineCode,
  permissionsAt,
  TemporaryDirectory,
} from "../../support/testing.ts";
import { DIALECTS, linuxTest, threadModule } from "../../support/threads.ts";

const NUMBER = { parameters: ["i32"], result: "i32" } as const;
const NOTHING = { parameters: [], result: "i32" } as const;

linuxTest("each ifunc is resolved once, before initialisers run, and has one address", () => {
  using module = new ModuleLoader().load(threadModule("chosen", DIALECTS[0]));
  const { symbols } = module.bind({
    chosen: NUMBER,
    call: NUMBER,
    call_by_pointer: NUMBER,
    how_often: NOTHING,
    is_one_address: NOTHING,
    wrong_bounds: NUMBER,
  });
  assertEquals([symbols.chosen(1), symbols.call(1), symbols.call_by_pointer(1)], [11, 22, 33]);
  assertEquals([symbols.how_often(), symbols.is_one_address()], [2, 1]);
  assertEquals(symbols.wrong_bounds(1), 0);
});

linuxTest("other modules import an ifunc like any function", () => {
  using registry = new ModuleRegistry();
  registry.load(threadModule("chosen", DIALECTS[0]));
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.jump() });
  builder.symbol({ name: "through", type: SymbolType.Function });
  const symbol = builder.symbol({ name: "chosen", type: SymbolType.Function, defined: false });
  builder.relocation({ offset: JUMP_ADDRESS, symbol, type: RelocationType.Abs64 });
  const importer = registry.loadBytes("importer", builder.build());
  assertEquals(importer.getFunction("through", NUMBER)?.(5), 15);
});

/** A module whose code returns `answer`, with a word for the address that the code at `resolver` returns. */
function moduleWith(
  answer: number,
  { resolver = 0, place = 4096, type = SectionType.RoData as number } = {},
) {
  const builder = hostBuilder();
  builder.section({
    name: "code",
    type: SectionType.Code,
    bytes: machineCode.returns(answer),
    virtualSize: 64,
  });
  builder.section({ name: "word", type, bytes: new Uint8Array(16) });
  builder.symbol({ name: "word", type: SymbolType.Data, value: 4096, size: 8 });
  const symbol = builder.symbol({ name: "resolver", type: SymbolType.None, binding: 0, value: resolver });
  builder.relocation({ offset: place, symbol, type: RelocationType.Indirect64 });
  return builder.build();
}

for (
  const [name, type] of [["constants, which are read-only afterwards", SectionType.RoData], [
    "data",
    SectionType.Data,
  ]] as const
) {
  linuxTest(`the chosen address is stored in ${name}`, () => {
    using module = new ModuleLoader().loadBytes(moduleWith(4711, { type }));
    const { word, at } =
      module.bind({ word: { type: "u64" }, at: { name: "word", type: "pointer" } }).symbols;
    assertEquals(word, 4711n);
    const permissions = permissionsAt(BigInt(Deno.UnsafePointer.value(at)));
    assertEquals(permissions, type === SectionType.RoData ? "r--p" : "rw-p");
  });
}

linuxTest("resolvers outside the module's code, words in code, and null results are refused", () => {
  const cases: [Uint8Array, reason: string, hint: string][] = [
    [moduleWith(1, { resolver: 4096 }), "not code of the module", "smf link"],
    [moduleWith(1, { place: 32 }), "in code, which is not writable", "into the GOT"],
    [moduleWith(0), "returned null", "a variant that runs on every processor"],
  ];
  for (const [bytes, reason, hint] of cases) {
    const error = assertLoadError(() => new ModuleLoader().loadBytes(bytes), "RelocationFailed", {
      symbol: "resolver",
    });
    assertStringIncludes(error.message, reason);
    assertStringIncludes(error.hint, hint);
  }
});

/** A fault that makes the loader refuse a module: it adds to a builder whose next section begins at 8192. */
type Fault = (builder: SmfBuilder, start: number) => void;

/** A module whose first ifunc's resolver appends 1 to `log`, and that has a fault besides. */
function moduleWithFault(fault: Fault): Uint8Array {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.append(1), virtualSize: 128 });
  builder.section({ name: "words", type: SectionType.RoData, bytes: new Uint8Array(16), virtualSize: 4096 });
  const log = builder.symbol({ name: "log", type: SymbolType.Data, defined: false });
  const start = builder.symbol({ name: "resolver", type: SymbolType.None, binding: 0, value: 0 });
  builder.relocation({ offset: LOG_ADDRESS, symbol: log, type: RelocationType.Abs64 });
  builder.relocation({ offset: 4096, symbol: start, type: RelocationType.Indirect64 });
  fault(builder, start);
  return builder.build();
}

/** An ifunc at `offset` whose resolver is `addend` bytes behind the start of the code. */
function ifunc(offset: number, addend = 0): Fault {
  return (builder, symbol) => builder.relocation({ offset, symbol, type: RelocationType.Indirect64, addend });
}

/** Arrays and tables of these names, of 16 bytes each, that are not what they should be. */
function sectionsOf(name: string, count: number, byte: number): Fault {
  return (builder) => {
    for (let index = 0; index < count; index++) {
      builder.section({
        name,
        type: SectionType.RoData,
        bytes: new Uint8Array(16).fill(byte),
        alignment: 16,
      });
    }
  };
}

const FAULTS: Readonly<Record<string, Fault>> = {
  "a second resolver outside the code": ifunc(4104, 1 << 20),
  "the word of a second ifunc in code": ifunc(64),
  "the word of a second ifunc in the unwind tables": (builder, start) => {
    sectionsOf(".eh_frame", 1, 0)(builder, start);
    ifunc(8192)(builder, start);
  },
  "two unwind tables": sectionsOf(".eh_frame", 2, 0),
  "a broken unwind table": sectionsOf(".eh_frame", 1, 0x7f),
  "an initialiser that is not code": sectionsOf(".init_array", 1, 1),
  "a finaliser that is not code": sectionsOf(".fini_array", 1, 1),
};

for (const [name, fault] of Object.entries(FAULTS)) {
  linuxTest(`no resolver runs before the loader has found ${name}`, () => {
    const log = new BigInt64Array(1);
    const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(log));
    const refused = () => new ModuleLoader().loadBytes(moduleWithFault(fault), () => address);
    const { kind } = assertThrows(refused, LoadError);
    assertEquals(["InvalidFormat", "RelocationFailed"].includes(kind), true, kind);
    assertEquals(log[0], 0n);
  });

  linuxTest(`no resolver of a group runs before the loader has found ${name} in the last module`, () => {
    const log = new BigInt64Array(1);
    const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(log));
    using folder = new TemporaryDirectory();
    using registry = new ModuleRegistry({ imports: { log: address } });
    const sound = folder.file("sound.smf", moduleWithFault(() => {}));
    const paths = [sound, folder.file("refused.smf", moduleWithFault(fault))];
    assertThrows(() => registry.loadAll(paths), LoadError);
    assertEquals(log[0], 0n);
    registry.load(sound);
    assertEquals(log[0], 1n);
  });
}

linuxTest("no initialiser of a group runs before the arrays of all its modules are checked", () => {
  const log = new BigInt64Array(1);
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(log));
  using folder = new TemporaryDirectory();
  using registry = new ModuleRegistry({ imports: { log: address } });
  const build = (fault: Fault) => {
    const builder = hostBuilder();
    builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.append(1) });
    builder.section({
      name: ".init_array",
      type: SectionType.RoData,
      bytes: new Uint8Array(8),
      virtualSize: 4096,
    });
    const log = builder.symbol({ name: "log", type: SymbolType.Data, defined: false });
    const start = builder.symbol({ name: "start", type: SymbolType.None, binding: 0 });
    builder.relocation({ offset: LOG_ADDRESS, symbol: log, type: RelocationType.Abs64 });
    builder.relocation({ offset: 4096, symbol: start, type: RelocationType.Abs64 });
    fault(builder, start);
    return builder.build();
  };
  const sound = folder.file("sound.smf", build(() => {}));
  const refused = folder.file("refused.smf", build(sectionsOf(".fini_array", 1, 1)));
  assertThrows(() => registry.loadAll([sound, refused]), LoadError, "is not the address of code");
  assertEquals(log[0], 0n);
  registry.load(sound);
  assertEquals(log[0], 1n);
});
