import { assert, assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { RelocationType, SectionType, SymbolType } from "../../../src/smf/mod.ts";
import { FailingAllocator } from "../../support/failing_allocator.ts";
import { build, code, importing, nativeTest, ROUTINES } from "../../support/modules.ts";
import {
  assertLoadError,
  hostBuilder,
  NOT_LINUX_X86_64,
  readWord,
  WatchedAllocator,
} from "../../support/testing.ts";
import { INT, version } from "../../support/versions.ts";

Deno.test("a function has one canonical address for all importers and resolveSymbol", async () => {
  await using registry = new ModuleRegistry();
  const own = registry.loadBytes("provider", version({ functions: { answer: 1 } }));
  const importers = ["a", "b"].map((name) =>
    registry.loadBytes(name, version({ functions: { x: 0 }, data: { pointer: ["answer"] } }))
  );
  const canonical = registry.resolveSymbol("answer")!;
  for (const importer of importers) {
    using lease = importer.addressOf("pointer")!;
    assertEquals(readWord(lease.address), canonical);
    assertEquals(importer.imports(), [{ name: "answer", address: canonical, from: "module 'provider'" }]);
  }
  using lease = own.addressOf("answer")!;
  assertEquals(lease.address, canonical, "and for its own module");
});

Deno.test({
  name: "GOT, PLT and Abs64 give one address for an imported function",
  ignore: NOT_LINUX_X86_64,
  fn() {
    const builder = hostBuilder();
    const bytes = new Uint8Array(64).fill(0xcc);
    bytes.set(code("48 8b 05 00 00 00 00 c3"), 0); // mov rax, [rip + answer@got]; ret
    bytes.set(code("e9 00 00 00 00"), 16); //        jmp answer@plt
    bytes.set(code("48 b8 00 00 00 00 00 00 00 00 c3"), 32); // movabs rax, answer; ret
    builder.section({ name: "code", type: SectionType.Code, bytes });
    for (const [name, value, size] of [["byGot", 0, 8], ["byPlt", 16, 5], ["byAbs", 32, 11]] as const) {
      builder.symbol({ name, type: SymbolType.Function, value, size });
    }
    const symbol = builder.symbol({ name: "answer", type: SymbolType.Function, defined: false });
    builder.relocation({ offset: 3, symbol, type: RelocationType.GotPcRel, addend: -4 });
    builder.relocation({ offset: 17, symbol, type: RelocationType.Plt32, addend: -4 });
    builder.relocation({ offset: 34, symbol, type: RelocationType.Abs64 });
    using registry = new ModuleRegistry();
    registry.loadBytes("provider", version({ functions: { answer: 5 } }));
    const importer = registry.loadBytes("importer", builder.build());
    const { symbols } = importer.bind({
      byGot: { parameters: [], result: "u64" },
      byAbs: { parameters: [], result: "u64" },
      byPlt: INT,
    });
    assertEquals(symbols.byGot(), registry.resolveSymbol("answer"));
    assertEquals(symbols.byAbs(), registry.resolveSymbol("answer"));
    assertEquals(symbols.byPlt(), 5);
    registry.reload("provider", { bytes: version({ functions: { answer: 6 } }) });
    assertEquals(symbols.byPlt(), 6);
    assertEquals(symbols.byGot(), registry.resolveSymbol("answer"));
  },
});

Deno.test("tables grow beyond a page while functions are in use, and reloads keep every index", () => {
  const allocator = new WatchedAllocator();
  const count = 1300;
  const all = (base: number) =>
    version({
      functions: Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, base + index])),
    });
  {
    using registry = new ModuleRegistry({ allocator, keepVersions: 0 });
    registry.loadBytes("m", all(0));
    const early = registry.open("m", { f0: INT });
    const addresses = Array.from({ length: count }, (_, index) => registry.resolveSymbol(`f${index}`));
    assertEquals(early.symbols.f0(), 0);
    const late = registry.open("m", { f511: INT, f512: INT, f1023: INT, f1024: INT, f1299: INT });
    assertEquals(Object.values(late.symbols).map((call) => call()), [511, 512, 1023, 1024, 1299]);
    registry.reload("m", { bytes: all(20_000) });
    assertEquals(Object.values(late.symbols).map((call) => call()), [
      20_511,
      20_512,
      21_023,
      21_024,
      21_299,
    ]);
    assertEquals(Array.from({ length: count }, (_, index) => registry.resolveSymbol(`f${index}`)), addresses);
  }
  assertEquals(allocator.live.size, 0);
});

Deno.test("thousands of functions can be in use", () => {
  const allocator = new WatchedAllocator();
  {
    using registry = new ModuleRegistry({ allocator });
    const functions = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`f${index}`, index]));
    registry.loadBytes("m", version({ functions }));
    const live = registry.open("m", { f9999: INT, f0: INT });
    for (let index = 0; index < 10_000; index++) registry.resolveSymbol(`f${index}`);
    const before = allocator.live.size;
    assert(before < 200, "blocks of trampolines, and tables that double");
    registry.reload("m", { bytes: version({ functions }) });
    assertEquals([live.symbols.f9999(), live.symbols.f0()], [9999, 0]);
  }
  assertEquals(allocator.live.size, 0);
});

Deno.test("a raw address that was given out keeps its name in use", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", version({ functions: { answer: 1 } }));
  registry.resolveSymbol("answer");
  assertLoadError(
    () => registry.reload("m", { bytes: version({ functions: { other: 1 } }) }),
    "Incompatible",
  );
});

Deno.test("a failed load of an importer leaves no name in use", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", version({ functions: { answer: 1 } }));
  assertLoadError(
    () => registry.loadBytes("bad", version({ functions: { ask: "answer", other: "nobody" } })),
    "UndefinedSymbol",
  );
  registry.reload("m", { bytes: version({ functions: { unrelated: 1 } }) });
  assertEquals(registry.resolveSymbol("answer"), null);
});

Deno.test("importers hold the newest version, and let the old one go", () => {
  const allocator = new WatchedAllocator();
  using registry = new ModuleRegistry({ allocator, keepVersions: 0 });
  const first = registry.loadBytes("m", version({ functions: { answer: 1 } }));
  registry.loadBytes("importer", version({ functions: { ask: "answer" } }));
  assertEquals(first.holders(), ["module 'importer'"]);
  const second = registry.reload("m", { bytes: version({ functions: { answer: 2 } }) });
  assertEquals(first.holders(), []);
  assertEquals(second.holders(), ["module 'importer'"]);
  const before = allocator.live.size;
  first.close();
  assert(allocator.live.size < before);
  assertLoadError(() => second.close(), "Busy");
});

Deno.test("a chain of importers follows every reload", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("a", version({ functions: { a: 1 } }));
  registry.loadBytes("b", version({ functions: { b: "a" } }));
  registry.loadBytes("c", version({ functions: { c: "b" } }));
  using live = registry.open("c", { c: INT });
  assertEquals(live.symbols.c(), 1);
  registry.reload("a", { bytes: version({ functions: { a: 2 } }) });
  assertEquals(live.symbols.c(), 2);
  registry.reload("b", { bytes: version({ functions: { b: 30 } }) });
  assertEquals(live.symbols.c(), 30);
  registry.reload("b", { bytes: version({ functions: { b: "a" } }) });
  assertEquals(live.symbols.c(), 2);
});

nativeTest("a provider that is replaced stays while an importer's nonblocking call is in it", async () => {
  const allocator = new FailingAllocator();
  const flag = new Int32Array(1);
  {
    await using registry = new ModuleRegistry({ allocator, keepVersions: 0 });
    const provider = build({ routines: { wait: ROUTINES.wait } });
    let handle = registry.loadBytes("provider", provider);
    const { address } = handle.codeMemory;
    registry.loadBytes("importer", importing("wait", "f"));
    const live = registry.open("importer", {
      f: { parameters: ["buffer"], result: "i32", nonblocking: true },
    });
    const result = live.symbols.f(flag);
    for (let round = 0; round < 3; round++) {
      const next = registry.reload("provider", { bytes: provider });
      handle.close();
      handle = next;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const stays = [...allocator.live].some((memory) => memory.address === address);
    Atomics.store(flag, 0, 9);
    assertEquals(await result, 10);
    assertEquals(stays, true);
  }
  assertEquals(allocator.live.size, 0);
});
