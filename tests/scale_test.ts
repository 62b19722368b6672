// Large modules: every symbol is found, and every relocation is right.
import { assert, assertEquals } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../mod.ts";
import { Binding, RelocationType, SectionType, SymbolType } from "../src/smf/enums.ts";
import {
  hostBuilder,
  machineCode,
  randomFrom,
  readMemory,
  stress,
  WatchedAllocator,
  wordAt,
} from "./support/testing.ts";

const INT = { parameters: [], result: "i32" } as const;
const STRIDE = 16;

/** A large module, and its expected state once it is loaded. */
interface Expected {
  readonly bytes: Uint8Array;
  /** The offset of each function in the code section, by name. */
  readonly functions: Map<string, number>;
  /** For each word of data: the symbol that it points at, and the addend. */
  readonly words: readonly (readonly [name: string, addend: number])[];
}

/** Builds a module of functions that return their number, with a word of data for each relocation. */
function large(symbolCount: number, relocationCount: number, seed: number): Expected {
  const random = randomFrom(seed);
  const builder = hostBuilder();
  const code = new Uint8Array(STRIDE * symbolCount);
  const functions = new Map<string, number>();
  const names: string[] = [];
  // Symbols are shuffled, so that a table cannot be right by accident.
  const order = Array.from({ length: symbolCount }, (_, index) => index);
  for (let index = symbolCount - 1; index > 0; index--) {
    const other = random() % (index + 1);
    [order[index], order[other]] = [order[other], order[index]];
  }
  for (const place of order) {
    const name = `f${place}_${"x".repeat(random() % 40)}`;
    code.set(machineCode.returns(place & 0xffff), STRIDE * place);
    functions.set(name, STRIDE * place);
    names.push(name);
    builder.symbol({ name, type: SymbolType.Function, value: STRIDE * place, size: 6 });
  }
  const words: [name: string, addend: number][] = [];
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8 * relocationCount) });
  const data = Math.ceil(code.length / 4096) * 4096;
  for (let index = 0; index < relocationCount; index++) {
    const symbol = random() % symbolCount;
    const addend = (random() % 2000) - 1000;
    words.push([names[symbol], addend]);
    builder.relocation({ offset: data + 8 * index, symbol, type: RelocationType.Abs64, addend });
  }
  return { bytes: builder.build(), functions, words };
}

async function assertLoads({ bytes, functions, words }: Expected): Promise<void> {
  // Waits for what leases held to be freed.
  await using registry = new ModuleRegistry();
  const module = registry.loadBytes("large", bytes);
  const code = module.codeMemory.address;
  for (const [name, offset] of functions) {
    assertEquals(module.symbols.find(name)?.value, offset, name);
  }
  const data = readMemory(module.dataMemory.address, 8 * words.length);
  words.forEach(([name, addend], index) => {
    // The address of a function is that of its trampoline; what is beside it lies in the code.
    using lease = addend === 0 ? module.addressOf(name) : null;
    const expected = lease?.address ?? code + BigInt(functions.get(name)! + addend);
    if (wordAt(data, 8 * index) !== expected) assertEquals(wordAt(data, 8 * index), expected, name);
  });
  assertEquals(module.exports().length, functions.size);
  assertEquals(module.symbols.find("f0"), undefined);
}

Deno.test("10,000 symbols and 10,000 relocations load, and every symbol has its place", async () => {
  const expected = large(10_000, 10_000, 1);
  await assertLoads(expected);
  await using registry = new ModuleRegistry();
  const module = registry.loadBytes("large", expected.bytes);
  let number = 0;
  for (const [name, offset] of expected.functions) {
    // addressOf and resolveSymbol find every name; calls check a sample.
    using lease = module.addressOf(name);
    assertEquals(lease?.address, registry.resolveSymbol(name) ?? undefined, name);
    if (number++ % 500 === 0) {
      assertEquals(module.getFunction(name, INT)!(), (offset / STRIDE) & 0xffff, name);
    }
  }
  assertEquals(module.addressOf("f10000_"), null);
  assertEquals(registry.resolveSymbol("f10000_"), null);
});

Deno.test("10,000 functions are bound at once, and each is the right one", () => {
  const { bytes, functions } = large(10_000, 1, 2);
  using module = new ModuleLoader({ callPath: "pointer" }).loadBytes(bytes);
  const { symbols } = module.bind(Object.fromEntries([...functions.keys()].map((name) => [name, INT])));
  let number = 0;
  for (const [name, offset] of functions) {
    if (number++ % 37 === 0) assertEquals(symbols[name](), (offset / STRIDE) & 0xffff, name);
  }
});

Deno.test("500 functions share one library and each is the right one", () => {
  const { bytes, functions } = large(500, 1, 3);
  using module = new ModuleLoader().loadBytes(bytes);
  const { symbols } = module.bind(Object.fromEntries([...functions.keys()].map((name) => [name, INT])));
  for (const [name, offset] of functions) assertEquals(symbols[name](), offset / STRIDE, name);
  assertEquals(module.callPaths().length, 500);
});

Deno.test("modules of many sizes load", async () => {
  for (let round = 0; round < stress(60); round++) {
    const random = randomFrom(round + 100);
    await assertLoads(large(1 + random() % 3000, random() % 3000, round));
  }
});

Deno.test("10,000 imports are resolved, each to its own address", () => {
  const count = 10_000;
  const builder = hostBuilder();
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8 * count) });
  for (let index = 0; index < count; index++) {
    const symbol = builder.symbol({ name: `import${index}`, type: SymbolType.None, defined: false });
    builder.relocation({ offset: 8 * index, symbol, type: RelocationType.Abs64 });
  }
  let asked = 0;
  using module = new ModuleLoader().loadBytes(builder.build(), (name) => {
    asked++;
    return 0x10000n + BigInt(name.slice(6));
  });
  assertEquals(asked, count, "the resolver is asked for each name once");
  const data = readMemory(module.dataMemory.address, 8 * count);
  for (let index = 0; index < count; index++) assertEquals(wordAt(data, 8 * index), 0x10000n + BigInt(index));
  assertEquals(module.imports().length, count);
});

Deno.test({
  name: "10,000 GOT slots and PLT stubs hold the addresses of their imports",
  ignore: Deno.build.arch !== "x86_64", // GotPcRel and Plt32
  fn() {
    const count = 10_000;
    const builder = hostBuilder();
    builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16 * count) });
    for (let index = 0; index < count; index++) {
      const symbol = builder.symbol({ name: `import${index}`, type: SymbolType.Function, defined: false });
      builder.relocation({ offset: 16 * index, symbol, type: RelocationType.GotPcRel, addend: -4 });
      builder.relocation({ offset: 16 * index + 8, symbol, type: RelocationType.Plt32, addend: -4 });
    }
    // These addresses are out of reach of the code, so every call needs its stub.
    const address = (index: number) => 0x1234n + BigInt(index);
    const loader = new ModuleLoader({ allocator: new WatchedAllocator() });
    using module = loader.loadBytes(builder.build(), (name) => address(Number(name.slice(6))));
    const { address: code } = module.codeMemory;
    const bytes = readMemory(code, 16 * count);
    const view = new DataView(bytes.buffer);
    for (let index = 0; index < count; index += 7) {
      const slot = code + BigInt(16 * index + 4 + view.getInt32(16 * index, true));
      const stub = code + BigInt(16 * index + 12 + view.getInt32(16 * index + 8, true));
      assertEquals(wordAt(readMemory(slot, 8), 0), address(index));
      const jump = new DataView(readMemory(stub, 6).buffer);
      assertEquals(jump.getUint16(0, true), 0x25ff);
      assertEquals(stub + 6n + BigInt(jump.getInt32(2, true)), slot);
    }
  },
});

Deno.test("neither a name of the same hash nor thousands of locals of the same name hide an export", () => {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.returns(7) });
  for (let index = 0; index < 5000; index++) {
    builder.symbol({ name: "same", type: SymbolType.Function, binding: Binding.Local });
  }
  builder.symbol({ name: "same", type: SymbolType.Function, value: 0, size: 6 });
  // These two names have the same FNV-1a 32 hash.
  builder.symbol({ name: "costarring", type: SymbolType.Function, value: 0, size: 1 });
  builder.symbol({ name: "liquid", type: SymbolType.Function, value: 0, size: 2 });
  using registry = new ModuleRegistry();
  const module = registry.loadBytes("m", builder.build());
  assertEquals(module.symbols.find("costarring")?.nameHash, module.symbols.find("liquid")?.nameHash);
  assertEquals([module.symbols.find("costarring")?.size, module.symbols.find("liquid")?.size], [1, 2]);
  assertEquals(module.getFunction("same", INT)!(), 7);
  assert(registry.resolveSymbol("same") !== null);
});

Deno.test("200 modules are loaded together, each a provider of the next", () => {
  using registry = new ModuleRegistry();
  const count = 200;
  for (let index = 0; index < count; index++) {
    const builder = hostBuilder();
    builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.returns(index) });
    builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8) });
    builder.symbol({ name: `f${index}`, type: SymbolType.Function, size: 6 });
    if (index > 0) {
      const name = `f${index - 1}`;
      const symbol = builder.symbol({ name, type: SymbolType.Function, defined: false });
      builder.relocation({ offset: 4096, symbol, type: RelocationType.Abs64 });
    }
    const module = registry.loadBytes(`m${index}`, builder.build());
    if (index > 0) assertEquals(module.imports()[0].from.includes(`m${index - 1}`), true);
    assertEquals(module.getFunction(`f${index}`, INT, { callPath: "pointer" })!(), index);
  }
  assertEquals(registry.modules().length, count);
});
