// A module that imports a variable follows the variable's module over reloads,
// if it holds the address in words that can be changed.
import { assert, assertEquals } from "@std/assert";
import {
  Binding,
  LinuxAllocator,
  type LoadedModule,
  type MemoryAllocator,
  ModuleRegistry,
  RelocationType,
  SectionType,
  SmfBuilder,
  SymbolType,
} from "../mod.ts";

const READ = { parameters: [], result: "i64" } as const;

/** x86-64, System V. */
const native = Deno.build.arch === "x86_64" && Deno.build.os === "linux";

function test(name: string, run: () => void | Promise<void>): void {
  Deno.test({ name, ignore: !native, fn: run });
}

/** Exports the variable `level`. */
function provider(value: number, name = "level"): Uint8Array {
  const builder = new SmfBuilder();
  const bytes = new Uint8Array(new BigInt64Array([BigInt(value)]).buffer);
  builder.section({ name: ".data", type: SectionType.Data, alignment: 8, bytes });
  builder.symbol({ name, type: SymbolType.Data, binding: Binding.Global, value: 0, size: 8 });
  return builder.build();
}

/** Exports `read`, which returns `level`, whose address it holds in one of three ways. */
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

test("a variable that holds another address by now is left alone", async () => {
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

test("a new version without the variable leaves the importer with the old one", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("provider", provider(1));
  using reader = registry.loadBytes("importer", importer("GOT"));
  registry.reload("provider", { bytes: provider(2, "other") });
  assertEquals(read(reader), 1n);
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
  using registry = new ModuleRegistry({ allocator: noting(new LinuxAllocator(), protections) });
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

/** An allocator that notes what protections are asked of it. */
function noting(allocator: LinuxAllocator, protections: string[]): MemoryAllocator {
  return {
    pageSize: allocator.pageSize,
    allocate: (size, alignment, near) => allocator.allocate(size, alignment, near),
    protect(memory, protection, offset, length) {
      protections.push(protection);
      allocator.protect(memory, protection, offset, length);
    },
    view: (memory, offset, length) => allocator.view(memory, offset, length),
    free: (memory) => allocator.free(memory),
    retain: () => allocator.retain(),
  };
}
