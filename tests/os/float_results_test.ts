import { assertEquals } from "@std/assert";
import { losesNumbers, structCall } from "../../src/os/float_results.ts";
import { pointerCall } from "../../src/os/pointer.ts";
import { ModuleRegistry } from "../../mod.ts";
import { fixtureTest } from "../support/testing.ts";

const NUMBERS = [1.5, -0, Infinity, -Infinity, NaN];

Deno.test("versions of Deno that lose numbers are told from those that do not", () => {
  assertEquals(["2.3.0", "2.4.0", "2.8.3", "2.9.0", "2.9.1"].map(losesNumbers), Array(5).fill(true));
  assertEquals(["2.9.2", "2.9.6+4f5", "2.10.0", "3.0.0", "canary"].map(losesNumbers), Array(5).fill(false));
});

Deno.test("only functions with a result of type f32 or f64 are called for a struct", () => {
  for (const result of ["void", "i64", "pointer", { struct: ["f64"] }] as const) {
    assertEquals(structCall({ parameters: [], result }, true), undefined);
  }
  assertEquals(structCall({ parameters: [], result: "f64" }, false), undefined);
  assertEquals(structCall({ parameters: ["u8"], result: "f32", nonblocking: true }, true)?.definition, {
    parameters: ["u8"],
    result: { struct: ["f32"] },
    nonblocking: true,
  });
});

fixtureTest("a call for a struct gets every number, and so does a call by address", async () => {
  using registry = new ModuleRegistry();
  registry.load(new URL("../../fixtures/mylib.smf", import.meta.url));
  const address = registry.resolveSymbol("average")!;
  const definition = { parameters: ["f64", "f64"], result: "f64" } as const;
  const { definition: asStruct, number } = structCall(definition, true)!;
  const byStruct = pointerCall(address, asStruct);
  const later = pointerCall(address, { ...definition, nonblocking: true });
  for (const value of NUMBERS) {
    assertEquals(number(byStruct(value, value) as Uint8Array), value);
    assertEquals(pointerCall(address, definition)(value, value), value);
    assertEquals(await later(value, value), value);
  }
});
