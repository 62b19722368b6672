// The unwinder knows a module's functions for as long as the module is loaded.
import { compileModule, runModules } from "../../support/compiled_module.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { assertEquals } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import { Binding, RelocationType, SectionType, SymbolType } from "../../../src/smf/enums.ts";
import { cie, END, fde, FDE_FUNCTION } from "../../support/frame_bytes.ts";
import { assertLoadError, hostBuilder, machineCode } from "../../support/testing.ts";

const NO_UNWINDER = Deno.build.os !== "linux";
const CIE = cie();
const SEVEN = { parameters: [], result: "i32" } as const;

/** The unwind tables of a test module. */
interface Frames {
  readonly size?: number;
  readonly copies?: number;
  /** The function's offset in the code, as the table has it. */
  readonly addend?: number;
}

/** A module with one function, `seven`, and unwind tables for it. */
function moduleWith({ size, copies = 1, addend = 0 }: Frames = {}): Uint8Array {
  const builder = hostBuilder();
  const code = machineCode.returns(7);
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.symbol({ name: "seven", type: SymbolType.Function, size: code.length });
  const start = builder.symbol({ name: "start", type: SymbolType.None, binding: Binding.Local });
  const table = Uint8Array.from([...CIE, ...fde(CIE.length, 0, size ?? code.length), ...END]);
  for (let copy = 0; copy < copies; copy++) {
    builder.section({ name: ".eh_frame", type: SectionType.RoData, bytes: table, alignment: 8 });
    const place = 4096 + copy * (table.length + 7 & ~7) + CIE.length + FDE_FUNCTION;
    builder.relocation({ offset: place, symbol: start, type: RelocationType.Pc32, addend });
  }
  return builder.build();
}

/** Registers a test with a function that returns the unwinder's record for an address. */
function unwinderTest(
  name: string,
  work: (recordFor: (address: bigint) => bigint) => void | Promise<void>,
): void {
  Deno.test({
    name: NO_UNWINDER ? `${name} (SKIPPED: modules tell libgcc's unwinder only)` : name,
    ignore: NO_UNWINDER,
    async fn() {
      // const fde *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases); NULL
      const libgcc = Deno.dlopen("libgcc_s.so.1", {
        _Unwind_Find_FDE: { parameters: ["usize", "buffer"], result: "usize" },
      });
      try {
        await work((address) => libgcc.symbols._Unwind_Find_FDE(address, new BigUint64Array(3)));
      } finally {
        libgcc.close();
      }
    },
  });
}

unwinderTest(
  "the unwinder finds a function while its module is loaded, not before and after",
  async (recordFor) => {
    const module = new ModuleLoader().loadBytes(moduleWith());
    const { address } = module.codeMemory;
    assertEquals(module.getFunction("seven", SEVEN)!(), 7);
    assertEquals(recordFor(address) > address, true);
    assertEquals(recordFor(address + 100n), 0n);
    await module.closeAsync();
    assertEquals(recordFor(address), 0n);
  },
);

unwinderTest("versions that are loaded at once are each registered", async (recordFor) => {
  await using registry = new ModuleRegistry();
  using first = registry.loadBytes("m", moduleWith());
  using second = registry.reload("m", { bytes: moduleWith() });
  const records = [first, second].map((module) => recordFor(module.codeMemory.address));
  assertEquals(records.every((record) => record !== 0n), true);
  assertEquals(new Set(records).size, 2);
});

unwinderTest("unwind tables without functions are not registered", (recordFor) => {
  using module = new ModuleLoader().loadBytes(moduleWith({ size: 0 }));
  assertEquals(recordFor(module.codeMemory.address), 0n);
});

unwinderTest("broken unwind tables are refused, and not registered", (recordFor) => {
  const cases: { copies?: number; size?: number; addend?: number }[] = [
    { copies: 2 },
    { size: 1 << 20 },
    { addend: -1 },
  ];
  for (const frames of cases) {
    const error = assertLoadError(
      () => new ModuleLoader().loadBytes(moduleWith(frames)),
      "InvalidFormat",
      { section: ".eh_frame" },
    );
    assertEquals(error.message.startsWith("Cannot use unwind tables: "), true);
    assertEquals(error.hint.includes("which merges the sections"), frames.copies === 2);
  }
  using sound = new ModuleLoader().loadBytes(moduleWith());
  assertEquals(recordFor(sound.codeMemory.address) !== 0n, true);
});

unwinderTest("a thousand modules are registered and unregistered", async (recordFor) => {
  const bytes = moduleWith();
  const kept = new ModuleLoader().loadBytes(bytes);
  for (let round = 0; round < 100; round++) {
    const modules = Array.from({ length: 10 }, () => new ModuleLoader().loadBytes(bytes));
    for (const module of modules) assertEquals(recordFor(module.codeMemory.address) !== 0n, true);
    await Promise.all(modules.map((module) => module.closeAsync()));
  }
  assertEquals(recordFor(kept.codeMemory.address) !== 0n, true);
  await kept.closeAsync();
});

const THROWS = `
  extern "C" int test() { try { throw 41; } catch (int value) { return value + 1; } }
`;

for (const strip of [false, true]) {
  const name = `exceptions work with an unwinder of the module's own${strip ? ", stripped" : ""}`;
  testWithCompilers(["g++"], name, async (folder) => {
    const archives: string[] = [];
    for (const archive of ["libstdc++.a", "libgcc_eh.a", "libgcc.a"]) {
      archives.push((await compile("g++", [`-print-file-name=${archive}`])).trim());
    }
    const link = { reloadable: true, strip, exports: ["test"] };
    const module = await compileModule(folder, "throws", THROWS, { language: "cpp", archives, link });
    const libraries = ["libc.so.6", "libm.so.6"];
    const result = await runModules({ modules: [module], libraries, calls: ["test", "test"] });
    assertEquals([result.code, result.signal, result.stderr], [0, null, ""]);
    assertEquals(result.stdout, "42\n42\nclosed\n");
  });
}
