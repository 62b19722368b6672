// Windows knows a module's functions for as long as the module is loaded.
import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";

const IS_WINDOWS = Deno.build.os === "windows";
const MODULE = new URL("../../fixtures/coff/throws.smf", import.meta.url);

Deno.test({
  name: `the table of functions is there while a module is, and gone with it${
    IS_WINDOWS ? "" : " (SKIPPED: runs on Windows)"
  }`,
  ignore: !IS_WINDOWS,
  fn() {
    // PRUNTIME_FUNCTION RtlLookupFunctionEntry(DWORD64 ControlPc, PDWORD64 ImageBase, PUNWIND_HISTORY_TABLE); NULL
    const system = Deno.dlopen("ntdll.dll", {
      RtlLookupFunctionEntry: { parameters: ["usize", "buffer", "pointer"], result: "usize" },
    });
    const isKnown = (address: bigint): boolean =>
      system.symbols.RtlLookupFunctionEntry(address, new BigUint64Array(1), null) !== 0n;
    try {
      for (let round = 0; round < 3; round++) {
        using registry = new ModuleRegistry();
        const module = registry.load(MODULE);
        const { address, size } = module.codeMemory;
        const places = Array.from({ length: 64 }, (_, i) => address + BigInt(Math.floor(size / 64) * i));
        assertEquals(places.filter(isKnown).length > 32, true, "while it is loaded");
        module.close();
        assertEquals(places.filter(isKnown), [], "when it is closed");
      }
    } finally {
      system.close();
    }
  },
});
