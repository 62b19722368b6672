import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ELF_MACHINE, stubSymbolName, writeElfStub } from "../../../src/call/stub/elf_library.ts";
import { ElfReader } from "../../support/elf_reader.ts";
import { linuxTest } from "../../support/modules.ts";

const ADDRESSES = (count: number) =>
  Array.from({ length: count }, (_, index) => 0x7f12_3456_0000n + BigInt(index) * 0x1_0001n);
const [PT_LOAD, PT_DYNAMIC, PT_GNU_STACK] = [1, 2, 0x6474_e551];

for (const count of [0, 1, 2, 17, 500, 5000]) {
  Deno.test(`a stub of ${count} symbols: each is found by its name and has its address as value`, () => {
    const addresses = ADDRESSES(count);
    const elf = new ElfReader(writeElfStub(62, addresses));
    assertEquals(elf.symbolCount(), count + 1);
    assertEquals(elf.symbol(0), { name: "", value: 0n, binding: 0, type: 0, section: 0 });
    addresses.forEach((value, index) => {
      const name = stubSymbolName(index);
      assertEquals(elf.find(name), { name, value, binding: 1, type: 2, section: 0xfff1 });
    });
    assertEquals(elf.find("missing"), undefined);
  });
}

Deno.test("a stub is a shared library of one segment that is never executable", () => {
  for (const count of [1, 500]) {
    const bytes = writeElfStub(62, ADDRESSES(count));
    const elf = new ElfReader(bytes);
    assertEquals([elf.type, elf.segments.length], [3, 3]);
    const of = (type: number) => elf.segments.filter((segment) => segment.type === type);
    const [load] = of(PT_LOAD);
    assertEquals(of(PT_LOAD).length, 1);
    assertEquals([load.offset, load.address, load.fileSize, load.memorySize], [
      0,
      0,
      bytes.length,
      bytes.length,
    ]);
    assert(load.align >= 4096 && load.align % 4096 === 0);
    for (const { type, flags } of elf.segments) {
      assertEquals(flags, 6, `segment ${type} is readable and writable`);
    }
    const [dynamic] = of(PT_DYNAMIC);
    assert(dynamic.offset % 8 === 0 && dynamic.offset + dynamic.fileSize <= bytes.length);
    assertEquals(of(PT_GNU_STACK).length, 1);
  }
});

Deno.test("a stub's tables lie inside it, aligned, and do not overlap", () => {
  for (const count of [0, 1, 2, 3, 4, 5, 500]) {
    const bytes = writeElfStub(62, ADDRESSES(count));
    const { dynamic, segments } = new ElfReader(bytes);
    const [hash, strings, symbols, stringSize, symbolSize] = [4, 5, 6, 10, 11].map((tag) =>
      dynamic.get(tag)!
    );
    assertEquals([hash % 4, symbols % 8, symbolSize, dynamic.size], [0, 0, 24, 5]);
    const buckets = new DataView(bytes.buffer).getUint32(hash, true);
    const ranges = [
      [0, 64 + 56 * 3],
      [segments[1].offset, segments[1].offset + segments[1].fileSize],
      [hash, hash + 4 * (2 + buckets + count + 1)],
      [symbols, symbols + 24 * (count + 1)],
      [strings, strings + stringSize],
    ].sort(([a], [b]) => a - b);
    ranges.forEach(([start], index) => assert(index === 0 || start >= ranges[index - 1][1]));
    assertEquals(ranges.at(-1)![1], bytes.length);
  }
});

Deno.test("a stub keeps all 64 bits of addresses", () => {
  const addresses = [0n, 1n, 0xffff_ffffn, 0x1_0000_0000n, 0x7fff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn];
  const elf = new ElfReader(writeElfStub(62, addresses));
  assertEquals(addresses.map((_, index) => elf.find(stubSymbolName(index))?.value), addresses);
});

Deno.test("stubs of different processors differ in e_machine and the size of a page only", () => {
  const x86 = writeElfStub(ELF_MACHINE.x86_64, ADDRESSES(2));
  const arm = writeElfStub(ELF_MACHINE.aarch64, ADDRESSES(2));
  assertEquals([new ElfReader(x86).machine, new ElfReader(arm).machine], [62, 183]);
  assertEquals([...x86].flatMap((byte, index) => byte === arm[index] ? [] : [index]), [18, 113, 114]);
});

Deno.test("a stub of one symbol is small, and each further one adds little", () => {
  const sizes = [1, 2, 1002].map((count) => writeElfStub(62, ADDRESSES(count)).length);
  assert(sizes[0] <= 512, `${sizes[0]} bytes`);
  assert((sizes[2] - sizes[1]) / 1000 <= 40, `${sizes}`);
});

/** Runs a tool of the GNU binutils on a stub, if it is installed. */
function inspect(tool: string, flags: string[], count: number): string | undefined {
  const path = Deno.makeTempFileSync({ suffix: ".so" });
  try {
    Deno.writeFileSync(path, writeElfStub(ELF_MACHINE[Deno.build.arch], ADDRESSES(count)));
    const { stdout, stderr, success } = new Deno.Command(tool, {
      args: [...flags, path],
      env: { LC_ALL: "C" },
    })
      .outputSync();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert(success && err === "", `${tool}: ${err}`);
    return out;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    Deno.removeSync(path);
  }
}

const hasTools = await (async () => {
  try {
    return (await new Deno.Command("readelf", { args: ["--version"], stdout: "null" }).output()).success;
  } catch {
    return false;
  }
})();

Deno.test({
  name: "readelf accepts a stub",
  ignore: !hasTools,
  fn() {
    const headers = inspect("readelf", ["--wide", "--headers", "--dynamic"], 2)!;
    assertStringIncludes(headers, "DYN (Shared object file)");
    assertStringIncludes(headers, "There are no sections in this file");
    for (const line of headers.split("\n").filter((line) => /^\s+(LOAD|GNU_STACK|DYNAMIC)\s/.test(line))) {
      assert(!/ R?W?E /.test(line.replace("RW ", "")), line);
    }
    const symbols = inspect("readelf", ["--wide", "--symbols", "--use-dynamic"], 500)!;
    assertStringIncludes(symbols, "f499");
    assertEquals(symbols.match(/FUNC\s+GLOBAL\s+DEFAULT\s+ABS/g)?.length, 500);
  },
});

linuxTest("the C library opens a stub and finds the addresses", () => {
  const path = Deno.makeTempFileSync({ suffix: ".so" });
  Deno.writeFileSync(path, writeElfStub(ELF_MACHINE[Deno.build.arch], ADDRESSES(3)));
  const libc = Deno.dlopen("libc.so.6", {
    // void *dlopen(const char *file, int mode); NULL
    dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
    // void *dlsym(void *handle, const char *name); NULL
    dlsym: { parameters: ["pointer", "buffer"], result: "usize" },
    // int dlclose(void *handle); not 0
    dlclose: { parameters: ["pointer"], result: "i32" },
  });
  try {
    const text = (value: string) => new TextEncoder().encode(`${value}\0`);
    const handle = libc.symbols.dlopen(text(path), 2);
    assert(handle !== null);
    const found = ["f0", "f1", "f2"].map((name) => BigInt(libc.symbols.dlsym(handle, text(name))));
    assertEquals(found, ADDRESSES(3));
    assertEquals(libc.symbols.dlclose(handle), 0);
  } finally {
    libc.close();
    Deno.removeSync(path);
  }
});
