import { assert, assertEquals } from "@std/assert";
import { LoadError } from "../../mod.ts";
import { type LoadedImage, loadSteps, symbolAddress } from "../../src/load/loader.ts";
import { HOST_ARCH } from "../../src/load/runtime/host.ts";
import { missingFeatures } from "../../src/load/runtime/processor.ts";
import { processorWords } from "../../src/os/processor.ts";
import type { ImportSource } from "../../src/load/imports/resolve.ts";
import type { ExecutableMemory, MemoryAllocator, Protection } from "../../src/os/memory/allocator.ts";
import { Binding, HeaderFlag, RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { readBytes } from "../../src/load/file/source.ts";
import {
  addModule,
  assertLoadError,
  H96_MODULE_HASH,
  hostBuilder,
  importerModule,
  machineCode,
  NO_PROC,
  NOT_X86_64,
  patched,
  permissionsAt,
  readMemory,
  readWord,
  sampler,
  WatchedAllocator,
} from "../support/testing.ts";
import { zstdTest } from "../support/deno_version.ts";

/** Loads with the loader's own steps: no handle, no initialisers. */
function load(bytes: Uint8Array, allocator: MemoryAllocator, sources: ImportSource[] = []): LoadedImage {
  return readBytes(bytes, loadSteps({ allocator, sources, description: "module 'test'" }));
}

for (const level of [1, 2, 3, 255]) {
  Deno.test(`a module that needs level ${level} loads where the processor has it, else maps nothing`, () => {
    const missing = missingFeatures(HOST_ARCH, level, processorWords());
    const allocator = new WatchedAllocator();
    const bytes = addModule({ cpu: level });
    if (missing?.length === 0) {
      load(bytes, allocator)[Symbol.dispose]();
    } else {
      const error = assertLoadError(() => load(bytes, allocator), "IncompatibleArch", { features: missing });
      for (const feature of missing ?? []) assert(error.message.includes(feature), error.message);
      assertEquals(allocator.nearby, []);
    }
    // As the lane oldcpu emulates it.
    if (Deno.env.get("QEMU_CPU") === "Nehalem") {
      assertEquals(missing?.[0], [, undefined, "AVX", "AVX"][level]);
    }
  });
}

Deno.test("sections and relocations are where the file says, and bytes that the file leaves out are zero", () => {
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

zstdTest("compressed sections give the same image", () => {
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
  name: "an image that moves as a whole has the same protections, with GOT and PLT in front or behind",
  ignore: NO_PROC || NOT_X86_64, // GotPcRel and Plt32
  fn() {
    for (const fill of [64, 4096]) {
      const builder = hostBuilder({ flags: HeaderFlag.FixedLayout });
      builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(fill).fill(0xc3) });
      builder.section({ name: "rodata", type: SectionType.RoData, bytes: new Uint8Array(fill).fill(1) });
      builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(16).fill(2) });
      const far = builder.symbol({ name: "far", type: SymbolType.Function, defined: false });
      const data = builder.symbol({ name: "data", type: SymbolType.Data, value: 8192, size: 16 });
      builder.relocation({ offset: 0, symbol: far, type: RelocationType.GotPcRel, addend: -4 });
      builder.relocation({ offset: 8, symbol: far, type: RelocationType.Plt32, addend: -4 });
      builder.relocation({ offset: 16, symbol: data, type: RelocationType.Pc32 });
      const allocator = new WatchedAllocator();
      const image = load(builder.build(), allocator, [{ find: () => ({ address: 0x1234n, from: "test" }) }]);
      const { plan, memory: { address } } = image;
      assertEquals(plan.gotRegion === plan.rodata, fill === 64);
      const at = (offset: number): bigint => address + BigInt(offset);
      const [code, rodata] = plan.sections;
      assertEquals(
        [plan.got, plan.plt, code.offset, rodata.offset, plan.place(8192, 16)].map((offset) =>
          permissionsAt(at(offset))
        ),
        ["r--p", "r-xp", "r-xp", "r--p", "rw-p"],
      );
      assertEquals(readWord(at(plan.got)), 0x1234n);
      assertEquals(readMemory(at(plan.plt), 2), new Uint8Array([0xff, 0x25]));
      // The loader calculates the same distance that the linker would have settled.
      const distance = new DataView(readMemory(at(code.offset + 16), 4).buffer).getInt32(0, true);
      assertEquals(distance, 8192 - 16);
      image[Symbol.dispose]();
      assertEquals(allocator.mappings(), []);
    }
  },
});

Deno.test("a range has the alignment that its sections require", () => {
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

/** A module whose variable holds an address of its own in 32 bits. */
function lowModule(type: number): Uint8Array {
  const builder = hostBuilder();
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(16) });
  const symbol = builder.symbol({ name: "own", type: SymbolType.Data, value: 8 });
  builder.relocation({ offset: 0, symbol, type, addend: 4n });
  return builder.build();
}

Deno.test({
  name: "an image with addresses of 32 bits lies in the low 2 GiB, and holds them",
  ignore: NOT_X86_64,
  fn() {
    for (const type of [RelocationType.Abs32, RelocationType.Abs32Signed]) {
      const allocator = new WatchedAllocator();
      using image = load(lowModule(type), allocator);
      const { address } = image.memory;
      assert(address > 65_536n && address + BigInt(image.memory.size) <= 2n ** 31n, `${address}`);
      assertEquals(readWord(symbolAddress(image, 0) - 8n) & 0xffff_ffffn, symbolAddress(image, 0) + 4n);
    }
  },
});

Deno.test({
  name: "an allocator that does not know low memory is an error, and gets its memory back",
  ignore: NOT_X86_64,
  fn() {
    class OldAllocator extends WatchedAllocator {
      override allocate(size: number, alignment: number): ExecutableMemory {
        return super.allocate(size, alignment);
      }
    }
    const allocator = new OldAllocator();
    const error = assertLoadError(
      () => load(lowModule(RelocationType.Abs32Signed), allocator),
      "OutOfMemory",
      { range: [0n, 2n ** 31n] },
    );
    assert(error.hint.startsWith("compile the module with -fPIC"));
    assertEquals(allocator.live.size, 0);
  },
});

Deno.test("imports are resolved before any memory is reserved", () => {
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
      // Relocations are used before the hash can be checked; a broken one may be refused first.
      if (section.type !== SectionType.Reloc) {
        assertEquals(error.data.offset, H96_MODULE_HASH, `${section.name}: ${error.message}`);
      }
    }
  }
  assertEquals(allocator.live.size, 0);
});

Deno.test("a wrong hash is an error with both hashes", () => {
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

Deno.test("memory that is refused in any phase is OutOfMemory, and leaves nothing behind", () => {
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
    // The next load is not affected.
    load(builder.build(), allocator, [source])[Symbol.dispose]();
    assertEquals([allocator.live.size, held], [0, 0]);
  }
});

Deno.test("the module's error is reported even if its memory cannot be freed", () => {
  const bytes = importerModule(["a"]);
  // The first fails while it is filled, the second while it is relocated.
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
    assertEquals(held, 0, "the provider is released all the same");
    for (const memory of allocator.live) allocator.free(memory);
  }
});

Deno.test("disposing frees the memory and releases providers", () => {
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
