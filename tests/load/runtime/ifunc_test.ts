// Ifuncs: functions whose variant is chosen when a module is loaded.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import { RelocationType, SectionType, SymbolType } from "../../../src/smf/enums.ts";
import {
  assertLoadError,
  hostBuilder,
  JUMP_ADDRESS,
  machineCode,
  permissionsAt,
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
  builder.symbol({ name: "word", type: SymbolType.Data, value: 4096, size: 16 });
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
