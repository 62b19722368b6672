import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { toFileUrl } from "@std/path";
import { type LoadedModule, LoadError, ModuleLoader, ModuleRegistry } from "../mod.ts";
import { type LoadedImage, loadSteps, symbolAddress } from "../src/loader.ts";
import type { ImportSource } from "../src/imports/resolve.ts";
import type { ExecutableMemory, MemoryAllocator, Protection } from "../src/memory/allocator.ts";
import { Binding, RelocationType, SectionType, SymbolType } from "../src/smf/enums.ts";
import type { LayoutName } from "../src/smf/layout.ts";
import { readBytes } from "../src/source.ts";
import {
  addModule,
  assertLoadError,
  checkLoadError,
  descriptors,
  H96_MODULE_HASH,
  hostBuilder,
  importerModule,
  LOG_ADDRESS,
  machineCode,
  mainModule,
  mappings,
  NO_PROC,
  NOT_X86_64,
  patched,
  permissionsAt,
  readMemory,
  readWord,
  TemporaryDirectory,
  unhashed,
  WatchedAllocator,
} from "./testing.ts";

const ADD = { parameters: ["i64", "i64"], result: "i64" } as const;
const INT = { parameters: [], result: "i32" } as const;

/** A module with every kind of section, whose words hold addresses of each other. */
function sampler(options: { compress?: boolean; layout?: LayoutName } = {}) {
  const builder = hostBuilder({ layout: options.layout ?? "H96" });
  const bytes = (from: number) => Uint8Array.from({ length: 64 }, (_, index) => from + index);
  const compress = options.compress ?? false;
  const code = new Uint8Array(64);
  code.set(machineCode.returns(7));
  builder.section({ name: "note", type: 77, bytes: bytes(9) });
  builder.section({
    name: "data",
    type: SectionType.Data,
    bytes: bytes(100),
    virtualSize: 80,
    compress: false,
  });
  builder.section({ name: "rodata", type: SectionType.RoData, bytes: bytes(150), compress });
  builder.section({ name: "code", type: SectionType.Code, bytes: code, compress });
  builder.section({ name: "bss", type: SectionType.Bss, virtualSize: 48 });
  const seven = builder.symbol({ name: "seven", type: SymbolType.Function, size: 6 });
  const constant = builder.symbol({ name: "constant", type: SymbolType.Constant, value: 4096, size: 64 });
  const variable = builder.symbol({ name: "variable", type: SymbolType.Data, value: 8192, size: 80 });
  const zeroed = builder.symbol({ name: "zeroed", type: SymbolType.Data, value: 12288, size: 48 });
  [seven, constant, variable, zeroed].forEach((symbol, index) => {
    for (const group of [32, 4096, 8192, 12288]) {
      if (group === 32 && index > 3) continue;
      builder.relocation({ offset: group + 8 * index, symbol, type: RelocationType.Abs64, addend: index });
    }
  });
  return { bytes: builder.build(), plainBytes: bytes };
}

/** Loads with the loader's own steps: no handle, no initialisers. */
function load(bytes: Uint8Array, allocator: MemoryAllocator, sources: ImportSource[] = []): LoadedImage {
  return readBytes(bytes, loadSteps({ allocator, sources, description: "module 'test'" }));
}

Deno.test("sections and relocations are where the file says, and what is left out is zero", () => {
  const { bytes, plainBytes } = sampler();
  const allocator = new WatchedAllocator();
  using image = load(bytes, allocator);
  const addresses = ["seven", "constant", "variable", "zeroed"].map((name) =>
    symbolAddress(image, image.file.symbols.find(name)!.index)
  );
  const [seven, constant, variable, zeroed] = addresses;
  for (const start of [seven + 32n, constant, variable, zeroed]) {
    addresses.forEach((address, index) =>
      assertEquals(readWord(start + 8n * BigInt(index)), address + BigInt(index))
    );
  }
  assertEquals(readMemory(constant + 32n, 32), plainBytes(150).subarray(32));
  assertEquals(readMemory(variable + 32n, 32), plainBytes(100).subarray(32));
  assertEquals(readMemory(variable + 64n, 16), new Uint8Array(16), "virtual size above file size");
  assertEquals(readMemory(zeroed + 32n, 16), new Uint8Array(16));
  assertEquals(readMemory(seven, 6).subarray(0, 1), machineCode.returns(7).subarray(0, 1));
  const page = BigInt(allocator.pageSize);
  assertEquals([seven % page, constant % page, variable % page], [0n, 0n, 0n]);
});

Deno.test("every layout gives the same image", () => {
  for (const layout of ["H72", "H80", "H96", "H96-trailer", "P128"] as const) {
    const allocator = new WatchedAllocator();
    const image = load(sampler({ layout }).bytes, allocator);
    assertEquals(image.file.header.layout, layout);
    const { symbols } = image.file;
    const zeroed = symbolAddress(image, symbols.find("zeroed")!.index);
    const seven = symbolAddress(image, symbols.find("seven")!.index);
    assertEquals(readWord(zeroed), seven);
    image[Symbol.dispose]();
    assertEquals(allocator.live.size, 0);
  }
});

Deno.test("compressed sections give the same image", () => {
  const allocator = new WatchedAllocator();
  const contents = [false, true].map((compress) => {
    using image = load(sampler({ compress }).bytes, allocator);
    assertEquals(image.file.sections.some((section) => section.compressed), compress);
    const constant = symbolAddress(image, image.file.symbols.find("constant")!.index);
    return readMemory(constant + 32n, 32);
  });
  assertEquals(contents[0], contents[1]);
  assertEquals(contents[0], sampler().plainBytes(150).subarray(32));
});

Deno.test({
  name: "code is r-x, constants and the GOT r--, variables rw-, between guards, and nothing is rwx",
  ignore: NO_PROC,
  fn() {
    const builder = hostBuilder();
    builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.returns(7) });
    builder.section({ name: "rodata", type: SectionType.RoData, bytes: new Uint8Array(8) });
    builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8) });
    builder.section({ name: "bss", type: SectionType.Bss, virtualSize: 40_000 });
    const allocator = new WatchedAllocator();
    const image = load(builder.build(), allocator);
    const { plan, memory } = image;
    const page = allocator.pageSize;
    const all: [offset: number, permissions: string][] = [[-page, "---p"]];
    for (let offset = 0; offset < plan.size; offset += page) {
      const inside = (region: { offset: number; length: number }) =>
        offset >= region.offset && offset < region.offset + region.length;
      all.push([offset, inside(plan.code) ? "r-xp" : inside(plan.rodata) ? "r--p" : "rw-p"]);
    }
    all.push([plan.size, "---p"]);
    assert(plan.code.length > 0 && plan.rodata.length > 0 && plan.data.length >= 40_000);
    for (const [offset, permissions] of all) {
      assertEquals(permissionsAt(memory.address + BigInt(offset)), permissions, `page at ${offset}`);
    }
    assertEquals(allocator.mappings().filter(({ permissions }) => permissions.includes("wx")), []);
    image[Symbol.dispose]();
    assertEquals(allocator.mappings(), []);
  },
});

Deno.test({
  name: "GOT slots are read-only and stubs executable after loading",
  ignore: NO_PROC || NOT_X86_64, // GotPcRel and Plt32
  fn() {
    const builder = hostBuilder();
    builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(64) });
    const symbol = builder.symbol({ name: "far", type: SymbolType.Function, defined: false });
    builder.relocation({ offset: 0, symbol, type: RelocationType.GotPcRel, addend: -4 });
    builder.relocation({ offset: 8, symbol, type: RelocationType.Plt32, addend: -4 });
    using image = load(builder.build(), new WatchedAllocator(), [
      { find: () => ({ address: 0x1234n, from: "test" }) },
    ]);
    const { address } = image.memory;
    const slot = address + BigInt(image.plan.got);
    const stub = address + BigInt(image.plan.plt);
    assertEquals(permissionsAt(slot), "r--p");
    assertEquals(permissionsAt(stub), "r-xp");
    assertEquals(readWord(slot), 0x1234n);
    assertEquals(readMemory(stub, 2), new Uint8Array([0xff, 0x25]));
  },
});

Deno.test({
  name: "a call through a stub gets there, also from a module far away",
  ignore: NOT_X86_64,
  async fn() {
    await using provider = new ModuleLoader({ allocator: new WatchedAllocator(0x3456_0000_0000n) }).loadBytes(
      addModule(),
    );
    using lease = provider.addressOf("add");
    const builder = hostBuilder();
    // jmp add
    builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array([0xe9, 0, 0, 0, 0]) });
    builder.symbol({ name: "sum", type: SymbolType.Function });
    const symbol = builder.symbol({ name: "add", type: SymbolType.None, defined: false });
    builder.relocation({ offset: 1, symbol, type: RelocationType.Plt32, addend: -4 });
    await using importer = new ModuleLoader({ allocator: new WatchedAllocator() }).loadBytes(
      builder.build(),
      () => lease!.address,
    );
    assertEquals(importer.getFunction("sum", ADD)!(2n, 40n), 42n);
  },
});

Deno.test("a range lies at the alignment that its sections ask for", () => {
  for (const alignment of [16, 4096, 65536, 1 << 20]) {
    const builder = hostBuilder();
    builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.returns(7) });
    builder.section({ name: "bss", type: SectionType.Bss, virtualSize: 8, alignment });
    builder.symbol({ name: "zeroed", type: SymbolType.Data, value: Math.max(4096, alignment) });
    // Groups start at 4096 boundaries, sections at their alignment.
    using image = load(builder.build(), new WatchedAllocator());
    assertEquals(symbolAddress(image, 0) % BigInt(alignment), 0n);
  }
});

Deno.test("a module is placed near the first import that has an address", () => {
  const near = (bytes: Uint8Array, answers: Record<string, bigint>): bigint | undefined => {
    const allocator = new WatchedAllocator();
    const find = (name: string) =>
      Object.hasOwn(answers, name) ? { address: answers[name], from: "test" } : undefined;
    load(bytes, allocator, [{ find }])[Symbol.dispose]();
    return allocator.nearby[0];
  };
  assertEquals(near(addModule(), {}), undefined);
  assertEquals(near(importerModule(["a", "b"]), { a: 0x7000n, b: 0x8000n }), 0x7000n);
  const builder = hostBuilder();
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(16) });
  for (const [index, name] of ["weak", "strong"].entries()) {
    const binding = index === 0 ? Binding.Weak : Binding.Global;
    const symbol = builder.symbol({ name, type: SymbolType.Function, binding, defined: false });
    builder.relocation({ offset: 8 * index, symbol, type: RelocationType.Abs64 });
  }
  assertEquals(near(builder.build(), { strong: 0x9000n }), 0x9000n);
  const weak = hostBuilder();
  weak.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8) });
  const symbol = weak.symbol({ name: "weak", type: SymbolType.None, binding: Binding.Weak, defined: false });
  weak.relocation({ offset: 0, symbol, type: RelocationType.Abs64 });
  assertEquals(near(weak.build(), {}), undefined, "0 is no neighbour");
});

Deno.test("what is imported is asked for before any memory is taken", () => {
  const allocator = new WatchedAllocator();
  let live = -1;
  assertLoadError(
    () =>
      load(importerModule(["missing"]), allocator, [{
        find: () => {
          live = allocator.nearby.length;
          return undefined;
        },
      }]),
    "UndefinedSymbol",
  );
  assertEquals([live, allocator.nearby.length], [0, 0]);
});

Deno.test("bytes, a file and its URL give the same module, asynchronously too", async () => {
  using directory = new TemporaryDirectory();
  const bytes = addModule();
  const path = directory.file("add.smf", bytes);
  const loader = new ModuleLoader();
  const modules: LoadedModule[] = [
    loader.loadBytes(bytes, undefined, "add"),
    loader.load(path),
    loader.load(toFileUrl(path)),
    await loader.loadAsync(path),
    await loader.loadAsync(toFileUrl(path)),
  ];
  for (const module of modules) {
    assertEquals(module.getFunction("add", ADD)!(2n, 3n), 5n);
    assertEquals(module.path, module === modules[0] ? "add" : path);
    assertEquals(module.header, modules[0].header);
    assertEquals(module.exports(), modules[0].exports());
    assertEquals(
      readMemory(module.codeMemory.address, bytes.length),
      readMemory(modules[0].codeMemory.address, bytes.length),
    );
  }
  const addresses = new Set(modules.map((module) => module.codeMemory.address));
  assertEquals(addresses.size, modules.length, "each load is one of its own");
  for (const module of modules) module.close();
});

Deno.test("loading asynchronously lets other work go on", async () => {
  using directory = new TemporaryDirectory();
  const builder = hostBuilder();
  for (let index = 0; index < 300; index++) {
    builder.section({ name: `d${index}`, type: SectionType.Data, bytes: new Uint8Array(4096).fill(index) });
  }
  const path = directory.file("many.smf", builder.build());
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  using module = await new ModuleLoader().loadAsync(path);
  clearInterval(timer);
  assert(turns > 0, "the event loop stood still");
  assertEquals(module.dataMemory.size >= 300 * 4096, true);
});

Deno.test("the caller's bytes are copied", () => {
  const bytes = addModule();
  using module = new ModuleLoader().loadBytes(bytes);
  bytes.fill(0xcc);
  assertEquals(module.getFunction("add", ADD)!(2n, 3n), 5n);
});

Deno.test("bytes may be a part of a larger buffer", () => {
  const bytes = addModule();
  const larger = new Uint8Array(bytes.length + 30).fill(0xee);
  larger.set(bytes, 13);
  using module = new ModuleLoader().loadBytes(larger.subarray(13, 13 + bytes.length));
  assertEquals(module.getFunction("add", ADD)!(2n, 3n), 5n);
});

Deno.test({
  name: "a loaded module does not mind what becomes of its file",
  fn() {
    using directory = new TemporaryDirectory();
    const path = directory.file("add.smf", addModule());
    using module = new ModuleLoader().load(path);
    const add = module.getFunction("add", ADD)!;
    Deno.writeFileSync(path, new Uint8Array(4096).fill(0xcc));
    assertEquals(add(2n, 3n), 5n);
    Deno.truncateSync(path, 0);
    assertEquals(add(2n, 3n), 5n);
    Deno.removeSync(path);
    assertEquals(add(2n, 3n), 5n);
    assertEquals(module.getFunction("add", { ...ADD, parameters: ["u64", "u64"] })!(2n, 3n), 5n);
  },
});

Deno.test("no file stays open behind a load", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("add.smf", addModule());
  using first = new ModuleLoader().load(path);
  const open = descriptors();
  using second = new ModuleLoader().load(path);
  using third = await new ModuleLoader().loadAsync(path);
  assertEquals(descriptors().filter((link) => link.includes("add.smf")), []);
  assertEquals(descriptors(), open);
  assertEquals([first, second, third].every((module) => module.isOpen), true);
});

/** A file whose reading can be interfered with: its resolver runs after the tables and before the sections. */
async function changedWhileRead(
  bytes: Uint8Array,
  change: (path: string) => void,
  check: (error: unknown, path: string) => void,
): Promise<void> {
  using directory = new TemporaryDirectory();
  const path = directory.join("a.smf");
  const allocator = new WatchedAllocator();
  const loader = new ModuleLoader({ allocator });
  const prepare = () => {
    Deno.writeFileSync(path, bytes);
    Deno.utimeSync(path, 1000, 1000);
    return () => {
      change(path);
      return 0x1000n;
    };
  };
  check(assertThrows(() => loader.load(path, prepare())), path);
  check(await assertRejects(() => loader.loadAsync(path, prepare())), path);
  assertEquals(allocator.live.size, 0);
  assertEquals(allocator.mappings(), []);
}

Deno.test("a file that is truncated between its tables and its sections is refused", async () => {
  for (const length of [0, 50, 200]) {
    await changedWhileRead(
      importerModule(["a"]),
      (path) => Deno.truncateSync(path, length),
      (error, path) => checkLoadError(error, "Io", { path }),
    );
  }
});

Deno.test("a file that is overwritten between its tables and its sections is refused by its hash", async () => {
  const bytes = importerModule(["a"]);
  await changedWhileRead(
    bytes,
    (path) => Deno.writeFileSync(path, bytes.map((byte) => byte ^ 0xff)),
    (error, path) => {
      const { message } = checkLoadError(error, "InvalidFormat", { path });
      assert(message.includes("hash"), message);
    },
  );
});

Deno.test("a file without a hash that is overwritten meanwhile is refused by its time", async () => {
  const bytes = unhashed(importerModule(["a"]));
  await changedWhileRead(
    bytes,
    (path) => Deno.writeFileSync(path, bytes),
    (error, path) => checkLoadError(error, "Io", { path, size: bytes.length }),
  );
});

Deno.test("a module that is replaced by a rename while it is read is the one that was opened", () => {
  if (Deno.build.os === "windows") return; // an open file cannot be replaced there
  using directory = new TemporaryDirectory();
  const path = directory.file("a.smf", importerModule(["a"]));
  using module = new ModuleLoader().load(path, () => {
    Deno.renameSync(directory.file("new", addModule()), path);
    return 1n;
  });
  assertEquals(module.getFunction("seven", INT)!(), 7);
});

Deno.test("every byte that the hash covers is protected by it", () => {
  const bytes = sampler().bytes;
  const { sections } = (() => {
    using image = load(bytes, new WatchedAllocator());
    return image.file;
  })();
  const allocator = new WatchedAllocator();
  for (const section of sections) {
    if (section.size === 0) continue;
    for (const at of [section.offset, section.offset + section.size - 1]) {
      const broken = patched(bytes, [at, 1, bytes[at] ^ 0x40]);
      const error = assertLoadError(() => load(broken, allocator), "InvalidFormat");
      // Relocations are read before the hash can be known; what they say may be wrong already.
      if (section.type !== SectionType.Reloc) {
        assertEquals(error.data.offset, H96_MODULE_HASH, `${section.name}: ${error.message}`);
      }
    }
  }
  assertEquals(allocator.live.size, 0);
});

Deno.test("a wrong hash is an error that has both", () => {
  const bytes = addModule();
  const view = new DataView(bytes.buffer);
  const expected = view.getBigUint64(H96_MODULE_HASH, true);
  const wrong = patched(bytes, [H96_MODULE_HASH, 8, expected ^ 1n]);
  assertLoadError(() => load(wrong, new WatchedAllocator()), "InvalidFormat", {
    offset: H96_MODULE_HASH,
    value: expected,
    range: [expected ^ 1n, (expected ^ 1n) + 1n],
  });
});

Deno.test("a resolver's own error comes out as it is, and nothing stays behind", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("a.smf", importerModule(["a"]));
  const allocator = new WatchedAllocator();
  const loader = new ModuleLoader({ allocator });
  for (const mine of [new Error("mine"), new TypeError("mine"), new Deno.errors.NotFound("mine")]) {
    const resolver = () => {
      throw mine;
    };
    const open = descriptors();
    assertStrictEquals(assertThrows(() => loader.load(path, resolver)), mine);
    assertStrictEquals(assertThrows(() => loader.loadBytes(importerModule(["a"]), resolver)), mine);
    assertStrictEquals(await assertRejects(() => loader.loadAsync(path, resolver)), mine);
    assertEquals(descriptors(), open);
  }
  assertEquals(allocator.live.size, 0);
});

Deno.test("a resolver may load modules itself", async () => {
  const loader = new ModuleLoader();
  await using stack = new AsyncDisposableStack();
  using module = loader.loadBytes(importerModule(["add"]), () => {
    const provider = stack.use(loader.loadBytes(addModule()));
    return stack.use(provider.addressOf("add")!).address;
  });
  assertEquals(module.imports()[0].from, "resolver");
});

/** An allocator that refuses the n-th call of a kind. */
class RefusingAllocator extends WatchedAllocator {
  #calls = 0;
  readonly #refused: string;
  readonly #turn: number;

  constructor(refused: "allocate" | "protect" | "view" | "free", turn = 1) {
    super();
    this.#refused = refused;
    this.#turn = turn;
  }

  #count(call: string): void {
    if (call === this.#refused && ++this.#calls === this.#turn) {
      throw new LoadError("OutOfMemory", `Cannot ${call}: refused by the test`, { call });
    }
  }

  override allocate(size: number, alignment: number, near?: bigint): ExecutableMemory {
    this.#count("allocate");
    return super.allocate(size, alignment, near);
  }

  override protect(memory: ExecutableMemory, protection: Protection, offset?: number, length?: number): void {
    this.#count("protect");
    super.protect(memory, protection, offset, length);
  }

  override view(memory: ExecutableMemory, offset?: number, length?: number): Uint8Array<ArrayBuffer> {
    this.#count("view");
    return super.view(memory, offset, length);
  }

  override free(memory: ExecutableMemory): void {
    this.#count("free");
    super.free(memory);
  }
}

Deno.test("memory that is refused at any step ends in OutOfMemory, with nothing left", () => {
  for (const [call, turn] of [["allocate", 1], ["view", 1], ["protect", 1], ["protect", 2]] as const) {
    const allocator = new RefusingAllocator(call, turn);
    let held = 0;
    const provider = {
      description: "p",
      hold: () => (held++, { [Symbol.dispose]: () => void held-- }),
    };
    const builder = hostBuilder();
    builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.returns(7) });
    builder.section({ name: "rodata", type: SectionType.RoData, bytes: new Uint8Array(8) });
    const symbol = builder.symbol({ name: "a", type: SymbolType.None, defined: false });
    builder.relocation({ offset: 4096, symbol, type: RelocationType.Abs64 });
    const source = { find: () => ({ address: 1n, from: "p", provider }) };
    assertLoadError(() => load(builder.build(), allocator, [source]), "OutOfMemory", { call });
    assertEquals([allocator.live.size, held], [0, 0], `${call} ${turn}`);
    assertEquals(allocator.mappings(), []);
    // And the next load goes on as if nothing had been.
    load(builder.build(), allocator, [source])[Symbol.dispose]();
    assertEquals([allocator.live.size, held], [0, 0]);
  }
});

Deno.test("what was wrong with the module is told also if its memory cannot be given back", () => {
  const bytes = importerModule(["a"]);
  // One fails while it is read, the other while it is linked.
  const wrongHash = patched(bytes, [H96_MODULE_HASH, 1, bytes[H96_MODULE_HASH] ^ 1]);
  const builder = hostBuilder();
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8) });
  const symbol = builder.symbol({ name: "a", type: SymbolType.None, defined: false });
  builder.relocation({ offset: 1, symbol, type: RelocationType.Abs64 });
  for (
    const [broken, kind] of [[wrongHash, "InvalidFormat"], [builder.build(), "RelocationFailed"]] as const
  ) {
    const allocator = new RefusingAllocator("free");
    let held = 0;
    const provider = { description: "p", hold: () => (held++, { [Symbol.dispose]: () => void held-- }) };
    const source = { find: () => ({ address: 1n, from: "p", provider }) };
    assertLoadError(() => load(broken, allocator, [source]), kind);
    assertEquals(allocator.live.size, 1);
    assertEquals(held, 0, "who answered is let go all the same");
    for (const memory of allocator.live) allocator.free(memory);
  }
});

Deno.test("disposing frees the memory and lets providers go", () => {
  let held = 0;
  const provider = { description: "p", hold: () => (held++, { [Symbol.dispose]: () => void held-- }) };
  const allocator = new WatchedAllocator();
  const image = load(importerModule(["a"]), allocator, [
    { find: () => ({ address: 1n, from: "p", provider }) },
  ]);
  assertEquals([allocator.live.size, held], [1, 1]);
  image[Symbol.dispose]();
  assertEquals([allocator.live.size, held], [0, 0]);
});

Deno.test("a module with nothing in it loads", () => {
  const builder = hostBuilder();
  builder.section({ name: "note", type: 99, bytes: new Uint8Array(8) });
  using module = new ModuleLoader().loadBytes(builder.build());
  assertEquals(module.exports(), []);
  assertEquals(module.getFunction("main", INT), null);
});

Deno.test("an executable's entry point runs", () => {
  using module = new ModuleLoader().loadBytes(mainModule(41));
  assertEquals(module.entryPoint(INT)!(), 41);
});

Deno.test("code changes variables of its own module", () => {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.append(3) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array([4, 0, 0, 0, 0, 0, 0, 0]) });
  builder.symbol({ name: "append", type: SymbolType.Function });
  const symbol = builder.symbol({ name: "log", type: SymbolType.Data, value: 4096, size: 8 });
  builder.relocation({ offset: LOG_ADDRESS, symbol, type: RelocationType.Abs64 });
  using module = new ModuleLoader().loadBytes(builder.build());
  using other = new ModuleLoader().loadBytes(builder.build());
  const append = module.getFunction("append", { parameters: [], result: "void" })!;
  append();
  append();
  const words = [module, other].map(({ dataMemory }) => readWord(dataMemory.address));
  assertEquals(words, [433n, 4n], "each load has variables of its own");
});

Deno.test("two loads at a time, and one in a registry, do not share memory", () => {
  using registry = new ModuleRegistry();
  using one = new ModuleLoader().loadBytes(addModule());
  const two = registry.loadBytes("add", addModule());
  assertNotEquals(one.codeMemory.address, two.codeMemory.address);
});

Deno.test({
  name: "loading and closing again and again leaves no mapping and no descriptor",
  ignore: NO_PROC,
  fn() {
    const allocator = new WatchedAllocator();
    const loader = new ModuleLoader({ allocator });
    const round = () => {
      using module = loader.loadBytes(sampler().bytes);
      assertEquals(module.getFunction("seven", INT)!(), 7);
    };
    round();
    const open = descriptors();
    for (let index = 0; index < 50; index++) round();
    assertEquals(allocator.live.size, 0);
    assertEquals(allocator.mappings(), []);
    assertEquals(descriptors(), open);
    assert(mappings().length > 0);
  },
});
