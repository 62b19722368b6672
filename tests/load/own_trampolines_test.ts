import { assertEquals } from "@std/assert";
import { OwnTrampolines } from "../../src/load/own_trampolines.ts";

/** An address above 4 GiB, as those of trampolines mostly are. */
const BASE = 0x7f12_3456_7000;

Deno.test("the code of a function is found by the address of its trampoline only", () => {
  const own = new OwnTrampolines(Float64Array.of(BASE + 64, BASE), Float64Array.of(0x1000, 0x2000));
  assertEquals([own.size, own.first, own.end], [2, BASE, BASE + 65]);
  assertEquals([BASE, BASE + 64].map((address) => own.codeOf(address)), [0x2000, 0x1000]);
  assertEquals(
    [BASE - 1, BASE + 32, BASE + 65, 0, NaN].map((address) => own.codeOf(address)),
    Array(5).fill(undefined),
  );
});

Deno.test("pairs of trampolines and code are in the order of the trampolines", () => {
  const own = new OwnTrampolines(Float64Array.of(BASE + 64, BASE), Float64Array.of(0x1000, BASE + 0x2000));
  assertEquals([...own.pairs()], [BigInt(BASE), BigInt(BASE + 0x2000), BigInt(BASE + 64), 0x1000n]);
});

Deno.test("a version without trampolines has no code for any address", () => {
  const own = new OwnTrampolines(new Float64Array(), new Float64Array());
  assertEquals([own.size, own.codeOf(0), own.codeOf(BASE), own.pairs().length], [0, undefined, undefined, 0]);
});
