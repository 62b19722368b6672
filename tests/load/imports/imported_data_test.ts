// A module that imports a variable follows the variable's module over reloads,
// if it holds the address in words that can be changed.
import { assert, assertEquals } from "@std/assert";
import { assertLoadError, readWord, TemporaryDirectory, WatchedAllocator } from "../../support/testing.ts";
import { version } from "../../support/versions.ts";
import {
  type LoadedModule,
  LoadError,
  type MemoryAllocator,
  ModuleRegistry,
  platformAllocator,
  Protection,
  SmfBuilder,
} from "../../../mod.ts";
import { Binding, RelocationType, SectionType, SymbolType } from "../../../src/smf/mod.ts";

const READ = { parameters: [], result: "i64" } as const;

/** Machine code for x86-64, System V ABI. */
const native = Deno.build.arch === "x86_64" && Deno.build.os === "linux";

function test(name: string, run: () => void | Promise<void>): void {
  Deno.test({ name, ignore: !native, fn: run });
}

/** A module that exports the variable `level`. */
function provider(value: number, name = "level"): Uint8Array {
  const builder = new SmfBuilder();
  const bytes = new Uint8Array(new BigInt64Array([BigInt(value)]).buffer);
  builder.section({ name: ".data", type: SectionType.Data, alignment: 8, bytes });
  builder.symbol({ name, type: SymbolType.Data, binding: Binding.Global, value: 0, size: 8 });
  return builder.build();
}

/** A module that exports `read`, which returns `level`; it holds the address of `level` in one of three ways. */
function importer(way: "GOT" | "variable" | "code"): Uint8Array {
  const builder = new SmfBuilder();
  const load = way === "code"
    ? [0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xc3] // mov rax, [rip + level]; ret
    : [0x48, 0x8b, 0x05, 0, 0, 0, 0, 0x48, 0x8b, 0x00, 0xc3]; // mov rax, [rip + word]; mov rax, [rax]; ret
  builder.section({ name: "code", type: SectionType.Code, alignment: 16, bytes: new Uint8Array(load) });
  if (way === "variable") {
    builder.section({ name: ".data", type: SectionType.Data, alignment: 8, bytes: new Uint8Array(8) });
  }
  builder.symbol({
    name: "read",
    type: SymbolType.Function,
    binding: Binding.Global,
    value: 0,
    size: load.length,
  });
  const level = builder.symbol({
    name: "level",
    type: SymbolType.Data,
    binding: Binding.Global,
    defined: false,
  });
  if (way === "GOT") {
    builder.relocation({ offset: 3, symbol: level, type: RelocationType.GotPcRel, addend: -4 });
  } else if (way === "code") {
    builder.relocation({ offset: 3, symbol: level, type: RelocationType.Pc32, addend: -4 });
  } else {
    const word = builder.symbol({
      name: "word",
      type: SymbolType.Data,
      binding: Binding.Global,
      value: 4096,
      size: 8,
    });
    builder.relocation({ offset: 3, symbol: word, type: RelocationType.Pc32, addend: -4 });
    builder.relocation({ offset: 4096, symbol: level, type: RelocationType.Abs64 });
  }
  return builder.build();
}

function read(module: LoadedModule): bigint {
  return module.getFunction("read", READ)!();
}

for (const way of ["GOT", "variable"] as const) {
  test(`an address in the ${way} follows a reload, and the old version is not held`, () => {
    using registry = new ModuleRegistry({ keepVersions: 0 });
    const first = registry.loadBytes("provider", provider(1));
    using reader = registry.loadBytes("importer", importer(way));
    assertEquals(read(reader), 1n);
    assertEquals(first.holders(), ["module 'importer'"]);
    const second = registry.reload("provider", { bytes: provider(2) });
    assertEquals(read(reader), 2n);
    assertEquals(first.holders(), []);
    assertEquals(second.holders(), ["module 'importer'"]);
    registry.reload("provider", { bytes: provider(3) });
    assertEquals(read(reader), 3n);
  });
}

test("an address inside code keeps the old version, with its value", () => {
  using registry = new ModuleRegistry({ keepVersions: 0 });
  const first = registry.loadBytes("provider", provider(1));
  using reader = registry.loadBytes("importer", importer("code"));
  registry.reload("provider", { bytes: provider(2) });
  assertEquals(read(reader), 1n);
  assertEquals(first.holders(), ["module 'importer'"]);
});

test("a variable that holds another address by then is not changed", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("provider", provider(1));
  const reader = registry.loadBytes("importer", importer("variable"));
  using own = reader.addressOf("read")!;
  using word = reader.addressOf("word")!;
  const view = Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(word.address)!, 8);
  new BigUint64Array(view)[0] = own.address;
  registry.reload("provider", { bytes: provider(2) });
  assertEquals(new BigUint64Array(view)[0], own.address);
});

for (const way of ["GOT", "variable", "code"] as const) {
  test(`a new version without a variable that is imported, its address in the ${way}, is refused`, () => {
    using registry = new ModuleRegistry();
    registry.loadBytes("provider", provider(1));
    const reader = registry.loadBytes("importer", importer(way));
    const error = assertLoadError(
      () => registry.reload("provider", { bytes: provider(2, "other") }),
      "Incompatible",
    );
    assertEquals(error.data.symbols, ["level"]);
    assertEquals([read(reader), registry.versions("provider").length], [1n, 1]);
    registry.unload("importer", { force: true });
    assertEquals(registry.reload("provider", { bytes: provider(2, "other") }).version, 2);
  });
}

for (const compatibility of ["strict", "allow"] as const) {
  test(`an imported variable that became a function is refused with '${compatibility}'`, () => {
    using registry = new ModuleRegistry();
    registry.loadBytes("provider", provider(1));
    using reader = registry.loadBytes("importer", importer("GOT"));
    assertLoadError(
      () => registry.reload("provider", { bytes: version({ functions: { level: 2 } }), compatibility }),
      "Incompatible",
      { symbols: ["level"] },
    );
    assertEquals(read(reader), 1n);
  });
}

test("with 'allow' the importer of a missing variable keeps the old one, and follows the next version", () => {
  using registry = new ModuleRegistry({ keepVersions: 0 });
  const first = registry.loadBytes("provider", provider(1));
  using reader = registry.loadBytes("importer", importer("GOT"));
  for (let round = 0; round < 3; round++) {
    registry.reload("provider", { bytes: provider(2, "other"), compatibility: "allow" });
    assertEquals(read(reader), 1n);
    assertEquals(first.holders(), ["module 'importer'"]);
  }
  registry.reload("provider", { bytes: provider(4) });
  assertEquals(read(reader), 4n);
  assertEquals(first.holders(), []);
});

for (const way of ["GOT", "variable", "code"] as const) {
  test(`an importer is linked to a variable that is reloaded meanwhile, its address in the ${way}`, async () => {
    using directory = new TemporaryDirectory();
    let reload: (() => void) | undefined;
    const allocator = {
      ...noting(platformAllocator(), []),
      // At this point the importer holds its providers, and is not linked yet.
      allocate(size: number, alignment: number, near?: bigint) {
        const now = reload;
        reload = undefined;
        now?.();
        return platformAllocator().allocate(size, alignment, near);
      },
    };
    using registry = new ModuleRegistry({ keepVersions: 0, allocator });
    const first = registry.loadBytes("provider", provider(1));
    let second = first;
    reload = () => second = registry.reload("provider", { bytes: provider(2) });
    const loading = registry.loadAsync(directory.file("importer.smf", importer(way)));
    using reader = await loading;
    assertEquals(read(reader), 2n);
    assertEquals([first.holders().length, second.holders().length], [0, 1]);
    assertEquals(reader.imports()[0].address, registry.resolveSymbol("level"));
    first.close();
    registry.reload("provider", { bytes: provider(3) });
    assertEquals(read(reader), way === "code" ? 2n : 3n);
    assertEquals(reader.imports()[0].address === registry.resolveSymbol("level"), way !== "code");
  });
}

test("an importer is linked to a variable that a resolver reloads while names are looked up", async () => {
  await using registry = new ModuleRegistry({
    resolver: (name) => {
      if (name !== "later") return null;
      registry.reload("provider", { bytes: provider(2) });
      return 1n;
    },
  });
  registry.loadBytes("provider", provider(1));
  const reader = registry.loadBytes(
    "importer",
    version({
      functions: { x: 1 },
      data: { word: ["level"], other: ["later"] },
      details: { level: { type: SymbolType.Data }, later: { type: SymbolType.None } },
    }),
  );
  assertEquals(reader.imports()[0].address, registry.resolveSymbol("level"));
  using lease = reader.addressOf("word")!;
  assertEquals(readWord(lease.address), registry.resolveSymbol("level"));
});

test("a variable that a resolver removes while names are looked up is refused", () => {
  using registry = new ModuleRegistry({
    resolver: (name) => {
      if (name !== "later") return null;
      registry.reload("provider", { bytes: version({ functions: { unrelated: 1 } }) });
      return 1n;
    },
  });
  registry.loadBytes("provider", version({ functions: { answer: 1 } }));
  assertLoadError(
    () => registry.loadBytes("importer", version({ functions: { ask: "answer", more: "later" } })),
    "Incompatible",
  );
  assertEquals(registry.modules(), ["provider"]);
});

test("an importer that is closed is not patched", () => {
  using registry = new ModuleRegistry({ keepVersions: 0 });
  registry.loadBytes("provider", provider(1));
  registry.loadBytes("importer", importer("GOT")).close();
  const second = registry.reload("provider", { bytes: provider(2) });
  assertEquals(second.holders(), []);
});

test("the GOT is read-only again after the patch, and is not touched when the reload is refused", () => {
  const protections: string[] = [];
  using registry = new ModuleRegistry({ allocator: noting(platformAllocator(), protections) });
  registry.loadBytes("provider", provider(1));
  using reader = registry.loadBytes("importer", importer("GOT"));
  protections.length = 0;
  registry.reload("provider", { bytes: provider(2) });
  assertEquals(protections.filter((protection) => protection !== "r-x"), ["rw-", "r--"]);
  protections.length = 0;
  try {
    registry.reload("provider", { bytes: provider(3), verify: () => false });
    assert(false, "verify refused it");
  } catch (error) {
    assertEquals((error as { kind?: string }).kind, "Incompatible");
  }
  assertEquals(protections.filter((protection) => protection !== "r-x"), []);
  assertEquals(read(reader), 2n);
});

for (const way of ["GOT", "variable"] as const) {
  test(`a reload leaves no view of the importer, its address in the ${way}`, () => {
    const views: Uint8Array[] = [];
    const inner = noting(platformAllocator(), []);
    const view: MemoryAllocator["view"] = (...parameters) => {
      const bytes = inner.view(...parameters);
      views.push(bytes);
      return bytes;
    };
    using registry = new ModuleRegistry({ allocator: { ...inner, view } });
    registry.loadBytes("provider", provider(1));
    using reader = registry.loadBytes("importer", importer(way));
    views.length = 0;
    registry.reload("provider", { bytes: provider(2) });
    registry.rollback("provider");
    try {
      registry.reload("provider", { bytes: provider(3, "other") });
    } catch {
      // A refused reload leaves no view either.
    }
    assert(views.length > 1);
    assertEquals(views.filter(({ length }) => length > 0), []);
    assertEquals(read(reader), 1n);
  });
}

for (const operation of ["reload", "rollback"] as const) {
  test(`a GOT that cannot be made writable refuses the ${operation}, and nothing has changed`, () => {
    const allocator = new WatchedAllocator();
    const { protect } = allocator;
    using registry = new ModuleRegistry({ allocator });
    registry.loadBytes("provider", provider(1));
    const readers = ["one", "two"].map((name) => registry.loadBytes(name, importer("GOT")));
    registry.reload("provider", { bytes: provider(2) });
    const state = () => [
      readers.map(read),
      readers.map((reader) => reader.imports()[0].address),
      registry.versions("provider"),
      allocator.live.size,
      allocator.mappings(),
    ];
    state();
    const before = state();
    for (const failing of [1, 2]) {
      let asked = 0;
      allocator.protect = (memory, protection, offset, length) => {
        if (protection === Protection.READ_WRITE && ++asked === failing) {
          throw new LoadError("OutOfMemory", "Cannot protect: the test refuses");
        }
        protect.call(allocator, memory, protection, offset, length);
      };
      assertLoadError(
        () =>
          operation === "reload"
            ? registry.reload("provider", { bytes: provider(3) })
            : registry.rollback("provider"),
        "OutOfMemory",
      );
      allocator.protect = protect;
      assertEquals(state(), before);
    }
    registry.reload("provider", { bytes: provider(4) });
    assertEquals(readers.map(read), [4n, 4n]);
  });
}

/** An allocator that notes the protections that it sets. */
function noting(allocator: MemoryAllocator, protections: string[]): MemoryAllocator {
  return {
    pageSize: allocator.pageSize,
    allocate: (size, alignment, near) => allocator.allocate(size, alignment, near),
    protect(memory, protection, offset, length) {
      protections.push(protection);
      allocator.protect(memory, protection, offset, length);
    },
    view: (memory, offset, length) => allocator.view(memory, offset, length),
    free: (memory) => allocator.free(memory),
    retain: () => allocator.retain!(),
  };
}
