import { assert, assertEquals, assertThrows } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { ANSWER, answering, build, linuxTest, maps, nativeTest, sample, turn } from "../support/modules.ts";
import { assertLoadError } from "../support/testing.ts";

/** The protection of the mapping that an address lies in. */
function protectionAt(address: bigint): string | undefined {
  for (const line of maps()) {
    const [range, protection] = line.split(" ");
    const [start, end] = range.split("-").map((part) => BigInt(`0x${part}`));
    if (address >= start && address < end) return protection;
  }
  return undefined;
}

linuxTest("code is executable and never writable, data writable and never executable", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const { codeMemory, dataMemory } = module;
  assertEquals(protectionAt(codeMemory.address), "r-xp");
  assertEquals(protectionAt(dataMemory.address), "rw-p");
  assert(codeMemory.size > 0 && codeMemory.size % 4096 === 0);
  assertEquals(dataMemory.size, 4096);
});

nativeTest("a module without variables has data memory of no size", () => {
  using module = new ModuleLoader().loadBytes(answering(1));
  assertEquals(module.dataMemory.size, 0);
});

nativeTest("holders describes everything that needs the module", async () => {
  {
    using registry = new ModuleRegistry();
    const module = registry.loadBytes("sample", sample());
    assertEquals(module.holders(), []);
    using _lease = module.addressOf("add32")!;
    registry.loadBytes(
      "importer",
      build({ routines: { f: { hex: "ff 25 00 00 00 00", refersByGot: { 2: "add32" } } } }),
    );
    assertEquals(module.holders().toSorted(), ["a lease on the address of 'add32'", "module 'importer'"]);
  }
  await turn();
});

nativeTest("`using` closes, also when the block throws", () => {
  let kept: (() => number) | undefined;
  assertThrows(
    () => {
      using module = new ModuleLoader().loadBytes(answering(1));
      kept = module.getFunction("value", ANSWER)!;
      throw new RangeError("from the block");
    },
    RangeError,
    "from the block",
  );
  assertLoadError(() => kept!(), "Closed");
});

nativeTest("LoadedModule cannot be made by hand", () => {
  using module = new ModuleLoader().loadBytes(answering(1));
  const { constructor } = module as unknown as { constructor: new (...parameters: unknown[]) => unknown };
  assertThrows(() => new constructor());
});
