// Pinned modules: they close like any other and are never unmapped.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { until } from "../support/workers.ts";
import {
  assertLoadError,
  hostBuilder,
  JUMP_ADDRESS,
  machineCode,
  permissionsAt,
} from "../support/testing.ts";
import { DIALECTS, ENDINGS, Journal, threadModule } from "../support/threads.ts";

/** Registers a test without the resource check: the resources of a pinned module stay open on purpose. */
function pinTest(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os !== "linux", sanitizeResources: false, fn });
}

const FILE = () => threadModule("endings", DIALECTS[0]);
const VALUE = { parameters: [], result: "i32" } as const;
const newRegistry = () => new ModuleRegistry({ libraries: ["libc.so.6"], keepVersions: 0 });

/** A module with a function that returns a number, and perhaps one that jumps to an import. */
function moduleWith(name: string, value: number, imported?: string): Uint8Array {
  const builder = hostBuilder({ flags: 2 });
  const code = new Uint8Array(64);
  code.set(machineCode.returns(value));
  code.set(machineCode.jump(), 32);
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.symbol({ name, type: SymbolType.Function, size: 6 });
  if (imported === undefined) return builder.build();
  builder.symbol({ name: "through", type: SymbolType.Function, value: 32 });
  const symbol = builder.symbol({ name: imported, type: SymbolType.Function, defined: false });
  builder.relocation({ offset: 32 + JUMP_ADDRESS, symbol, type: RelocationType.Abs64 });
  return builder.build();
}

pinTest("threads of a pinned module go on when it is closed", async () => {
  const registry = newRegistry();
  const words = new BigInt64Array(3);
  // This thread's object is destroyed when the thread ends, which is after all JavaScript.
  const journal = Journal.outliving();
  const module = registry.load(FILE(), { pin: true });
  const { symbols } = module.bind(ENDINGS);
  symbols.write_to(journal.pointer);
  symbols.at_end(1n);
  symbols.at_thread_end(2n);
  assertEquals(symbols.start_ticking(Deno.UnsafePointer.of(words)), 0);
  const { address } = module.codeMemory!;
  await module.closeAsync();
  await registry[Symbol.asyncDispose]();
  assertLoadError(() => symbols.at_exit(), "Closed");
  const ticks = words[0];
  await until(() => words[0] > ticks + 3n);
  assertEquals(permissionsAt(address), "r-xp");
  assertEquals(journal.take(), [], "neither finalisers nor exit handlers ran");
  words[1] = 1n;
  await until(() => words[2] === 1n);
});

pinTest("a module that is not pinned is unmapped", async () => {
  const module = new ModuleLoader().load(FILE(), () => 1n);
  const { address } = module.codeMemory!;
  await module.closeAsync();
  assertEquals(permissionsAt(address), "");
});

pinTest("a loader pins too, and a later load of the same module can pin it", async () => {
  const first = new ModuleLoader().loadBytes(moduleWith("value", 7), undefined, { pin: true });
  await using registry = newRegistry();
  registry.loadBytes("again", moduleWith("value", 8));
  const second = registry.load(FILE());
  registry.load(FILE(), { pin: true }).close();
  const addresses = [first, second].map((module) => module.codeMemory!.address);
  first.close();
  second.close();
  for (const address of addresses) assertEquals(permissionsAt(address), "r-xp");
});

pinTest("the provider of a pinned module stays with it, and nothing waits for that", async () => {
  const registry = new ModuleRegistry({ keepVersions: 0 });
  const provider = registry.loadBytes("provider", moduleWith("value", 7));
  const importer = registry.loadBytes("importer", moduleWith("other", 8, "value"), { pin: true });
  assertEquals(importer.getFunction("through", VALUE)?.(), 7);
  const addresses = [provider, importer].map((module) => module.codeMemory!.address);
  assertThrows(() => provider.close(), Error, "in use");
  await importer.closeAsync();
  assertEquals(provider.holders(), []);
  await provider.closeAsync();
  await registry[Symbol.asyncDispose]();
  for (const address of addresses) assertEquals(permissionsAt(address), "r-xp");
});

pinTest("versions after a pinned one are pinned, whether they take over or not", () => {
  const registry = new ModuleRegistry({ keepVersions: 0 });
  const module = registry.loadBytes("pinned", moduleWith("value", 1), { pin: true });
  const addresses = [module.codeMemory!.address];
  const refused: bigint[] = [];
  assertThrows(() =>
    registry.reload("pinned", {
      bytes: moduleWith("value", 2),
      verify: (candidate) => {
        refused.push(candidate.codeMemory!.address);
        return false;
      },
    })
  );
  const next = registry.reload("pinned", { bytes: moduleWith("value", 3) });
  addresses.push(next.codeMemory!.address, ...refused);
  module.close();
  next.close();
  registry[Symbol.dispose]();
  assertEquals(addresses.length, 3);
  for (const address of addresses) assert(permissionsAt(address) === "r-xp");
});
