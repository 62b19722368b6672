/** Guards and adapters together: values convert as without a guard, and a crash is an exception of the call. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { HAS_GUARDS } from "../../../src/load/runtime/crash_guard.ts";
import { onSystem } from "../../support/crashes.ts";
import { runChild, sample } from "../../support/modules.ts";

/** Registers a test for systems that have guards. */
function guardTest(name: string, run: () => Promise<void>): void {
  Deno.test({ name: HAS_GUARDS ? name : `${name} (SKIPPED: no guards here)`, ignore: !HAS_GUARDS, fn: run });
}

const PAIR = { struct: ["i64", "i64"] } as const;

for (const callPath of ["auto", "fast", "pointer"] as const) {
  guardTest(`guarded functions convert values like others, by ${callPath}`, async () => {
    await using registry = new ModuleRegistry({ onCrash: "throw" });
    const module = registry.loadBytes("sample", sample());
    const definitions = {
      add64: { parameters: ["i64", "i64"], result: "i64", integers: "number" },
      offset: { parameters: ["cstring", "usize"], result: "cstring", integers: "number", captureErrno: true },
      pair: { parameters: ["i64", "i64"], result: PAIR, integers: "number", resultBuffer: "caller" },
    } as const;
    const { add64, offset, pair } = module.bind(definitions, { callPath }).symbols;
    const target = new Uint8Array(16);
    for (let round = 0; round < 20; round++) {
      assertEquals(add64(round, 2), round + 2);
      assertThrows(() => add64(2 ** 53 - 1, 1), RangeError, "as a number");
      assertEquals(offset("a string", 2).result, "string");
      assertEquals([...new BigInt64Array(pair(round, -1, target).buffer)], [BigInt(round), -1n]);
    }
  });

  guardTest(`guarded nonblocking functions convert values like others, by ${callPath}`, async () => {
    await using registry = new ModuleRegistry({ onCrash: "throw" });
    const module = registry.loadBytes("sample", sample());
    const { add64, length, pair } = module.bind({
      add64: { parameters: ["i64", "i64"], result: "i64", integers: "number", nonblocking: true },
      length: {
        name: "offset",
        parameters: ["cstring", "usize"],
        result: "cstring",
        captureErrno: true,
        nonblocking: true,
      },
      pair: { parameters: ["i64", "i64"], result: PAIR, resultBuffer: "caller", nonblocking: true },
    }, { callPath }).symbols;
    const target = new Uint8Array(16);
    for (let round = 0; round < 3; round++) {
      const sums: number[] = await Promise.all([add64(round, 1), add64(round, 2), add64(round, 3)]);
      assertEquals(sums, [round + 1, round + 2, round + 3]);
      await assertRejects(() => add64(2 ** 53 - 1, 1), RangeError);
      assertEquals(await length("grüße", 0n), { result: "grüße", errno: 0 });
      assertEquals(await pair(1n, 2n, target), target);
    }
  });
}

guardTest("a crash behind an adapter is an exception of the call", async () => {
  const result = await runChild(new URL("./guarded_child.ts", import.meta.url));
  assertEquals(result.code, 0, result.stderr);
  assertEquals(JSON.parse(result.stdout), Array.from({ length: 6 }, () => `Crashed ${onSystem("SIGSEGV")}`));
});
