import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { toFileUrl } from "@std/path";
import { type LoadedModule, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import {
  addModule,
  descriptors,
  hostBuilder,
  importerModule,
  LOG_ADDRESS,
  machineCode,
  mainModule,
  mappings,
  NO_PROC,
  NOT_X86_64,
  readMemory,
  readWord,
  sampler,
  TemporaryDirectory,
  WatchedAllocator,
} from "../support/testing.ts";

const ADD = { parameters: ["i64", "i64"], result: "i64" } as const;
const INT = { parameters: [], result: "i32" } as const;

Deno.test({
  name: "a call through a stub arrives, also from a module far away",
  ignore: NOT_X86_64,
  async fn() {
    // Stays allocated while the other allocator chooses its place, so that the two are further apart than a displacement reaches.
    const remote = new WatchedAllocator();
    await using provider = new ModuleLoader({ allocator: remote }).loadBytes(
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

Deno.test("bytes, a file and its URL give the same module, asynchronously too", async () => {
  using directory = new TemporaryDirectory();
  const bytes = addModule();
  const path = directory.file("add.smf", bytes);
  const loader = new ModuleLoader();
  const modules: LoadedModule[] = [
    loader.loadBytes(bytes, undefined, { name: "add" }),
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
  assertEquals(addresses.size, modules.length, "each load has memory of its own");
  for (const module of modules) module.close();
});

Deno.test("loading asynchronously lets other work continue", async () => {
  using directory = new TemporaryDirectory();
  const builder = hostBuilder();
  for (let index = 0; index < 300; index++) {
    builder.section({ name: `d${index}`, type: SectionType.Data, bytes: new Uint8Array(16_384).fill(index) });
  }
  const path = directory.file("many.smf", builder.build());
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  using module = await new ModuleLoader().loadAsync(path);
  clearInterval(timer);
  assert(turns > 0, "the event loop stood still");
  assertEquals(module.dataMemory.size >= 300 * 16_384, true);
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
  name: "a loaded module does not depend on its file any more",
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

Deno.test("no file stays open after a load", async () => {
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

Deno.test("a resolver's own error is rethrown unchanged, and nothing stays behind", async () => {
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

Deno.test("an empty module loads", () => {
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

Deno.test("the permissions to read and to use FFI are enough; the error names a missing one", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("add.smf", addModule());
  const module = new URL("../../mod.ts", import.meta.url).href;
  const program = directory.file(
    "program.ts",
    new TextEncoder().encode(`
      import { ModuleLoader } from ${JSON.stringify(module)};
      try {
        using module = new ModuleLoader().load(${JSON.stringify(path)});
        const add = module.getFunction("add", { parameters: ["i64", "i64"], result: "i64" });
        console.log("sum", add(2n, 3n));
      } catch (error) {
        console.log(error.kind, error.message);
      }`),
  );
  const run = async (...flags: string[]): Promise<string> => {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", "--config", "deno.json", ...flags, program],
      cwd: new URL("../..", import.meta.url),
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  };
  assertEquals(await run("--allow-ffi", `--allow-read=${path}`), "sum 5n\n");
  const noRead = await run("--allow-ffi");
  assert(noRead.startsWith("PermissionDenied ") && noRead.includes(`--allow-read=${path}`), noRead);
  for (const flags of [[], [`--allow-ffi=${path}`]]) {
    const noFfi = await run("--allow-read", ...flags);
    assert(noFfi.startsWith("PermissionDenied ") && noFfi.includes("--allow-ffi"), noFfi);
    assert(noFfi.includes(path), noFfi);
  }
});
